import { UserError } from '../errors.js';
import { command } from '../options/command.js';

export const methodCommand = command({
  name: 'method',
  summary: 'print the counting method',
  options: {},
  examples: [],
  async run() {
    throw new UserError('not built yet');
  },
});
