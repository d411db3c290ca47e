// Decoded batches from a second thread: it reads the source and decodes while this thread judges, so that a
// run uses two cores. Buffers go back and forth by transfer; a few of them make a bounded queue.
import { setImmediate as turnOfTheLoop } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { InputIdentity } from '../adapters/file/identity.js';
import type { DecodedBatch } from '../core/decoded-batch.js';
import type { Method } from '../core/method.js';
import type { Positions, SourceOptions } from '../core/ports/log.js';
import { OwnershipLostError } from '../errors.js';
import type { LakePlace } from '../lake/storage.js';
import type { EarlierFile, FileTraits, SourceSpec } from './open-source.js';
import { RecentBatches } from './recent-batches.js';
import { errorOf, type ThreadFailure } from './thread-failure.js';
import { giveThreadsRoom } from './thread-heap.js';

/** What the decoding thread is told. */
export type ToDecoder =
  | { kind: 'matches'; identities: readonly InputIdentity[] }
  | { kind: 'behind'; earlier: readonly EarlierFile[]; firstLine: number }
  | { kind: 'active' }
  | ({ kind: 'read' } & Omit<SourceOptions, 'signal'>)
  /** A batch was judged; these buffers may be used again. */
  | { kind: 'taken'; spare: readonly ArrayBuffer[] }
  | { kind: 'report'; positions: Positions }
  | { kind: 'ends' }
  | { kind: 'starts' }
  | { kind: 'stop' }
  | { kind: 'close' };

/** What it answers. */
export type FromDecoder =
  | {
      kind: 'opened';
      shared: boolean;
      partitionCount: number;
      seekable: boolean;
      description: string;
      file: FileTraits | undefined;
      logIdentity: string | undefined;
    }
  | { kind: 'warning'; line: string }
  | { kind: 'matches'; answers: readonly boolean[] }
  | { kind: 'behind'; seekable: boolean }
  | { kind: 'batch'; batch: DecodedBatch }
  | { kind: 'active'; yes: boolean }
  /** `lost`: another process of the group reads now. */
  | { kind: 'done'; lost: boolean }
  | { kind: 'ends'; positions: Positions }
  | { kind: 'starts'; positions: Positions }
  | ({ kind: 'failed' } & ThreadFailure);

export interface DecoderSetup {
  source: SourceSpec;
  method: Method;
  partitions: number;
  /** A lake that has what retention has deleted from the source. */
  archive?: LakePlace | undefined;
}

export interface DecodedInput {
  readonly partitionCount: number;
  /** Whether it can be read again from an older position. */
  readonly seekable: boolean;
  readonly description: string;
  /** Whether other processes may want to read it, one at a time: then `active` comes before `read`. */
  readonly shared: boolean;
  /** Batches that were read lately. */
  readonly recent: RecentBatches;
  /** Absent for a log. */
  readonly file: FileTraits | undefined;
  /** Names this very log; absent for a file. */
  readonly logIdentity: string | undefined;
  /** Which of these inputs the file is. To be asked before it is read. */
  matches(identities: readonly InputIdentity[]): Promise<readonly boolean[]>;
  /** Puts earlier files before this one. To be told before it is read. */
  putBehind(earlier: readonly EarlierFile[], firstLine: number): Promise<void>;
  /** Waits until this process is the one that reads. False: the signal came first. */
  active(signal: AbortSignal): Promise<boolean>;
  /** Tells the other processes' tools how far the store has counted. */
  report(positions: Positions): void;
  /**
   * Decoded batches in log order. A batch is the caller's until it asks for the next one. One reading at a time.
   * OwnershipLostError: another process reads now.
   */
  read(options: SourceOptions): AsyncIterable<DecodedBatch>;
  ends(): Promise<Positions>;
  /** Offset of each partition's first record; missing: 0. */
  starts(): Promise<Positions>;
  close(): Promise<void>;
}

export interface DecodedInputOptions {
  /** Lines for people on what the source waits for. */
  warn?: (line: string) => void;
  /** Bytes of batches to be kept as `recent`. */
  recentBytes?: number;
}

