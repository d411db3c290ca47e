// One commit: its contents are copied into temporary tables, and from there a transaction moves them into the
// store. What is copied has no key and no index; the upsert then runs where the totals are.
import type pg from 'pg';
import type {
  CellColumns,
  Checkpoint,
  Commit,
  LedgerChange,
  PartitionPosition,
} from '../../core/ports/commit.js';
import { LEDGER_COLUMNS, packOpenPeriods } from '../../core/stored-rows.js';
import { copyInto } from './copy-rows.js';
import { copyLetters, withdrawLetters } from './letters.js';
import { DAY_MS, makePartitions } from './partitions.js';

/** The temporary tables of a writer's connection; they are empty after every transaction. */
export const STAGES = `
  CREATE TEMP TABLE staged_cells (minute timestamptz, dimension integer, clicks integer) ON COMMIT DELETE ROWS;
  CREATE TEMP TABLE staged_dimensions (
    dimension integer, ad_id text COLLATE "C", campaign_id text COLLATE "C", country text COLLATE "C",
    device_type text COLLATE "C"
  ) ON COMMIT DELETE ROWS;
  CREATE TEMP TABLE staged_deletions (LIKE totals) ON COMMIT DELETE ROWS;
  ALTER TABLE staged_deletions DROP COLUMN clicks;`;

/** Ordered as the key is: neighbours in the index are written together. */
const UPSERT = `
  INSERT INTO totals AS t (minute, ad_id, campaign_id, country, device_type, clicks)
    SELECT minute, ad_id, campaign_id, country, device_type, clicks
    FROM staged_cells JOIN staged_dimensions USING (dimension) WHERE clicks > 0 ORDER BY 1, 2, 3, 4, 5
  ON CONFLICT (minute, ad_id, campaign_id, country, device_type)
    DO UPDATE SET clicks = excluded.clicks WHERE t.clicks <> excluded.clicks`;

/**
 * Each by its key. Nobody has told the server yet how many rows a new partition or a temporary table has: left to
 * itself it may choose to compare everything with everything.
 */
const deletion = ({ firstMs, lastMs }: { firstMs: number; lastMs: number }): string => `
  SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL enable_seqscan = off;
  DELETE FROM totals AS t USING staged_deletions AS s
    WHERE t.minute >= to_timestamp(${firstMs / 1000}) AND t.minute <= to_timestamp(${lastMs / 1000})
      AND t.minute = s.minute AND t.ad_id = s.ad_id AND t.campaign_id = s.campaign_id
      AND t.country = s.country AND t.device_type = s.device_type;
  SET LOCAL enable_hashjoin = on; SET LOCAL enable_mergejoin = on; SET LOCAL enable_seqscan = on;`;

const LEDGER_CHANGES = `unnest($1::int[], $2::bigint[], ${LEDGER_COLUMNS.map((_, index) => `$${index + 3}::bigint[]`).join(', ')})
  AS change (partition, minute, ${LEDGER_COLUMNS.join(', ')})`;
const ADD_TO_LEDGER = `
  INSERT INTO ledger AS l (partition, minute, ${LEDGER_COLUMNS.join(', ')})
    SELECT partition, minute, ${LEDGER_COLUMNS.map((name) => `sum(${name})`).join(', ')} FROM ${LEDGER_CHANGES}
    GROUP BY partition, minute
  ON CONFLICT (partition, minute) DO UPDATE SET
    ${LEDGER_COLUMNS.map((name) => `${name} = l.${name} + excluded.${name}`).join(', ')}`;
const CLEAR_LEDGER = `DELETE FROM ledger WHERE ${LEDGER_COLUMNS.map((name) => `${name} = 0`).join(' AND ')}
  AND (partition, minute) IN (SELECT * FROM unnest($1::int[], $2::bigint[]))`;

const MOVE_POSITIONS = `
  INSERT INTO positions SELECT * FROM unnest($1::int[], $2::bigint[], $3::float8[], $4::bigint[], $5::float8[])
  ON CONFLICT (partition) DO UPDATE SET position = excluded.position, max_event_time = excluded.max_event_time,
    rewind_offset = excluded.rewind_offset, rewind_max_event_time = excluded.rewind_max_event_time`;

