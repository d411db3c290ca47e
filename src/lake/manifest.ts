// The lake's manifest: which files are the lake, and how far each partition has come. Every commit is one JSON
// file `_commits/<number>.json`, written beside, synced and renamed into place: the rename is the commit. Now
// and then the sum of all commits is written as a checkpoint and the commits below it are removed, so that
// neither a start nor a reader ever reads more than a bounded number of them.
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf, syncDirectory } from '../adapters/embedded/layout.js';
import { UserError } from '../errors.js';
import { commitName, commitsDir } from './layout.js';

const MANIFEST_VERSION = 1;
/** Commits between two checkpoints. */
export const CHECKPOINT_COMMITS = 64;
const READ_ATTEMPTS_MAX = 20;

/** A Parquet file of the lake. */
export interface LakeFile {
  /** Inside the lake: `dt=…/hour=…/….parquet`. */
  path: string;
  partition: number;
  /** Hours since 1970, of the folder. */
  hour: number;
  firstOffset: number;
  lastOffset: number;
  records: number;
  malformed: number;
  /** Of the sound records, epoch ms; null if all are malformed. */
  minEventTimeMs: number | null;
  maxEventTimeMs: number | null;
  bytes: number;
  /** SHA-256 of the whole file, hex. */
  sha256: string;
  writtenAtMs: number;
}

export interface LakePartition {
  partition: number;
  /** Next offset to take. */
  position: number;
  /** Smallest offset that was ever taken; null if none was. */
  firstOffset: number | null;
  /** Records in the lake. */
  records: number;
}

/** What the lake is a copy of. */
export interface LakeLog {
  /** Bare lines: partitions were computed over `partitionCount`, offsets are line numbers over all of them. */
  bare: boolean;
  partitionCount: number;
  /** Which log or file it was, as the source names it; null where it wasn't told. */
  identity: string | null;
}

interface Entry {
  version: typeof MANIFEST_VERSION;
  commit: number;
  writtenAtMs: number;
  /** Hash of the counting method that the writer was configured with; null where it wasn't told. */
  methodHash: string | null;
  log: LakeLog;
  /** All of them, as they are after this commit. */
  partitions: readonly LakePartition[];
}

export interface LakeCommit extends Entry {
  kind: 'flush' | 'compact';
  add: readonly LakeFile[];
  /** Paths. */
  remove: readonly string[];
}

interface Checkpoint extends Entry {
  files: readonly LakeFile[];
}

/** The lake as a commit left it. */
export interface LakeState {
  /** Number of the last commit; 0: none yet. */
  commit: number;
  /** Number of the checkpoint that this was read from; 0: none. */
  checkpoint: number;
  writtenAtMs: number | undefined;
  methodHash: string | undefined;
  log: LakeLog | undefined;
  partitions: Map<number, LakePartition>;
  /** By path. */
  files: Map<string, LakeFile>;
  /** The last commit, which may have to be finished after a crash. Undefined when a checkpoint came after it. */
  last: LakeCommit | undefined;
}

/** A lake that nothing was written to. */
export function emptyState(): LakeState {
  return {
    commit: 0,
    checkpoint: 0,
    writtenAtMs: undefined,
    methodHash: undefined,
    log: undefined,
    partitions: new Map(),
    files: new Map(),
    last: undefined,
  };
}

/** What comes out of `state` by `commit`; changes `state`. */
export function applyCommit(state: LakeState, commit: LakeCommit): void {
  state.commit = commit.commit;
  state.writtenAtMs = commit.writtenAtMs;
  state.methodHash = commit.methodHash ?? undefined;
  state.log = commit.log;
  state.partitions = new Map(commit.partitions.map((partition) => [partition.partition, partition]));
  for (const path of commit.remove) state.files.delete(path);
  for (const file of commit.add) state.files.set(file.path, file);
  state.last = commit;
}

/** Makes the commit durable; when it returns, it happened. System errors come as they are. */
export async function writeCommit(lakeDir: string, commit: LakeCommit): Promise<void> {
  await writeWhole(commitsDir(lakeDir), `${commitName(commit.commit)}.json`, commit);
}

