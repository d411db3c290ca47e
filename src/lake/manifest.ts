// The lake's manifest: which files are the lake, and how far each partition has come. Every commit is one JSON
// file `_commits/<number>.json` that appears whole, and its appearing is the commit. Now and then the sum of
// all commits is written as a checkpoint and the commits below it are removed, so that neither a start nor a
// reader ever reads more than a bounded number of them.
import { LakeTakenError, UserError } from '../errors.js';
import { commitName } from './layout.js';
import type { LakeStorage, LakeWriting } from './storage.js';

export const MANIFEST_VERSION = 1;
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
  /** A take-over adds and removes nothing: after it no former writer can commit. */
  kind: 'flush' | 'compact' | 'take-over';
  /** Who wrote it, by a random name, so that two writers' entries always differ. */
  writer?: string;
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

/** Makes the commit durable; when it returns, it happened. LakeTakenError: another process made one of that number. */
export async function writeCommit(
  storage: LakeStorage,
  writing: LakeWriting,
  commit: LakeCommit,
): Promise<void> {
  const name = `${commitName(commit.commit)}.json`;
  if (!(await writing.writeEntry(name, entryText(commit)))) throw new LakeTakenError(storage.name);
}

/** Writes the sum of all commits and removes those below. `state.last` must be finished. */
export async function writeCheckpoint(
  storage: LakeStorage,
  writing: LakeWriting,
  state: LakeState,
): Promise<void> {
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
  await writing.writeEntry(`${commitName(state.commit)}.checkpoint.json`, entryText(checkpoint));
  state.checkpoint = state.commit;
  for (const { name, commit, isCheckpoint } of await listManifest(storage)) {
    if (isCheckpoint ? commit < state.commit : commit <= state.commit) await writing.removeEntry(name);
  }
}

const entryText = (content: LakeCommit | Checkpoint): string => `${JSON.stringify(content)}\n`;

interface ManifestEntry {
  name: string;
  commit: number;
  isCheckpoint: boolean;
}

async function listManifest(storage: LakeStorage): Promise<ManifestEntry[]> {
  const entries: ManifestEntry[] = [];
  for (const name of await storage.manifestNames()) {
    const match = /^(\d{12})(\.checkpoint)?\.json$/.exec(name);
    if (match) entries.push({ name, commit: Number(match[1]), isCheckpoint: match[2] !== undefined });
  }
  return entries.sort((a, b) => a.commit - b.commit);
}

/**
 * The lake's present state; an empty one where there is no lake. May be called while a writer works: it then
 * gives the state after some whole commit. UserError: an entry is missing, unreadable or from a newer version.
 */
export async function readState(storage: LakeStorage): Promise<LakeState> {
  for (let attempt = 1; ; attempt++) {
    const found = await readOnce(storage);
    if (typeof found !== 'string') return found;
    // A checkpoint came in between and took away commits that were listed: the next look finds it.
    if (attempt >= READ_ATTEMPTS_MAX) throw damaged(`${storage.name}/_commits/${found}`, 'is missing');
  }
}

/** The state, or the name of an entry that isn't there any more. */
async function readOnce(storage: LakeStorage): Promise<LakeState | string> {
  const entries = await listManifest(storage);
  const state = emptyState();
  const checkpoint = entries.findLast(({ isCheckpoint }) => isCheckpoint);
  if (checkpoint) {
    const whole = await readEntry<Checkpoint>(storage, checkpoint.name, ['files']);
    if (!whole) return checkpoint.name;
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
    // Listed while a checkpoint was being made, or really lost: a second look tells.
    if (commit !== state.commit + 1) return `${commitName(state.commit + 1)}.json`;
    const entry = await readEntry<LakeCommit>(storage, name, ['add', 'remove']);
    if (!entry) return name;
    applyCommit(state, entry);
  }
  return state;
}

/**
 * An entry of our own writing; `lists` are the names of what must be in it besides what all entries have.
 * Undefined: it is gone.
 */
async function readEntry<T extends Entry>(
  storage: LakeStorage,
  name: string,
  lists: readonly string[],
): Promise<T | undefined> {
  const text = await storage.readManifest(name);
  if (text === undefined) return undefined;
  const path = `${storage.name}/_commits/${name}`;
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

/** Refuses a lake that was never written, for commands that need one. */
export function requireLake(state: LakeState, lake: string): void {
  if (state.commit > 0) return;
  throw new UserError(`there is no lake in ${lake}`, {
    hint: 'Write one first: click-agg lake, or click-agg run --lake.',
  });
}

function damaged(path: string, what: string, cause?: unknown): UserError {
  return new UserError(`the lake's manifest is damaged: ${path} ${what}`, {
    hint: 'Restore it from a backup, or write a new lake from the log: click-agg lake --lake DIR.',
    cause,
  });
}
