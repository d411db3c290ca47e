// Asks where a topic's partitions begin and end, once at a time, and waits out a cluster that is not to be had.
import type { RepeatedWarning } from '../../repeated-warning.js';
import type { KafkaConnection } from './connection.js';
import { nameOf } from './connection.js';
import type { Ranges } from './log-range.js';
import { type TopicView, UnknownTopic, unknownTopic } from './topic-view.js';
import { isWorldly, lastingError, troubleOf } from './world-errors.js';

/** A topic that is unknown so often in a row, with so much time in between, is gone: a broker that has just started may not know it yet. */
const UNKNOWN_MAX = 4;
const UNKNOWN_MS = 5000;

export interface RangeWatchOptions {
  view: TopicView;
  connection: KafkaConnection;
  topic: string;
  /** What is told of a cluster that is not to be had. */
  trouble: RepeatedWarning;
  /** Told once of what waiting won't mend. */
  fail: (error: unknown) => void;
}

export class RangeWatch {
  readonly #options: RangeWatchOptions;
  readonly #trouble: RepeatedWarning;
  #asking: Promise<Ranges | undefined> | undefined;
  #unknown = 0;
  #unknownSinceMs = 0;
  #last: Ranges;

  constructor(options: RangeWatchOptions, last: Ranges) {
    this.#options = options;
    this.#last = last;
    this.#trouble = options.trouble;
  }

  /** What was answered last. */
  get last(): Ranges {
    return this.#last;
  }

  /** What the cluster says now; undefined when it doesn't. */
  ask(): Promise<Ranges | undefined> {
    this.#asking ??= this.#askNow().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async close(): Promise<void> {
    await this.#asking;
    await this.#options.view.close();
  }

  async #askNow(): Promise<Ranges | undefined> {
    const { view, connection, topic, fail } = this.#options;
    try {
      this.#last = await view.ranges();
      this.#unknown = 0;
      return this.#last;
    } catch (error) {
      if (error instanceof UnknownTopic) this.#noteUnknown(error);
      else {
        const lasting = lastingError(error, connection, topic);
        if (lasting || !isWorldly(error)) fail(lasting ?? error);
        else
          this.#trouble.say(
            `Kafka at ${nameOf(connection)} is not to be had (${troubleOf(error)}): trying again`,
          );
      }
      return undefined;
    }
  }

  #noteUnknown(error: UnknownTopic): void {
    const { connection, topic, fail } = this.#options;
    if (this.#unknown++ === 0) this.#unknownSinceMs = performance.now();
    if (this.#unknown < UNKNOWN_MAX || performance.now() - this.#unknownSinceMs < UNKNOWN_MS) return;
    fail(unknownTopic(connection, topic, error));
  }
}
