// One producer's time: it fences whoever published before, looks where the topic ends, and goes on behind it. After
// any trouble the session is thrown away, and the next one finds out what has become of its last transaction.
import type { LetterEvent, LetterOutbox } from '../../../core/ports/letters.js';
import { closingBy, disconnect } from '../closing.js';
import type { KafkaConnection } from '../connection.js';
import { openTopicScan, type TopicScan } from '../topic-scan.js';
import { TopicView } from '../topic-view.js';
import { type FencingProducer, fencingProducer } from '../transactions.js';
import { lastPublished } from './last-published.js';
import { type LetterOrigin, letterMessage, type OriginalRecord } from './letter-message.js';
import { type AtHand, originalsOf } from './originals.js';

/** A transaction that is left open by a process that died is undone by the brokers after so long at the latest. */
const TRANSACTION_MS = 60_000;
/** Where the topic refuses longer ones. */
const CUT_BYTES = 262_144;

export interface SessionOptions {
  outbox: LetterOutbox;
  connection: KafkaConnection;
  topic: string;
  group: string;
  origin: Omit<LetterOrigin, 'store'>;
  atHand?: AtHand;
  warn: (line: string) => void;
  /** The topic has refused a record as too large. */
  cutValues: boolean;
  /** Aborted: connections are closed at once, and whatever waits for an answer fails. */
  signal: AbortSignal;
}

export interface PublishSession {
  /** The last event that is in the topic, or -1. */
  readonly sequence: number;
  /** Puts the events into the topic, all or none. Gives their bytes. Throws what kafkajs throws: close it then. */
  publish(events: readonly LetterEvent[]): Promise<number>;
  close(): Promise<void>;
}

/** Fences other publishers of the group and finds where to go on. Throws what kafkajs throws, or UserErrors. */
export async function openSession(options: SessionOptions): Promise<PublishSession> {
  const { connection, topic, outbox, origin } = options;
  const view = new TopicView(connection, topic);
  let producer: FencingProducer | undefined;
  let scan: TopicScan | undefined;
  let clicks: TopicScan | undefined;
  const close = closingBy(options.signal, async () => {
    await view.close();
    await scan?.close();
    await clicks?.close();
    // What was not committed is undone by whoever comes next.
    await disconnect(producer);
  });
  try {
    const partitions = (await view.ranges()).size;
    producer = await fencingProducer({
      ...{ connection, transactionalId: `${options.group}.${topic}`, timeoutMs: TRANSACTION_MS },
    });
    const { id: store, published } = await outbox.letterStream();
    // Opened behind the fence: a scan that was open before might not see the last transaction's end.
    scan = await openTopicScan(connection, topic);
    const last = await lastPublished(scan, store);
    await scan.close();
    scan = undefined;
    if (last.sequence === undefined && last.foreign && published < 0) {
      options.warn(`topic ${topic} holds the dead letters of another store; those of this one follow them`);
    }
    const ofStore = { ...origin, store };
    let sequence = last.sequence ?? published;
    const lookUp = async (): Promise<TopicScan> => {
      clicks ??= await openTopicScan(connection, origin.topic);
      return clicks;
    };
    return {
      get sequence() {
        return sequence;
      },
      async publish(events) {
        const originals = await originalsOf(events, { atHand: options.atHand, scan: lookUp });
        const records = events.map((event) => {
          const original = cutTo(originals.get(event.sequence)!, options.cutValues ? CUT_BYTES : Infinity);
          // It follows that of the click: what becomes of one record stays in order.
          const partition = event.letter.partition % partitions;
          return { ...letterMessage(event, original, ofStore), topic, partition };
        });
        const bytes = await producer!.sendTogether(records);
        sequence = events.at(-1)!.sequence;
        return bytes;
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function cutTo(original: OriginalRecord, bytesMax: number): OriginalRecord {
  const { value } = original;
  if (value === undefined || value.length <= bytesMax) return original;
  return { ...original, value: value.subarray(0, bytesMax), state: 'cut' };
}
