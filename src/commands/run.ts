// The streaming aggregator: wires log, engine, store and live server, and tells what is going on. What a click
// is worth is in src/core/, when it is committed in src/engine/.
import type { KafkaConnection } from '../adapters/kafka/connection.js';
import type { LiveStatus } from '../core/live-status.js';
import type { Method } from '../core/method.js';
import type { StoreBooks } from '../core/ports/books.js';
import type { Standing, StoredState } from '../core/ports/commit.js';
import type { LetterOutbox } from '../core/ports/letters.js';
import type { Store } from '../core/ports/store.js';
import { openVoice, type RunVoice } from '../engine/announce.js';
import { type DataDir, openDataDir } from '../engine/data-dir.js';
import { type DecodedInput, openDecodedInput } from '../engine/decoded-input.js';
import {
  embeddedHistory,
  fileHistory,
  finished,
  type InputHistory,
  topicHistory,
} from '../engine/input-history.js';
import { KeptOriginals } from '../engine/kept-originals.js';
import type { LakeThread } from '../engine/lake-thread.js';
import { type LetterTopic, type PublishLettersOptions, publishLetters } from '../engine/publish-letters.js';
import { createRunLoop } from '../engine/run-loop.js';
import { checkSameMethod } from '../engine/same-method.js';
import { spoolStandardInput } from '../engine/spool.js';
import { inTurns } from '../engine/turns.js';
import type { Followers } from '../followers/followers.js';
import { turnsWith } from '../followers/turns.js';
import { startLiveServer } from '../live/server.js';
import { type RunMonitor, watchRun } from '../metrics/watching.js';
import { command } from '../options/command.js';
import { connectionOf, lakeGroupOf } from '../options/kafka.js';
import { lakePlaceOf } from '../options/lake.js';
import { methodHashesOf, methodOf } from '../options/shared.js';
import { isFile } from '../stores/kinds.js';
import { checkStore, openReaderIfAny, openStore, preload, type StorePlace } from '../stores/open-store.js';
import { type RunReporter, runReporter } from '../ui/run-report.js';
import type { Terminal } from '../ui/terminal.js';
import { type RunFollowers, startFollowers } from './run-followers.js';
import { archiveOf, checkTogether, lettersTo, type RunOptions, runOptions, sourceOf } from './run-options.js';

/** Batches that stay in memory after they were judged, and of their bytes those that letters will need. */
const RECENT_BYTES = 64 * 1_048_576;
const ORIGINALS_BYTES = 32 * 1_048_576;