/** Writes the sum of all commits and removes those below. `state.last` must be finished. */
export async function writeCheckpoint(lakeDir: string, state: LakeState): Promise<void> {
  const folder = commitsDir(lakeDir);
  if (!state.log) return;
  const checkpoint: Checkpoint = {
    version: MANIFEST_VERSION,
    commit: state.commit,
    writtenAtMs: state.writtenAtMs ?? 0,
    methodHash: state.methodHash ?? null,
    log: state.log,
    partitions: [...state.partitions.values()],
    files: [...state.files.values()],
  };
  await writeWhole(folder, `${commitName(state.commit)}.checkpoint.json`, checkpoint);
  state.checkpoint = state.commit;
  for (const { name, commit, isCheckpoint } of await listManifest(folder)) {
    if (isCheckpoint ? commit < state.commit : commit <= state.commit) {
      await rm(join(folder, name), { force: true });
    }
  }
}

async function writeWhole(folder: string, name: string, content: unknown): Promise<void> {
  await mkdir(folder, { recursive: true });
  const path = join(folder, name);
  const handle = await open(`${path}.new`, 'w');
  try {
    await handle.writeFile(`${JSON.stringify(content)}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(`${path}.new`, path);
  await syncDirectory(folder);
}

interface ManifestEntry {
  name: string;
  commit: number;
  isCheckpoint: boolean;
}

async function listManifest(folder: string): Promise<ManifestEntry[]> {
  const names = await readdir(folder).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  });
  const entries: ManifestEntry[] = [];
  for (const name of names) {
    const match = /^(\d{12})(\.checkpoint)?\.json$/.exec(name);
    if (match) entries.push({ name, commit: Number(match[1]), isCheckpoint: match[2] !== undefined });
  }
  return entries.sort((a, b) => a.commit - b.commit);
}

/**
 * The lake's present state; an empty one where there is no lake. May be called while a writer works: it then
 * gives the state after some whole commit. UserError: an entry is missing, unreadable or from a newer version.
 */
export async function readState(lakeDir: string): Promise<LakeState> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await readOnce(commitsDir(lakeDir));
    } catch (error) {
      // A checkpoint came in between and took the commits away that were listed: the next look finds it.
      if (codeOf(error) !== 'ENOENT' || attempt >= READ_ATTEMPTS_MAX) throw error;
    }
  }
}

async function readOnce(folder: string): Promise<LakeState> {
  const entries = await listManifest(folder);
  const state = emptyState();
  const checkpoint = entries.findLast(({ isCheckpoint }) => isCheckpoint);
  if (checkpoint) {
    const whole = await readEntry<Checkpoint>(join(folder, checkpoint.name), ['files']);
    const { commit, writtenAtMs, methodHash, log, partitions, files } = whole;
    applyCommit(state, {
      version: MANIFEST_VERSION,
      kind: 'flush',
      ...{ commit, writtenAtMs, methodHash, log, partitions },
      add: files,
      remove: [],
    });
    state.checkpoint = commit;
    state.last = undefined;
  }
  for (const { name, commit, isCheckpoint } of entries) {
    if (isCheckpoint || commit <= state.commit) continue;
    if (commit !== state.commit + 1) {
      // Listed while a checkpoint was being made, or really lost: a second look tells.
      const again = await listManifest(folder);
      if (again.some((entry) => entry.isCheckpoint && entry.commit > state.commit)) return readOnce(folder);
      throw damaged(join(folder, `${commitName(state.commit + 1)}.json`), 'is missing');
    }
    applyCommit(state, await readEntry<LakeCommit>(join(folder, name), ['add', 'remove']));
  }
  return state;
}

/** An entry of our own writing; `lists` are the names of what must be in it besides what all entries have. */
async function readEntry<T extends Entry>(path: string, lists: readonly string[]): Promise<T> {
  const text = await readFile(path, 'utf8');
  let content: Record<string, unknown> | null;
  try {
    content = JSON.parse(text) as Record<string, unknown> | null;
  } catch (error) {
    throw damaged(path, 'is no JSON', error);
  }
  const version = content?.version;
  if (typeof version === 'number' && version > MANIFEST_VERSION) {
    throw new UserError(`the lake's manifest ${path} is from a newer version of click-agg (${version})`, {
      hint: 'Update click-agg.',
    });
  }
  const isWhole =
    version === MANIFEST_VERSION &&
    Number.isSafeInteger(content?.commit) &&
    typeof content?.log === 'object' &&
    ['partitions', ...lists].every((name) => Array.isArray(content?.[name]));
  if (!isWhole) throw damaged(path, 'is not what click-agg writes');
  return content as unknown as T;
}

function damaged(path: string, what: string, cause?: unknown): UserError {
  return new UserError(`the lake's manifest is damaged: ${path} ${what}`, {
    hint: 'Restore it from a backup, or write a new lake from the log: click-agg lake --lake-dir DIR.',
    cause,
  });
}
