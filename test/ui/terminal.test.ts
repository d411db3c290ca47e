// The terminal on streams of the test's own: what people see, what pipes get, what is kept from either.
import { Writable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BrokenPipe, createTerminal, type OutputStream } from '../../src/ui/create-terminal.js';
import { visible } from '../../src/ui/escape.js';
import { compact, duration, progressLine } from '../../src/ui/progress.js';

function sink(isTTY: boolean, columns = 80): OutputStream & { text(): string } {
  const chunks: string[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(chunk.toString());
      done();
    },
  });
  return Object.assign(stream, { isTTY, columns, text: () => chunks.join('') });
}

interface Setting {
  tty?: boolean;
  columns?: number;
  environment?: NodeJS.ProcessEnv;
  json?: boolean;
  quiet?: boolean;
  noColor?: boolean;
}

function setUp({
  tty = false,
  columns,
  environment = {},
  json = false,
  quiet = false,
  noColor = false,
}: Setting) {
  const stdout = sink(tty, columns);
  const stderr = sink(tty, columns);
  const clock = { ms: 0 };
  const terminal = createTerminal({
    stdout,
    stderr,
    environment,
    json,
    quiet,
    noColor,
    nowMs: () => clock.ms,
  });
  return { terminal, stdout, stderr, clock };
}

describe('colour', () => {
  test.each<[string, Setting, boolean]>([
    ['on a terminal', { tty: true }, true],
    ['not in a pipe', {}, false],
    ['not with NO_COLOR', { tty: true, environment: { NO_COLOR: '1' } }, false],
    ['with an empty NO_COLOR', { tty: true, environment: { NO_COLOR: '' } }, true],
    ['not with --no-color', { tty: true, noColor: true }, false],
    ['in a pipe with FORCE_COLOR', { environment: { FORCE_COLOR: '1' } }, true],
    ['not with FORCE_COLOR=0', { tty: true, environment: { FORCE_COLOR: '0' } }, false],
    ['not with both NO_COLOR and FORCE_COLOR', { environment: { FORCE_COLOR: '1', NO_COLOR: '1' } }, false],
    ['not on a dumb terminal', { tty: true, environment: { TERM: 'dumb' } }, false],
    ['not with --json', { tty: true, json: true }, false],
  ])('%s', (_name, setting, expected) => {
    const { terminal } = setUp(setting);
    expect(terminal.color).toBe(expected);
    expect(terminal.style.red('x')).toBe(expected ? '\u001b[31mx\u001b[39m' : 'x');
  });
});

describe('a table', () => {
  const head = ['ad_id', 'clicks'];
  const rows = [
    ['ad-1', 1234567],
    ['advert-2', 8],
  ];

  test('is bare columns in a pipe', async () => {
    const { terminal, stdout } = setUp({});
    await terminal.table(head, rows);
    expect(stdout.text()).toBe(
      ['ad_id      clicks', 'ad-1      1234567', 'advert-2        8', ''].join('\n'),
    );
  });

  test('is boxed on a terminal, its numbers in groups of three', async () => {
    const { terminal, stdout } = setUp({ tty: true, noColor: true });
    await terminal.table(head, rows);
    expect(stdout.text()).toBe(
      [
        '┌──────────┬───────────┐',
        '│ ad_id    │    clicks │',
        '├──────────┼───────────┤',
        '│ ad-1     │ 1,234,567 │',
        '│ advert-2 │         8 │',
        '└──────────┴───────────┘',
        '',
      ].join('\n'),
    );
  });

  test('that is wider than the terminal wraps its widest column', async () => {
    const { terminal, stdout } = setUp({ tty: true, noColor: true, columns: 40 });
    await terminal.table(
      ['verdict', 'when'],
      [['invalid', 'not JSON, a field missing, malformed or too long']],
    );
    for (const line of stdout.text().split('\n')) expect(line.length).toBeLessThanOrEqual(40);
    expect(stdout.text()).toContain('malformed');
  });

  test('shows what a hostile field holds instead of obeying it', async () => {
    const { terminal, stdout } = setUp({});
    await terminal.table(
      ['click_id'],
      [['\u001b[2J\u0007a\nb\u202ec\u0000\u009b'], ['\ud800x'], ['plain ü 日本']],
    );
    expect(stdout.text()).toBe(
      ['click_id', '\\x1b[2J\\x07a\\nb\\u202ec\\x00\\x9b', '\\ud800x', 'plain ü 日本', ''].join('\n'),
    );
  });

  test('cuts a field that is endless', async () => {
    const { terminal, stdout } = setUp({});
    await terminal.table(['referrer'], [['x'.repeat(4096)]]);
    expect(stdout.text().length).toBeLessThan(300);
  });
});

