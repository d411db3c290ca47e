// Passes the dead letters of a store on to a topic, each exactly once. The store is the outbox: a commit that counts
// a record writes its letter, and here letters follow in order, in transactions of Kafka. The topic itself remembers
// how far they have come. See docs/exactly-once.md for why none is missing or doubled whenever a process dies.
import type { LetterOutbox } from '../../../core/ports/letters.js';
import { FencedError } from '../../../errors.js';
import { pause } from '../../../pause.js';
import { RepeatedWarning } from '../../../repeated-warning.js';
import { type KafkaConnection, nameOf } from '../connection.js';
import { UnknownTopic } from '../topic-view.js';
import { isWorldly, lastingError, rootCause, troubleOf } from '../world-errors.js';
import type { LetterOrigin } from './letter-message.js';
import type { AtHand } from './originals.js';
import { openSession, type PublishSession } from './publish-session.js';

/** Events of one transaction at most, and about how many bytes they may have. */
const PAGE_EVENTS_MAX = 2000;
const PAGE_EVENTS_FIRST = 100;
const PAGE_BYTES = 4 * 1_048_576;
/** How often it is looked for new letters. */
const POLL_MS = 500;
const RETRY_MS = 1000;
const MARK_EVERY_MS = 30_000;

export interface LetterPublisherOptions {
  outbox: LetterOutbox;
  connection: KafkaConnection;
  /** The topic of the letters. */
  topic: string;
  /** The group of the run: of those with the same one, whoever began last publishes. */
  group: string;
  origin: Omit<LetterOrigin, 'store'>;
  /** The original record of a place, if it is at hand; else it is read from the topic of the clicks. */
  atHand?: AtHand;
  warn: (line: string) => void;
  /** Events that are in the topic since the start, and those that wait, about. */
  onProgress?: (progress: { published: number; waiting: number }) => void;
}

export interface LetterPublisher {
  /** Publishes what there is, for so long at most, and ends. Gives how many events still wait, about, and why. */
  finish(waitMs: number): Promise<{ waiting: number; trouble: string | undefined }>;
  /** Ends at once; what waits stays in the store. */
  stop(): Promise<void>;
  /** Rejects when the publisher fails for a reason that is not the world's; never resolves. */
  readonly failed: Promise<never>;
}

/** Starts to publish. Trouble with Kafka is told and waited for: the counting goes on meanwhile. */
export function startLetterPublisher(options: LetterPublisherOptions): LetterPublisher {
  const publisher = new Publisher(options);
  const running = publisher.run();
  const failed = running.then(() => new Promise<never>(() => {}));
  failed.catch(() => {}); // whoever waits for `running` or `failed` hears of it
  return {
    failed,
    async finish(waitMs) {
      publisher.finish();
      const timer = setTimeout(() => publisher.stopping.abort(), waitMs);
      try {
        await running;
      } finally {
        clearTimeout(timer);
      }
      return { waiting: publisher.waiting, trouble: publisher.trouble };
    },
    async stop() {
      publisher.stopping.abort();
      await running;
    },
  };
}

class Publisher {
  readonly stopping = new AbortController();
  readonly #finishing = new AbortController();
  waiting = 0;
  #published = 0;
  /** The last event that is known to be in the topic. */
  #sequence = -1;
  #marked = -1;
  #markedAtMs = performance.now();
  #pageEvents = PAGE_EVENTS_FIRST;
  readonly #trouble: RepeatedWarning;
  /** What keeps it from publishing now. */
  trouble: string | undefined;

  constructor(private readonly options: LetterPublisherOptions) {
    this.#trouble = new RepeatedWarning(options.warn);
  }

  /** Ends when nothing waits any more. */
  finish(): void {
    this.#finishing.abort();
  }

  async run(): Promise<void> {
    let cutValues = false;
    while (!this.stopping.signal.aborted) {
      let session: PublishSession | undefined;
      try {
        session = await openSession({ ...this.options, cutValues, signal: this.stopping.signal });
        this.#wellAgain();
        if (await this.#publishAll(session)) return;
      } catch (error) {
        // Another process has the store: it publishes, too.
        if (error instanceof FencedError || this.stopping.signal.aborted) return;
        cutValues ||= rootCause(error).type === 'MESSAGE_TOO_LARGE';
        this.#tell(error);
        if (!session) await this.#countWaiting();
        if (error instanceof UnknownTopic && this.#finishing.signal.aborted) return;
      } finally {
        await session?.close();
      }
      await pause(RETRY_MS, this.stopping.signal);
    }
  }

  async #countWaiting(): Promise<void> {
    const { last, published } = await this.options.outbox.letterStream();
    this.#progressed(Math.max(0, last - Math.max(published, this.#sequence)));
  }

  /** True: there is nothing more to do. */
  async #publishAll(session: PublishSession): Promise<boolean> {
    const { outbox } = this.options;
    for (;;) {
      if (this.stopping.signal.aborted) return true;
      const events = await outbox.letterEvents(session.sequence, this.#pageEvents);
      if (events.length === 0) {
        this.#progressed(0);
        await this.#mark(session.sequence, this.#finishing.signal.aborted);
        if (this.#finishing.signal.aborted) return true;
        await pause(POLL_MS, AbortSignal.any([this.stopping.signal, this.#finishing.signal]));
        continue;
      }
      const bytes = await session.publish(events);
      this.#sequence = session.sequence;
      const perEvent = bytes / events.length + 1;
      this.#pageEvents = Math.max(1, Math.min(PAGE_EVENTS_MAX, Math.floor(PAGE_BYTES / perEvent)));
      this.#published += events.length;
      await this.#countWaiting();
      await this.#mark(session.sequence, false);
    }
  }

  #progressed(waiting: number): void {
    this.waiting = waiting;
    this.options.onProgress?.({ published: this.#published, waiting });
  }

  /** Only for the day on which retention has emptied the topic: it need not be exact. */
  async #mark(sequence: number, atOnce: boolean): Promise<void> {
    if (sequence <= this.#marked) return;
    const nowMs = performance.now();
    if (!atOnce && nowMs - this.#markedAtMs < MARK_EVERY_MS) return;
    this.#markedAtMs = nowMs;
    await this.options.outbox.markPublished(sequence);
    this.#marked = sequence;
  }

  #tell(error: unknown): void {
    const { connection, topic } = this.options;
    const lasting = lastingError(error, connection, topic);
    if (!lasting && !(error instanceof UnknownTopic) && !isWorldly(error)) throw error;
    const reason = lasting?.message ?? (error instanceof UnknownTopic ? 'it is not there' : troubleOf(error));
    this.trouble = reason;
    this.#trouble.say(
      `dead letters wait in the store, not in topic ${topic} on Kafka at ${nameOf(connection)}: ${reason}`,
    );
  }

  #wellAgain(): void {
    this.trouble = undefined;
    if (this.#trouble.over()) this.options.warn(`dead letters go to topic ${this.options.topic} again`);
  }
}
