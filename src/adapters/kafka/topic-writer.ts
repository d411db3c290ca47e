// Writes records to a topic: idempotent, acknowledged by all replicas in sync.
// A record's partition is chosen by whoever calls: as Kafka's default partitioner would, from its key.
import type { Producer } from 'kafkajs';
import type { RawBatch } from '../../core/batches.js';
import { UserError } from '../../errors.js';
import { RepeatedWarning } from '../../repeated-warning.js';
import { disconnect } from './closing.js';
import { type KafkaConnection, kafkaClient, nameOf } from './connection.js';
import { OutgoingBatches } from './produced-batches.js';
import { TopicView } from './topic-view.js';
import { openTopics } from './topics.js';
import { kafkaError, lastingError, rootCause, troubleOf } from './world-errors.js';

/** Records to be written. Their append time becomes the record's timestamp, which a LogAppendTime topic replaces. */
export type TopicBatch = Omit<RawBatch, 'offset' | 'cutValueBytes'>;

export interface TopicWriter {
  readonly partitions: number;
  readonly description: string;
  /** Whether the topic replaces the records' times by its own (LogAppendTime); true where that isn't told. */
  readonly timedByLog: boolean;
  /**
   * Resolves when all records are acknowledged. A cluster that is gone is waited for. UserError: it refuses a
   * record. One call at a time.
   */
  append(batch: TopicBatch): Promise<void>;
  close(): Promise<void>;
}

export interface TopicWriterOptions {
  connection: KafkaConnection;
  topic: string;
  warn: (line: string) => void;
}

/** Opens a topic for writing. UserError: it isn't there, or the cluster can't be reached or refuses us. */
export async function topicWriter({ connection, topic, warn }: TopicWriterOptions): Promise<TopicWriter> {
  const { partitions, timedByLog } = await lookAt(connection, topic);
  const trouble = new RepeatedWarning(warn);
  const producer = await connectedProducer(connection, topic, (error) =>
    trouble.say(`Kafka at ${nameOf(connection)} does not take records (${error}): trying again`),
  );
  const request = new OutgoingBatches();
  return {
    partitions,
    timedByLog,
    description: `topic ${topic} on Kafka at ${nameOf(connection)}`,
    async append(batch) {
      try {
        for (let from = 0; from < batch.count; ) {
          request.clear();
          from = request.addColumns(topic, batch, from);
          await request.send(producer);
          trouble.over();
        }
      } catch (error) {
        throw refused(error, connection, topic);
      }
    },
    async close() {
      // All that was written is acknowledged: nothing is lost with the connection.
      await disconnect(producer);
    },
  };
}

async function lookAt(
  connection: KafkaConnection,
  topic: string,
): Promise<Pick<TopicWriter, 'partitions' | 'timedByLog'>> {
  const view = new TopicView(connection, topic);
  try {
    const { ranges } = await view.open();
    const topics = await openTopics(connection);
    try {
      const timestamps = await topics.setting(topic, 'message.timestamp.type');
      return { partitions: ranges.size, timedByLog: timestamps !== 'CreateTime' };
    } finally {
      await topics.close();
    }
  } finally {
    await view.close();
  }
}

async function connectedProducer(
  connection: KafkaConnection,
  topic: string,
  onTrouble: (what: string) => void,
): Promise<Producer> {
  const kafka = await kafkaClient(connection, {
    retries: Number.MAX_SAFE_INTEGER,
    onLog: ({ log }) => {
      if (/^Failed to send messages|^Connection error|Failed to connect/.test(log.message)) {
        onTrouble(troubleOf({ message: `${log.message} ${String(log.error ?? '')}` }));
      }
    },
  });
  const { default: kafkajs } = await import('kafkajs');
  const producer = kafka.producer({
    idempotent: true,
    maxInFlightRequests: 1,
    allowAutoTopicCreation: false,
    createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
  });
  try {
    await producer.connect();
  } catch (error) {
    throw kafkaError(error, connection, topic);
  }
  return producer;
}

function refused(error: unknown, connection: KafkaConnection, topic: string): unknown {
  const lasting = lastingError(error, connection, topic);
  if (lasting) return lasting;
  const { type } = rootCause(error);
  if (type === 'MESSAGE_TOO_LARGE' || type === 'RECORD_LIST_TOO_LARGE') {
    return new UserError(`topic ${topic} refuses a record as too large`, {
      hint: 'Raise its max.message.bytes (click-agg topics check tells to what).',
      cause: error,
    });
  }
  if (type === 'INVALID_TIMESTAMP') {
    return new UserError(`topic ${topic} refuses the records' time`, {
      hint: 'Make it with LogAppendTime (click-agg topics create), or see its message.timestamp.* settings.',
      cause: error,
    });
  }
  return kafkaError(error, connection, topic);
}
