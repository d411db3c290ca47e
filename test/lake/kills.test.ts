// `kill -9` at any moment, with real processes: the lake writer is killed at random moments again and again,
// while it flushes small portions and compacts all the time, and started again until it is done. Afterwards, and
// after every single kill, each record that the lake claims to hold is there exactly once. KILLS=200 kills more
// often, KILL_SEED=… repeats a seed (moments are real time: they vary a little).
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, test } from 'vitest';
import { folderStorage } from '../../src/lake/folder-storage.js';
import { readState } from '../../src/lake/manifest.js';
import { lakePositions } from '../../src/lake/read-lake.js';
import { verifyLake } from '../../src/lake/verify.js';
import { BIN, clickAgg } from '../cli/click-agg.js';
import { partitionOfBareLine } from '../oracle/bare-lines.js';
import {
  clickValue,
  parquetFiles,
  type Row,
  randomOf,
  removeFolder,
  rowsByGlob,
  rowsByManifest,
  temporaryFolder,
} from './lakes.js';

const KILLS = Number(process.env.KILLS ?? 15);
const SEED = Number(process.env.KILL_SEED ?? Date.now() % 1_000_000);
const RECORDS = 15_000;
const PARTITIONS = 3;
const START_MS = Date.parse('2026-02-22T10:00:00Z');
const HOURS_MS = 2 * 3_600_000;

const folder = temporaryFolder();
afterAll(() => removeFolder(folder));

/** Clicks over some hours, every 40th line malformed, some with escapes or unknown fields. */
function makeValues(random: () => number): string[] {
  return Array.from({ length: RECORDS }, (_, i) => {
    if (i % 40 === 0) return `{"click_id":"c-${i}","ad_id":"ad-${i % 7}"`;
    const more = i % 10 === 1 ? { user_agent: 'a"b' } : i % 10 === 2 ? { more: i } : {};
    const eventTime = START_MS + Math.floor(random() * HOURS_MS);
    return clickValue({
      click_id: `c-${i}`,
      ad_id: `ad-${i % 50}`,
      event_time: eventTime,
      ...more,
    }).toString();
  });
}

interface Input {
  path: string;
  /** Every record that the lake must hold in the end, as `partition/offset/malformed/value_bytes`. */
  records: string[];
}

function makeInput(format: string, random: () => number): Input {
  const path = join(folder, `${format}.ndjson`);
  const values = makeValues(random);
  const next = new Array<number>(PARTITIONS).fill(0);
  const records: string[] = [];
  const lines = values.map((value, line) => {
    const partition =
      format === 'clicks' ? partitionOfBareLine(Buffer.from(value), PARTITIONS) : line % PARTITIONS;
    const offset = format === 'clicks' ? line : next[partition]!++;
    records.push(
      `${partition}/${offset}/${line % 40 === 0 ? 'not_json' : 'null'}/${Buffer.byteLength(value)}`,
    );
    if (format === 'clicks') return value;
    return JSON.stringify({ topic: 'clicks', partition, offset, ts: START_MS, key: 'k', payload: value });
  });
  writeFileSync(path, `${lines.join('\n')}\n`);
  return { path, records: records.sort() };
}

const describeRow = ({ partition, offset, malformed, value_bytes }: Row): string =>
  `${partition}/${offset}/${malformed}/${value_bytes}`;
const COLUMNS = 'partition, "offset", malformed, value_bytes';

function lakeArguments(input: string, lakeDir: string): string[] {
  const limits = [
    '--flush-records',
    '250',
    '--compact-every',
    '300ms',
    '--older-than',
    '0',
    '--memory-limit',
    '300',
  ];
  return ['lake', '--input', input, '--partitions', `${PARTITIONS}`, '--lake', lakeDir, ...limits, '--quiet'];
}

/** Starts a writer and kills it after some time; false if it had ended by itself. */
async function writeAndKill(input: string, lakeDir: string, afterMs: number): Promise<boolean> {
  const child = spawn(process.execPath, [BIN, ...lakeArguments(input, lakeDir)], { stdio: 'ignore' });
  const exit = once(child, 'exit');
  await sleep(afterMs);
  child.kill('SIGKILL');
  const [code, signal] = (await exit) as [number | null, string | null];
  if (signal !== 'SIGKILL') expect(code).toBe(0);
  return signal === 'SIGKILL';
}

/** What the lake claims after a kill is true: everything below its positions, each once, and nothing else. */
async function checkClaims(lakeDir: string, records: readonly string[]): Promise<void> {
  const positions = await lakePositions(lakeDir);
  const claimed = records.filter((record) => {
    const [partition, offset] = record.split('/').map(Number) as [number, number];
    return offset < (positions.get(partition) ?? 0);
  });
  const rows = await rowsByManifest(lakeDir, COLUMNS);
  expect(rows.map(describeRow).sort()).toEqual(claimed);
}

describe.each(['kcat', 'clicks'])('input of %s', (format) => {
  const title = `killed at ${KILLS} random moments, each record is there once (seed ${SEED})`;
  test(title, { timeout: 600_000 }, async () => {
    const random = randomOf(SEED);
    const { path, records } = makeInput(format, random);
    let kills = 0;
    let maxMs = 1_500;
    for (let round = 1; kills < KILLS; round++) {
      const lakeDir = join(folder, `${format}-${round}`);
      while (kills < KILLS) {
        const commitsBefore = (await readState(folderStorage(lakeDir))).commit;
        if (!(await writeAndKill(path, lakeDir, random() * maxMs))) break;
        kills++;
        await checkClaims(lakeDir, records);
        // On a busy machine a process needs longer until it is worth killing.
        if ((await readState(folderStorage(lakeDir))).commit === commitsBefore) maxMs += 100;
      }
      await checkEnd(path, lakeDir, records);
    }
  });
});

async function checkEnd(input: string, lakeDir: string, records: readonly string[]): Promise<void> {
  expect(await clickAgg(lakeArguments(input, lakeDir))).toMatchObject({ code: 0 });
  expect((await rowsByGlob(lakeDir, COLUMNS)).map(describeRow).sort()).toEqual(records);
  expect(await verifyLake({ lake: lakeDir })).toMatchObject({ ok: true, problems: [], rowsRead: RECORDS });
  const { files, commit } = await readState(folderStorage(lakeDir));
  expect([...files.keys()].sort()).toEqual(parquetFiles(lakeDir));
  expect(commit, 'the kills fell among many commits').toBeGreaterThan(RECORDS / 250);
}
