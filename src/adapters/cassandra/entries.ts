// Entries: everything of a store that is not a total.
import type { Entry, EntryKind, RowDatabase } from '../journaled/database.js';
import type { Cluster, Statement } from './cluster.js';
import { inParallel } from './in-parallel.js';
import { type EntryStatements, entryStatements } from './tables.js';

/** A request holds at most so many entries and bytes, and so many requests are under way: some megabytes altogether. */
const BATCH_ENTRIES = 100;
const BATCH_BYTES = 256 * 1024;
const REQUESTS_MAX = 32;
/** So many entries are read at once: they may be large. */
const PAGE_ENTRIES = 64;

type Entries = Pick<RowDatabase, 'writeEntries' | 'readEntries'>;

/** Writes and reads entries on a cluster. */
export function createEntries(cluster: Cluster): Entries {
  const known = new Map<EntryKind, EntryStatements>();
  const statementsOf = (kind: EntryKind): EntryStatements => {
    const statements = known.get(kind) ?? entryStatements(cluster.address.keyspace, kind);
    known.set(kind, statements);
    return statements;
  };
  const put = ({ kind, partition, key, value }: Entry): Statement => {
    const { insert, remove, partitionOf } = statementsOf(kind);
    const params: unknown[] = [...partitionOf(partition), key];
    if (value === undefined) return { query: remove, params };
    return { query: insert, params: [...params, bytesOf(value)] };
  };
  return {
    async writeEntries(entries, version) {
      await inParallel(batchesOf(entries), REQUESTS_MAX, (batch) =>
        cluster.writeTogether(batch.map(put), version),
      );
    },
    async readEntries(kind, partition, { after, through, descending = false, limit }) {
      const { partitionOf, read } = statementsOf(kind);
      const query = read({ after: after !== undefined, through: through !== undefined, descending });
      const bounds = [after, through].filter((bound) => bound !== undefined);
      const params = [...partitionOf(partition), ...bounds, limit];
      const found: { key: string; value: Uint8Array }[] = [];
      let next: string | undefined;
      do {
        const page = await cluster.page({ query, params }, PAGE_ENTRIES, next);
        for (const { key, value } of page.rows) {
          found.push({ key: key as string, value: value as Buffer });
        }
        next = page.next;
      } while (next !== undefined && found.length < limit);
      return found;
    },
  };
}

/** The same bytes as the package wants them. */
function bytesOf(value: Uint8Array): Buffer {
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
}

/** Entries of one partition each. */
function batchesOf(entries: readonly Entry[]): Entry[][] {
  const open = new Map<string, { batch: Entry[]; bytes: number }>();
  const batches: Entry[][] = [];
  for (const entry of entries) {
    const partition = `${entry.kind} ${entry.partition}`;
    const bytes = entry.value?.length ?? 0;
    let last = open.get(partition);
    if (!last || last.batch.length === BATCH_ENTRIES || last.bytes + bytes > BATCH_BYTES) {
      last = { batch: [], bytes: 0 };
      batches.push(last.batch);
      open.set(partition, last);
    }
    last.batch.push(entry);
    last.bytes += bytes;
  }
  return batches;
}
