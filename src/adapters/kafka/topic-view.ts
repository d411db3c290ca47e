// What a cluster says of a topic: whether it exists, how many partitions it has, and where each begins and ends
// now. Asked over a connection of its own, so that it is known while the consumer is busy or in trouble.
import type { Admin } from 'kafkajs';
import { UserError } from '../../errors.js';
import { type KafkaConnection, kafkaClient, nameOf } from './connection.js';
import { isWorldly, kafkaError, rootCause } from './world-errors.js';

const ATTEMPTS = 20;
const RETRY_MS = 250;

/** The offsets of a partition's first record and of the next one to be written (by committed transactions). */
export interface PartitionRange {
  low: number;
  high: number;
}

/** A topic that isn't there. It may be a broker that has just started and doesn't know yet. */
export class UnknownTopic extends Error {}

export class TopicView {
  readonly #connection: KafkaConnection;
  readonly #topic: string;
  #admin: Promise<Admin> | undefined;

  constructor(connection: KafkaConnection, topic: string) {
    this.#connection = connection;
    this.#topic = topic;
  }

  /** Where each partition begins and ends. Throws UnknownTopic, or what kafkajs throws. */
  async ranges(): Promise<Map<number, PartitionRange>> {
    try {
      const admin = await this.#connected();
      const partitions = await admin.fetchTopicOffsets(this.#topic);
      return new Map(
        partitions.map(({ partition, low, high }) => [partition, { low: Number(low), high: Number(high) }]),
      );
    } catch (error) {
      await this.close();
      if (isUnknownTopic(error)) throw new UnknownTopic(this.#topic, { cause: error });
      throw error;
    }
  }

  /**
   * The same when a program begins, and the cluster's id. UserError: nobody answers, there is no such topic, and
   * whatever else waiting won't mend.
   */
  async open(): Promise<{ ranges: Map<number, PartitionRange>; clusterId: string }> {
    try {
      const ranges = await this.#rangesSoon();
      const { clusterId } = await (await this.#connected()).describeCluster();
      return { ranges, clusterId };
    } catch (error) {
      if (error instanceof UnknownTopic) throw unknownTopic(this.#connection, this.#topic, error);
      throw kafkaError(error, this.#connection, this.#topic);
    }
  }

  /** The ranges; a moment after a change (partitions added, a broker started) some leaders aren't known yet. */
  async #rangesSoon(): Promise<Map<number, PartitionRange>> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.ranges();
      } catch (error) {
        const { name, type = '' } = rootCause(error);
        const passes = name === 'KafkaJSProtocolError' && /LEADER|COORDINATOR|NOT_AVAILABLE/.test(type);
        if (!passes || attempt === ATTEMPTS) throw error;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  async close(): Promise<void> {
    const closing = this.#admin;
    this.#admin = undefined;
    try {
      await (await closing)?.disconnect();
    } catch (error) {
      // What could not be connected needs no goodbye; whoever asked has been told.
      if (!isWorldly(error)) throw error;
    }
  }

  #connected(): Promise<Admin> {
    this.#admin ??= (async () => {
      const admin = (await kafkaClient(this.#connection, { retries: 2 })).admin();
      await admin.connect();
      return admin;
    })();
    return this.#admin;
  }
}

function isUnknownTopic(error: unknown): boolean {
  return rootCause(error).type === 'UNKNOWN_TOPIC_OR_PARTITION';
}

/** There is no such topic, as a line for people. */
export function unknownTopic(connection: KafkaConnection, topic: string, cause?: unknown): UserError {
  return new UserError(`there is no topic ${topic} on Kafka at ${nameOf(connection)}`, {
    hint: `Check --topic, or make it: click-agg topics create --brokers ${connection.brokers.join(',')}`,
    cause,
  });
}
