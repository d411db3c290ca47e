// The original key and bytes of dead letters whose store does not keep them: a bot's click is known by its place, and
// of a record that is too long only the beginning is kept. Those that are not at hand are read back from the topic of the
// clicks.
import type { LetterEvent } from '../../../core/ports/letters.js';
import { singles, type TopicScan } from '../topic-scan.js';
import type { OriginalRecord } from './letter-message.js';

/** The original record of a place, if somebody still has it. */
export type AtHand = (partition: number, offset: number) => Pick<OriginalRecord, 'key' | 'value'> | undefined;

/** Original records by the events' sequence. Events in a page need not be of different records. */
export async function originalsOf(
  events: readonly LetterEvent[],
  { atHand, scan }: { atHand?: AtHand | undefined; scan: () => Promise<TopicScan> },
): Promise<Map<number, OriginalRecord>> {
  const originals = new Map<number, OriginalRecord>();
  const wanted = new Map<number, Map<number, OriginalRecord>>();
  for (const { sequence, letter } of events) {
    const whole = isWhole(letter) ? kept(letter) : atHand?.(letter.partition, letter.offset);
    if (whole) {
      originals.set(sequence, { ...whole, state: 'whole' });
      continue;
    }
    const offsets = wanted.get(letter.partition) ?? new Map<number, OriginalRecord>();
    wanted.set(letter.partition, offsets);
    const original = offsets.get(letter.offset) ?? kept(letter);
    offsets.set(letter.offset, original);
    originals.set(sequence, original);
  }
  if (wanted.size > 0) {
    const ranges = new Map([...wanted].map(([partition, offsets]) => [partition, singles(offsets.keys())]));
    await (await scan()).read(ranges, (partition, { offset, key, value }) => {
      const found = wanted.get(partition)?.get(offset);
      if (found) Object.assign(found, { key: key ?? undefined, value: value ?? undefined, state: 'whole' });
    });
  }
  return originals;
}

function isWhole({ value, valueBytes }: LetterEvent['letter']): boolean {
  return value !== undefined && (valueBytes ?? value.length) === value.length;
}

/** What the store has of it, for the case that the topic has it no more. */
function kept({ key, value }: LetterEvent['letter']): OriginalRecord {
  return { key, value, state: value === undefined ? 'gone' : 'cut' };
}
