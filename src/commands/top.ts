import { UserError } from '../errors.js';
import { command } from '../options/command.js';

export const topCommand = command({
  name: 'top',
  summary: 'watch live',
  options: {},
  examples: [],
  async run() {
    throw new UserError('not built yet');
  },
});
