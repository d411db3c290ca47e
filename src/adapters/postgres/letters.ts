// Dead letters as rows of their table, both ways.
import type pg from 'pg';
import type { DeadLetter } from '../../core/ports/commit.js';
import type { DeadLetterFilter } from '../../core/ports/store.js';
import { COUNTED_REASON, letterOf } from '../../core/stored-rows.js';
import { copyInto } from './copy-rows.js';
import { rowsOf } from './session.js';

type Place = Pick<DeadLetter, 'partition' | 'offset'>;

/** The columns of a letter, as `letterOf` reads them. */
export const LETTER_COLUMNS = `partition, "offset", verdict, reason, event_time, append_time, click_id, ad_id, campaign_id,
  ip_address, key, value, value_bytes, redriven_at`;
const COLUMN_COUNT = 14;

const NAMED = `(partition, "offset") IN (SELECT * FROM unnest($1::int[], $2::bigint[]))`;

function namesOf(places: readonly Place[]): [number[], number[]] {
  return [places.map(({ partition }) => partition), places.map(({ offset }) => offset)];
}

/** Adds letters; they arrive in their order. */
export async function copyLetters(client: pg.ClientBase, letters: readonly DeadLetter[]): Promise<void> {
  await copyInto(client, `dead_letters (${LETTER_COLUMNS})`, letters.length, (rows) => {
    for (const letter of letters) {
      rows.row(COLUMN_COUNT);
      rows.int4(letter.partition);
      rows.int8(letter.offset);
      rows.text(letter.verdict);
      rows.text(letter.reason);
      rows.int8(letter.eventTimeMs);
      rows.int8(letter.appendTimeMs);
      rows.text(letter.clickId);
      rows.text(letter.adId);
      rows.text(letter.campaignId);
      rows.text(letter.ipAddress);
      rows.bytes(letter.key);
      rows.bytes(letter.value);
      rows.int8(letter.valueBytes);
      rows.int8(letter.redrivenAtMs);
    }
  });
}

/** Takes letters back; what happened is kept, numbered as it arrives. */
export async function withdrawLetters(client: pg.ClientBase, places: readonly Place[]): Promise<void> {
  await client.query(
    `WITH gone AS (DELETE FROM dead_letters WHERE ${NAMED} RETURNING *)
     INSERT INTO withdrawn_letters
       SELECT nextval(pg_get_serial_sequence('dead_letters', 'arrival')), arrival, partition, "offset", verdict,
         reason, event_time, click_id, ad_id, campaign_id, ip_address
       FROM gone`,
    namesOf(places),
  );
}

/** Remembers that letters were sent again. */
export async function markLetters(
  client: pg.ClientBase,
  places: readonly Place[],
  atMs: number,
): Promise<void> {
  const values = [...namesOf(places), Math.trunc(atMs)];
  await client.query(`UPDATE dead_letters SET redriven_at = $3 WHERE ${NAMED}`, values);
}

/** The letters that a filter lets through, in its order. */
export async function readLetters(client: pg.ClientBase, filter: DeadLetterFilter): Promise<DeadLetter[]> {
  const conditions = ['true'];
  const values: unknown[] = [];
  const value = (given: unknown): string => `$${values.push(given)}`;
  if (filter.verdict !== undefined) conditions.push(`verdict = ${value(filter.verdict)}`);
  if (filter.reason !== undefined) conditions.push(`reason = ${value(filter.reason)}`);
  if (filter.at.length > 0) {
    const [partitions, offsets] = namesOf(filter.at).map(value);
    conditions.push(
      `(partition, "offset") IN (SELECT * FROM unnest(${partitions}::int[], ${offsets}::bigint[]))`,
    );
  }
  if (filter.after) {
    const { partition, offset } = filter.after;
    conditions.push(`(partition, "offset") > (${value(partition)}::int, ${value(offset)}::bigint)`);
  }
  const order = filter.after ? 'partition, "offset"' : 'arrival DESC';
  const limit = Math.max(0, Math.floor(filter.limit));
  const rows = await rowsOf(
    client,
    `SELECT ${LETTER_COLUMNS} FROM dead_letters WHERE ${conditions.join(' AND ')} ORDER BY ${order} LIMIT ${limit}`,
    values,
  );
  return rows.map((row) => letterOf(row, bytesOf));
}

/** Bytes as the driver gives them. */
export function bytesOf(value: unknown): Uint8Array | undefined {
  return value instanceof Buffer ? new Uint8Array(value) : undefined;
}

/** By verdict and, for invalid records, reason. */
export async function countLetters(
  client: pg.ClientBase,
): Promise<{ verdict: string; reason: string; count: number }[]> {
  const rows = await rowsOf(
    client,
    `SELECT verdict, ${COUNTED_REASON} AS reason, count(*)
     FROM dead_letters GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2`,
  );
  return rows.map(([verdict, reason, count]) => ({
    verdict: String(verdict),
    reason: String(reason),
    count: Number(count),
  }));
}
