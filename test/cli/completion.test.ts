// Bash's completion is tried in a real bash; zsh and fish at least parse theirs where they are installed.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadCommands } from '../../src/commands/index.js';
import { completionScript, SHELLS, type Shell } from '../../src/options/completion.js';
import { globalOptions } from '../../src/options/shared.js';
import { clickAgg, temporaryDirectory } from './click-agg.js';

const commands = await loadCommands();

function installed(program: string): boolean {
  return spawnSync(program, ['-c', 'true']).status === 0;
}

/** What bash offers after this line; the cursor is at its end. */
function bashOffers(...words: string[]): string[] {
  const script = `${completionScript('bash', commands, globalOptions)}
    COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')})
    COMP_CWORD=$((\${#COMP_WORDS[@]} - 1))
    compopt() { :; }
    _click_agg
    printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { status, stdout, stderr } = spawnSync('bash', ['-c', script], { encoding: 'utf8' });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return stdout.split('\n').filter(Boolean);
}

describe.skipIf(!installed('bash'))('in bash', () => {
  test('commands are completed', () => {
    const names = commands.filter((command) => !command.hidden).map((command) => command.name);
    expect(bashOffers('click-agg', '')).toEqual(expect.arrayContaining(names));
    expect(bashOffers('click-agg', 'rec')).toEqual(['reconcile']);
  });

  test('options are completed, those of every command too', () => {
    expect(bashOffers('click-agg', 'method', '--bot')).toEqual(['--bot-window', '--bot-threshold']);
    expect(bashOffers('click-agg', 'method', '--js')).toEqual(['--json']);
    expect(bashOffers('click-agg', '--json', 'method', '--clo')).toEqual(['--clock-skew']);
  });

  test('a value is no command', () => {
    expect(bashOffers('click-agg', '--config', 'run', 'met')).toEqual(['method']);
    expect(bashOffers('click-agg', 'method', '--bot-window', '')).toEqual([]);
  });

  test('arguments and files are completed', () => {
    expect(bashOffers('click-agg', 'completion', 'f')).toEqual(['fish']);
    expect(bashOffers('click-agg', 'method', '--config', 'package.')).toEqual(['package.json']);
    expect(bashOffers('click-agg', 'method', '--config', '=', 'package.')).toEqual(['package.json']);
  });
});

test.each(SHELLS)('the script for %s parses and names every option', async (shell: Shell) => {
  const { code, stdout } = await clickAgg(['completion', shell]);
  expect(code).toBe(0);
  for (const command of commands.filter((one) => !one.hidden)) {
    for (const { flag, neverTyped } of Object.values(command.options)) {
      const offered = new RegExp(`(--|-l )${flag}\\b`).test(stdout);
      expect({ flag, offered }).toEqual({ flag, offered: !neverTyped });
    }
  }
  if (!installed(shell)) return;
  const directory = temporaryDirectory();
  const file = join(directory.path, `completion.${shell}`);
  writeFileSync(file, stdout);
  const { status, stderr } = spawnSync(shell, ['-n', file], { encoding: 'utf8' });
  directory.remove();
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
});
