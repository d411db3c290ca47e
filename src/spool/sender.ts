// Sends what is in the spool to Kafka, in order, each click once: the spool's position is committed in the transaction
// that holds the clicks. Trouble with the cluster is told and waited for; clicks are taken meanwhile.
import { dropSegments } from '../adapters/embedded/retention.js';
import { type KafkaConnection, nameOf } from '../adapters/kafka/connection.js';
import { openPositionedSender, type PositionedSender } from '../adapters/kafka/positioned-sender.js';
import { UnknownTopic } from '../adapters/kafka/topic-view.js';
import { isWorldly, lastingError, troubleOf } from '../adapters/kafka/world-errors.js';
import type { RawBatch } from '../core/batches.js';
import { pause } from '../pause.js';
import { RepeatedWarning } from '../repeated-warning.js';
import { diskBytes, SPOOL_PARTITION, stretchOf } from './backlog.js';
import { newSenderId, type SenderState, writeSenderState } from './sender-state.js';
import { SpoolReader } from './spool-reader.js';

const RETRY_MS = 1000;
/**
 * A transaction lasts so long while clicks come, and begins so long after the one before at the earliest: one takes the
 * broker 4 ms of CPU and us one, for however few clicks.
 */
const TRANSACTION_MS = 500;
/** Or until it has so many bytes of the spool: after an outage much is there to be sent. */
const TRANSACTION_BYTES_MAX = 16 * 1_048_576;
/**
 * What has come is put into it so often. In one piece, half a second's clicks would take sender and broker two cores for
 * 50 ms, for which everybody waits who clicks just then; pieces of 25 ms cost a tenth more CPU than these.
 */
const PIECE_EVERY_MS = 100;
/** More than comes in that time even at 60,000 clicks/s: more is there, and the next piece follows at once. */
const LARGE_PIECE_BYTES = 2 * 1_048_576;
/** How often the position is written down here and finished segments are deleted. */
const TIDY_EVERY_MS = 1000;

export interface SenderOptions {
  spoolDir: string;
  connection: KafkaConnection;
  topic: string;
  state: SenderState;
  /** Where the spool ends now; all of it is durable. */
  end: number;
}

/** What it tells of itself. */
export type SenderNews =
  /** Clicks up to `position` are in the topic, `records` of them by this sender; they took about so many bytes. */
  | { kind: 'sent'; position: number; records: number; bytes: number; nextMs: number | undefined }
  /** Whether it can send, and why not. */
  | { kind: 'health'; connected: boolean; trouble: string | undefined }
  | { kind: 'warning'; line: string };

export class Sender {
  /** Resolves after `finish`; rejects with a bug. */
  readonly running: Promise<void>;
  readonly #options: SenderOptions;
  readonly #tell: (news: SenderNews) => void;
  readonly #stopping = new AbortController();
  /** It sends what is there and ends. */
  readonly #finishing = new AbortController();
  readonly #warning: RepeatedWarning;
  #state: SenderState;
  #durable: number;
  #tidiedAtMs = 0;
  /** Wakes whoever waits for more clicks to become durable, or for the end. */
  #wake: () => void = () => {};

  constructor(options: SenderOptions, tell: (news: SenderNews) => void) {
    this.#options = options;
    this.#tell = tell;
    this.#state = options.state;
    this.#durable = options.end;
    this.#warning = new RepeatedWarning((line) => this.#warn(line));
    this.running = this.#run();
    this.running.catch(() => {}); // whoever waits for it hears of it
  }

  /** Everything below the offset is on the disk for good. */
  durable(end: number): void {
    this.#durable = end;
    this.#wake();
  }

