// The bytes of an input as they lie there, packed or not: of a file, which can be read again from its beginning,
// or of a pipe (standard input, or a path such as /dev/fd/63), which can be read once.
import { createReadStream, fstatSync, openSync, type Stats } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { invariant, UserError } from '../../errors.js';
import { ChunkFeed } from './byte-feed.js';
import { IDENTITY_BYTES_MAX } from './identity.js';

const CHUNK_BYTES = 1_048_576;
/** How much of what a pipe has sent is held while the reader is busy, and given to it in one piece. */
const PIPE_BYTES_MAX = 4 * 1_048_576;
const GATHERED_BYTES = 1_048_576;

export interface RawInput {
  /** A pipe can't be read again. */
  readonly seekable: boolean;
  /** The first bytes: until there are `enough` of them or IDENTITY_BYTES_MAX, or the input ends. */
  head(enough: (bytes: Uint8Array) => boolean): Promise<Uint8Array>;
  /** All bytes from the beginning. A pipe gives them once. */
  chunks(): AsyncIterable<Uint8Array>;
  /** The file, opened, to be read straight; undefined for a pipe. */
  open(): Promise<FileHandle | undefined>;
  /** Ends a read that waits for a pipe, too. */
  close(): Promise<void>;
}

/** Opens the file or pipe at `path`; `-` is standard input. UserError: not there, a folder, or not to be read. */
export async function openRawInput(path: string): Promise<RawInput> {
  if (path === '-') return pipeInput(path, 0, fstatSync(0));
  try {
    const stats = await stat(path);
    if (stats.isDirectory()) {
      throw new UserError(`${path} is a folder, not a file`, {
        hint: `Name a file in it, or pipe several: cat ${path}/* | click-agg run --input -`,
      });
    }
    if (!stats.isFile()) return pipeInput(path, openSync(path, 'r'), stats);
    const handle = await open(path, 'r');
    await handle.close();
    return fileInput(path);
  } catch (error) {
    throw readError(error, path);
  }
}

const WHAT_HAPPENED: Readonly<Record<string, readonly [what: string, hint: string]>> = {
  ENOENT: ['there is no such file', 'Check the path; `-` reads standard input.'],
  ENOTDIR: ['there is no such file', 'Check the path; `-` reads standard input.'],
  EISDIR: ['it is a folder', 'Name a file; `-` reads standard input.'],
  EACCES: ['it may not be read', 'Check its permissions (ls -l) or copy it to where you may read it.'],
  EPERM: ['it may not be read', 'Check its permissions (ls -l) or copy it to where you may read it.'],
  EIO: [
    'the disk failed',
    'Check the disk; start again when the file can be read, counting goes on where it stood.',
  ],
};

/** Turns a system error on `path` into a UserError; anything else is returned as it is. */
export function readError(error: unknown, path: string): unknown {
  if (error instanceof UserError || !(error instanceof Error) || !('code' in error)) return error;
  const [what, hint] = WHAT_HAPPENED[String(error.code)] ?? [
    String(error.code),
    'Start again when it can be read.',
  ];
  return new UserError(`can't read ${path === '-' ? 'standard input' : path}: ${what}`, {
    hint,
    cause: error,
  });
}

function fileInput(path: string): RawInput {
  return {
    seekable: true,
    async head() {
      const handle = await open(path, 'r');
      try {
        const head = Buffer.alloc(IDENTITY_BYTES_MAX);
        const { bytesRead } = await handle.read(head, 0, head.length, 0);
        return head.subarray(0, bytesRead);
      } catch (error) {
        throw readError(error, path);
      } finally {
        await handle.close();
      }
    },
    chunks: () => createReadStream(path, { highWaterMark: CHUNK_BYTES }),
    async open() {
      try {
        return await open(path, 'r');
      } catch (error) {
        throw readError(error, path);
      }
    },
    async close() {},
  };
}

function pipeInput(path: string, fd: number, stats: Stats): RawInput {
  // A socket's reads can be given up; those of a file descriptor block a thread until something comes.
  const socketOptions = { fd, readable: true, writable: false, highWaterMark: PIPE_BYTES_MAX };
  const stream: Readable =
    stats.isFIFO() || stats.isSocket()
      ? new Socket(socketOptions)
      : createReadStream(path, { fd, highWaterMark: CHUNK_BYTES });
  const feed = new ChunkFeed(gathered(stream));
  let isTaken = false;
  return {
    seekable: false,
    async head(enough) {
      invariant(!isTaken, 'the head of a pipe is asked for after it was read');
      const head = await feed.peek((bytes) => bytes.length >= IDENTITY_BYTES_MAX || enough(bytes));
      return head.subarray(0, IDENTITY_BYTES_MAX);
    },
    chunks() {
      invariant(!isTaken, 'a pipe is read twice');
      isTaken = true;
      return feed.rest();
    },
    async open() {
      return undefined;
    },
    async close() {
      stream.destroy();
    },
  };
}

/**
 * What has come in, in one piece up to GATHERED_BYTES, as long as more is there without waiting. Ends quietly when
 * the stream is destroyed.
 */
async function* gathered(stream: Readable): AsyncGenerator<Uint8Array> {
  let failure: Error | undefined;
  let wake: () => void = () => undefined;
  stream.on('error', (error) => {
    failure = error;
    wake();
  });
  for (const event of ['readable', 'end', 'close']) stream.on(event, () => wake());
  while (!failure) {
    const pieces: Buffer[] = [];
    let bytes = 0;
    for (let piece: Buffer | null = stream.read(); piece; piece = stream.read()) {
      pieces.push(piece);
      bytes += piece.length;
      if (bytes >= GATHERED_BYTES) break;
      await setImmediate(); // lets the next piece in, if there is one
    }
    if (bytes > 0) yield pieces.length === 1 ? pieces[0] : Buffer.concat(pieces);
    else if (stream.readableEnded || stream.destroyed) return;
    else
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
  }
  throw failure;
}
