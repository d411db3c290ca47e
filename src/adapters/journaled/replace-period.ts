// A backfilled period takes the place of what was counted. Only what differs is written: the rest is as it shall be.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PeriodReplacement } from '../../core/ports/books.js';
import type { Cell } from '../../core/ports/commit.js';
import { LEDGER_COLUMNS as VERDICT_COLUMNS } from '../../core/stored-rows.js';
import { UserError } from '../../errors.js';
import { differingTotals, LEDGER_COLUMNS, rowsOfParquet } from '../duckdb/table-files.js';
import { addedAdjustments, revisionEntries } from './books.js';
import { daysOf, entryParts, type Memory, totalsParts } from './commit.js';
import type { RowDatabase } from './database.js';
import type { HeadState } from './head.js';
import { type LedgerRow, ledgerEntry, ledgerRows, withLedgerDays, withSums } from './ledger.js';
import { changedCells } from './rollups.js';
import { writeTotalsFile } from './snapshot.js';
import type { Work } from './writer.js';

/** Cells that one backfill may change: they are in memory until it is done. */
const CHANGES_MAX = 5_000_000;

/** The write of a backfill. UserError: another backfill came between, or records of the period were counted meanwhile. */
export async function planReplacement(
  database: RowDatabase,
  memory: Memory,
  replacement: PeriodReplacement,
  state: HeadState,
): Promise<Work> {
  const { revision, ledgerFile, ledgerBeforeFile } = replacement;
  const revisions = revisionEntries(revision, state);
  const now = await collected(ledgerRows(database, state, replacement));
  if (ledgerBeforeFile !== undefined) {
    const before = await fileRows(ledgerBeforeFile, replacement);
    if (differencesOf(before, now).length > 0) {
      throw new UserError('records of the period were counted meanwhile', { hint: 'Run it again.' });
    }
  }
  const cells = changedCells(await changesOf(database, replacement));
  // What the hours and days were is not what this writer may have thought before.
  memory.forget();
  const changes = differencesOf(now, await fileRows(ledgerFile, replacement));
  const adjustments = addedAdjustments(replacement.adjustments, state);
  const entries = [...changes.map(({ row }) => ledgerEntry(row)), ...revisions, ...adjustments.entries];
  const gains = changes.map(({ gain }) => gain);
  return {
    head: {
      revisions: revision.revision,
      ledger: withSums(state.ledger, gains),
      ledgerDays: withLedgerDays(state, gains),
      ...adjustments.head,
      ...daysOf(cells, state),
    },
    parts: [...(await totalsParts(database, memory, cells, state)), ...entryParts(entries)],
  };
}

/** Cells of the period that are not as they shall be. */
async function changesOf(
  database: RowDatabase,
  { fromMs, toMs, totalsFile }: PeriodReplacement,
): Promise<{ cell: Cell; before: number }[]> {
  const folder = await mkdtemp(join(tmpdir(), 'click-agg-replaced-'));
  try {
    const before = join(folder, 'totals.parquet');
    const [table] = database.tables;
    await writeTotalsFile(database, table!, { path: before, period: { fromMs, toMs } });
    const changes: { cell: Cell; before: number }[] = [];
    for await (const rows of differingTotals({ before, after: totalsFile })) {
      for (const row of rows) changes.push(changeOf(row, { fromMs, toMs }));
      if (changes.length > CHANGES_MAX) {
        throw new UserError(`the backfill changes more than ${CHANGES_MAX} totals`, {
          hint: 'Backfill a shorter period at a time.',
        });
      }
    }
    return changes;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function changeOf(
  [minute, adId, campaignId, country, deviceType, before, after]: readonly unknown[],
  { fromMs, toMs }: { fromMs: number; toMs: number },
): { cell: Cell; before: number } {
  const minuteMs = Number(minute);
  if (minuteMs < fromMs || minuteMs >= toMs) throw new Error('a cell to be written is outside of the period');
  const texts = {
    ...{ adId: String(adId), campaignId: String(campaignId) },
    ...{ country: String(country), deviceType: String(deviceType) },
  };
  return { cell: { minuteMs, ...texts, clicks: Number(after) }, before: Number(before) };
}

async function fileRows(
  path: string,
  { fromMs, toMs }: { fromMs: number; toMs: number },
): Promise<LedgerRow[]> {
  const where = `minute >= ${Math.trunc(fromMs)} AND minute < ${Math.trunc(toMs)}`;
  const found: LedgerRow[] = [];
  for await (const rows of rowsOfParquet(path, LEDGER_COLUMNS, where)) {
    for (const [partition, minute, ...numbers] of rows) {
      const counts = VERDICT_COLUMNS.map((verdict, index) => [verdict, Number(numbers[index])]);
      found.push({
        partition: Number(partition),
        minuteMs: Number(minute),
        counts: Object.fromEntries(counts) as LedgerRow['counts'],
      });
    }
  }
  return found;
}

/** Rows of `after` that `before` has otherwise, those that it lacks as nothing, with what they gain. */
function differencesOf(
  before: readonly LedgerRow[],
  after: readonly LedgerRow[],
): { row: LedgerRow; gain: LedgerRow }[] {
  const nameOf = ({ partition, minuteMs }: LedgerRow): string => `${partition} ${minuteMs}`;
  const [was, becomes] = [before, after].map((rows) => new Map(rows.map((row) => [nameOf(row), row])));
  const nothing = Object.fromEntries(VERDICT_COLUMNS.map((verdict) => [verdict, 0])) as LedgerRow['counts'];
  return [...new Set([...was!.keys(), ...becomes!.keys()])].flatMap((name) => {
    const [old, row] = [was!.get(name), becomes!.get(name) ?? { ...was!.get(name)!, counts: nothing }];
    const gains = VERDICT_COLUMNS.map(
      (verdict) => [verdict, row.counts[verdict] - (old?.counts[verdict] ?? 0)] as const,
    );
    if (gains.every(([, gain]) => gain === 0)) return [];
    return [{ row, gain: { ...row, counts: Object.fromEntries(gains) as LedgerRow['counts'] } }];
  });
}

async function collected<T>(rows: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const row of rows) all.push(row);
  return all;
}
