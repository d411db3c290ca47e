// A click that was marked as invalid traffic by mistake, as it is sent again to be billed. The record in the log stays
// what it is, and so does its verdict; a copy with its click_id would be its duplicate. So the click gets a record of its own:
// at the same time, without the mark, with an id that is made of the first one.
import { createHash } from 'node:crypto';
import type { DeadLetter } from '../core/ports/commit.js';
import { checkedDataDir } from '../engine/data-dir.js';
import { UserError } from '../errors.js';
import { itemsOf, memberOf } from '../ingest/json-items.js';
import { lakePlaceOf } from '../options/lake.js';
import { keyOf } from './dead-letters-options.js';
import { bytesOf } from './letter-bytes.js';
import type { RecordToSend } from './redrive-destination.js';

/** Where the new record names the click that it stands for: an unknown field to the counting method, kept in the lake. */
export const UNMARKED_FIELD = 'unmarks';
const ID_BYTES = 16;
/** All are in memory before the first is sent. */
const BYTES_MAX = 256 * 1_048_576;

/** The records by which these are billed. UserError: the bytes of one are kept nowhere, or they are too many. */
export async function unmarkedRecords<R extends RecordToSend>(
  records: readonly R[],
  letters: ReadonlyMap<string, DeadLetter>,
  options: Parameters<typeof lakePlaceOf>[0],
): Promise<R[]> {
  const made: R[] = [];
  let bytes = 0;
  for (const record of records) {
    // What a store keeps of such a letter is where it lies.
    const value =
      record.value.length > 0
        ? record.value
        : await bytesOf(
            await checkedDataDir(options.dataDir),
            lakePlaceOf(options),
            letters.get(keyOf(record.letter!))!,
          ).then((found) => found.value);
    bytes += value.length;
    if (bytes > BYTES_MAX) {
      throw new UserError('these are too many at a time', {
        hint: `Split them: at most ${BYTES_MAX / 1_048_576} MiB.`,
      });
    }
    made.push({ ...record, value: unmarked(value) });
  }
  return made;
}

/** The click's new id. The same whoever asks and however often: sent twice, the second is a duplicate. */
export function unmarkedId(clickId: string): string {
  const digest = createHash('sha256').update(`unmarked click ${clickId}`).digest('hex');
  return `unmarked-${digest.slice(0, 2 * ID_BYTES)}`;
}

/** The record without its mark and with its new id; all else to the byte. `value` is a sound click. */
export function unmarked(value: Uint8Array): Uint8Array {
  const members: string[] = [];
  let clickId = '';
  for (const item of itemsOf(Buffer.from(value).toString('utf8'))) {
    const member = memberOf(item);
    if (member.name === 'click_id') {
      clickId = JSON.parse(member.value) as string;
      members.push(`"click_id":${JSON.stringify(unmarkedId(clickId))}`);
    } else if (member.name !== 'invalid_traffic' && member.name !== UNMARKED_FIELD) members.push(item);
  }
  members.push(`"${UNMARKED_FIELD}":${JSON.stringify(clickId)}`);
  return Buffer.from(`{${members.join(',')}}`);
}
