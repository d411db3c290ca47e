// Where the subcommands of `dead-letters` look: at the topic with --brokers, else at the store.
import type { LetterReader, LetterTopicPlace } from '../adapters/kafka/dead-letters/letter-topic.js';
import type { Revision } from '../core/ports/books.js';
import { UsageError } from '../errors.js';
import {
  clusterOptions,
  connectionOf,
  letterTopicOf,
  letterTopicOption,
  topicOption,
} from '../options/kafka.js';
import type { OptionValues } from '../options/option.js';
import { dataDirOption } from '../options/shared.js';
import { storeOption } from '../options/store.js';
import { openReader } from '../stores/open-store.js';

export const letterPlaceOptions = {
  ...dataDirOption,
  ...storeOption,
  ...clusterOptions,
  ...topicOption,
  ...letterTopicOption,
};

type PlaceOptions = OptionValues<typeof letterPlaceOptions>;

/** The topic to look at; undefined without --brokers. */
export function letterTopicPlaceOf(options: PlaceOptions): LetterTopicPlace | undefined {
  const connection = connectionOf(options);
  if (!connection) return undefined;
  const letterTopic = letterTopicOf(options);
  if (letterTopic === undefined)
    throw new UsageError('--dead-letter-topic none: there is no topic to look at');
  return { connection, topic: options.topic, letterTopic };
}

/** Letters, and the backfills that may have admitted some of them; a topic knows of none. */
export interface OpenedLetters extends LetterReader {
  revisions(): Promise<readonly Revision[]>;
}

/** Opens the letters to read. UserError: there are none, or they can't be reached. */
export async function openLetters(options: PlaceOptions): Promise<OpenedLetters> {
  const place = letterTopicPlaceOf(options);
  if (place) {
    const { openLetterTopic } = await import('../adapters/kafka/dead-letters/letter-topic.js');
    return { ...(await openLetterTopic(place)), revisions: async () => [] };
  }
  return await openReader(options);
}
