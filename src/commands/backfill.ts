import { UserError } from '../errors.js';
import { command } from '../options/command.js';

export const backfillCommand = command({
  name: 'backfill',
  summary: 'bill the too-late clicks of a closed period',
  options: {},
  examples: [],
  async run() {
    throw new UserError('not built yet');
  },
});
