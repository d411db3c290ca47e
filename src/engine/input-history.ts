// What a data directory has counted: the embedded log, or files in the order they were given. It is kept in
// the store as JSON (`sourceIdentity`), so that another file isn't counted by mistake as if it were the same.
import { fileSource } from '../adapters/file/file-source.js';
import type { InputIdentity } from '../adapters/file/identity.js';
import type { Standing } from '../core/ports/commit.js';
import { UsageError, UserError } from '../errors.js';
import type { DecodedInput } from './decoded-input.js';
import type { EarlierFile } from './open-source.js';

interface CountedFile {
  identity: InputIdentity;
  path: string;
  /** Number of its first line in the log that all the files make up. */
  firstLine: number;
  /** Counted to its end at least once. */
  finished: boolean;
}

interface FileHistory {
  kind: 'files';
  partitions: number;
  files: readonly CountedFile[];
}

/** A topic, and the group whose active process counts it. */
interface TopicHistory {
  kind: 'topic';
  /** Cluster and topic. */
  log: string;
  group: string;
}

export type InputHistory = { kind: 'embedded' } | TopicHistory | FileHistory;

function readHistory({ sourceIdentity }: Standing): InputHistory | undefined {
  if (sourceIdentity === undefined) return undefined;
  const history = JSON.parse(sourceIdentity) as InputHistory & { copying?: string };
  if (history.copying === undefined) return history;
  throw new UserError('this store holds half a copy of another one', {
    hint: 'Run `click-agg copy-totals` again: it brings what is missing.',
  });
}

export interface FileInput {
  path: string;
  partitions: number;
  /** It is more of the log that was counted before. */
  append: boolean;
}

/** The history of a data directory that counts its embedded log. UsageError: it has counted files. */
export function embeddedHistory(state: Standing): InputHistory {
  const history = readHistory(state);
  if (!history || history.kind === 'embedded') return { kind: 'embedded' };
  throw new UsageError(`this store has counted ${nameOf(history)}, not the embedded log`, {
    hint: 'Give the same input again, or another --data-dir or --store.',
  });
}

/**
 * The history of a store that counts a topic. UsageError: it has counted something else, or for another group: two
 * groups would take the store away from each other for ever.
 */
export function topicHistory(state: Standing, wanted: Omit<TopicHistory, 'kind'>): TopicHistory {
  const history = readHistory(state);
  if (history && history.kind !== 'topic') {
    throw new UsageError(`this store has counted ${nameOf(history)}, not a topic`, {
      hint: 'Give the same input again, or another --data-dir or --store.',
    });
  }
  if (history && history.log !== wanted.log) {
    throw new UsageError(`this store has counted ${nameOf(history)}, not ${wanted.log}`, {
      hint: 'Give the same --brokers and --topic, or another --data-dir or --store.',
    });
  }
  if (history && history.group !== wanted.group) {
    throw new UsageError(`this store is counted into by the consumer group ${history.group}`, {
      hint: `Give --group ${history.group}, or another --data-dir or --store.`,
    });
  }
  return { kind: 'topic', ...wanted };
}

function nameOf(history: InputHistory): string {
  if (history.kind === 'embedded') return 'its embedded log';
  return history.kind === 'topic' ? history.log : history.files.at(-1)!.path;
}

/**
 * The history of a data directory once `input` is counted, too; puts the earlier files that memory is rebuilt
 * from before it. UsageError: the file can't follow what was counted.
 */
export async function fileHistory(
  state: Standing,
  wanted: FileInput,
  input: DecodedInput,
): Promise<FileHistory> {
  const history = readHistory(state) ?? { kind: 'files', partitions: wanted.partitions, files: [] };
  const { identity, lineNumbered } = input.file!;
  if (history.kind !== 'files') {
    throw new UsageError(`this data directory has counted ${nameOf(history)}, not a file`, {
      hint: 'Give --input another --data-dir.',
    });
  }
  const { files } = history;
  if (history.partitions !== wanted.partitions) {
    throw new UsageError(`this data directory was counted with --partitions ${history.partitions}`, {
      hint: `Give --partitions ${history.partitions}, or another --data-dir.`,
    });
  }
  const known = (await input.matches(files.map((file) => file.identity))).indexOf(true);
  if (known >= 0 && known < files.length - 1) {
    throw new UsageError(`${wanted.path} was counted before ${files.at(-1)!.path}, to its end`);
  }
  if (known < 0 && files.length > 0) checkAppend(files.at(-1)!, wanted, lineNumbered);
  const firstLine = known >= 0 ? files[known]!.firstLine : nextLine(state, files.length);
  const present = {
    identity: known >= 0 ? files[known]!.identity : identity,
    path: wanted.path,
    firstLine,
    finished: false,
  };
  const before = known >= 0 ? files.slice(0, known) : files;
  await input.putBehind(
    await neededFiles(before, present, state, lineNumbered),
    lineNumbered ? firstLine : 0,
  );
  return { kind: 'files', partitions: history.partitions, files: [...before, present] };
}

function nextLine(state: Standing, filesBefore: number): number {
  return filesBefore === 0 ? 0 : Math.max(0, ...state.positions.map(({ position }) => position));
}

/** Bare lines are known by their place: another file has to be said to be more of the log. */
function checkAppend(last: CountedFile, { path, append }: FileInput, lineNumbered: boolean): void {
  if (!lineNumbered) return;
  if (!append) {
    throw new UsageError(`this data directory has counted ${last.path}; ${path} is another file`, {
      hint: 'If it is more of the same log, add --append; else give another --data-dir.',
    });
  }
  if (!last.finished) {
    throw new UsageError(`${last.path} was not counted to its end yet`, {
      hint: `Run it again before ${path}.`,
    });
  }
}

/** The history once all its files were counted to their ends. */
export function finished(history: FileHistory): FileHistory {
  return { ...history, files: history.files.map((file) => ({ ...file, finished: true })) };
}

/** The files before the present one that hold records which memory is rebuilt from. */
async function neededFiles(
  before: readonly CountedFile[],
  present: CountedFile,
  { positions }: Standing,
  lineNumbered: boolean,
): Promise<EarlierFile[]> {
  const rewound = positions.filter(({ rewindOffset, position }) => rewindOffset < position);
  if (rewound.length === 0) return [];
  const firstNeeded = Math.min(...rewound.map(({ rewindOffset }) => rewindOffset));
  const needed: EarlierFile[] = [];
  for (const [index, file] of before.entries()) {
    const next = before[index + 1] ?? present;
    if (lineNumbered && next.firstLine <= firstNeeded) continue;
    await checkUnchanged(file);
    needed.push({ path: file.path, firstLine: lineNumbered ? file.firstLine : 0 });
  }
  return needed;
}

async function checkUnchanged({ path, identity }: CountedFile): Promise<void> {
  const hint = 'Late clicks may still change what it held. Put it back, or give another --data-dir.';
  if (path === '-') throw new UserError("standard input, counted before, can't be read again", { hint });
  const source = await fileSource({ path, partitions: 1, format: 'auto' });
  const same = await source.matches(identity);
  await source.close();
  if (!same) throw new UserError(`${path} is not what was counted before`, { hint });
}
