// Prints a completion script. It gets the list of commands from outside, because it is one of them.
import { type Command, command } from '../options/command.js';
import { completionScript, SHELLS, type Shell } from '../options/completion.js';
import { globalOptions } from '../options/shared.js';

/** `click-agg completion`, completing the commands that `load` gives when it runs. */
export function completionOf(load: () => Promise<readonly Command[]>): Command {
  return command({
    name: 'completion',
    summary: 'print a completion script for bash, zsh or fish',
    arguments: [{ name: 'shell', about: 'whose script', required: true, choices: SHELLS }],
    options: {},
    examples: [
      ['eval "$(click-agg completion bash)"', 'in ~/.bashrc'],
      ['eval "$(click-agg completion zsh)"', 'in ~/.zshrc, after compinit'],
      ['click-agg completion fish > ~/.config/fish/completions/click-agg.fish', 'for fish'],
    ],
    async run({ args, terminal }) {
      await terminal.print(completionScript(args[0] as Shell, await load(), globalOptions));
      return undefined;
    },
  });
}
