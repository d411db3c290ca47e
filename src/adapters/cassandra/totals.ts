// Totals in their tables. Rows of one partition travel together, and small partitions of the same node with each other:
// what a node does for a request costs as much as what it does for its rows.
import type { Cell } from '../../core/ports/commit.js';
import type { PartitionKey, PlacedCell, RowDatabase, TotalsTable } from '../journaled/database.js';
import type { Cluster, Page, Row } from './cluster.js';
import { inParallel } from './in-parallel.js';
import { type TotalsStatements, totalsStatements } from './tables.js';

/** Requests that are under way at a time. */
const REQUESTS_MAX = 256;
const WRITES_MAX = 64;
/** Rows that are written by one request: some tens of kilobytes. */
const BATCH_ROWS = 100;
/** Partitions of one request, and bytes where they are several: of more than 10 or 5 KiB Cassandra warns, above 50 KiB it refuses. */
const BATCH_PARTITIONS = 10;
const SHARED_BYTES = 5_000;
/** What a row takes besides its texts, as Cassandra counts: time, clicks, and their timestamps. */
const ROW_BYTES = 60;
/** Keys that are asked for by one request. */
const FIND_KEYS = 50;
const PAGE_ROWS = 2_000;

/** Parts of the ring that a scan goes through, so many at a time. */
const SCAN_PARTS = 32n;
const SCAN_AT_ONCE = 4;
const TOKEN_MIN = -(2n ** 63n);
/** No click is of a later time. */
const END_MS = Date.UTC(9999, 0);

type Totals = Pick<RowDatabase, 'writeTotals' | 'readTotals' | 'clicksOf' | 'scanTotals'>;

interface Period {
  fromMs: number;
  toMs: number;
}

/** Writes and reads totals on a cluster. */
export function createTotals(cluster: Cluster): Totals {
  const known = new Map<string, TotalsStatements>();
  const statementsOf = (table: TotalsTable): TotalsStatements => {
    const statements = known.get(table.name) ?? totalsStatements(cluster.address.keyspace, table);
    known.set(table.name, statements);
    return statements;
  };
  return {
    async writeTotals(table, rows, version) {
      const statements = statementsOf(table);
      const chunks = chunksByPartition(table, rows, BATCH_ROWS);
      const nodeOf = (row: PlacedCell) => cluster.nodeOf(statements.partitionOf(row));
      await inParallel(sharedBatches(chunks, nodeOf), WRITES_MAX, (batch) =>
        cluster.writeTogether(batch.map(statements.put), version),
      );
    },
    async *readTotals(table, partition, { fromMs, toMs }) {
      const params = [...partitionParams(table, partition), fromMs, toMs];
      let next: string | undefined;
      do {
        const page = await cluster.page({ query: statementsOf(table).read, params }, PAGE_ROWS, next);
        if (page.rows.length > 0) yield cellsOf(table, page.rows);
        next = page.next;
      } while (next !== undefined);
    },
    async clicksOf(table, rows) {
      const clicks = new Map<string, number>();
      const asks = chunksByPartition(table, rows, FIND_KEYS);
      await inParallel(asks, REQUESTS_MAX, (keys) => find(cluster, statementsOf(table), table, keys, clicks));
      return rows.map((row) => clicks.get(rowKey(table, row)) ?? 0);
    },
    async *scanTotals(table, period) {
      for await (const rows of scan(cluster, statementsOf(table), period)) {
        const cells = cellsOf(table, rows).filter(
          ({ minuteMs }) => minuteMs >= period.fromMs && minuteMs < period.toMs,
        );
        if (cells.length > 0) yield cells;
      }
    },
  };
}

/** Adds the clicks of rows of one partition to those that are known. */
async function find(
  cluster: Cluster,
  statements: TotalsStatements,
  table: TotalsTable,
  rows: readonly PlacedCell[],
  clicks: Map<string, number>,
): Promise<void> {
  const params = [...statements.partitionOf(rows[0]!), ...rows.flatMap(statements.keyOf)];
  const { rows: found } = await cluster.page(
    { query: statements.find(rows.length), params },
    FIND_KEYS,
    undefined,
  );
  const { bucket, shard } = rows[0]!;
  for (const cell of cellsOf(table, found))
    clicks.set(rowKey(table, { ...cell, bucket, shard }), cell.clicks);
}

