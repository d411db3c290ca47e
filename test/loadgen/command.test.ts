// `click-agg loadgen` as a person runs it: a real process, real files, a real log.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { logSource } from '../../src/adapters/embedded/log-source.js';
import { KINDS } from '../../src/core/loadgen/profile.js';
import { BIN, clickAgg, temporaryDirectory } from '../cli/click-agg.js';

let directory: { path: string; remove(): void };
beforeAll(() => {
  directory = temporaryDirectory();
});
afterAll(() => {
  directory.remove();
});

function loadgen(...args: string[]) {
  return clickAgg(['loadgen', ...args], { cwd: directory.path });
}

function at(name: string): string {
  return join(directory.path, name);
}

function linesIn(text: string): number {
  return text.split('\n').length - 1;
}

async function recordsIn(logDir: string) {
  const source = await logSource(logDir);
  const signal = new AbortController().signal;
  const records: { partition: number; offset: number; appendTimeMs: number; value: string }[] = [];
  for await (const batch of source.read({ positions: new Map(), untilEnd: true, signal })) {
    const bytes = Buffer.from(batch.bytes.buffer, batch.bytes.byteOffset, batch.bytes.length);
    for (let i = 0; i < batch.count; i++) {
      records.push({
        partition: batch.partition[i]!,
        offset: batch.offset[i]!,
        appendTimeMs: batch.appendTimeMs[i]!,
        value: bytes.toString('utf8', batch.valueStart[i], batch.valueEnd[i]),
      });
    }
  }
  await source.close();
  return records;
}

describe('to a file', () => {
  test('a seed repeats byte for byte, and the table tells what is in it', async () => {
    const first = await loadgen('--count', '20000', '--seed', '5', '--output', 'a.ndjson');
    await loadgen('--count', '20000', '--seed', '5', '--output', 'b.ndjson', '--quiet');
    const hash = (name: string) =>
      createHash('sha256')
        .update(readFileSync(at(name)))
        .digest('hex');
    expect(first.code).toBe(0);
    expect(hash('a.ndjson')).toBe(hash('b.ndjson'));
    for (const kind of KINDS) expect(first.stdout).toMatch(new RegExp(`^.*${kind}`, 'm'));
    expect(first.stderr).toContain('20,000 records');
  });

  test('--truth and --json tell the same in JSON', async () => {
    const args = ['-n', '5000', '-o', 'c.ndjson', '--truth', 'truth.json', '--json', '--malformed', '10%'];
    const { stdout, code } = await loadgen(...args);
    const truth = JSON.parse(readFileSync(at('truth.json'), 'utf8'));
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual(truth);
    expect(truth).toMatchObject({ seed: 1, records: 5000, stopped: false, expected: { records: 5000 } });
    expect(truth.bytes).toBe(statSync(at('c.ndjson')).size);
    expect(truth.kinds.malformed).toBe(truth.expected.invalid);
    expect(Math.abs(truth.kinds.malformed - 500)).toBeLessThan(100);
  });

  test('every kind can be switched off', async () => {
    const off = [
      'late',
      'too-late',
      'duplicates',
      'double-clicks',
      'bots',
      'invalid-traffic-share',
      'malformed',
      'disorder',
      'unusual',
      'future',
    ];
    const args = ['-n', '3000', '-o', 'd.ndjson', '--json', ...off.flatMap((flag) => [`--${flag}`, '0'])];
    const { kinds } = JSON.parse((await loadgen(...args)).stdout);
    expect(kinds.ordinary).toBe(3000);
  });

  test('kcat envelopes are lines of JSON', async () => {
    await loadgen('-n', '1000', '-o', 'e.ndjson', '--format', 'kcat', '--partitions', '3');
    const lines = readFileSync(at('e.ndjson'), 'utf8').trimEnd().split('\n');
    const partitions = new Set(lines.map((line) => (JSON.parse(line) as { partition: number }).partition));
    expect([...partitions].sort()).toEqual([0, 1, 2]);
  });
});

