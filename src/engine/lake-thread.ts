// The lake's own reader of the log, in a thread of its own beside `run`: it shares nothing with the stream but
// the log, so that neither waits for the other.
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { UserError } from '../errors.js';
import { type LakeResult, writeLake } from '../lake/lake-writer.js';
import { type LakeSourceOptions, openLakeSource } from './lake-source.js';

export interface LakeThreadOptions extends LakeSourceOptions {
  methodHash: string;
  untilEnd: boolean;
}

export interface LakeThread {
  /** Settles when the lake holds everything up to the log's end or the stop. */
  readonly done: Promise<LakeResult>;
  /** Lets it write what it has read, and end. */
  stop(): void;
}

type FromLake =
  | { result: LakeResult }
  | {
      failed: {
        message: string;
        hint: string | undefined;
        exitCode: number | undefined;
        stack: string | undefined;
      };
    };

/** Starts to write the lake. */
export function startLakeThread(options: LakeThreadOptions): LakeThread {
  const worker = new Worker(new URL(import.meta.url), { workerData: { lake: options } });
  const done = new Promise<LakeResult>((resolve, reject) => {
    worker.on('message', (message: FromLake) => {
      if ('result' in message) resolve(message.result);
      else reject(failureOf(message.failed));
    });
    worker.on('error', reject);
    worker.on('exit', () => reject(new Error('the lake thread has ended')));
  });
  return { done, stop: () => worker.postMessage('stop') };
}

function failureOf({
  message,
  hint,
  exitCode,
  stack,
}: Extract<FromLake, { failed: unknown }>['failed']): Error {
  if (exitCode !== undefined)
    return new UserError(message, { exitCode, ...(hint === undefined ? {} : { hint }) });
  const error = new Error(message);
  if (stack !== undefined) error.stack = stack;
  return error;
}

async function writeInThread(options: LakeThreadOptions, signal: AbortSignal): Promise<LakeResult> {
  const { lakeDir, methodHash, untilEnd } = options;
  const { source, ...identity } = await openLakeSource(options);
  try {
    return await writeLake({ source, ...identity, lakeDir, methodHash, untilEnd, signal });
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
    const known = error instanceof UserError ? error : undefined;
    const { message, stack } = error instanceof Error ? error : new Error(String(error));
    port.postMessage({
      failed: { message, hint: known?.hint, exitCode: known?.exitCode, stack },
    } satisfies FromLake);
  }
  port.close();
}
