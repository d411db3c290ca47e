// A dead letter as a record of a topic: the original key and bytes, and what is known of it in headers. Who reads
// only the newest record of each (topic, partition, offset) sees the dead letters as they stand.
import type { DeadLetter } from '../../../core/ports/commit.js';
import type { LetterEvent } from '../../../core/ports/letters.js';
import type { OutgoingRecord } from '../batch-writer.js';
import type { ScannedRecord } from '../topic-scan.js';

/** What all letters of a run have in common. */
export interface LetterOrigin {
  /** The topic of the clicks. */
  topic: string;
  /** Names the store that numbers the letters. */
  store: string;
  methodHash: string;
  methodVersion: number;
}

/** What became of the original bytes: as they came, cut because they were too long, or not kept by anybody. */
export type OriginalState = 'whole' | 'cut' | 'gone';

export interface OriginalRecord {
  key: Uint8Array | undefined;
  value: Uint8Array | undefined;
  state: OriginalState;
}

/** The verdicts of a record that takes a letter back, and of one that tells that it was sent again. */
const WITHDRAWN = 'withdrawn';
const REDRIVEN = 'redriven';

/** A letter as it stands in the topic. */
export interface TopicLetter extends DeadLetter {
  sequence: number;
  store: string;
  /** The topic that the record came from. */
  topic: string;
  methodHash: string;
  original: OriginalState;
}

/** What a record of the topic says: a letter, that one is taken back, or that its record was sent again. */
export type TopicRecord =
  | { letter: TopicLetter; sequence: number; store: string }
  | { withdrawn: Identity; sequence: number; store: string }
  | { redriven: Identity; atMs: number };

export interface Identity {
  topic: string;
  partition: number;
  offset: number;
}

/** The record of an event: key, value and headers. */
export function letterMessage(
  { sequence, withdrawn, letter }: LetterEvent,
  original: OriginalRecord,
  origin: LetterOrigin,
): OutgoingRecord {
  return {
    key: original.key ?? null,
    value: withdrawn ? null : (original.value ?? null),
    headers: headersOf({ sequence, withdrawn, letter }, original.state, origin),
  };
}

/** One by one: to make a list of them first and leave out what is unknown took longer than to write the batch. */
function headersOf(
  { sequence, withdrawn, letter }: LetterEvent,
  state: OriginalState,
  origin: LetterOrigin,
): Record<string, string> {
  const headers: Record<string, string> = {
    verdict: withdrawn ? WITHDRAWN : letter.verdict,
    reason: letter.reason,
    topic: origin.topic,
    partition: `${letter.partition}`,
    offset: `${letter.offset}`,
  };
  if (letter.eventTimeMs !== undefined) headers['event-time'] = timeText(letter.eventTimeMs);
  if (letter.appendTimeMs !== undefined) headers['append-time'] = timeText(letter.appendTimeMs);
  if (letter.clickId !== undefined) headers['click-id'] = letter.clickId;
  if (letter.adId !== undefined) headers['ad-id'] = letter.adId;
  if (letter.campaignId !== undefined) headers['campaign-id'] = letter.campaignId;
  if (letter.ipAddress !== undefined) headers['ip-address'] = letter.ipAddress;
  headers['method-hash'] = origin.methodHash;
  headers['method-version'] = `${origin.methodVersion}`;
  headers.sequence = `${sequence}`;
  headers.store = origin.store;
  if (withdrawn) return headers;
  headers.original = state;
  if (letter.valueBytes !== undefined) headers['value-bytes'] = `${letter.valueBytes}`;
  return headers;
}

/** The record that tells that a letter's record was sent again: no store numbers it. */
export function redrivenMessage(
  { topic, partition, offset }: Identity,
  key: Uint8Array | undefined,
  atMs: number,
): OutgoingRecord {
  const identity = { topic, partition: String(partition), offset: String(offset) };
  return {
    key: key ?? null,
    value: null,
    headers: { verdict: REDRIVEN, ...identity, 'redriven-at': new Date(atMs).toISOString() },
  };
}

/** What a record says; undefined if it is none of ours. */
export function readLetter({ key, value, headers }: ScannedRecord): TopicRecord | undefined {
  const header = (name: string): string | undefined => headers[name];
  const [verdict, topic, store] = ['verdict', 'topic', 'store'].map(header);
  const [partition, offset, sequence] = ['partition', 'offset', 'sequence'].map((name) =>
    wholeOf(header(name)),
  );
  if (verdict === undefined || topic === undefined) return undefined;
  if (partition === undefined || offset === undefined) return undefined;
  if (verdict === REDRIVEN) {
    return { redriven: { topic, partition, offset }, atMs: timeOf(header('redriven-at')) ?? 0 };
  }
  if (store === undefined || sequence === undefined) return undefined;
  if (verdict === WITHDRAWN) return { withdrawn: { topic, partition, offset }, sequence, store };
  return {
    sequence,
    store,
    letter: {
      ...{ topic, partition, offset, sequence, store },
      verdict: verdict as DeadLetter['verdict'],
      reason: header('reason') ?? '',
      eventTimeMs: timeOf(header('event-time')),
      appendTimeMs: timeOf(header('append-time')),
      clickId: header('click-id'),
      adId: header('ad-id'),
      campaignId: header('campaign-id'),
      ipAddress: header('ip-address'),
      methodHash: header('method-hash') ?? '',
      original: (header('original') ?? 'whole') as OriginalState,
      key: key ? new Uint8Array(key) : undefined,
      value: value ? new Uint8Array(value) : undefined,
      valueBytes: wholeOf(header('value-bytes')) ?? value?.length,
    },
  };
}

/** The number of the event in its store's order; undefined if the record is none of ours. */
export function sequenceOf({ headers }: ScannedRecord): { store: string; sequence: number } | undefined {
  const sequence = wholeOf(headers.sequence);
  const { store } = headers;
  return sequence === undefined || store === undefined ? undefined : { store, sequence };
}

function timeText(ms: number): string {
  return new Date(ms).toISOString();
}

function timeOf(text: string | undefined): number | undefined {
  const ms = Date.parse(text ?? '');
  return Number.isNaN(ms) ? undefined : ms;
}

function wholeOf(text: string | undefined): number | undefined {
  const value = text !== undefined && /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  return Number.isSafeInteger(value) ? value : undefined;
}
