// Everything that is not a total, as rows of one table: ledger, dead letters, books, journal. As with totals, a row is
// written again with a higher version; one that is deleted says so.
import type { Entry, EntryKind, EntryRange } from '../journaled/database.js';
import type { Connections } from './connections.js';
import { RowBinaryWriter } from './row-binary.js';
import { MERGED, MERGED_SETTINGS, text } from './sql.js';

const COLUMNS = 'kind, partition, key, value, deleted, version';
/** One insert has no more bytes, beside its last row's. */
const INSERT_BYTES_MAX = 16 * 1024 * 1024;
const NOTHING = new Uint8Array(0);

/** Writes entries with this version. */
export async function writeEntries(
  connections: Connections,
  entries: readonly Entry[],
  version: number,
): Promise<void> {
  const writer = new RowBinaryWriter();
  const into = `${connections.address.database}.entries (${COLUMNS})`;
  for (const { kind, partition, key, value } of entries) {
    writer.text(kind);
    writer.text(partition);
    writer.text(key);
    writer.blob(value ?? NOTHING);
    writer.uint8(value === undefined ? 1 : 0);
    writer.int64(version);
    if (writer.size > INSERT_BYTES_MAX) await connections.insert(into, writer.take());
  }
  if (writer.size > 0) await connections.insert(into, writer.take());
}

/** A partition's entries of a range, in the order of their keys. */
export async function readEntries(
  connections: Connections,
  kind: EntryKind,
  partition: string,
  { after, through, descending, limit }: EntryRange,
): Promise<{ key: string; value: Uint8Array }[]> {
  const conditions = [`kind = ${text(kind)}`, `partition = ${text(partition)}`];
  if (after !== undefined) conditions.push(`key > ${text(after)}`);
  if (through !== undefined) conditions.push(`key <= ${text(through)}`);
  const rows = await connections.ask(
    `SELECT key, base64Encode(value) FROM ${connections.address.database}.entries ${MERGED}
     WHERE ${conditions.join(' AND ')} AND deleted = 0
     ORDER BY key ${descending ? 'DESC' : 'ASC'} LIMIT ${limit} ${MERGED_SETTINGS}`,
  );
  return rows.map(([key, value]) => ({
    key: String(key),
    value: Buffer.from(String(value), 'base64'),
  }));
}
