import { UserError } from '../errors.js';
import { command } from '../options/command.js';

export const demoCommand = command({
  name: 'demo',
  summary: 'see everything in a minute',
  options: {},
  examples: [],
  async run() {
    throw new UserError('not built yet');
  },
});