/** What the staged cells need of the transaction. */
export interface StagedCells {
  /** Days with a cell to be written, since 1970. */
  days: ReadonlySet<number>;
  /** First and last minute with a cell to be deleted, epoch ms. */
  deleted: { firstMs: number; lastMs: number } | undefined;
}

/** Copies the cells into the temporary tables. */
export async function stageCells(client: pg.ClientBase, cells: CellColumns): Promise<StagedCells> {
  const days = new Set<number>();
  const { minuteMs, clicks, dimension, rewrite, dimensions, count } = cells;
  const deletions: number[] = [];
  await copyInto(client, 'staged_cells', count, (rows) => {
    for (let i = 0; i < count; i++) {
      if (clicks[i] === 0) {
        if (rewrite[i] === 1) deletions.push(i);
        continue;
      }
      days.add(Math.floor(minuteMs[i] / DAY_MS));
      rows.row(3);
      rows.timestamptz(minuteMs[i]);
      rows.int4(dimension[i]);
      rows.int4(clicks[i]);
    }
  });
  await copyInto(client, 'staged_dimensions', days.size === 0 ? 0 : dimensions.length, (rows) => {
    dimensions.forEach((texts, index) => {
      rows.row(1 + texts.length);
      rows.int4(index);
      for (const text of texts) rows.text(text);
    });
  });
  await copyInto(client, 'staged_deletions', deletions.length, (rows) => {
    for (const i of deletions) {
      const texts = dimensions[dimension[i]];
      rows.row(1 + texts.length);
      rows.timestamptz(minuteMs[i]);
      for (const text of texts) rows.text(text);
    }
  });
  return { days, deleted: spanOf(deletions.map((i) => minuteMs[i])) };
}

function spanOf(minutes: readonly number[]): StagedCells['deleted'] {
  if (minutes.length === 0) return undefined;
  return {
    firstMs: minutes.reduce((a, b) => Math.min(a, b)),
    lastMs: minutes.reduce((a, b) => Math.max(a, b)),
  };
}

/** Moves what is staged, and the rest of the commit, into the store. The caller holds the lock of writers. */
export async function applyCommit(client: pg.ClientBase, commit: Commit, staged: StagedCells): Promise<void> {
  if (staged.days.size > 0) {
    await makePartitions(client, staged.days);
    await client.query(UPSERT);
  }
  if (staged.deleted) await client.query(deletion(staged.deleted));
  if (commit.ledger.length > 0) await addToLedger(client, commit.ledger);
  if (commit.withdrawn.length > 0) await withdrawLetters(client, commit.withdrawn);
  if (commit.deadLetters.length > 0) await copyLetters(client, commit.deadLetters);
  if (commit.positions.length > 0) await movePositions(client, commit.positions);
  if (commit.checkpoint) await replaceCheckpoint(client, commit.checkpoint);
}

async function addToLedger(client: pg.ClientBase, changes: readonly LedgerChange[]): Promise<void> {
  const places = [changes.map(({ partition }) => partition), changes.map(({ minuteMs }) => minuteMs)];
  const counts = LEDGER_COLUMNS.map((name) => changes.map((change) => change.counts[name]));
  await client.query(ADD_TO_LEDGER, [...places, ...counts]);
  const takesAway = counts.some((column) => column.some((count) => count < 0));
  if (takesAway) await client.query(CLEAR_LEDGER, places);
}

async function movePositions(client: pg.ClientBase, positions: readonly PartitionPosition[]): Promise<void> {
  await client.query(MOVE_POSITIONS, [
    positions.map(({ partition }) => partition),
    positions.map(({ position }) => position),
    positions.map(({ maxEventTimeMs }) => maxEventTimeMs),
    positions.map(({ rewindOffset }) => rewindOffset),
    positions.map(({ rewindMaxEventTimeMs }) => rewindMaxEventTimeMs),
  ]);
}

async function replaceCheckpoint(client: pg.ClientBase, { floorMs, openPeriods }: Checkpoint): Promise<void> {
  await client.query('DELETE FROM checkpoint');
  await client.query('INSERT INTO checkpoint VALUES ($1, $2)', [
    floorMs,
    Buffer.from(packOpenPeriods(openPeriods).buffer),
  ]);
}