/** Starts the decoding thread and opens the source in it. */
export async function openDecodedInput(
  setup: DecoderSetup,
  { warn = () => {}, recentBytes = 0 }: DecodedInputOptions = {},
): Promise<DecodedInput> {
  giveThreadsRoom();
  const worker = new Worker(new URL('./decode-worker.js', import.meta.url), { workerData: setup });
  const mail = new Mailbox(worker, warn);
  const send: Send = (message, transfer = []) => worker.postMessage(message, transfer);
  const opened = await mail.next('opened');

  const { kind: _, ...traits } = opened;
  let { seekable } = traits;
  const recent = new RecentBatches(recentBytes);
  return {
    ...traits,
    recent,
    get seekable() {
      return seekable;
    },
    async matches(identities) {
      send({ kind: 'matches', identities });
      return (await mail.next('matches')).answers;
    },
    async putBehind(earlier, firstLine) {
      send({ kind: 'behind', earlier, firstLine });
      ({ seekable } = await mail.next('behind'));
    },
    async active(signal) {
      send({ kind: 'active' });
      const release = stopAt(signal, send);
      try {
        return (await mail.next('active')).yes;
      } finally {
        release();
      }
    },
    report(positions) {
      if (traits.shared) send({ kind: 'report', positions });
    },
    read: (options) => read(mail, send, recent, options),
    async ends() {
      send({ kind: 'ends' });
      return (await mail.next('ends')).positions;
    },
    async starts() {
      send({ kind: 'starts' });
      return (await mail.next('starts')).positions;
    },
    async close() {
      send({ kind: 'close' });
      await worker.terminate();
    },
  };
}

type Send = (message: ToDecoder, transfer?: ArrayBuffer[]) => void;

/** Lets the signal stop what the thread is doing, until what is returned is called. */
function stopAt(signal: AbortSignal, send: Send): () => void {
  const stop = (): void => send({ kind: 'stop' });
  signal.addEventListener('abort', stop);
  if (signal.aborted) stop();
  return () => signal.removeEventListener('abort', stop);
}

async function* read(
  mail: Mailbox,
  send: Send,
  recent: RecentBatches,
  options: SourceOptions,
): AsyncGenerator<DecodedBatch> {
  const { signal, ...wish } = options;
  send({ kind: 'read', ...wish });
  const release = stopAt(signal, send);
  const giveBack = (spare: ArrayBuffer[]): void => send({ kind: 'taken', spare }, spare);
  let finished = false;
  try {
    while (true) {
      const message = await mail.next('batch', 'done');
      if (message.kind === 'done') {
        finished = true;
        if (message.lost) throw new OwnershipLostError();
        return;
      }
      recent.add(message.batch);
      try {
        yield message.batch;
      } finally {
        giveBack(recent.shed());
      }
      // A port hands over what comes without a pause: while the thread is ahead of who judges, nobody else would have
      // a turn, neither the store's answers nor letters on their way to a topic.
      await turnOfTheLoop();
    }
  } finally {
    release();
    // The caller left before the end: what is under way is thrown away.
    if (!finished && !mail.failed) {
      send({ kind: 'stop' });
      for (let message = await mail.next('batch', 'done'); message.kind !== 'done'; ) {
        giveBack([message.batch.buffer]);
        message = await mail.next('batch', 'done');
      }
    }
  }
}

type MessageOf<K extends FromDecoder['kind']> = Extract<FromDecoder, { kind: K }>;

/** The worker's messages by kind, awaited in order; its failure fails whoever waits. */
class Mailbox {
  private readonly messages: FromDecoder[] = [];
  private readonly waiting: {
    kinds: readonly string[];
    take: (message: FromDecoder) => void;
    fail: (error: Error) => void;
  }[] = [];
  private failure: Error | undefined;

  get failed(): boolean {
    return this.failure !== undefined;
  }

  constructor(
    worker: Worker,
    private readonly warn: (line: string) => void,
  ) {
    worker.on('message', (message: FromDecoder) => this.arrive(message));
    worker.on('error', (error: Error) => this.fail(error));
    worker.on('exit', () => this.fail(new Error('the decoding thread has ended')));
  }

  next<K extends FromDecoder['kind']>(...kinds: K[]): Promise<MessageOf<K>> {
    const index = this.messages.findIndex((message) => kinds.includes(message.kind as K));
    if (index >= 0) return Promise.resolve(this.messages.splice(index, 1)[0] as MessageOf<K>);
    if (this.failure) return Promise.reject(this.failure);
    return new Promise((resolve, reject) => {
      this.waiting.push({ kinds, take: (message) => resolve(message as MessageOf<K>), fail: reject });
    });
  }

  private arrive(message: FromDecoder): void {
    if (message.kind === 'failed') {
      this.fail(errorOf(message));
      return;
    }
    if (message.kind === 'warning') {
      this.warn(message.line);
      return;
    }
    const index = this.waiting.findIndex(({ kinds }) => kinds.includes(message.kind));
    if (index < 0) this.messages.push(message);
    else this.waiting.splice(index, 1)[0]!.take(message);
  }

  private fail(error: Error): void {
    this.failure ??= error;
    for (const { fail } of this.waiting.splice(0)) fail(this.failure);
  }
}
