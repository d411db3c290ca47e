// Rows in PostgreSQL's binary COPY format. Numbers go as they are in memory, texts and bytes with their lengths:
// nothing is quoted, so nothing can be quoted wrong.
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';

const CHUNK_BYTES = 256 * 1024;
const SIGNATURE = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1');
const NULL_LENGTH = -1;
const TRAILER = -1;
const WORD = 4_294_967_296;
/** PostgreSQL counts microseconds since 2000. */
const EPOCH_MS = 946_684_800_000;
/** Of a UTF-16 unit in UTF-8. */
const UNIT_BYTES_MAX = 3;

/** Collects rows. Say `row`, then each of its columns in order. */
export class CopyRows {
  private readonly full: Buffer[] = [];
  private chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  private at = SIGNATURE.copy(this.chunk);

  row(columns: number): void {
    this.reserve(2);
    this.at = this.chunk.writeInt16BE(columns, this.at);
  }

  int4(value: number): void {
    this.reserve(8);
    this.at = this.chunk.writeInt32BE(4, this.at);
    this.at = this.chunk.writeInt32BE(value, this.at);
  }

  /** A whole number up to 2^53, or more if its last bits are 0. */
  int8(value: number | undefined): void {
    if (value === undefined) {
      this.nothing();
      return;
    }
    this.reserve(12);
    const high = Math.floor(value / WORD);
    this.at = this.chunk.writeInt32BE(8, this.at);
    this.at = this.chunk.writeInt32BE(high, this.at);
    this.at = this.chunk.writeUInt32BE(value - high * WORD, this.at);
  }

  /** A whole minute, or any time that is no farther from 2000 than 285 years, epoch ms. */
  timestamptz(ms: number): void {
    this.int8((ms - EPOCH_MS) * 1000);
  }

  text(value: string | undefined): void {
    if (value === undefined) {
      this.nothing();
      return;
    }
    this.reserve(4 + UNIT_BYTES_MAX * value.length);
    const length = this.chunk.write(value, this.at + 4, 'utf8');
    this.chunk.writeInt32BE(length, this.at);
    this.at += 4 + length;
  }

  bytes(value: Uint8Array | undefined): void {
    if (value === undefined) {
      this.nothing();
      return;
    }
    this.reserve(4 + value.length);
    this.at = this.chunk.writeInt32BE(value.length, this.at);
    this.chunk.set(value, this.at);
    this.at += value.length;
  }

  private nothing(): void {
    this.reserve(4);
    this.at = this.chunk.writeInt32BE(NULL_LENGTH, this.at);
  }

  private reserve(bytes: number): void {
    if (this.at + bytes <= this.chunk.length) return;
    this.full.push(this.chunk.subarray(0, this.at));
    this.chunk = Buffer.allocUnsafe(Math.max(CHUNK_BYTES, bytes));
    this.at = 0;
  }

  /** The chunks that are full by now; for who writes without end. */
  take(): Buffer[] {
    return this.full.splice(0);
  }

  /** The rest, with the mark of the end. */
  end(): Buffer[] {
    this.reserve(2);
    this.at = this.chunk.writeInt16BE(TRAILER, this.at);
    return [...this.take(), this.chunk.subarray(0, this.at)];
  }
}

/** Copies the rows that `write` makes of `count` things into columns of a table, such as `ledger (partition, minute)`. */
export async function copyInto(
  client: pg.ClientBase,
  table: string,
  count: number,
  write: (rows: CopyRows) => void,
): Promise<void> {
  if (count === 0) return;
  const rows = new CopyRows();
  write(rows);
  await copyChunks(client, table, rows.end());
}

/** Copies chunks as `CopyRows` gives them. */
export async function copyChunks(
  client: pg.ClientBase,
  table: string,
  chunks: Iterable<Buffer> | AsyncIterable<Buffer>,
): Promise<void> {
  const into = client.query(copyFrom(`COPY ${table} FROM STDIN (FORMAT binary)`));
  await pipeline(Readable.from(chunks, { objectMode: true }), into);
}
