// NDJSON as a log: bare click lines, or Kafka records as `kcat -J` writes them; from a file or a pipe, packed or
// not. What it is, is told by its first bytes.
import type { RawBatch } from '../../core/batches.js';
import type { Positions, Source, SourceOptions } from '../../core/ports/log.js';
import { type ByteFeed, ChunkFeed, fileFeed } from './byte-feed.js';
import { Envelope } from './envelope.js';
import { envelopeBatches } from './envelope-batches.js';
import { IDENTITY_BYTES_MAX, type InputIdentity, identityOf, sameFile } from './identity.js';
import { lineBatches } from './line-batches.js';
import { openRawInput, type RawInput, readError } from './raw-input.js';
import { PACKING_BYTES, type Packing, packingOf, unpacked } from './unpack.js';

export type FileFormat = 'auto' | 'clicks' | 'kcat';

export interface FileSourceOptions {
  /** `-` is standard input. */
  path: string;
  /** Of bare lines: over how many partitions the decoder will spread them. */
  partitions: number;
  /** Number of the first bare line: more than 0 when the input continues another one (`--append`). */
  firstLine?: number;
  format: FileFormat;
  /** Gives up waiting for a pipe's first line; `read` has its own. */
  signal?: AbortSignal;
}

/**
 * An input is read to its end, also when `untilEnd` is false: it isn't followed while it grows.
 *
 * Bare lines: a record's partition is -1 (only the decoder can tell it) and its offset is the line's number. So
 * `read` can't skip by partition: it begins at the smallest position over all `partitions` (at the first line if one
 * of them is missing), and the engine drops the records below their partition's position.
 *
 * Envelopes carry partition and offset: a record below its partition's position is skipped, and so is one at or
 * below the offset that was read last in its partition (a line that was delivered twice). A partition may be
 * greater than `partitionCount`, which is only known for bare lines.
 */
export interface FileSource extends Source {
  /** What the lines are. */
  readonly format: 'clicks' | 'kcat';
  readonly packing: Packing;
  /** By which the data directory knows it again. */
  readonly identity: InputIdentity;
  /** Whether this is the input of `identity`, perhaps grown since. A pipe must be asked before it is read. */
  matches(identity: InputIdentity): Promise<boolean>;
  /** Number of the next line, after as many as have been read: where more of the log (`--append`) goes on. */
  nextLine(): number;
}

/** UserError: the input isn't there, is a folder, may not be read, or is damaged. */
export async function fileSource(options: FileSourceOptions): Promise<FileSource> {
  const { path, partitions, firstLine = 0 } = options;
  const raw = await openRawInput(path);
  const seen = await lookAt(raw, options);
  const opened = new Set<ByteFeed>();
  let nextLine = firstLine;
  let isClosed = false;

  async function* read({ positions, signal }: SourceOptions): AsyncGenerator<RawBatch> {
    const feed = await openFeed(raw, seen.packing, path);
    opened.add(feed);
    const giveUp = () => void raw.close();
    signal.addEventListener('abort', giveUp);
    try {
      const batches =
        seen.format === 'kcat'
          ? envelopeBatches(feed, path, positions)
          : lineBatches(feed, { firstLine, fromLine: smallest(positions, partitions) });
      for await (const { batch, linesRead } of batches) {
        // A pipe that was given up looks like one that ended: its last line may be half a line.
        if (signal.aborted || isClosed) return;
        nextLine = firstLine + linesRead;
        if (batch.count > 0) yield batch;
      }
    } catch (error) {
      if (!signal.aborted && !isClosed) throw readError(error, path);
    } finally {
      signal.removeEventListener('abort', giveUp);
      opened.delete(feed);
      await feed.close();
    }
  }

  return {
    partitionCount: partitions,
    seekable: raw.seekable,
    description: path === '-' ? 'standard input' : path,
    format: seen.format,
    packing: seen.packing,
    identity: identityOf(path, seen.head),
    async matches(identity) {
      return sameFile(identity, await raw.head((bytes) => bytes.length >= identity.bytes));
    },
    nextLine: () => nextLine,
    read,
    ends: async () => new Map(),
    async close() {
      isClosed = true;
      await raw.close();
      for (const feed of opened) await feed.close();
    },
  };
}

/** The first bytes of a file, by which the data directory knows it again. UserError if it can't be read. */
export async function fileIdentity(path: string): Promise<InputIdentity> {
  const raw = await openRawInput(path);
  try {
    return identityOf(path, await raw.head((bytes) => bytes.length >= IDENTITY_BYTES_MAX));
  } finally {
    await raw.close();
  }
}

function smallest(positions: Positions, partitions: number): number {
  let least = Infinity;
  for (let partition = 0; partition < partitions; partition++) {
    least = Math.min(least, positions.get(partition) ?? 0);
  }
  return least;
}

async function openFeed(raw: RawInput, packing: Packing, path: string): Promise<ByteFeed> {
  const handle = packing === 'none' ? await raw.open() : undefined;
  return handle ? fileFeed(handle) : new ChunkFeed(unpacked(raw.chunks(), packing, path));
}

interface Seen {
  head: Uint8Array;
  packing: Packing;
  format: 'clicks' | 'kcat';
}

/** Tells packing and format from the input's head. A pipe is waited for until its first line is there. */
async function lookAt(raw: RawInput, { path, format, signal }: FileSourceOptions): Promise<Seen> {
  const giveUp = () => void raw.close();
  signal?.addEventListener('abort', giveUp);
  try {
    const start = await raw.head((bytes) => bytes.length >= PACKING_BYTES);
    const packing = packingOf(start);
    if (format !== 'auto') return { head: start, packing, format };
    const head = await raw.head((bytes) => packing === 'none' && firstLineOf(bytes).isWhole);
    const text = await unpackHead(head, packing);
    const isEnvelope = Envelope.looksLikeOne(firstLineOf(text).line);
    return { head, packing, format: isEnvelope ? 'kcat' : 'clicks' };
  } catch (error) {
    await raw.close();
    throw readError(error, path);
  } finally {
    signal?.removeEventListener('abort', giveUp);
  }
}

/** The first line that isn't blank, as far as it is there. */
function firstLineOf(bytes: Uint8Array): { line: Uint8Array; isWhole: boolean } {
  let start = 0;
  while (start < bytes.length && bytes[start] <= 0x20) start++;
  const newline = bytes.indexOf(10, start);
  const isWhole = newline >= 0;
  return { line: bytes.subarray(start, isWhole ? newline : bytes.length), isWhole };
}

/** As much of the unpacked text as the head alone gives, at most about IDENTITY_BYTES_MAX. */
async function unpackHead(head: Uint8Array, packing: Packing): Promise<Uint8Array> {
  if (packing === 'none') return head;
  const parts: Uint8Array[] = [];
  let bytes = 0;
  async function* headOnly() {
    yield head;
  }
  try {
    for await (const part of unpacked(headOnly(), packing, '-')) {
      parts.push(part);
      bytes += part.length;
      if (bytes >= IDENTITY_BYTES_MAX) break;
    }
  } catch {
    // The head ends within the packed stream. If that is damaged, reading it will tell, with its place.
  }
  return Buffer.concat(parts);
}
