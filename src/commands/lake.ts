import { UserError } from '../errors.js';
import { command } from '../options/command.js';

export const lakeCommand = command({
  name: 'lake',
  summary: 'keep every raw record as Parquet',
  options: {},
  examples: [],
  async run() {
    throw new UserError('not built yet');
  },
});
