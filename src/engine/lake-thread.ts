// The lake's own reader of the log, in a thread of its own beside `run`: it shares nothing with the stream but
// the log, so that neither waits for the other.
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { type LakeResult, nothingWritten, writeLake } from '../lake/lake-writer.js';
import { commitReporter, type LakeSourceOptions, openLakeSource, whileActive } from './lake-source.js';
import { errorOf, failureOf, type ThreadFailure } from './thread-failure.js';

export interface LakeThreadOptions extends LakeSourceOptions {
  methodHash: string;
  methodHashBefore?: string | undefined;
  untilEnd: boolean;
}

export interface LakeThread {
  /** Settles when the lake holds everything up to the log's end or the stop. */
  readonly done: Promise<LakeResult>;
  /** Aborted when `done` is rejected: it may be before anybody waits for that. */
  readonly failed: AbortSignal;
  /** Lets it write what it has read, and end. */
  stop(): void;
}

type FromLake = { result: LakeResult } | { failed: ThreadFailure };

/** Starts to write the lake. */
export function startLakeThread(options: LakeThreadOptions): LakeThread {
  const worker = new Worker(new URL(import.meta.url), { workerData: { lake: options } });
  const done = new Promise<LakeResult>((resolve, reject) => {
    worker.on('message', (message: FromLake) => {
      if ('result' in message) resolve(message.result);
      else reject(errorOf(message.failed));
    });
    worker.on('error', reject);
    worker.on('exit', () => reject(new Error('the lake thread has ended')));
  });
  const failed = new AbortController();
  done.catch(() => failed.abort());
  return { done, failed: failed.signal, stop: () => worker.postMessage('stop') };
}

async function writeInThread(options: LakeThreadOptions, signal: AbortSignal): Promise<LakeResult> {
  const { lake, methodHash, methodHashBefore, untilEnd } = options;
  const { source, ...identity } = await openLakeSource(options);
  try {
    const onProgress = commitReporter(source);
    return await whileActive(source, signal, {
      work: () =>
        writeLake({ source, ...identity, lake, methodHash, methodHashBefore, untilEnd, signal, onProgress }),
      idle: nothingWritten(),
    });
  } finally {
    await source.close();
  }
}

if (!isMainThread && (workerData as { lake?: LakeThreadOptions } | null)?.lake) {
  const port = parentPort!;
  const stopping = new AbortController();
  port.on('message', () => stopping.abort());
  try {
    const result = await writeInThread((workerData as { lake: LakeThreadOptions }).lake, stopping.signal);
    port.postMessage({ result } satisfies FromLake);
  } catch (error) {
    port.postMessage({ failed: failureOf(error) } satisfies FromLake);
  }
  port.close();
}
