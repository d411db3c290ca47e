import { UserError } from '../errors.js';
import { command } from '../options/command.js';

export const loadgenCommand = command({
  name: 'loadgen',
  summary: 'generate clicks as they come in life',
  options: {},
  examples: [],
  async run() {
    throw new UserError('not built yet');
  },
});
