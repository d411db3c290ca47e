// Clicks that loadgen does not make: bursts of a bot, and when they are counted and their letters written, a late
// click that makes one of the bot's a double click. Then its letter must be taken back, in store and topic.
import { randomUUID } from 'node:crypto';
import type { Producer } from 'kafkajs';
import { pause } from '../pause.js';
import { endsOf, quietKafka } from './topic-census.js';

/** More than the method's threshold of 30 clicks in a minute. */
const BURST_CLICKS = 36;
/** The burst's letters are written within this time, if nothing is killed just now. */
const COUNTED_MS = 3000;
const EVERY_MS = 4000;

export interface Bursts {
  /** Ends after the clicks that are under way; fails if some could not be sent. */
  stop(): Promise<void>;
  /** Ends, whatever became of the clicks. */
  abandon(): void;
}

/** Sends bursts until it is stopped. `eventTimeMs` is the load's virtual time
 * when the topic holds so many records. */
export function startBursts(
  brokers: string,
  topic: string,
  eventTimeMs: (records: number) => number,
): Bursts {
  const stopping = new AbortController();
  const done = sendAll(brokers, topic, eventTimeMs, stopping.signal);
  // It is waited for at the end; until then a failure must not end the process.
  done.catch(() => undefined);
  return {
    abandon: () => stopping.abort(),
    async stop() {
      stopping.abort();
      await done;
    },
  };
}

async function sendAll(
  brokers: string,
  topic: string,
  eventTimeMs: (records: number) => number,
  signal: AbortSignal,
): Promise<void> {
  const producer = quietKafka(brokers).producer();
  try {
    for (let number = 0; !signal.aborted; number++) {
      try {
        await producer.connect();
        const ends = await endsOf(brokers, topic);
        const atMs = eventTimeMs([...ends.values()].reduce((sum, end) => sum + end, 0));
        await sendBurst(producer, topic, { number, atMs, signal });
      } catch (error) {
        // A broker that is away for long: which clicks it has is for the topic to tell, not for whoever sent them.
        if (!(error instanceof Error && error.name.startsWith('KafkaJS'))) throw error;
      }
      await pause(EVERY_MS, signal);
    }
  } finally {
    await producer.disconnect();
  }
}

/** A burst and, when it should be counted, the late click. */
async function sendBurst(
  producer: Producer,
  topic: string,
  { number, atMs, signal }: { number: number; atMs: number; signal: AbortSignal },
): Promise<void> {
  const send = (values: readonly string[]) =>
    producer.send({ topic, messages: values.map((value) => ({ key: AD, value })) });
  const ipAddress = `198.51.100.${number % 250}`;
  const burst = Array.from({ length: BURST_CLICKS }, (_, at) =>
    click({ userId: `bot-${number}-${at}`, ipAddress, atMs: atMs + at * 100 }),
  );
  await send(burst);
  await pause(COUNTED_MS, signal);
  await send([click({ userId: `bot-${number}-0`, ipAddress: '192.0.2.1', atMs: atMs - 20_000 })]);
}
const AD = 'ad-burst';

function click({ userId, ipAddress, atMs }: { userId: string; ipAddress: string; atMs: number }): string {
  return JSON.stringify({
    ...{ click_id: randomUUID(), event_time: new Date(atMs).toISOString(), ad_id: AD },
    ...{ campaign_id: 'campaign-burst', user_id: userId, ip_address: ipAddress },
    ...{ country: 'DE', device_type: 'desktop' },
  });
}
