// A writer that is killed again and again, and what must be true of its lake after each kill and in the end.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { readState } from '../../src/lake/manifest.js';
import { lakePositions } from '../../src/lake/read-lake.js';
import { type LakePlace, openStorage } from '../../src/lake/storage.js';
import { verifyLake } from '../../src/lake/verify.js';
import { BIN, clickAgg } from '../cli/click-agg.js';
import { partitionOfBareLine } from '../oracle/bare-lines.js';
import { clickValue, type Row, rowsByManifest } from './lakes.js';

const PARTITIONS = 3;
const START_MS = Date.parse('2026-02-22T10:00:00Z');
const HOURS_MS = 2 * 3_600_000;

/** Clicks over some hours, every 40th line malformed, some with escapes or unknown fields. */
function makeValues(random: () => number, count: number): string[] {
  return Array.from({ length: count }, (_, i) => {
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

export interface Input {
  format: string;
  path: string;
  /** Every record that the lake must hold in the end, as `partition/offset/malformed/value_bytes`. */
  records: string[];
}

/** Writes such clicks to a file: bare ones, or as kcat gives them. */
export function makeInput(folder: string, format: string, random: () => number, count: number): Input {
  const path = join(folder, `${format}.ndjson`);
  const values = makeValues(random, count);
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
  return { format, path, records: records.sort() };
}

const describeRow = ({ partition, offset, malformed, value_bytes }: Row): string =>
  `${partition}/${offset}/${malformed}/${value_bytes}`;
const COLUMNS = 'partition, "offset", malformed, value_bytes';

/** A lake that a killed process writes. */
export interface KilledLake {
  place: LakePlace;
  /** Options that name the place. */
  options: readonly string[];
  env?: Readonly<Record<string, string>>;
  /** All rows as a reader sees them who knows the folders only. */
  rowsByFolders(columns: string): Promise<Row[]>;
  flushRecords: number;
}

export function lakeArguments({ path }: Input, { options, flushRecords }: KilledLake): string[] {
  const limits = ['--compact-every', '300ms', '--older-than', '0', '--memory-limit', '300'];
  return [
    ...['lake', '--input', path, '--partitions', `${PARTITIONS}`, '--flush-records', `${flushRecords}`],
    ...[...limits, ...options, '--quiet'],
  ];
}

/** Starts a writer and kills it after some time; false if it had ended by itself. */
async function writeAndKill(input: Input, lake: KilledLake, afterMs: number): Promise<boolean> {
  const child = spawn(process.execPath, [BIN, ...lakeArguments(input, lake)], {
    stdio: 'ignore',
    env: { ...process.env, ...lake.env },
  });
  const exit = once(child, 'exit');
  await sleep(afterMs);
  child.kill('SIGKILL');
  const [code, signal] = (await exit) as [number | null, string | null];
  if (signal !== 'SIGKILL') expect(code).toBe(0);
  return signal === 'SIGKILL';
}

/** What the lake claims after a kill is true: everything below its positions, each once, and nothing else. */
async function checkClaims({ place }: KilledLake, { records }: Input): Promise<void> {
  const positions = await lakePositions(place);
  const claimed = records.filter((record) => {
    const [partition, offset] = record.split('/').map(Number) as [number, number];
    return offset < (positions.get(partition) ?? 0);
  });
  const rows = await rowsByManifest(place, COLUMNS);
  expect(rows.map(describeRow).sort()).toEqual(claimed);
}

const commitsOf = async (place: LakePlace): Promise<number> =>
  (await readState(await openStorage(place))).commit;

/**
 * Kills writers of lakes of the input at random moments until it was done so often. `newLake` is asked for another
 * one whenever a lake is complete.
 */
export async function killOften(
  input: Input,
  { kills, random, newLake }: { kills: number; random: () => number; newLake: (round: number) => KilledLake },
): Promise<void> {
  let killed = 0;
  let maxMs = 1_500;
  for (let round = 1; killed < kills; round++) {
    const lake = newLake(round);
    while (killed < kills) {
      const commitsBefore = await commitsOf(lake.place);
      if (!(await writeAndKill(input, lake, random() * maxMs))) break;
      killed++;
      await checkClaims(lake, input);
      // On a busy machine a process needs longer until it is worth killing.
      if ((await commitsOf(lake.place)) === commitsBefore) maxMs += 100;
    }
    await checkEnd(input, lake);
  }
}

/** Writes the rest; then each record of the input is in the lake once, whoever looks. */
export async function checkEnd(input: Input, lake: KilledLake): Promise<void> {
  const { records } = input;
  const outcome = await clickAgg(lakeArguments(input, lake), { ...(lake.env ? { env: lake.env } : {}) });
  expect(outcome).toMatchObject({ code: 0, stderr: '' });
  expect((await lake.rowsByFolders(COLUMNS)).map(describeRow).sort()).toEqual(records);
  expect(await verifyLake({ lake: lake.place })).toMatchObject({
    ok: true,
    problems: [],
    rowsRead: records.length,
  });
  const commits = await commitsOf(lake.place);
  expect(commits, 'the kills fell among many commits').toBeGreaterThan(records.length / lake.flushRecords);
}
