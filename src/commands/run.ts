// The streaming aggregator: wires log, engine, store and live server, and tells what is going on. What a click
// is worth is in src/core/, when it is committed in src/engine/.
import { join } from 'node:path';
import { methodHash } from '../core/method-hash.js';
import type { LiveStatus, Store, StoreBooks } from '../core/ports.js';
import { openDataDir } from '../engine/data-dir.js';
import { type DecodedInput, openDecodedInput } from '../engine/decoded-input.js';
import { embeddedHistory, fileHistory, finished, type InputHistory } from '../engine/input-history.js';
import { type LakeThread, startLakeThread } from '../engine/lake-thread.js';
import { createRunLoop } from '../engine/run-loop.js';
import { checkSameMethod } from '../engine/same-method.js';
import { spoolStandardInput } from '../engine/spool.js';
import { UsageError } from '../errors.js';
import { startLiveServer } from '../live/server.js';
import { type RunMonitor, watchRun } from '../metrics/watching.js';
import { command } from '../options/command.js';
import { metricsOptions } from '../options/metrics.js';
import { duration, onOff, optionalText } from '../options/option.js';
import { dataDirOption, inputOptions, methodOf, methodOptions } from '../options/shared.js';
import { storeOption } from '../options/store.js';
import { openStore } from '../stores/open-store.js';
import { type RunReporter, runReporter } from '../ui/run-report.js';
import type { Terminal } from '../ui/terminal.js';

export const runCommand = command({
  name: 'run',
  summary: 'aggregate clicks as a stream',
  description:
    'Reads clicks from the embedded log (or --input), gives every record its verdict, and keeps totals, ledger and ' +
    'positions in the store, all in one transaction per commit: killed at any moment, it goes on where it was. ' +
    'Follows the log until stopped, unless --until-end or --input is given.',
  options: {
    ...dataDirOption,
    ...storeOption,
    ...inputOptions,
    untilEnd: onOff({ flag: 'until-end', about: 'stop at the present end of the log' }),
    lake: optionalText({
      flag: 'lake',
      value: 'DIR',
      valueOptional: true,
      about: 'keep every raw record as Parquet, too; in lake/ of the data directory unless told',
    }),
    commitEvery: duration({
      flag: 'commit-every',
      default: '1s',
      minMs: 10,
      about: 'write what changed to the store so often: fresher totals against fewer transactions',
    }),
    idleAfter: duration({
      flag: 'idle-after',
      default: '10s',
      minMs: 1000,
      about: 'show the open minutes of a partition, as provisional, when it was quiet for so long',
    }),
    ...metricsOptions,
    ...methodOptions,
  },
  examples: [
    ['click-agg run', 'follow the embedded log until Ctrl-C'],
    ['click-agg run --until-end --lake', 'count and keep what is there, then stop'],
    ['click-agg run --input clicks.ndjson.gz', 'count a file; run it again after a crash and it goes on'],
    ['kcat -C -b broker -t clicks -J -e | click-agg run --input -', 'count what kcat reads from a topic'],
  ],
  async run({ options, terminal, signal }) {
    const { dataDir: path, partitions, append } = options;
    const method = methodOf(options);
    if (append && options.input === undefined) throw new UsageError('--append needs --input');
    const dataDir = await openDataDir(path);
    const lock = await dataDir.lock('run');
    let monitor: RunMonitor | undefined;
    let store: (Store & StoreBooks) | undefined;
    let input: DecodedInput | undefined;
    let lake: LakeThread | undefined;
    try {
      monitor = await watchRun(options);
      if (monitor.url) terminal.info(`metrics on ${monitor.url}/metrics`, { metrics_url: monitor.url });
      // Two readers can't share a pipe.
      const spooled = options.input === '-' && options.lake !== undefined;
      const file = spooled ? await spoolStandardInput(dataDir.path, signal) : options.input;
      store = await openStore(
        { dataDir: path, store: options.store },
        { onWait: (line) => terminal.warn(line) },
      );
      const state = await store.state();
      checkSameMethod(state, method);
      input = await openDecodedInput({
        source:
          file === undefined
            ? { kind: 'embedded', logDir: dataDir.logDir }
            : { kind: 'file', path: file, partitions, format: 'auto' },
        method,
        partitions,
      });
      const history: InputHistory =
        file === undefined
          ? embeddedHistory(state)
          : await fileHistory(state, { path: file, partitions, append }, input);
      await store.begin({ method, sourceIdentity: JSON.stringify(history) });
      const untilEnd = options.untilEnd || file !== undefined;
      if (options.lake !== undefined) {
        const lakeDir = options.lake === '' ? join(path, 'lake') : options.lake;
        const hash = methodHash(method);
        lake = startLakeThread({
          dataDir: path,
          lakeDir,
          input: file,
          partitions,
          append,
          methodHash: hash,
          untilEnd,
        });
      }
      const reporter = runReporter(terminal);
      const status = await count({
        ...{ store, input, method, untilEnd, lake, monitor, reporter, terminal, signal },
        idleAfter: options.idleAfter,
        commitEvery: options.commitEvery,
        dataDir: path,
      });
      if (history.kind === 'files' && !signal.aborted) {
        await store.begin({ method, sourceIdentity: JSON.stringify(finished(history)) });
      }
      await reporter.result(status, await lake?.done);
      return undefined;
    } finally {
      lake?.stop();
      await input?.close();
      await store?.close();
      await monitor?.close();
      lock.release();
    }
  },
});

interface Counting {
  store: Store & StoreBooks;
  input: DecodedInput;
  method: ReturnType<typeof methodOf>;
  untilEnd: boolean;
  lake: LakeThread | undefined;
  idleAfter: number;
  commitEvery: number;
  dataDir: string;
  monitor: RunMonitor;
  reporter: RunReporter;
  terminal: Terminal;
  signal: AbortSignal;
}

/** Counts until the end or the signal, and answers readers meanwhile. */
async function count(counting: Counting): Promise<LiveStatus> {
  const { input, method, untilEnd, lake, monitor, reporter, terminal, signal } = counting;
  const store = monitor.meter(counting.store);
  reporter.begin(input.description, untilEnd);
  // A lake that fails stops the stream, too: what is not kept can't be proved.
  const lakeFailed = new AbortController();
  lake?.done.catch(() => lakeFailed.abort());
  signal.addEventListener('abort', () => lake?.stop());
  const loop = await createRunLoop({
    input,
    store,
    method,
    untilEnd,
    idleAfterMs: counting.idleAfter,
    commitEveryMs: counting.commitEvery,
    signal: AbortSignal.any([signal, lakeFailed.signal]),
    onStatus(status) {
      monitor.observe(status);
      reporter.status(status);
    },
    warn: (line) => terminal.warn(line),
  });
  monitor.watch('source', () => input.ends());
  monitor.watch('store', () => store.revisions());
  monitor.counts(0, loop.status().ledger, () => loop.status());
  const server = await startLiveServer({
    store,
    status: () => loop.status(),
    beforeSnapshot: () => loop.commitAll(),
    dataDir: counting.dataDir,
  });
  try {
    const status = await loop.run();
    await lake?.done;
    return status;
  } finally {
    reporter.end();
    await server.close();
  }
}
