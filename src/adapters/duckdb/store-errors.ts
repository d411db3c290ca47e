// What DuckDB says when the disk, another process or a strange file is at fault, as one clear line. Anything
// else is a bug of ours and stays as it is.
import { UserError } from '../../errors.js';

interface Cause {
  readonly sign: RegExp;
  readonly line: (path: string, match: RegExpMatchArray) => string;
  readonly hint: string;
}

const CAUSES: readonly Cause[] = [
  {
    sign: /Could not set lock on file(?:.*\(PID (\d+)\))?/,
    line: (path, match) =>
      `${path} is in use by another process${match[1] === undefined ? '' : ` (pid ${match[1]})`}`,
    hint: 'Wait for it to end or stop it.',
  },
  {
    sign: /No space left on device|Disk quota exceeded|not enough space|Out of disk/i,
    line: (path) => `can't write ${path}: the disk is full`,
    hint: 'Free some space and start again; what was committed stays valid.',
  },
  {
    sign: /Read-only file system|attached in read-only mode/i,
    line: (path) => `can't write ${path}: the file system is read-only`,
    hint: 'Choose another --data-dir.',
  },
  {
    sign: /Permission denied|Operation not permitted/i,
    line: (path) => `can't open ${path}: permission denied`,
    hint: 'Check the permissions, or choose another --data-dir.',
  },
  {
    sign: /No such file or directory|Cannot open database .* in read-only mode: database does not exist|does not exist/i,
    line: (path) => `can't open ${path}: there is no such file`,
    hint: 'Check --data-dir.',
  },
  {
    sign: /Is a directory|Not a directory/i,
    line: (path) => `can't open ${path}: something else is in its place`,
    hint: 'Choose another --data-dir.',
  },
  {
    sign: /Trying to read a database file with version number (\d+)|newer version of DuckDB|newer DuckDB/i,
    line: (path) => `${path} was written by a newer DuckDB than this click-agg has`,
    hint: 'Update click-agg, or use another data directory.',
  },
  {
    sign: /not a valid DuckDB database file|Failure while replaying WAL|checksum|Corrupt|database has been invalidated/i,
    line: (path) => `${path} is damaged or no store of click-agg`,
    hint: 'Restore it from a copy, or remove it and count the log again.',
  },
  {
    sign: /Out of Memory Error|could not allocate block|failed to allocate/i,
    line: (path) => `not enough memory to work on ${path}`,
    hint: 'Ask for less at a time (--from, --to), or give the machine more memory.',
  },
  {
    sign: /^(IO|Fatal) Error: (.*)/i,
    line: (path, match) => `can't use ${path}: ${match[2]}`,
    hint: 'Check the disk and the permissions of the data directory.',
  },
];

/** The UserError behind an error of DuckDB about the file at `path`; other errors are returned as they are. */
export function storeError(error: unknown, path: string): unknown {
  if (!(error instanceof Error) || error instanceof UserError) return error;
  const [message = ''] = error.message.split('\n');
  // Programming errors name what they miss in the same words as a missing file.
  if (/^(Binder|Parser|Catalog|Conversion|Internal|INTERNAL|Constraint) Error/.test(message)) return error;
  if (!/^[A-Za-z ]+ Error: /.test(message)) return error;
  for (const { sign, line, hint } of CAUSES) {
    const match = sign.exec(message);
    if (match) return new UserError(line(path, match), { hint, cause: error });
  }
  return error;
}

/** Whether an error says that another process has the file open for writing. */
export function isLocked(error: unknown): boolean {
  return error instanceof Error && /Could not set lock on file/.test(error.message);
}
