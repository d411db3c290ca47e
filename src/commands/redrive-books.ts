// Where `redrive` looks letters up and remembers what it sent: in the topic of dead letters with --brokers, in one
// transaction with the records; else in the store, once the records are durable where they were sent.
import type { RecordToSend as TopicRecordToSend } from '../adapters/kafka/dead-letters/letter-redrive.js';
import type { DecodedBatch } from '../core/decoded-batch.js';
import type { StoredState } from '../core/ports/commit.js';
import type { StoreReader } from '../core/ports/store.js';
import { checkedDataDir } from '../engine/data-dir.js';
import { UsageError } from '../errors.js';
import type { OptionValues } from '../options/option.js';
import { openBooks, openReaderIfAny } from '../stores/open-store.js';
import type { Terminal } from '../ui/terminal.js';
import { type letterPlaceOptions, letterTopicPlaceOf } from './dead-letters-place.js';
import { type Destination, destinationOf, type RecordToSend } from './redrive-destination.js';

type Place = { partition: number; offset: number };

export interface RedriveBooks {
  deadLetters: StoreReader['deadLetters'];
  /** How far clicks were counted, and by which method; nothing where that isn't known. */
  state(): Promise<Pick<StoredState, 'positions' | 'method'>>;
  destination(): Promise<Destination>;
  /** Remembers what was sent. */
  mark(letters: readonly Place[]): Promise<void>;
  close(): Promise<void>;
}

type Options = OptionValues<typeof letterPlaceOptions> & { output: string | undefined };

/** Opens them. UserError: there are none, or they can't be reached; UsageError: the options don't fit together. */
export async function openRedriveBooks(options: Options, terminal: Terminal): Promise<RedriveBooks> {
  const inTopic = options.brokers !== undefined && options.deadLetterTopic !== 'none';
  return inTopic ? await topicBooks(options) : await storeBooks(options, terminal);
}

async function storeBooks(options: Options, terminal: Terminal): Promise<RedriveBooks> {
  const dataDir = await checkedDataDir(options.dataDir);
  const books = await openBooks(options);
  return {
    deadLetters: (filter) => books.deadLetters(filter),
    state: () => books.state(),
    destination: () => destinationOf(options, dataDir, terminal),
    mark: (letters) => books.markRedriven(letters, Date.now()),
    close: () => books.close(),
  };
}

async function topicBooks(options: Options): Promise<RedriveBooks> {
  if (options.output !== undefined) throw new UsageError('give --brokers or --output, not both');
  const place = letterTopicPlaceOf(options)!;
  const { openLetterRedrive } = await import('../adapters/kafka/dead-letters/letter-redrive.js');
  const redrive = await openLetterRedrive(place);
  return {
    deadLetters: (filter) => redrive.deadLetters(filter),
    async state() {
      const store = await openReaderIfAny(options);
      try {
        return (await store?.state()) ?? { positions: [], method: undefined };
      } finally {
        await store?.close();
      }
    },
    destination: async () => ({
      name: `topic ${place.topic}`,
      partitions: redrive.partitions,
      isLog: true,
      send: (records, decoded) => redrive.send(placed(records, decoded, redrive.partitions), Date.now()),
      close: async () => {},
    }),
    mark: async () => {},
    close: () => redrive.close(),
  };
}

/** An original goes where it came from, with its key; a mended click where its ad's clicks go. */
function placed(
  records: readonly RecordToSend[],
  { bytes, partition, adStart, adLength }: DecodedBatch,
  partitions: number,
): TopicRecordToSend[] {
  return records.map(({ value, key, letter }, i) => {
    const isOriginal = key !== undefined && letter !== undefined && letter.partition < partitions;
    return {
      ...{ value, letter },
      key: isOriginal ? key : bytes.subarray(adStart[i]!, adStart[i]! + adLength[i]!),
      partition: isOriginal ? letter.partition : partition[i]!,
    };
  });
}
