import { UserError } from '../errors.js';
import { command } from '../options/command.js';

export const deadLettersCommand = command({
  name: 'dead-letters',
  summary: 'look at, count and resend what was not billed',
  options: {},
  examples: [],
  async run() {
    throw new UserError('not built yet');
  },
});
