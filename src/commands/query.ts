import { UserError } from '../errors.js';
import { command } from '../options/command.js';

export const queryCommand = command({
  name: 'query',
  summary: 'answer from the totals',
  options: {},
  examples: [],
  async run() {
    throw new UserError('not built yet');
  },
});
