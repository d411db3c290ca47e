// The oracle: the counting method of docs/counting-method.md written the slow, obvious way. Every rule looks
// at all records it is about, every time. It shares no code with src (only types), so that agreement means
// something. Streams, recomputations and fixtures are all measured against it.
import type { Method, Verdict } from '../src/core/method.js';
import { type OracleClick, readRecord } from './oracle/record.js';

export interface OracleRecord {
  partition: number;
  /** Unique in its partition. Records may come in any order: only (partition, offset) counts. */
  offset: number;
  /** Epoch ms; absent (or NaN) where the log sets none. */
  appendTimeMs?: number | undefined;
  value: Uint8Array;
  /** True length of the value, where only its beginning was kept. */
  valueBytes?: number | undefined;
}

export interface OracleVerdict {
  partition: number;
  offset: number;
  verdict: Verdict;
  /** Of `invalid`: one of INVALID_REASONS; of `invalid_traffic` the mark. */
  reason?: string;
}

/** A row of the totals, as `query --format json` prints it. */
export interface OracleTotal {
  /** `2026-02-22T10:00:00Z` */
  minute: string;
  ad_id: string;
  campaign_id: string;
  country: string;
  device_type: string;
  clicks: number;
}

export type OracleLedger = Record<'records' | Verdict, number>;

export interface OracleLedgerRow {
  partition: number;
  /** Start of the minute of event time, epoch ms; -1 for invalid records. */
  minuteMs: number;
  counts: Record<Verdict, number>;
}

export interface Decisions {
  /** In order of (partition, offset). */
  verdicts: OracleVerdict[];
  /** In order of the columns, text by its UTF-8 bytes. */
  totals: OracleTotal[];
  ledger: OracleLedger;
  /** In order of (partition, minute); rows without a record are left out. */
  ledgerRows: OracleLedgerRow[];
}

/** A period of event time `[fromMs, toMs)` whose too-late clicks are admitted, as `backfill` does. */
export interface AdmittedPeriod {
  fromMs: number;
  toMs: number;
}

interface Judged {
  record: OracleRecord;
  /** Absent for invalid records. */
  click: OracleClick | undefined;
  reason: string | undefined;
  verdict: Verdict;
}

/**
 * Decides every record of a log. With `admit`, records whose event time lies in one of the periods get the
 * verdict of a world in which none of them is too late; all others get the verdict of the plain world.
 */
export function decide(
  records: readonly OracleRecord[],
  method: Method,
  options: { admit?: readonly AdmittedPeriod[] } = {},
): Decisions {
  const admit = options.admit ?? [];
  const plain = judge(records, method, []);
  if (admit.length === 0) return summarise(plain);
  const admitting = judge(records, method, admit);
  return summarise(plain.map((judged, index) => (isAdmitted(judged, admit) ? admitting[index]! : judged)));
}

function isAdmitted({ click }: Judged, periods: readonly AdmittedPeriod[]): boolean {
  return periods.some(
    ({ fromMs, toMs }) => click !== undefined && click.eventTimeMs >= fromMs && click.eventTimeMs < toMs,
  );
}

function judge(records: readonly OracleRecord[], method: Method, admit: readonly AdmittedPeriod[]): Judged[] {
  const log = records
    .map((record) => read(record, method))
    .sort((a, b) => a.record.partition - b.record.partition || a.record.offset - b.record.offset);

  for (const partition of groupBy(log, ({ record }) => String(record.partition))) {
    for (const judged of partition) {
      if (judged.click === undefined) judged.verdict = 'invalid';
      else if (isTooLate(judged, partition, method) && !isAdmitted(judged, admit))
        judged.verdict = 'too_late';
    }
    // A record is a duplicate of an earlier one, so judging in order of offsets knows all it needs.
    for (const judged of partition) {
      if (judged.verdict === 'billable' && isDuplicate(judged, partition)) judged.verdict = 'duplicate';
    }
  }
  if (method.invalidTraffic) {
    for (const judged of log) {
      if (judged.verdict === 'billable' && judged.click!.mark !== '') judged.verdict = 'invalid_traffic';
    }
  }
  const candidates = log.filter((judged) => judged.verdict === 'billable');
  const doubleClicks = findDoubleClicks(candidates, method);
  const botClicks = findBotClicks(candidates, method);
  for (const judged of candidates) {
    if (doubleClicks.has(judged)) judged.verdict = 'double_click';
    else if (botClicks.has(judged)) judged.verdict = 'bot';
  }
  return log;
}

/** What a value says is the same in every world: it is read once for all the times that its log is decided. */
const readings = new WeakMap<OracleRecord, ReturnType<typeof readRecord>>();

function read(record: OracleRecord, method: Method): Judged {
  const reading = readings.get(record) ?? readRecord(record.value, record.valueBytes);
  readings.set(record, reading);
  if ('reason' in reading) return { record, click: undefined, reason: reading.reason, verdict: 'invalid' };
  const appendTimeMs = record.appendTimeMs ?? Number.NaN;
  if (reading.click.eventTimeMs > appendTimeMs + method.clockSkewMs) {
    return { record, click: undefined, reason: 'from_the_future', verdict: 'invalid' };
  }
  if (method.invalidTraffic && reading.click.mark === undefined) {
    return { record, click: undefined, reason: 'invalid_traffic', verdict: 'invalid' };
  }
  return { record, click: reading.click, reason: undefined, verdict: 'billable' };
}

