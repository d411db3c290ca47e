// Where the embedded log lies on disk:
//   log.json                      version, number of partitions, an id: fixed when the log is made
//   writer.lock                   pid of the one writer
//   p00003/00000000000000012345.seg   a segment: frames from that offset on; a folder per partition
// A segment's name is its first offset, so the one that follows a finished segment is known by name.
import { randomUUID } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { UserError } from '../../errors.js';

const LOG_VERSION = 1;
const META_FILE = 'log.json';
const SEGMENT_NAME = /^(\d{20})\.seg$/;
export const PARTITIONS_MAX = 1024;

export interface LogMeta {
  partitions: number;
  /** Made up when the log was created: two logs never share it. */
  id: string;
}

/** Folder of a partition. */
export function partitionDir(logDir: string, partition: number): string {
  return join(logDir, `p${String(partition).padStart(5, '0')}`);
}

/** File of the segment that begins at `baseOffset`. */
export function segmentPath(logDir: string, partition: number, baseOffset: number): string {
  return join(partitionDir(logDir, partition), `${String(baseOffset).padStart(20, '0')}.seg`);
}

/** First offsets of a partition's segments, ascending. Empty if the partition has none yet. */
export async function listSegments(logDir: string, partition: number): Promise<number[]> {
  let names: string[];
  try {
    names = await readdir(partitionDir(logDir, partition));
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw ioError(error, partitionDir(logDir, partition), 'read');
  }
  const bases: number[] = [];
  for (const name of names) {
    const match = SEGMENT_NAME.exec(name);
    if (match) bases.push(Number(match[1]));
  }
  return bases.sort((a, b) => a - b);
}

/** Reads log.json; undefined if there is no log in the folder. A newer version is a UserError. */
export async function readMeta(logDir: string): Promise<LogMeta | undefined> {
  const path = join(logDir, META_FILE);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw ioError(error, path, 'read');
  }
  return parseMeta(text, path);
}

function parseMeta(text: string, path: string): LogMeta {
  let meta: { version?: unknown; partitions?: unknown; id?: unknown };
  try {
    meta = Object(JSON.parse(text));
  } catch (error) {
    throw new UserError(`${path} is damaged: it is not JSON`, {
      hint: 'Restore it from a copy of the log, or remove the whole log folder.',
      cause: error,
    });
  }
  if (typeof meta.version === 'number' && meta.version > LOG_VERSION) {
    throw new UserError(`${path} was written by a newer click-agg (log version ${meta.version})`, {
      hint: 'Update click-agg, or use another data directory.',
    });
  }
  const { partitions, id } = meta;
  const sound =
    Number.isInteger(partitions) && Number(partitions) >= 1 && Number(partitions) <= PARTITIONS_MAX;
  if (meta.version !== LOG_VERSION || !sound || typeof id !== 'string') {
    throw new UserError(`${path} is damaged: version, partitions or id is not sound`, {
      hint: 'Restore it from a copy of the log, or remove the whole log folder.',
    });
  }
  return { partitions: Number(partitions), id };
}

/** Makes the log's folders and log.json. The caller holds the writer's lock. */
export async function createMeta(logDir: string, partitions: number): Promise<LogMeta> {
  const meta: LogMeta = { partitions, id: randomUUID() };
  const path = join(logDir, META_FILE);
  const newPath = `${path}.new`;
  try {
    for (let partition = 0; partition < partitions; partition++) {
      await mkdir(partitionDir(logDir, partition), { recursive: true });
    }
    await writeFile(newPath, `${JSON.stringify({ version: LOG_VERSION, ...meta })}\n`, { flush: true });
    await rename(newPath, path);
  } catch (error) {
    await rm(newPath, { force: true });
    throw ioError(error, logDir, 'write');
  }
  await syncDirectory(logDir);
  return meta;
}

/**
 * Makes a folder and those above it that are missing; one that exists is fine. System errors are thrown as they are.
 * (Node's own recursive mkdir never ends where a folder that exists takes no new ones and says ENOENT, as /proc does.)
 */
export async function makeFolder(path: string): Promise<void> {
  try {
    await mkdirOrKeep(path);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT' || dirname(path) === path) throw error;
    await makeFolder(dirname(path));
    await mkdirOrKeep(path);
  }
}

async function mkdirOrKeep(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') throw error;
    const found = await stat(path).catch(() => undefined);
    if (!found?.isDirectory()) throw error;
  }
}

/** Makes new names in a folder durable. Windows can't and needn't. */
export async function syncDirectory(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Code of a system error such as ENOENT. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}

const WHAT_TO_DO: Readonly<Record<string, string>> = {
  ENOSPC: 'The disk is full: free some space and start again; what was written stays valid.',
  EDQUOT: 'The disk quota is used up: free some space and start again; what was written stays valid.',
  EROFS: 'The file system is read-only: choose another folder.',
  EACCES: 'Check the permissions, or choose another folder.',
  EPERM: 'Check the permissions, or choose another folder.',
  EMFILE: 'Too many open files: raise the limit (ulimit -n).',
  ENOENT: 'Nothing can be there: check the path.',
  ENOTDIR: 'A file is in the way of the folder: choose another folder.',
  EEXIST: 'A file is in the way of the folder: choose another folder.',
};

/** Turns a system error on `path` into a UserError; anything else is returned as it is. */
export function ioError(error: unknown, path: string, doing: 'read' | 'write'): unknown {
  const code = codeOf(error);
  if (code === undefined || error instanceof UserError) return error;
  const hint = WHAT_TO_DO[code];
  return new UserError(`can't ${doing} ${path}: ${code}`, { ...(hint ? { hint } : {}), cause: error });
}
