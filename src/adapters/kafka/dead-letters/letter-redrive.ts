// Sends records of dead letters to the topic of clicks again, each once: one transaction holds the records and, in the
// topic of letters, that they were sent. Two who do it at a time fence each other: who began first sends nothing.
import { UserError } from '../../../errors.js';
import { disconnect } from '../closing.js';
import type { PlacedRecord } from '../produced-batches.js';
import { TopicView } from '../topic-view.js';
import { type FencingProducer, fencingProducer } from '../transactions.js';
import { kafkaError, rootCause } from '../world-errors.js';
import { redrivenMessage } from './letter-message.js';
import { type LetterReader, type LetterTopicPlace, openLetterTopic } from './letter-topic.js';

/** Long enough for all that is checked together. */
const TRANSACTION_MS = 300_000;

export interface RecordToSend {
  key: Uint8Array | undefined;
  value: Uint8Array;
  partition: number;
  /** The letter that it was; undefined: it never was one. */
  letter: { partition: number; offset: number } | undefined;
}

export interface LetterRedrive extends LetterReader {
  /** Partitions of the topic of clicks. */
  readonly partitions: number;
  /** Sends all records or none, and remembers which letters they were. UserError: another redrive began meanwhile. */
  send(records: readonly RecordToSend[], atMs: number): Promise<void>;
}

/** Opens the topic of letters to send some again. UserError as for `openLetterTopic`. */
export async function openLetterRedrive(place: LetterTopicPlace): Promise<LetterRedrive> {
  const { connection, topic, letterTopic } = place;
  const partitions = await partitionsOf(place, topic);
  const letterPartitions = await partitionsOf(place, letterTopic);
  let producer: FencingProducer;
  try {
    const transactionalId = `click-agg-redrive.${letterTopic}`;
    producer = await fencingProducer({ connection, transactionalId, timeoutMs: TRANSACTION_MS });
  } catch (error) {
    throw kafkaError(error, connection, letterTopic);
  }
  // Read behind the fence: whatever others have sent is told there by now.
  const letters = await openLetterTopic(place).catch(async (error: unknown) => {
    await disconnect(producer);
    throw error;
  });
  return {
    ...letters,
    partitions,
    async send(records, atMs) {
      const placed = records.flatMap(({ key, value, partition, letter }): PlacedRecord[] => {
        const sent = { topic, partition, key: key ?? null, value };
        if (!letter) return [sent];
        const told = redrivenMessage({ topic, ...letter }, key, atMs);
        return [sent, { ...told, topic: letterTopic, partition: letter.partition % letterPartitions }];
      });
      try {
        await producer.sendTogether(placed);
      } catch (error) {
        throw fenced(error) ?? kafkaError(error, connection, topic);
      }
    },
    async close() {
      await letters.close();
      // What was committed is there, and what was not is undone.
      await disconnect(producer);
    },
  };
}

async function partitionsOf({ connection }: LetterTopicPlace, topic: string): Promise<number> {
  const view = new TopicView(connection, topic);
  try {
    return (await view.open()).ranges.size;
  } finally {
    await view.close();
  }
}

function fenced(error: unknown): UserError | undefined {
  const { type } = rootCause(error);
  if (type !== 'PRODUCER_FENCED' && type !== 'INVALID_PRODUCER_EPOCH') return undefined;
  return new UserError('another redrive began meanwhile; nothing was sent', {
    hint: 'Let it end, and see with `dead-letters list` what is left.',
    cause: error,
  });
}