test('nothing that is shown holds a control character, whatever the text was', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      return !/[\p{Cc}\p{Cf}\p{Cs}]/u.test(visible(text));
    }),
  );
});

describe('logs', () => {
  test('go to standard error, info only without --quiet', () => {
    const { terminal, stdout, stderr } = setUp({});
    terminal.info('one\u001b[2J');
    terminal.warn('two');
    terminal.error('three');
    expect(stderr.text()).toBe('one\\x1b[2J\nwarning: two\nerror: three\n');
    const silent = setUp({ quiet: true });
    silent.terminal.info('one');
    silent.terminal.warn('two');
    silent.terminal.progress('loading', 10).update(5);
    expect(silent.stderr.text()).toBe('warning: two\n');
    expect(stdout.text()).toBe('');
  });

  test('keep our own colours and line breaks', () => {
    const { terminal, stderr } = setUp({ tty: true });
    terminal.info(`${terminal.style.green('fine')}\nnext`);
    expect(stderr.text()).toBe('\u001b[32mfine\u001b[39m\nnext\n');
  });
});

describe('progress', () => {
  test('on a terminal is one line that is drawn over, below the log', () => {
    const { terminal, stderr, clock } = setUp({ tty: true, noColor: true });
    const bar = terminal.progress('reading', 1000);
    clock.ms = 1000;
    bar.update(250);
    clock.ms = 1050;
    bar.update(260);
    terminal.info('hello');
    bar.stop();
    const line = 'reading  [######------------------]  25 %  250 of 1 k  250/s  3 s left';
    const erase = '\r\u001b[2K';
    expect(stderr.text()).toBe(`${line}${erase}hello\n${line}${erase}`);
  });

  test('elsewhere is a line every five seconds', () => {
    const { terminal, stderr, clock } = setUp({});
    const bar = terminal.progress('reading', undefined);
    for (clock.ms = 0; clock.ms <= 11_000; clock.ms += 1000) bar.update(clock.ms, 'p0');
    bar.stop();
    expect(stderr.text()).toBe('reading  5 k  1 k/s  p0\nreading  10 k  1 k/s  p0\n');
  });

  test('does not run over an unknown or a passed end', () => {
    const state = { label: 'x', note: undefined, elapsedMs: 1000, bar: false };
    expect(progressLine({ ...state, done: 20, total: 10 })).toBe('x  100 %  20 of 10  20/s');
    expect(progressLine({ ...state, done: 0, total: 0, elapsedMs: 0 })).toBe('x  0');
  });

  test('numbers and durations have the digits that matter', () => {
    expect([0, 999, 1000, 1349, 999_499, 999_500, 12_345_678].map(compact)).toEqual([
      '0',
      '999',
      '1 k',
      '1.35 k',
      '999 k',
      '1 M',
      '12.3 M',
    ]);
    expect([5, 999, 4200, 200_000, 7_500_000, 273_600_000].map(duration)).toEqual([
      '5 ms',
      '999 ms',
      '4 s',
      '3 min 20 s',
      '2 h 5 min',
      '3 d 4 h',
    ]);
  });
});

describe('printing', () => {
  test('--json is one document and a line break', async () => {
    const { terminal, stdout } = setUp({ json: true });
    await terminal.json({ a: [1] });
    expect(stdout.text()).toBe('{"a":[1]}\n');
  });

  test('to a closed pipe fails as a broken pipe', async () => {
    const stream = new Writable({
      write: (_chunk, _encoding, done) => done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' })),
    });
    stream.on('error', () => {});
    const { stderr } = setUp({});
    const settings = { environment: {}, json: false, quiet: false, noColor: false, nowMs: () => 0 };
    const terminal = createTerminal({ stdout: stream, stderr, ...settings });
    await expect(terminal.print('x')).rejects.toBeInstanceOf(BrokenPipe);
    await expect(terminal.print('y')).rejects.toBeInstanceOf(BrokenPipe);
  });
});
