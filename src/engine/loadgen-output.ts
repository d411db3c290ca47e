// Where generated records go: a file, standard output, or a log. Each takes a batch at a time and says when
// the batch may be filled again.
import { type FileHandle, open } from 'node:fs/promises';
import type { ClickBatch } from '../core/loadgen/click-batch.js';
import { UserError } from '../errors.js';

export interface LoadOutput {
  /** Names it for people. */
  readonly name: string;
  /** Resolves when the records are handed over and the batch may be used again. One call at a time. */
  write(batch: ClickBatch): Promise<void>;
  close(): Promise<void>;
}

const WHAT_TO_DO: Readonly<Record<string, string>> = {
  ENOSPC: 'The disk is full: free some space; what was written ends in the middle of a line.',
  EDQUOT: 'The disk quota is used up: free some space; what was written ends in the middle of a line.',
  EROFS: 'The file system is read-only: choose another file.',
  EACCES: 'Check the permissions, or choose another file.',
  EPERM: 'Check the permissions, or choose another file.',
  ENOENT: 'The folder does not exist: make it, or choose another file.',
  EISDIR: 'That is a folder: name a file.',
  ENOTDIR: 'A file is in the way of the folder: choose another file.',
};

/** Turns a system error on a file into a line for people. */
export function fileError(error: unknown, path: string): unknown {
  const code = error instanceof Error && 'code' in error ? String(error.code) : undefined;
  const hint = code === undefined ? undefined : WHAT_TO_DO[code];
  return hint === undefined ? error : new UserError(`can't write ${path}: ${code}`, { hint, cause: error });
}

/** Lines to a file, which is made or replaced. UserError if it can't be written. */
export async function fileOutput(path: string): Promise<LoadOutput> {
  let file: FileHandle;
  try {
    file = await open(path, 'w');
  } catch (error) {
    throw fileError(error, path);
  }
  return {
    name: path,
    async write(batch) {
      try {
        let written = 0;
        while (written < batch.used) {
          const { bytesWritten } = await file.write(batch.bytes, written, batch.used - written);
          written += bytesWritten;
        }
      } catch (error) {
        throw fileError(error, path);
      }
    },
    close: () => file.close(),
  };
}

/** Lines to a printer such as a terminal's `print`, which resolves when it has taken the bytes. */
export function printedOutput(print: (bytes: Uint8Array) => Promise<void>): LoadOutput {
  return {
    name: 'standard output',
    write: (batch) => print(batch.bytes.subarray(0, batch.used)),
    close: async () => {},
  };
}

/** What of a log's writer is needed here. */
export interface RecordLog {
  append(batch: ClickBatch): Promise<unknown>;
  close(): Promise<void>;
}

/** Records to a log. */
export function logOutput(name: string, log: RecordLog): LoadOutput {
  return {
    name,
    async write(batch) {
      await log.append(batch);
    },
    close: () => log.close(),
  };
}
