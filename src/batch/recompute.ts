// The counting method over the lake, in SQL: every record's verdict, the totals and the ledger, sharing no code
// with the stream but the values of the Method. Start reading here; the rules are in judge-sql.ts.
import type { Method } from '../core/method.js';
import { invariant } from '../errors.js';
import { IP_MACROS } from './canonical-ip.js';
import { judgeDoubleClicks } from './double-clicks.js';
import {
  type Admission,
  BLOCK_ROWS,
  COLLECT_VERDICTS,
  COUNT_INVALID,
  countArrived,
  countCells,
  JUDGE_DUPLICATES,
  judgeBots,
  judgeLateness,
  listAdmissions,
  nameDimensions,
  nameSuspects,
  PICK_DOUBLE_SUSPECTS,
  readClicks,
  readTimesAfter,
  suspectDoubleClicks,
  suspectOthers,
} from './judge-sql.js';
import {
  filesAfter,
  filesWithin,
  HOUR_MS,
  type Period,
  type PositionMap,
  type RecordedFile,
  recordsIn,
} from './lake-reader.js';
import { MARK_MACROS } from './marks-sql.js';
import type { BatchSession } from './session.js';

export interface RecomputeOptions {
  files: readonly RecordedFile[];
  method: Method;
  /** Next offset by partition up to which the log is looked at; other partitions are not. */
  positions: PositionMap;
  /** Whole minutes; only cells, ledger rows and verdicts in it are given. Undefined: everything. */
  period: Period | undefined;
  admissions: readonly Admission[];
  /** Told what is being done, for a progress line. */
  onStep?: (step: string) => void;
}

/**
 * Judges every record. Afterwards the session has these temporary tables:
 *
 * - `cells` (minute, ad, place, clicks) of the period; `ads` (ad, ad_id, campaign_id) and `places` (place,
 *   country, device_type) have the names, and keep their numbers over several recomputations of one session
 * - `ledger` (partition, minute and a column for each verdict) of the period; with
 *   minute -1 and `invalid` only when there is no period
 * - `judged` (rid, part, t, verdict): the records that are neither invalid nor billable
 * - `clicks`, `partitions` (part, position, base; rid = base + offset), `late`, `duplicates`, `chained`,
 *   `openings`, `bots`, `bot_windows`: how it came to that, for `explain`
 *
 * With a period, `clicks` and `judged` hold some more around it, whose verdicts may be wrong at the edges.
 */
export async function recompute(session: BatchSession, options: RecomputeOptions): Promise<void> {
  const { files, method, positions, period, admissions } = options;
  const step = options.onStep ?? (() => {});
  step('reading the lake');
  await session.run(`${numberPartitions(positions)} ${listAdmissions(admissions)}`);
  const records = await readWhatMatters(session, options);
  step('judging lateness');
  await session.run(judgeLateness(method));
  step('looking for suspects');
  await session.run(suspectOthers(method));
  step('judging the suspects');
  await session.run(nameSuspects(records));
  await session.run(JUDGE_DUPLICATES);
  await session.run(PICK_DOUBLE_SUSPECTS);
  await judgeDoubleClicks(session, method.doubleClickMs);
  await session.run(judgeBots(method));
  await session.run(COLLECT_VERDICTS);
  step('counting');
  await session.run(countCells(period ? `t >= ${period.fromMs} AND t < ${period.toMs}` : 'true'));
  if (!period) {
    await session.run(countArrived(await recordsIn(files.filter((file) => positions.has(file.partition)))));
    await session.run(COUNT_INVALID);
  }
}

/** Once a session, before the first recomputation. */
export async function prepare(session: BatchSession): Promise<void> {
  await session.run(`${IP_MACROS} ${MARK_MACROS}
    CREATE OR REPLACE MACRO narrow_hash(hash) AS hash;
    CREATE OR REPLACE TEMP TABLE ads (ad BIGINT, ad_id VARCHAR, campaign_id VARCHAR);
    CREATE OR REPLACE TEMP TABLE places (place BIGINT, country VARCHAR, device_type VARCHAR);`);
}