function minuteOf(eventTimeMs: number): number {
  return Math.floor(eventTimeMs / 60_000) * 60_000;
}

/** All records of its partition before this one. */
function earlier(judged: Judged, partition: readonly Judged[]): Judged[] {
  return partition.filter((other) => other.record.offset < judged.record.offset);
}

function isTooLate(judged: Judged, partition: readonly Judged[], method: Method): boolean {
  let watermarkMs = Number.NEGATIVE_INFINITY;
  for (const { click } of earlier(judged, partition)) {
    if (click) watermarkMs = Math.max(watermarkMs, click.eventTimeMs - method.watermarkDelayMs);
  }
  const bucketEndMs = minuteOf(judged.click!.eventTimeMs) + 60_000;
  return watermarkMs > bucketEndMs + method.allowedLatenessMs;
}

function isDuplicate(judged: Judged, partition: readonly Judged[]): boolean {
  return earlier(judged, partition).some(
    (other) =>
      other.verdict !== 'invalid' &&
      other.verdict !== 'too_late' &&
      other.click!.clickId === judged.click!.clickId &&
      other.click!.eventTimeMs === judged.click!.eventTimeMs,
  );
}

function findDoubleClicks(candidates: readonly Judged[], method: Method): Set<Judged> {
  const found = new Set<Judged>();
  for (const clicks of groupBy(candidates, ({ click }) => JSON.stringify([click!.userId, click!.adId]))) {
    let openedMs = Number.NEGATIVE_INFINITY;
    for (const judged of clicks.sort(inOrderOfClicks)) {
      const { eventTimeMs } = judged.click!;
      if (eventTimeMs - openedMs < method.doubleClickMs) found.add(judged);
      else openedMs = eventTimeMs;
    }
  }
  return found;
}

function inOrderOfClicks(a: Judged, b: Judged): number {
  return (
    a.click!.eventTimeMs - b.click!.eventTimeMs ||
    compareBytes(a.click!.clickId, b.click!.clickId) ||
    a.record.partition - b.record.partition ||
    a.record.offset - b.record.offset
  );
}

/** A window that holds a click and enough others can be moved up to the first click in it: only those are tried. */
function findBotClicks(candidates: readonly Judged[], method: Method): Set<Judged> {
  const found = new Set<Judged>();
  for (const clicks of groupBy(candidates, ({ click }) => click!.ip)) {
    for (const first of clicks) {
      const startMs = first.click!.eventTimeMs;
      const inWindow = clicks.filter(
        ({ click }) => click!.eventTimeMs >= startMs && click!.eventTimeMs < startMs + method.botWindowMs,
      );
      if (inWindow.length > method.botThreshold) for (const judged of inWindow) found.add(judged);
    }
  }
  return found;
}

function groupBy(judged: readonly Judged[], keyOf: (judged: Judged) => string): Judged[][] {
  const groups = new Map<string, Judged[]>();
  for (const one of judged) {
    const key = keyOf(one);
    const group = groups.get(key);
    if (group) group.push(one);
    else groups.set(key, [one]);
  }
  return [...groups.values()];
}

function compareBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function noVerdicts(): Record<Verdict, number> {
  return { invalid: 0, too_late: 0, duplicate: 0, invalid_traffic: 0, double_click: 0, bot: 0, billable: 0 };
}

function summarise(log: readonly Judged[]): Decisions {
  const verdicts: OracleVerdict[] = [];
  const totals = new Map<string, OracleTotal>();
  const ledger: OracleLedger = { records: 0, ...noVerdicts() };
  const rows = new Map<string, OracleLedgerRow>();
  for (const { record, click, verdict, reason } of log) {
    const { partition, offset } = record;
    const why = verdict === 'invalid_traffic' ? click!.mark : reason;
    verdicts.push({ partition, offset, verdict, ...(why === undefined ? {} : { reason: why }) });
    ledger.records++;
    ledger[verdict]++;
    const minuteMs = click === undefined ? -1 : minuteOf(click.eventTimeMs);
    const rowKey = `${partition} ${minuteMs}`;
    const row = rows.get(rowKey) ?? { partition, minuteMs, counts: noVerdicts() };
    row.counts[verdict]++;
    rows.set(rowKey, row);
    if (verdict !== 'billable') continue;
    const { adId: ad_id, campaignId: campaign_id, country, deviceType: device_type } = click!;
    const minute = new Date(minuteMs).toISOString().replace('.000Z', 'Z');
    const cellKey = JSON.stringify([minute, ad_id, campaign_id, country, device_type]);
    const cell = totals.get(cellKey) ?? { minute, ad_id, campaign_id, country, device_type, clicks: 0 };
    cell.clicks++;
    totals.set(cellKey, cell);
  }
  return {
    verdicts,
    totals: [...totals.values()].sort(compareTotals),
    ledger,
    ledgerRows: [...rows.values()].sort((a, b) => a.partition - b.partition || a.minuteMs - b.minuteMs),
  };
}

/** Order of totals: by their columns, text by its UTF-8 bytes. */
export function compareTotals(a: OracleTotal, b: OracleTotal): number {
  return (
    compareBytes(a.minute, b.minute) ||
    compareBytes(a.ad_id, b.ad_id) ||
    compareBytes(a.campaign_id, b.campaign_id) ||
    compareBytes(a.country, b.country) ||
    compareBytes(a.device_type, b.device_type)
  );
}