export const runCommand = command({
  name: 'run',
  summary: 'aggregate clicks as a stream',
  description:
    'Reads clicks from the embedded log (or --brokers, or --input), gives every record its verdict, and keeps totals, ledger and ' +
    'positions in the store, all in one transaction per commit: killed at any moment, it goes on where it was. ' +
    'Follows the log until stopped, unless --until-end or --input is given. Of several processes of a consumer group one ' +
    'counts; the others stand by and take over when it is gone.',
  options: runOptions,
  examples: [
    ['click-agg run', 'follow the embedded log until Ctrl-C'],
    ['click-agg run --until-end --lake', 'count and keep what is there, then stop'],
    ['click-agg run --input clicks.ndjson.gz', 'count a file; run it again after a crash and it goes on'],
    [
      'click-agg run --brokers k1:9092,k2:9092 --store postgres://agg@db/clicks',
      'count a Kafka topic into PostgreSQL; start it on a second machine, too, and that one stands by',
    ],
    [
      'click-agg run --store duckdb --store postgres://agg@db/clicks',
      'count into the file, and bring a server the same totals a moment later',
    ],
    ['kcat -C -b broker -t clicks -J -e | click-agg run --input -', 'count what kcat reads from a topic'],
  ],
  async run({ options, terminal, signal }) {
    checkTogether(options);
    const { dataDir: path, partitions } = options;
    const kafka = connectionOf(options);
    const dataDir = await openDataDir(path);
    // Processes of a group may share a data directory: it belongs to the one whose turn it is.
    const lock = kafka ? undefined : await dataDir.lock('run');
    let monitor: RunMonitor | undefined;
    let input: DecodedInput | undefined;
    let lake: LakeThread | undefined;
    let voice: RunVoice | undefined;
    let behind: RunFollowers | undefined;
    try {
      behind = await startFollowers(options.stores, { dataDir, terminal, bytesMax: options.followLimit });
      monitor = await watchRun(options);
      if (monitor.url) terminal.info(`metrics on ${monitor.url}/metrics`, { metrics_url: monitor.url });
      // Two readers can't share a pipe.
      const spooled = options.input === '-' && options.lake !== undefined;
      const file = spooled ? await spoolStandardInput(dataDir.path, signal) : options.input;
      const warn = (line: string): void => terminal.warn(line);
      const letterTopic = kafka && lettersTo(options, kafka);
      const opening = openDecodedInput(
        {
          source: sourceOf(options, kafka, file, dataDir.logDir),
          archive: archiveOf(options),
          ...{ method: methodOf(options), partitions },
        },
        { warn, recentBytes: letterTopic ? RECENT_BYTES : 0 },
      );
      // The decoding thread takes as long to begin as the database to be loaded: let them do it side by side.
      preload(options.stores[0]!);
      input = await opening;
      const untilEnd = options.untilEnd || file !== undefined;
      if (options.lake !== undefined) lake = await lakeBeside(options, kafka, { file, untilEnd });
      const reporter = runReporter(terminal);
      voice = await openVoice(options, warn);
      const counting = {
        ...{ options, dataDir, input, file, untilEnd, lake, letterTopic },
        ...{ monitor, reporter, voice, terminal, signal },
        store: { dataDir: path, store: options.stores[0]! },
        followers: behind?.followers,
        lockDataDir: kafka !== undefined && isFile(options.stores[0]!),
      };
      monitor.watch('source', () => counting.input.ends());
      if (input.shared) await checkStore(counting.store);
      const status = await inTurns(
        {
          input,
          signal: AbortSignal.any(lake ? [signal, lake.failed] : [signal]),
          standsBy() {
            monitor!.standsBy();
            behind?.standsBy(counting.store);
            watchStoreMeanwhile(monitor!, counting.store);
            reporter.standsBy(input!.description);
          },
          lost: (error) => terminal.warn(`${error.message}: this process stands by`),
        },
        () => countInTurn(counting),
      );
      await reporter.result(input.description, status, await lake?.done);
      return undefined;
    } finally {
      lake?.stop();
      await voice?.close();
      await input?.close();
      await behind?.close();
      await monitor?.close();
      lock?.release();
    }
  },
});

/** The lake reads the same log on its own. */
async function lakeBeside(
  options: RunOptions,
  kafka: KafkaConnection | undefined,
  { file, untilEnd }: Pick<Counting, 'file' | 'untilEnd'>,
): Promise<LakeThread> {
  const { startLakeThread } = await import('../engine/lake-thread.js');
  const { dataDir, partitions, append, topic, group } = options;
  return startLakeThread({
    ...{ dataDir, partitions, append, untilEnd },
    lake: lakePlaceOf(options),
    input: file,
    topic: kafka && { connection: kafka, topic, group: lakeGroupOf(group) },
    ...methodHashesOf(options),
  });
}

/** Who stands by is ready if the store would be there; one in a file is held by whoever counts. */
function watchStoreMeanwhile(monitor: RunMonitor, place: StorePlace): void {
  if (isFile(place.store)) return;
  monitor.watch('store', async () => {
    const reader = await openReaderIfAny(place);
    await reader?.close();
  });
}

interface Counting {
  options: RunOptions;
  dataDir: DataDir;
  /** Where the store is. */
  store: StorePlace;
  /** The stores behind it. */
  followers: Followers | undefined;
  /** Whether the data directory is locked for each turn. */
  lockDataDir: boolean;
  input: DecodedInput;
  file: string | undefined;
  untilEnd: boolean;
  lake: LakeThread | undefined;
  /** Where the dead letters go besides the store. */
  letterTopic: LetterTopic | undefined;
  monitor: RunMonitor;
  reporter: RunReporter;
  voice: RunVoice;
  terminal: Terminal;
  signal: AbortSignal;
}

type CountedInto = Store & StoreBooks & LetterOutbox;