/** Makes `partitions`, which gives every record its number: rid = base + offset. */
function numberPartitions(positions: PositionMap): string {
  let base = 0;
  const rows: string[] = [];
  for (const [partition, position] of [...positions].sort(([a], [b]) => a - b)) {
    rows.push(`(${partition}, ${position}, ${base})`);
    base += Math.ceil(position / BLOCK_ROWS) * BLOCK_ROWS;
  }
  invariant(Number.isSafeInteger(base), 'the offsets of all partitions together exceed 2^53');
  return `CREATE OR REPLACE TEMP TABLE partitions (part INTEGER, position BIGINT, base BIGINT);
    ${rows.length === 0 ? '' : `INSERT INTO partitions VALUES ${rows.join(', ')};`}`;
}

/** Makes `clicks`, `times_after` and `maybe_double`; returns the table expression of the records that were read. */
async function readWhatMatters(session: BatchSession, options: RecomputeOptions): Promise<string> {
  const { files, method, positions, period } = options;
  if (!period) {
    const records = await recordsIn(filesWithin(files, { fromMs: -Infinity, toMs: Infinity }, positions));
    await session.run(nameDimensions(records));
    await session.run(readClicks(records, method));
    await session.run(readTimesAfter(await recordsIn([]), method));
    await session.run(suspectDoubleClicks(method));
    return records;
  }
  const reachMs = Math.max(method.doubleClickMs, method.botWindowMs);
  const toMs = Math.ceil((period.toMs + method.botWindowMs) / HOUR_MS) * HOUR_MS;
  const firstHourMs = files.reduce((first, { hourMs }) => Math.min(first, hourMs), toMs);
  let fromMs = Math.floor((period.fromMs - reachMs) / HOUR_MS) * HOUR_MS;
  for (let furtherMs = HOUR_MS; ; furtherMs *= 2) {
    const records = await recordsIn(filesWithin(files, { fromMs, toMs }, positions));
    await session.run(nameDimensions(records));
    await session.run(readClicks(records, method));
    await session.run(suspectDoubleClicks(method));
    if (fromMs <= firstHourMs || !(await chainsReachBack(session, fromMs, period, method))) {
      const later = await filesWithTimesAfter(session, files, toMs);
      await session.run(readTimesAfter(await recordsIn(later), method));
      return records;
    }
    fromMs = Math.max(firstHourMs, fromMs - furtherMs);
  }
}

/** Whether a chain of clicks that reaches into the period may have begun before `fromMs`: then more must be read. */
async function chainsReachBack(
  session: BatchSession,
  fromMs: number,
  period: Period,
  { doubleClickMs }: Method,
): Promise<boolean> {
  const count = await session.number(`SELECT count(*) FROM (
      SELECT t, max(t) FILTER (opens) OVER (PARTITION BY pair_hash ORDER BY t) AS chain_t
      FROM (SELECT t, pair_hash,
          coalesce(t - lag(t) OVER (PARTITION BY pair_hash ORDER BY t) >= ${doubleClickMs}, true) AS opens
        FROM maybe_double))
    WHERE t >= ${period.fromMs} AND t < ${period.toMs} AND chain_t < ${fromMs + doubleClickMs}`);
  return count > 0;
}

async function filesWithTimesAfter(
  session: BatchSession,
  files: readonly RecordedFile[],
  hourMs: number,
): Promise<RecordedFile[]> {
  const rows = await session.rows(
    'SELECT part, max(rid - base) AS greatest FROM clicks JOIN partitions USING (part) GROUP BY part',
  );
  const greatest = new Map(rows.map(({ part, greatest: offset }) => [Number(part), Number(offset)]));
  return filesAfter(files, hourMs, greatest);
}
