// What one click is worth and why: finds all records of a click id in the lake, recomputes the minute of each,
// and puts what decided its verdict into words and numbers.
import { BUCKET_MS, type Method } from '../core/method.js';
import type { Revision } from '../core/ports/books.js';
import { UserError } from '../errors.js';
import { type Period, type PositionMap, type RecordedFile, recordsIn } from './lake-reader.js';
import { isClick } from './marks-sql.js';
import { prepare, recompute } from './recompute.js';
import { type BatchSession, quote, type SqlRow } from './session.js';
import { admissionsUpTo, layersOf } from './universe.js';

/** A record that carries the click id. */
export interface ExplainedRecord {
  partition: number;
  offset: number;
  appendTimeMs: number | undefined;
  eventTimeMs: number | undefined;
  /** What the lake could read of it; all undefined when it is malformed. */
  fields: Record<(typeof FIELDS)[number], string | undefined>;
  verdict: string;
  /** Why, in one sentence. */
  why: string;
  /** The numbers behind the sentence. */
  facts: Record<string, string | number>;
}

const FIELDS = [
  'ad_id',
  'campaign_id',
  'user_id',
  'ip_address',
  'country',
  'device_type',
  'user_agent',
  'referrer',
  'impression_id',
  'invalid_traffic',
] as const;

/** Redeliveries that are looked at; a click id that is used by more is no id. */
const RECORDS_MAX = 1_000;

export interface ExplainOptions {
  clickId: string;
  files: readonly RecordedFile[];
  method: Method;
  /** Up to where the lake is looked at. */
  positions: PositionMap;
  revisions: readonly Revision[];
}

/** All records of the click id in order of their place; UserError if there is none. */
export async function explain(session: BatchSession, options: ExplainOptions): Promise<ExplainedRecord[]> {
  await prepare(session);
  const rows = await findRecords(session, options);
  if (rows.length === 0) {
    throw new UserError(`no record with click_id ${JSON.stringify(options.clickId)} is in the lake`, {
      hint: 'The lake may not have come to it yet: click-agg lake status',
    });
  }
  const records: ExplainedRecord[] = [];
  let judgedMinute: number | undefined;
  for (const row of rows.sort((a, b) => Number(a.event_time ?? -1) - Number(b.event_time ?? -1))) {
    if (invalidReason(row, options.method) !== undefined) {
      records.push(explainInvalid(row, options.method));
      continue;
    }
    const minuteMs = Math.floor(Number(row.event_time) / BUCKET_MS) * BUCKET_MS;
    if (minuteMs !== judgedMinute) await judgeMinute(session, options, minuteMs);
    judgedMinute = minuteMs;
    records.push(await explainClick(session, options, row));
  }
  return records.sort((a, b) => a.partition - b.partition || a.offset - b.offset);
}

/** Records of the id; a malformed one is known by its bytes, which may hold the id anywhere. */
async function findRecords(session: BatchSession, options: ExplainOptions): Promise<SqlRow[]> {
  // To a method without marks the field is an unknown one.
  const [mark, badMark] = options.method.invalidTraffic
    ? ['mark_of(extra)', 'bad_mark(extra)']
    : ['NULL', 'false'];
  const columns = ['click_id', ...FIELDS.filter((name) => name !== 'invalid_traffic')].join(', ');
  const found = await session.rows(`
    SELECT "partition" AS part, "offset" AS off, append_time, event_time, malformed, ${columns},
      ${mark} AS invalid_traffic, ${badMark} AS bad_mark
    FROM ${await recordsIn(options.files)}
    WHERE click_id = ${quote(options.clickId)}
      OR (malformed IS NOT NULL
        AND contains(CAST(value AS VARCHAR), CAST(encode(${quote(`"${options.clickId}"`)}) AS VARCHAR)))
    ORDER BY part, off LIMIT ${RECORDS_MAX + 1}`);
  if (found.length > RECORDS_MAX) {
    throw new UserError(
      `more than ${RECORDS_MAX} records have the click_id ${JSON.stringify(options.clickId)}`,
    );
  }
  return found.filter(({ part, off }) => Number(off) < (options.positions.get(Number(part)) ?? 0));
}

/** Recomputes the minute as the store should hold it. */
async function judgeMinute(session: BatchSession, options: ExplainOptions, minuteMs: number): Promise<void> {
  const { files, method, positions, revisions } = options;
  const period: Period = { fromMs: minuteMs, toMs: minuteMs + BUCKET_MS };
  const [layer] = layersOf(revisions, period);
  const admissions = layer ? admissionsUpTo(revisions, layer.revision) : [];
  await recompute(session, { files, method, positions, period, admissions });
}