describe('to standard output', () => {
  test('there are the lines and nothing else; the account is on standard error', async () => {
    const plain = await loadgen('-n', '500', '-o', '-', '--malformed', '0');
    expect(linesIn(plain.stdout)).toBe(500);
    expect(plain.stdout.startsWith('{"click_id":')).toBe(true);
    expect(plain.stderr).toContain('double_click');
    const json = await loadgen('-n', '500', '-o', '-', '--json');
    expect(JSON.parse(json.stderr.trimEnd().split('\n').at(-1)!)).toMatchObject({ records: 500 });
  });

  test('a reader that goes away is no failure', async () => {
    const child = spawn(process.execPath, [BIN, 'loadgen', '-n', '2000000', '-o', '-', '-q'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    child.stdout.once('data', () => child.stdout.destroy());
    const [code] = await once(child, 'exit');
    expect(code).toBe(0);
  });
});

describe('to the embedded log', () => {
  test('records have their partitions, and arrival times as append times', async () => {
    const { stdout } = await loadgen('-n', '4000', '--data-dir', 'log-a', '--partitions', '4', '--json');
    const truth = JSON.parse(stdout);
    const records = await recordsIn(at('log-a/log'));
    expect(records.length).toBe(4000);
    const times = records.map(({ appendTimeMs }) => appendTimeMs);
    expect(new Date(Math.min(...times)).toISOString()).toBe(truth.first_arrival);
    expect(new Date(Math.max(...times)).toISOString()).toBe(truth.last_arrival);
    expect(truth.kinds.future).toBe(truth.expected.invalid_reasons.from_the_future ?? 0);
    for (let partition = 0; partition < 4; partition++) {
      const offsets = records.filter((record) => record.partition === partition).map(({ offset }) => offset);
      expect(offsets).toEqual(offsets.map((_, index) => index));
    }
  });

  test('a second run goes on where the log ends, with its partitions and with other clicks', async () => {
    await loadgen('-n', '500', '--data-dir', 'log-b', '--partitions', '3');
    const before = await recordsIn(at('log-b/log'));
    const second = await loadgen('-n', '500', '--data-dir', 'log-b', '--json');
    const truth = JSON.parse(second.stdout);
    const newest = Math.max(...before.map(({ appendTimeMs }) => appendTimeMs));
    expect(truth.partitions).toBe(3);
    expect(Date.parse(truth.first_arrival)).toBeGreaterThan(newest);
    expect((await recordsIn(at('log-b/log'))).length).toBe(1000);
    const back = await loadgen('-n', '10', '--data-dir', 'log-b', '--start', '2026-02-21');
    expect(back.stderr).toContain('already reaches');
  });
});

describe('by the clock', () => {
  test('--rate and --duration make so many clicks of now', async () => {
    const startedMs = Date.now();
    const { stdout } = await loadgen('--rate', '500', '--duration', '1s', '--data-dir', 'live', '--json');
    const truth = JSON.parse(stdout);
    expect(truth.records).toBe(500);
    expect(truth.elapsed_ms).toBeGreaterThanOrEqual(1000);
    expect(Date.parse(truth.first_arrival)).toBeGreaterThanOrEqual(startedMs);
    expect(Date.parse(truth.last_arrival)).toBeLessThanOrEqual(Date.now());
  });

  test.each(['SIGINT', 'SIGTERM'] as const)('%s stops it, and what was written is told', async (signal) => {
    const args = [BIN, 'loadgen', '--rate', '2000', '-o', `${signal}.ndjson`, '--truth', `${signal}.json`];
    const child = spawn(process.execPath, args, { cwd: directory.path, stdio: 'ignore' });
    await fileWithLines(at(`${signal}.ndjson`), 200);
    child.kill(signal);
    const [code] = await once(child, 'exit');
    const truth = JSON.parse(readFileSync(at(`${signal}.json`), 'utf8'));
    // Without an end of its own, being stopped is how it ends.
    expect(code).toBe(0);
    expect(truth.stopped).toBe(true);
    expect(linesIn(readFileSync(at(`${signal}.ndjson`), 'latin1'))).toBe(truth.records);
  });

  test('one that was to end later says so by its exit code', async () => {
    const args = [BIN, 'loadgen', '--rate', '2000', '--duration', '1h', '-o', 'cut.ndjson'];
    const child = spawn(process.execPath, args, { cwd: directory.path, stdio: 'ignore' });
    await fileWithLines(at('cut.ndjson'), 200);
    child.kill('SIGINT');
    expect((await once(child, 'exit'))[0]).toBe(130);
  });
});

async function fileWithLines(path: string, lines: number): Promise<void> {
  const written = () => statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  await expect.poll(written, { interval: 20 }).toBeGreaterThan(lines * 200);
}

describe('misuse', () => {
  test.each([
    [[], 'say how many clicks'],
    [['--duration', '5s', '-n', '5'], '--duration needs --rate'],
    [['--rate', '5', '--event-rate', '5'], '--event-rate needs --start'],
    [['-n', '5', '--format', 'kcat'], '--format kcat needs --output'],
    [['-n', '5', '--late', '0.6', '--bots', '50%'], 'sum to'],
    [['-n', '5', '--late', '1.2'], '--late: must be at most 1'],
    [['-n', '5', '--zipf', '-1'], '--zipf: must be a number from 0 to 10'],
    [['-n', '5', '--countries', 'USA=1'], '--countries: must be weights such as'],
    [['-n', '5', '--devices', 'mobile=0'], '--devices: must hold a weight above 0'],
    [['-n', '5', '--start', '9999-01-01'], '--start must be'],
  ])('%j is refused with one line', async (args, message) => {
    const { code, stdout, stderr } = await loadgen(...args, '--data-dir', 'misuse');
    expect(stderr).toContain(message);
    expect(code).toBe(2);
    expect(stdout).toBe('');
  });

  test('a file that can’t be written is one clear line', async () => {
    mkdirSync(at('folder'));
    const { code, stderr } = await loadgen('-n', '5', '-o', 'folder');
    expect(code).toBe(1);
    expect(stderr).toBe("click-agg: can't write folder: EISDIR\n  That is a folder: name a file.\n");
    const truth = await loadgen('-n', '5', '-o', 'f.ndjson', '--truth', 'nowhere/truth.json');
    expect(truth.stderr).toContain("can't write nowhere/truth.json: ENOENT");
    expect(truth.code).toBe(1);
  });
});
