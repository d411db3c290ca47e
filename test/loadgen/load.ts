// Makes loads for tests: a profile with everything in it, and the records that come out, one by one.
import type { Clock } from '../../src/core/loadgen/arrivals.js';
import { newClickBatch } from '../../src/core/loadgen/click-batch.js';
import { ClickGenerator } from '../../src/core/loadgen/generator.js';
import type { LoadProfile } from '../../src/core/loadgen/profile.js';
import type { Truth } from '../../src/core/loadgen/truth.js';
import { DEFAULT_METHOD } from '../../src/core/method.js';

export const NOTHING_WRONG: LoadProfile['shares'] = {
  disordered: 0,
  late: 0,
  too_late: 0,
  duplicate: 0,
  double_click: 0,
  invalid_traffic: 0,
  unusual: 0,
  malformed: 0,
  future: 0,
};

export const ALL_WRONG: LoadProfile['shares'] = {
  disordered: 0.1,
  late: 0.05,
  too_late: 0.02,
  duplicate: 0.05,
  double_click: 0.05,
  invalid_traffic: 0.05,
  unusual: 0.05,
  malformed: 0.05,
  future: 0.02,
};

const PROFILE: LoadProfile = {
  seed: 42,
  form: 'records',
  startMs: Date.UTC(2026, 1, 22),
  clicksPerSecond: 50,
  dayNight: 1,
  ads: 500,
  campaigns: 20,
  users: 5000,
  zipf: 1,
  shares: ALL_WRONG,
  bots: 0.1,
  disorderByMs: 120_000,
  epochTimes: 0.1,
  userAgents: 0.2,
  referrers: 0.15,
  impressions: 0.1,
  ipv6: 0.15,
  countries: [
    ['US', 6],
    ['DE', 3],
    ['NG', 1],
  ],
  devices: [
    ['mobile', 0.7],
    ['desktop', 0.3],
  ],
  partitions: 6,
  method: DEFAULT_METHOD,
};

export function loadProfile(changes: Partial<LoadProfile> = {}): LoadProfile {
  return { ...PROFILE, ...changes };
}

/** A record as it was laid down; in the form of lines `value` is the line. */
export interface MadeRecord {
  value: Buffer;
  key: string | undefined;
  partition: number;
  appendTimeMs: number;
}

/** Everything that `count` records are: each of them, all bytes as written, and the generator's account. */
export function makeLoad(
  profile: LoadProfile,
  count: number,
  clock?: Clock,
): { records: MadeRecord[]; bytes: Buffer; truth: Truth } {
  const generator = new ClickGenerator(profile, clock);
  const batch = newClickBatch();
  const records: MadeRecord[] = [];
  const written: Buffer[] = [];
  while (records.length < count) {
    generator.fill(batch, count - records.length);
    const bytes = Buffer.from(batch.bytes.subarray(0, batch.used));
    written.push(bytes);
    const lines = profile.form === 'records' ? [] : linesOf(bytes);
    for (let i = 0; i < batch.count; i++) {
      const keyStart = batch.keyStart[i];
      records.push({
        value: lines[i] ?? bytes.subarray(batch.valueStart[i], batch.valueEnd[i]),
        key: keyStart < 0 ? undefined : bytes.toString('latin1', keyStart, batch.keyEnd[i]),
        partition: batch.partition[i],
        appendTimeMs: batch.appendTimeMs[i],
      });
    }
  }
  return { records, bytes: Buffer.concat(written), truth: generator.truth() };
}

function linesOf(bytes: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  for (let start = 0; start < bytes.length; ) {
    const end = bytes.indexOf(10, start);
    lines.push(bytes.subarray(start, end));
    start = end + 1;
  }
  return lines;
}

/** The click in a record, or undefined where JSON.parse finds no object with an ad. */
export function clickIn(record: MadeRecord): Record<string, unknown> | undefined {
  try {
    const parsed: unknown = JSON.parse(record.value.toString());
    return typeof parsed === 'object' && parsed !== null && 'ad_id' in parsed
      ? (parsed as Record<string, unknown>)
      : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

export function timeOf(click: Record<string, unknown>): number {
  const { event_time: time } = click;
  return typeof time === 'number' ? time : Date.parse(time as string);
}