function invalidReason(row: SqlRow, method: Method): string | undefined {
  if (row.malformed !== null) return String(row.malformed);
  const ahead = row.append_time === null ? 0 : Number(row.event_time) - Number(row.append_time);
  if (ahead > method.clockSkewMs) return 'from_the_future';
  return row.bad_mark ? 'invalid_traffic' : undefined;
}

function placed(row: SqlRow): Omit<ExplainedRecord, 'verdict' | 'why' | 'facts'> {
  const text = (name: string): string | undefined => (row[name] === null ? undefined : String(row[name]));
  return {
    partition: Number(row.part),
    offset: Number(row.off),
    appendTimeMs: row.append_time === null ? undefined : Number(row.append_time),
    eventTimeMs: row.event_time === null ? undefined : Number(row.event_time),
    fields: Object.fromEntries(FIELDS.map((name) => [name, text(name)])) as ExplainedRecord['fields'],
  };
}

const seconds = (ms: number): string => `${ms / 1000} s`;
const time = (ms: number): string => new Date(ms).toISOString();

const REASONS: Record<string, string> = {
  too_long: 'the record is longer than 1 MiB',
  not_json: 'its bytes are not one JSON object in valid UTF-8',
  invalid_traffic: 'its invalid_traffic is no text, longer than 128 bytes, or given twice',
};

function explainInvalid(row: SqlRow, method: Method): ExplainedRecord {
  const reason = invalidReason(row, method)!;
  if (reason !== 'from_the_future') {
    const why = REASONS[reason] ?? `its ${reason} is missing, malformed or too long`;
    return { ...placed(row), verdict: 'invalid', why, facts: { reason } };
  }
  const aheadMs = Number(row.event_time) - Number(row.append_time);
  return {
    ...placed(row),
    verdict: 'invalid',
    why: `its event time is ${seconds(aheadMs)} ahead of its append time; up to ${seconds(method.clockSkewMs)} is allowed`,
    facts: { reason, ahead_ms: aheadMs, clock_skew_ms: method.clockSkewMs },
  };
}

/** A sound record, after `judgeMinute`. */
async function explainClick(
  session: BatchSession,
  options: ExplainOptions,
  row: SqlRow,
): Promise<ExplainedRecord> {
  const { method } = options;
  const [judged] = await session.rows(`
    SELECT c.rid, coalesce(j.verdict, 'billable') AS verdict, b.rid IS NOT NULL AS is_bot
    FROM clicks AS c JOIN partitions USING (part) LEFT JOIN judged AS j USING (rid) LEFT JOIN bots AS b USING (rid)
    WHERE part = ${row.part} AND c.rid - base = ${row.off}`);
  const { rid } = judged!;
  const verdict = String(judged!.verdict);
  const watermarkMs = await watermarkBefore(session, options, row);
  const bucketEndMs = Math.floor(Number(row.event_time) / BUCKET_MS) * BUCKET_MS + BUCKET_MS;
  const facts: ExplainedRecord['facts'] = {
    ...(watermarkMs === undefined ? {} : { watermark: time(watermarkMs) }),
    minute_end: time(bucketEndMs),
    allowed_lateness_ms: method.allowedLatenessMs,
  };
  const because = await reasonOf(session, {
    verdict,
    rid: Number(rid),
    method,
    row,
    watermarkMs,
    bucketEndMs,
  });
  const alsoBot =
    verdict === 'double_click' && judged!.is_bot ? ', and a bot click too, which comes second' : '';
  return { ...placed(row), verdict, why: because.why + alsoBot, facts: { ...facts, ...because.facts } };
}

/** The watermark of its partition as the record met it; undefined for the first countable record. */
async function watermarkBefore(
  session: BatchSession,
  { files, method }: ExplainOptions,
  row: SqlRow,
): Promise<number | undefined> {
  const before = files.filter(
    ({ partition, firstOffset }) => partition === row.part && firstOffset < Number(row.off),
  );
  const [found] = await session.rows(`SELECT max(event_time) AS greatest FROM ${await recordsIn(before)} AS l
    WHERE "partition" = ${row.part} AND "offset" < ${row.off} AND ${isClick(method)}`);
  return found!.greatest === null ? undefined : Number(found!.greatest) - method.watermarkDelayMs;
}

interface Judged {
  verdict: string;
  rid: number;
  method: Method;
  row: SqlRow;
  watermarkMs: number | undefined;
  bucketEndMs: number;
}