/** One turn: takes the store over and counts from where it stands. */
async function countInTurn(counting: Counting): Promise<LiveStatus> {
  const { dataDir, followers, terminal, signal } = counting;
  const onWait = (line: string): void => terminal.warn(line);
  const lock = counting.lockDataDir ? await dataDir.lockWhenFree('run', { signal, onWait }) : undefined;
  let store: CountedInto | undefined;
  try {
    store = await openStore(counting.store, {
      ...{ onWait, signal, waitsToOpen: counting.input.shared },
      // Who watches a run must not make it read all of its store every second.
      allowScan: false,
    });
    // A mistaken command must not take the store away from the one that counts: a look before the take-over. That
    // completes what a process which died has left half made, so until then no more is asked.
    if (counting.input.shared) await historyOf(counting, await store.standing());
    const epoch = await store.takeOver();
    const state = await store.state();
    const method = methodFor(counting, state);
    checkSameMethod(state, method);
    const history = await historyOf(counting, state);
    const counted =
      (await followers?.lead(store, { epoch, state, origin: (await store.letterStream()).id })) ?? store;
    const turns = turnsWith(state, epoch);
    const began = (now: InputHistory): Promise<void> =>
      counted.begin({ method, sourceIdentity: JSON.stringify({ ...now, turns }) });
    await began(history);
    const status = await count({ ...counting, method }, counted, epoch);
    if (history.kind === 'files' && !signal.aborted) await began(finished(history));
    await followers?.finish(signal.aborted);
    return { ...status, followers: followers?.status() };
  } finally {
    followers?.rest();
    await store?.close();
    lock?.release();
  }
}

/** The method of this turn; what wasn't told is as the store was counted, so that it goes on. */
function methodFor({ options, terminal }: Counting, state: StoredState): Method {
  const method = methodOf(options, state.method);
  if (state.method && options.invalidTraffic === undefined && !method.invalidTraffic) {
    terminal.info(
      'counted by version 1 of the method until now, and so it goes on: marks of invalid traffic are not heeded ' +
        '(--invalid-traffic off says the same)',
    );
  }
  return method;
}

type CountingByMethod = Counting & { method: Method };

function historyOf(counting: Counting, state: Standing): Promise<InputHistory> | InputHistory {
  const { options, input, file } = counting;
  const { partitions, append, group } = options;
  if (file !== undefined) return fileHistory(state, { path: file, partitions, append }, input);
  return input.shared ? topicHistory(state, { log: input.logIdentity!, group }) : embeddedHistory(state);
}

/** Counts until the end, the signal or the loss of the turn, and answers readers meanwhile. */
async function count(counting: CountingByMethod, opened: CountedInto, epoch: number): Promise<LiveStatus> {
  const { options, input, method, untilEnd, lake, monitor, reporter, terminal, signal } = counting;
  const { announcer } = counting.voice;
  const store = monitor.meter(opened);
  reporter.begin(input.description, untilEnd);
  const failed = new AbortController();
  counting.followers?.failed.catch(() => failed.abort());
  signal.addEventListener('abort', () => lake?.stop());
  const letterOptions = lettersOf(counting, store);
  const loop = await createRunLoop({
    input,
    originals: letterOptions?.originals,
    store,
    method,
    untilEnd,
    idleAfterMs: options.idleAfter,
    commitEveryMs: options.commitEvery,
    openMinutes: options.openMinutes,
    // A lake that fails stops the stream, too: what is not kept can't be proved.
    signal: AbortSignal.any([signal, failed.signal, ...(lake ? [lake.failed] : [])]),
    onStatus(ofLoop) {
      const status = { ...ofLoop, followers: counting.followers?.status() };
      monitor.observe(status);
      reporter.status(status);
      announcer.status(status);
    },
    onCommit: (commit) => announcer.committed(commit),
    warn: (line) => terminal.warn(line),
  });
  monitor.watch('store', () => store.revisions());
  const status = (): LiveStatus => ({ ...loop.status(), followers: counting.followers?.status() });
  monitor.counts(epoch, loop.status().ledger, status);
  const server = await startLiveServer({
    store,
    status,
    beforeSnapshot: () => loop.commitAll(),
    announcer,
    dataDir: counting.dataDir.path,
  });
  const letters = await publishLetters(letterOptions);
  letters?.failed.catch(() => failed.abort());
  try {
    const counted = await loop.run();
    await letters?.finish(signal.aborted);
    await lake?.done;
    return counted;
  } finally {
    reporter.end();
    await letters?.stop();
    await server.close();
  }
}

/** How the dead letters go to their topic; undefined: there is none. */
function lettersOf(
  { letterTopic, method, monitor, terminal }: CountingByMethod,
  outbox: LetterOutbox,
): PublishLettersOptions | undefined {
  if (!letterTopic) return undefined;
  return {
    ...letterTopic,
    ...{ outbox, method },
    originals: new KeptOriginals(ORIGINALS_BYTES),
    warn: (line) => terminal.warn(line),
    onProgress: ({ published, waiting }) => monitor.letters(published, waiting),
  };
}
