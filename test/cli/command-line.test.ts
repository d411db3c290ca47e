// What every command line has in common: help, mistakes and their suggestions, errors, signals, pipes.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { loadCommands } from '../../src/commands/index.js';
import type { Command } from '../../src/options/command.js';
import { environmentName } from '../../src/options/names.js';
import { parseLine } from '../../src/options/program.js';
import { globalOptions } from '../../src/options/shared.js';
import { CLI, clickAgg, node } from './click-agg.js';

const commands = await loadCommands();

/** Runs a command line against commands of the test's own: `body` is JavaScript that makes `commands`. */
function ownProgram(body: string, args: readonly string[]): string[] {
  const script = `
    const { main } = await import(${JSON.stringify(CLI)});
    const base = { arguments: [], options: {}, examples: [], commands: [], hidden: false, summary: 'test' };
    ${body}
    const entries = commands.map((command) => ({ name: command.name, load: async () => command }));
    process.exitCode = await main(${JSON.stringify(args)}, entries);`;
  return ['--input-type=module', '-e', script];
}

function everyCommand(list: readonly Command[], groups: readonly string[] = []): [string[], Command][] {
  return list.flatMap((command) => {
    const path = [...groups, command.name];
    return [[path, command] as [string[], Command], ...everyCommand(command.commands, path)];
  });
}

