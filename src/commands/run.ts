import { UserError } from '../errors.js';
import { command } from '../options/command.js';

export const runCommand = command({
  name: 'run',
  summary: 'aggregate clicks as a stream',
  options: {},
  examples: [],
  async run() {
    throw new UserError('not built yet');
  },
});