type Because = Pick<ExplainedRecord, 'why' | 'facts'>;

async function reasonOf(session: BatchSession, judged: Judged): Promise<Because> {
  if (judged.verdict === 'too_late') return tooLate(judged);
  if (judged.verdict === 'duplicate') return duplicate(session, judged);
  if (judged.verdict === 'invalid_traffic') return marked(judged);
  if (judged.verdict === 'double_click') return doubleClick(session, judged);
  if (judged.verdict === 'bot') return bot(session, judged);
  return billable(judged);
}

function tooLate({ watermarkMs, bucketEndMs, method }: Judged): Because {
  const lateMs = watermarkMs! - bucketEndMs;
  return {
    why:
      `when it came, the watermark of its partition was ${time(watermarkMs!)}: its minute had ended at ` +
      `${time(bucketEndMs)}, ${seconds(lateMs)} before; up to ${seconds(method.allowedLatenessMs)} counts`,
    facts: { late_ms: lateMs },
  };
}

async function duplicate(session: BatchSession, { rid, row }: Judged): Promise<Because> {
  const first = await session.number(`SELECT first_rid - base FROM duplicates, partitions
    WHERE rid = ${rid} AND part = ${row.part}`);
  return {
    why: `the same click_id and event_time came before it in partition ${row.part}, first at offset ${first}`,
    facts: { first_offset: first },
  };
}

function marked({ row }: Judged): Because {
  const mark = String(row.invalid_traffic);
  return { why: `it is marked as invalid traffic: ${JSON.stringify(mark)}`, facts: { mark } };
}

async function doubleClick(session: BatchSession, { rid, method, row }: Judged): Promise<Because> {
  const [opening] = await session.rows(`
    WITH mine AS (SELECT place, chain FROM chained WHERE rid = ${rid}),
      openings_of_mine AS (
        SELECT chain AS place FROM mine
        UNION ALL SELECT openings.place FROM openings, mine
          WHERE openings.place > mine.chain AND openings.place <= mine.place)
    SELECT n.click_id, n.t, n.part, n.rid - base AS off
    FROM chained JOIN named AS n USING (rid) JOIN partitions USING (part)
    WHERE place = (SELECT max(place) FROM openings_of_mine)`);
  const { click_id, t, part, off } = opening!;
  const afterMs = Number(row.event_time) - Number(t);
  return {
    why:
      `it came ${seconds(afterMs)} after click ${JSON.stringify(click_id)} of the same user and ad opened a period ` +
      `of ${seconds(method.doubleClickMs)} at ${time(Number(t))}`,
    facts: {
      opening_click_id: String(click_id),
      opened_at: time(Number(t)),
      opening_partition: Number(part),
      opening_offset: Number(off),
      after_ms: afterMs,
      double_click_ms: method.doubleClickMs,
    },
  };
}

async function bot(session: BatchSession, { rid, method }: Judged): Promise<Because> {
  const [window] = await session.rows(`
    SELECT w.t, w.n, w.ip FROM bot_windows AS w, (SELECT ip, t FROM named WHERE rid = ${rid}) AS mine
    WHERE w.ip = mine.ip AND w.t > mine.t - ${method.botWindowMs} AND w.t <= mine.t
    ORDER BY w.n DESC, w.t LIMIT 1`);
  const { t, n, ip } = window!;
  const endMs = Number(t) + method.botWindowMs;
  return {
    why:
      `the window from ${time(Number(t))} to ${time(endMs)} holds it and ${Number(n)} clicks of ${ip} in all; ` +
      `more than ${method.botThreshold} are a bot's`,
    facts: {
      window_from: time(Number(t)),
      window_to: time(endMs),
      clicks_in_window: Number(n),
      bot_threshold: method.botThreshold,
      canonical_ip: String(ip),
    },
  };
}

function billable({ bucketEndMs, row, watermarkMs, method }: Judged): Because {
  const lateMs = watermarkMs === undefined ? 0 : watermarkMs - bucketEndMs;
  const late =
    lateMs >= 0 && watermarkMs !== undefined
      ? lateMs > method.allowedLatenessMs
        ? '; it came too late and a backfill admitted it'
        : `; it was ${seconds(lateMs)} late, within the allowed lateness`
      : '';
  return {
    why:
      `no rule speaks against it: it counts in minute ${time(bucketEndMs - BUCKET_MS)}, ad ${row.ad_id}, campaign ` +
      `${row.campaign_id}, ${row.country}, ${row.device_type}${late}`,
    facts: { minute: time(bucketEndMs - BUCKET_MS) },
  };
}