describe('help', () => {
  test('of the program lists every command that is not hidden', async () => {
    const { code, stdout, stderr } = await clickAgg(['--help']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const { name, summary } of commands.filter((command) => !command.hidden))
      expect(stdout).toMatch(
        new RegExp(`^  ${name} +${summary.slice(0, 20).replace(/[.*+?^()|[\]]/g, '\\$&')}`, 'm'),
      );
  });

  test('is what a bare click-agg shows, as misuse', async () => {
    const { code, stdout, stderr } = await clickAgg([]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain('Usage: click-agg COMMAND');
  });

  test('can be had by `help COMMAND` too', async () => {
    const asked = await clickAgg(['help', 'method']);
    expect(asked).toEqual(await clickAgg(['method', '--help']));
    expect(asked.stdout).toContain('[default 3m] [env CLICK_AGG_WATERMARK_DELAY]');
    expect((await clickAgg(['help', 'methud'])).stderr).toBe(
      "click-agg: unknown command 'methud'\n  did you mean method?\n",
    );
  });

  test.each(everyCommand(commands).map(([path, command]) => [path.join(' '), command] as const))(
    'of `%s` has a summary, every option and examples',
    (path, command) => {
      const names = commands.map(({ name }) => name);
      const line = parseLine({ version: '1', commands, names, globals: globalOptions, columns: 80 }, [
        ...path.split(' '),
        '--help',
      ]);
      const text = line.kind === 'print' && !line.misuse ? line.text : '';
      expect(text).toContain(`click-agg ${path}: ${command.summary}`);
      for (const spec of Object.values({ ...command.options, ...globalOptions }))
        expect(text).toContain(spec.neverTyped ? environmentName(spec) : `--${spec.flag}`);
      expect(command.examples.length, 'examples').toBeGreaterThan(0);
    },
  );

  test('--version tells the version', async () => {
    expect((await clickAgg(['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});

describe('the option tables', () => {
  test.each(everyCommand(commands).map(([path, command]) => [path.join(' '), command] as const))(
    'of `%s` have defaults that pass their own schema, and no flag twice',
    (_path, command) => {
      const table = { ...command.options, ...globalOptions };
      const flags = [...Object.values(command.options), ...Object.values(globalOptions)].map(
        (spec) => spec.flag,
      );
      expect(new Set(flags).size).toBe(flags.length);
      for (const spec of Object.values(table)) {
        expect(spec.flag).toMatch(/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/);
        if (spec.default !== undefined && !spec.repeatable)
          expect(spec.schema.safeParse(spec.default).success, `default of --${spec.flag}`).toBe(true);
      }
    },
  );
});

describe('a mistake', () => {
  test.each([
    [['rum'], "unknown command 'rum'", 'did you mean run?'],
    [['zzzzzzzz'], "unknown command 'zzzzzzzz'", 'see click-agg --help'],
    [['method', '--bot-treshold', '3'], "unknown option '--bot-treshold'", 'did you mean --bot-threshold?'],
    [['method', '--jsom'], "unknown option '--jsom'", 'did you mean --json?'],
    [['method', '-x'], "unknown option '-x'", 'see click-agg method --help'],
    [
      ['method', '--bot-window'],
      "option '--bot-window <DURATION>' argument missing",
      'see click-agg method --help',
    ],
    [
      ['method', 'more'],
      "too many arguments for 'method'. Expected 0 arguments but got 1",
      'see click-agg method --help',
    ],
    [['completion'], "missing required argument 'shell'", 'see click-agg completion --help'],
    [
      ['completion', 'tcsh'],
      "command-argument value 'tcsh' is invalid for argument 'shell'. Allowed choices are bash, zsh, fish",
      'see click-agg completion --help',
    ],
  ])('such as %j is named, with what to do, and exits 2', async (args, message, hint) => {
    expect(await clickAgg(args)).toEqual({
      code: 2,
      stdout: '',
      stderr: `click-agg: ${message}\n  ${hint}\n`,
    });
  });
});

describe('a command that fails', () => {
  test('with the world’s error says one line and its hint, and leaves standard output empty', async () => {
    const body = `
      const { UserError } = await import(${JSON.stringify(CLI.replace('cli.js', 'errors.js'))});
      const commands = [{ ...base, name: 'go', run: async () => {
        throw new UserError('the disk is full: \\u001b[2J', { hint: 'free some space', exitCode: 5 });
      } }];`;
    expect(await node(ownProgram(body, ['go', '--json']))).toEqual({
      code: 5,
      stdout: '',
      stderr: 'click-agg: the disk is full: \\x1b[2J\n  free some space\n',
    });
  });

  test('with a bug shows the stack and asks for a report', async () => {
    const body = `const commands = [{ ...base, name: 'go', run: async () => { null.x; } }];`;
    const { code, stderr } = await node(ownProgram(body, ['go']));
    expect(code).toBe(1);
    expect(stderr).toMatch(/TypeError: Cannot read.*\n +at /);
    expect(stderr).toContain('this is a bug (version ');
  });
});

describe('a signal', () => {
  const waiting = `
    const commands = [{ ...base, name: 'go', run: async ({ signal, terminal, options }) => {
      const tick = setInterval(() => {}, 1000);
      await terminal.print('ready\\n');
      await new Promise((done) => signal.addEventListener('abort', done));
      if (options.quiet) await new Promise(() => {});
      clearInterval(tick);
      return 0;
    } }];`;

  async function started(args: readonly string[]) {
    const child = spawn(process.execPath, ownProgram(waiting, args), { stdio: ['ignore', 'pipe', 'pipe'] });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    await once(child.stdout, 'data');
    return { child, stderr: () => stderr };
  }

  test.each(['SIGINT', 'SIGTERM'] as const)('%s lets the command stop by itself', async (signal) => {
    const { child, stderr } = await started(['go']);
    child.kill(signal);
    expect(await once(child, 'close')).toEqual([0, null]);
    expect(stderr()).toBe('click-agg: stopping; once more to stop at once\n');
  });

  test('that comes twice ends the process with 130', async () => {
    const { child } = await started(['go', '--quiet']);
    child.kill('SIGINT');
    await once(child.stderr, 'data');
    child.kill('SIGINT');
    expect(await once(child, 'close')).toEqual([130, null]);
  });
});

describe('standard output', () => {
  test('that is closed early ends the command with success', async () => {
    const body = `
      const commands = [{ ...base, name: 'go', run: async ({ terminal }) => {
        for (;;) await terminal.print('x'.repeat(10_000) + '\\n');
      } }];`;
    const child = spawn(process.execPath, ownProgram(body, ['go']), { stdio: ['ignore', 'pipe', 'pipe'] });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    await once(child.stdout, 'data');
    child.stdout.destroy();
    expect(await once(child, 'close')).toEqual([0, null]);
    expect(stderr).toBe('');
  });
});
