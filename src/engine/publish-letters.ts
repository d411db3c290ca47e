// A run's dead letters on their way to a topic, beside the counting: begun with a turn, ended with it.
import type { KafkaConnection } from '../adapters/kafka/connection.js';
import type { Method } from '../core/method.js';
import { methodHash } from '../core/method-hash.js';
import type { LetterOutbox } from '../core/ports/letters.js';
import type { KeptOriginals } from './kept-originals.js';

/** Whoever stops by hand doesn't want to wait; whoever counts to the end wants all of it. */
const STOP_WAIT_MS = 5_000;
const END_WAIT_MS = 60_000;

export interface LetterTopic {
  connection: KafkaConnection;
  /** The topic of the clicks. */
  topic: string;
  /** The topic of the letters. */
  letterTopic: string;
  /** The consumer group of the run. */
  group: string;
}

export interface PublishLettersOptions extends LetterTopic {
  outbox: LetterOutbox;
  /** What of the original records is still at hand. */
  originals: KeptOriginals;
  method: Method;
  warn: (line: string) => void;
  onProgress: (progress: { published: number; waiting: number }) => void;
}

export interface LettersUnderWay {
  /** Rejects when a letter can't be published because of a mistake of ours; never resolves. */
  readonly failed: Promise<never>;
  /** Publishes what there is; what can't be, stays in the store and is told. */
  finish(stopped: boolean): Promise<void>;
  /** Ends at once. */
  stop(): Promise<void>;
}

/** Starts to publish; nothing is done without a topic. */
export async function publishLetters(
  options: PublishLettersOptions | undefined,
): Promise<LettersUnderWay | undefined> {
  if (!options) return undefined;
  // Only who speaks to Kafka waits for its client to load.
  const { startLetterPublisher } = await import('../adapters/kafka/dead-letters/letter-publisher.js');
  const { outbox, originals, connection, topic, letterTopic, group, method, warn, onProgress } = options;
  const publisher = startLetterPublisher({
    ...{ outbox, connection, group, warn, onProgress, topic: letterTopic },
    atHand: (partition, offset) => originals.find(partition, offset),
    origin: { topic, methodHash: methodHash(method), methodVersion: method.version },
  });
  return {
    failed: publisher.failed,
    async finish(stopped) {
      const { waiting, trouble } = await publisher.finish(stopped ? STOP_WAIT_MS : END_WAIT_MS);
      if (waiting === 0) return;
      const why = trouble === undefined ? '' : ` (topic ${letterTopic}: ${trouble})`;
      warn(`${waiting} dead letters wait in the store${why}: the next run publishes them`);
    },
    stop: () => publisher.stop(),
  };
}