  /** Sends what is there, for so long at most, and ends. Called once all is durable. */
  async finish(waitMs: number): Promise<void> {
    this.#finishing.abort();
    const stop = (): void => {
      this.#stopping.abort();
      this.#wake();
    };
    const timer = setTimeout(stop, waitMs);
    this.#wake();
    try {
      await this.running;
    } finally {
      clearTimeout(timer);
    }
    await this.#tidy();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      let session: PositionedSender | undefined;
      try {
        const { connection, topic } = this.#options;
        session = await openPositionedSender({ connection, topic, id: this.#state.id, signal });
        if (await this.#settle(session.position)) {
          this.#wellAgain();
          await this.#sendAll(session);
          return;
        }
      } catch (error) {
        if (signal.aborted) return;
        this.#failed(error);
      } finally {
        await session?.close();
      }
      await pause(RETRY_MS, signal);
    }
  }

  /**
   * Goes by what the cluster knows. False: it knows of clicks that this spool never had, so the spool is an older copy of
   * what it was; it gets another name, under which the clicks that came since it was opened will be sent.
   */
  async #settle(position: number | undefined): Promise<boolean> {
    const { spoolDir } = this.#options;
    const { id, sent, unproven } = this.#state;
    if (position !== undefined && unproven !== undefined && position > unproven) {
      this.#warn(
        `the spool ${spoolDir} was put back from an older copy: what is in it was sent before, and new clicks ` +
          'are sent under another name',
      );
      await this.#moveTo({ id: newSenderId(), sent: unproven, unproven: undefined });
      return false;
    }
    const at = position ?? sent;
    if (unproven !== undefined || at !== sent) {
      await this.#moveTo({ id, sent: at, unproven: undefined });
    }
    return true;
  }

  /** Ends when `finish` was called and nothing waits, or when it has waited long enough. */
  async #sendAll(session: PositionedSender): Promise<void> {
    const reader = await SpoolReader.open(this.#options.spoolDir, this.#state.sent, (offset) =>
      this.#untilDurable(offset),
    );
    try {
      for (let piece = await reader.next(); piece; piece = await reader.next()) {
        const begunMs = performance.now();
        const isFull = await this.#transact(session, reader, piece);
        if (performance.now() - this.#tidiedAtMs > TIDY_EVERY_MS) await this.#tidy();
        const restMs = TRANSACTION_MS - (performance.now() - begunMs);
        if (restMs > 0 && !isFull) await pause(restMs, this.#finishing.signal);
      }
    } finally {
      await reader.close();
    }
  }

  /** Sends the clicks of the piece, and those that come after it, as one transaction. True: no more fitted in. */
  async #transact(session: PositionedSender, reader: SpoolReader, first: RawBatch): Promise<boolean> {
    const endMs = performance.now() + TRANSACTION_MS;
    let bytes = 0;
    let nextMs: number | undefined;
    let position = this.#state.sent;
    for (let piece: RawBatch | undefined = first; piece; piece = await reader.next()) {
      const begunMs = performance.now();
      await session.send(piece);
      const { count, appendTimeMs } = piece;
      const pieceBytes = spoolBytes(piece);
      position += count;
      bytes += pieceBytes;
      nextMs = appendTimeMs[count - 1];
      if (bytes >= TRANSACTION_BYTES_MAX || performance.now() >= endMs) break;
      const restMs = PIECE_EVERY_MS - (performance.now() - begunMs);
      if (restMs > 0 && pieceBytes < LARGE_PIECE_BYTES) await pause(restMs, this.#finishing.signal);
      if (this.#durable <= position) break;
    }
    await session.commit(position);
    const records = position - this.#state.sent;
    this.#state = { ...this.#state, sent: position };
    this.#tell({ kind: 'sent', position, records, bytes, nextMs });
    return bytes >= TRANSACTION_BYTES_MAX;
  }

  async #tidy(): Promise<void> {
    this.#tidiedAtMs = performance.now();
    const { spoolDir } = this.#options;
    await writeSenderState(spoolDir, this.#state, false);
    await dropSegments(spoolDir, SPOOL_PARTITION, this.#state.sent);
  }

  /** The sender stands elsewhere than it was thought to. */
  async #moveTo(state: SenderState): Promise<void> {
    const { spoolDir } = this.#options;
    await writeSenderState(spoolDir, state, true);
    if (state.sent !== this.#state.sent) {
      const { bytes, nextMs } = await stretchOf(spoolDir, this.#state.sent, state.sent);
      this.#tell({ kind: 'sent', position: state.sent, records: 0, bytes, nextMs });
    }
    this.#state = state;
  }

  async #untilDurable(offset: number): Promise<boolean> {
    while (this.#durable < offset) {
      if (this.#finishing.signal.aborted || this.#stopping.signal.aborted) return false;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return !this.#stopping.signal.aborted;
  }

  #failed(error: unknown): void {
    const { connection, topic } = this.#options;
    const lasting = lastingError(error, connection, topic);
    if (!lasting && !(error instanceof UnknownTopic) && !isWorldly(error)) throw error;
    const trouble =
      lasting?.message ?? (error instanceof UnknownTopic ? `there is no topic ${topic}` : troubleOf(error));
    this.#tell({ kind: 'health', connected: false, trouble });
    this.#warning.say(
      `clicks wait in the spool, not in topic ${topic} on Kafka at ${nameOf(connection)}: ${trouble}`,
    );
  }

  #wellAgain(): void {
    this.#tell({ kind: 'health', connected: true, trouble: undefined });
    if (this.#warning.over()) this.#warn(`clicks go to topic ${this.#options.topic} again`);
  }

  #warn(line: string): void {
    this.#tell({ kind: 'warning', line });
  }
}

/** What they take in the spool, about. */
function spoolBytes({ count, valueStart, valueEnd, keyStart, keyEnd }: RawBatch): number {
  let bytes = 0;
  for (let i = 0; i < count; i++) {
    bytes += valueEnd[i]! - valueStart[i]! + (keyEnd?.[i] ?? 0) - (keyStart?.[i] ?? 0);
  }
  return diskBytes(count, bytes);
}
