// Shell completion, made from the same option tables as parsing and help.
import { UserError } from '../errors.js';
import { command } from '../options/command.js';

export const completionCommand = command({
  name: 'completion',
  summary: 'print a completion script for bash, zsh or fish',
  options: {},
  examples: [],
  async run() {
    throw new UserError('not built yet');
  },
});
