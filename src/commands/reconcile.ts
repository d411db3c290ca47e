import { UserError } from '../errors.js';
import { command } from '../options/command.js';

export const reconcileCommand = command({
  name: 'reconcile',
  summary: 'prove that the stream counted right',
  options: {},
  examples: [],
  async run() {
    throw new UserError('not built yet');
  },
});