/** Pages of a whole table, from several parts of the ring at a time. */
async function* scan(
  cluster: Cluster,
  statements: TotalsStatements,
  { fromMs, toMs }: Period,
): AsyncGenerator<Row[]> {
  const isAll = fromMs <= 0 && toMs >= END_MS;
  const query = statements.scan(!isAll);
  const read = (part: bigint, from?: string): Promise<Part> => {
    const params = [tokenOf(part), tokenOf(part + 1n), ...(isAll ? [] : [fromMs, toMs])];
    const asked = cluster.page({ query, params }, PAGE_ROWS, from);
    return asked.then((page) => ({ ...page, part }));
  };
  let next = 0n;
  const underWay: Promise<Part>[] = [];
  while (next < SCAN_PARTS || underWay.length > 0) {
    while (next < SCAN_PARTS && underWay.length < SCAN_AT_ONCE) underWay.push(handled(read(next++)));
    const { rows, next: from, part } = await underWay.shift()!;
    if (from !== undefined) underWay.unshift(handled(read(part, from)));
    if (rows.length > 0) yield rows;
  }
}

interface Part extends Page {
  part: bigint;
}

/** Whoever waits for it hears of its failure; until then it is nobody's surprise. */
function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}

/** Where a part of the ring begins. */
function tokenOf(part: bigint): string {
  const token = TOKEN_MIN + (2n ** 64n / SCAN_PARTS) * part;
  return String(part === SCAN_PARTS ? -TOKEN_MIN - 1n : token);
}

/** Rows of one partition each, at most so many. */
function chunksByPartition(table: TotalsTable, rows: readonly PlacedCell[], rowsMax: number): PlacedCell[][] {
  const open = new Map<string, PlacedCell[]>();
  const chunks: PlacedCell[][] = [];
  for (const row of rows) {
    const partition = `${row.bucket} ${row.shard} ${row[table.owner]}`;
    let chunk = open.get(partition);
    if (!chunk || chunk.length === rowsMax) {
      chunk = [];
      chunks.push(chunk);
      open.set(partition, chunk);
    }
    chunk.push(row);
  }
  return chunks;
}

/** Chunks that are small, together with others of their node; `nodeOf` undefined: nobody knows it. */
export function sharedBatches(
  chunks: readonly PlacedCell[][],
  nodeOf: (row: PlacedCell) => string | undefined,
): PlacedCell[][] {
  const open = new Map<string, { rows: PlacedCell[]; partitions: number; bytes: number }>();
  const batches: PlacedCell[][] = [];
  for (const chunk of chunks) {
    const bytes = chunk.reduce((sum, row) => sum + bytesOf(row), 0);
    const node = bytes > SHARED_BYTES ? undefined : nodeOf(chunk[0]!);
    if (node === undefined) {
      batches.push(chunk);
      continue;
    }
    let batch = open.get(node);
    if (!batch || batch.partitions === BATCH_PARTITIONS || batch.bytes + bytes > SHARED_BYTES) {
      batch = { rows: [], partitions: 0, bytes: 0 };
      open.set(node, batch);
      batches.push(batch.rows);
    }
    for (const row of chunk) batch.rows.push(row);
    batch.partitions++;
    batch.bytes += bytes;
  }
  return batches;
}

/** About: texts of other letters than ASCII's take more, but never ten times as much. */
function bytesOf({ adId, campaignId, country, deviceType }: PlacedCell): number {
  return ROW_BYTES + adId.length + campaignId.length + country.length + deviceType.length;
}

function partitionParams({ sharded }: TotalsTable, { owner, bucket, shard }: PartitionKey): unknown[] {
  return sharded ? [owner, bucket, shard] : [owner, bucket];
}

function rowKey(table: TotalsTable, row: PlacedCell): string {
  const columns = table.columns.map((column) => row[column]);
  return JSON.stringify([row[table.owner], row.bucket, row.shard, row.minuteMs, ...columns]);
}

function cellsOf({ owner, columns }: TotalsTable, rows: readonly Row[]): Cell[] {
  const has = (column: string): boolean => owner === column || columns.some((each) => each === column);
  const [ad, campaign, country, device] = [
    ...[has('adId'), has('campaignId'), has('country'), has('deviceType')],
  ];
  return rows.map((row) => ({
    minuteMs: (row.minute as Date).getTime(),
    adId: ad ? (row.ad_id as string) : '',
    campaignId: campaign ? (row.campaign_id as string) : '',
    country: country ? (row.country as string) : '',
    deviceType: device ? (row.device_type as string) : '',
    clicks: Number(row.clicks),
  }));
}
