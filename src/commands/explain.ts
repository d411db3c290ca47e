import { UserError } from '../errors.js';
import { command } from '../options/command.js';

export const explainCommand = command({
  name: 'explain',
  summary: 'tell why one click got its verdict',
  options: {},
  examples: [],
  async run() {
    throw new UserError('not built yet');
  },
});
