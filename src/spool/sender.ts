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
 * Transactions begin so far apart: one takes the broker 4 ms of CPU and us one, for however few clicks. In transactions
 * of 1 MiB a click took a warm broker 2.7 to 3.9 µs and us 2.0 to 3.3, in those of 2.5 MiB 1.3 to 1.5 and 1.2 to 2.6.
 */
const TRANSACTION_EVERY_MS = 200;
/** A transaction of so many bytes is followed at once by the next if no fewer clicks came meanwhile, or wait still. */
const LARGE_BYTES = 2 * 1_048_576;
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
      for (let batch = await reader.next(); batch; batch = await reader.next()) {
        const startedMs = performance.now();
        const bytes = await this.#send(session, batch);
        // After an outage more is there than one reading takes. What came during the transaction is no reason to hurry:
        // all transactions would be as small as clicks come in the time that a small one takes.
        const isBehind = bytes >= LARGE_BYTES && this.#durable - this.#state.sent >= batch.count;
        const restMs = TRANSACTION_EVERY_MS - (performance.now() - startedMs);
        if (restMs > 0 && !isBehind) await pause(restMs, this.#finishing.signal);
      }
    } finally {
      await reader.close();
    }
  }

  /** Gives the bytes that they took in the spool, about. */
  async #send(session: PositionedSender, batch: RawBatch): Promise<number> {
    const position = batch.offset[0] + batch.count;
    await session.send(batch, position);
    let contentBytes = 0;
    for (let i = 0; i < batch.count; i++) {
      contentBytes += batch.valueEnd[i] - batch.valueStart[i];
      contentBytes += (batch.keyEnd?.[i] ?? 0) - (batch.keyStart?.[i] ?? 0);
    }
    this.#state = { ...this.#state, sent: position };
    const { count: records, appendTimeMs } = batch;
    const bytes = diskBytes(records, contentBytes);
    this.#tell({ kind: 'sent', position, records, bytes, nextMs: appendTimeMs[records - 1] });
    if (performance.now() - this.#tidiedAtMs > TIDY_EVERY_MS) await this.#tidy();
    return bytes;
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
