// Dead letters as rows of their table, both ways.
import type { DeadLetter } from '../../core/ports/commit.js';
import type { DeadLetterFilter } from '../../core/ports/store.js';
import { letterOf } from '../../core/stored-rows.js';
import { appendColumns } from './columns.js';
import {
  BIGINT,
  BLOB,
  DuckDBBlobValue,
  type DuckDBConnection,
  type DuckDBValue,
  INTEGER,
  VARCHAR,
} from './node-api.js';
import { type Parameter, rowsOf } from './sql.js';

const TYPES = [
  BIGINT, // arrival
  INTEGER,
  BIGINT,
  VARCHAR,
  VARCHAR,
  BIGINT,
  BIGINT,
  VARCHAR,
  VARCHAR,
  VARCHAR,
  VARCHAR,
  BLOB,
  BLOB,
  BIGINT,
  BIGINT, // redriven_at
];

/** Columns after `arrival`, as `letterOf` reads them. */
export const READ_COLUMNS = `partition, "offset", verdict, reason, event_time, append_time, click_id, ad_id, campaign_id,
  ip_address, "key", value, value_bytes, redriven_at`;

/** Puts letters into `new_letters`; the first one arrives as number `arrival`. */
export async function stageLetters(
  connection: DuckDBConnection,
  letters: readonly DeadLetter[],
  arrival: number,
): Promise<void> {
  const column = (of: (letter: DeadLetter, index: number) => DuckDBValue): DuckDBValue[] => letters.map(of);
  await appendColumns(connection, 'new_letters', TYPES, [
    column((_, index) => BigInt(arrival + index)),
    column(({ partition }) => partition),
    column(({ offset }) => BigInt(offset)),
    column(({ verdict }) => verdict),
    column(({ reason }) => reason),
    column(({ eventTimeMs }) => bigintOf(eventTimeMs)),
    column(({ appendTimeMs }) => bigintOf(appendTimeMs)),
    column(({ clickId }) => clickId ?? null),
    column(({ adId }) => adId ?? null),
    column(({ campaignId }) => campaignId ?? null),
    column(({ ipAddress }) => ipAddress ?? null),
    column(({ key }) => blobOf(key)),
    column(({ value }) => blobOf(value)),
    column(({ valueBytes }) => bigintOf(valueBytes)),
    column(({ redrivenAtMs }) => bigintOf(redrivenAtMs)),
  ]);
}

/** Puts places of letters into `named_letters`. */
export async function stageNames(
  connection: DuckDBConnection,
  names: readonly { partition: number; offset: number }[],
): Promise<void> {
  await appendColumns(
    connection,
    'named_letters',
    [INTEGER, BIGINT],
    [names.map(({ partition }) => partition), names.map(({ offset }) => BigInt(offset))],
  );
}

/** Takes the letters of `named_letters` back; what happened is kept, as number `arrival` and those that follow. */
export function withdrawLetters(arrival: number): string {
  return `
  INSERT INTO withdrawn_letters
    SELECT ${arrival} + row_number() OVER (ORDER BY arrival) - 1, arrival, partition, "offset", verdict, reason,
      event_time, click_id, ad_id, campaign_id, ip_address
    FROM dead_letters SEMI JOIN named_letters USING (partition, "offset");
  DELETE FROM dead_letters USING named_letters AS named
    WHERE dead_letters.partition = named.partition AND dead_letters."offset" = named."offset";`;
}

/** The letters that a filter lets through, in its order. */
export async function readLetters(
  connection: DuckDBConnection,
  filter: DeadLetterFilter,
): Promise<DeadLetter[]> {
  const { conditions, parameters } = conditionsOf(filter);
  const order = filter.after ? 'partition, "offset"' : 'arrival DESC';
  const limit = Math.max(0, Math.floor(filter.limit));
  // The values are large: they are read only for the rows that are asked for.
  const rows = await rowsOf(
    connection,
    `SELECT ${READ_COLUMNS} FROM dead_letters WHERE rowid IN (
       SELECT rowid FROM dead_letters WHERE ${conditions.join(' AND ')} ORDER BY ${order} LIMIT ${limit}
     ) ORDER BY ${order}`,
    parameters,
  );
  return rows.map((row) => letterOf(row, bytesOf));
}

function conditionsOf(filter: DeadLetterFilter): { conditions: string[]; parameters: Parameter[] } {
  const conditions = ['true'];
  const parameters: Parameter[] = [];
  const parameter = (value: Parameter): string => `$${parameters.push(value)}`;
  if (filter.verdict !== undefined) conditions.push(`verdict = ${parameter(filter.verdict)}`);
  if (filter.reason !== undefined) conditions.push(`reason = ${parameter(filter.reason)}`);
  if (filter.at.length > 0) {
    const places = filter.at.map(({ partition, offset }) => `(${whole(partition)}, ${whole(offset)})`);
    conditions.push(`(partition, "offset") IN (${places.join(', ')})`);
  }
  if (filter.after) {
    const { partition, offset } = filter.after;
    conditions.push(`(partition, "offset") > (${whole(partition)}, ${whole(offset)})`);
  }
  return { conditions, parameters };
}

/** A whole number as SQL. */
function whole(value: number): string {
  return String(Math.trunc(value));
}

/** Bytes as DuckDB gives them. */
export function bytesOf(value: unknown): Uint8Array | undefined {
  return value instanceof DuckDBBlobValue ? new Uint8Array(value.bytes) : undefined;
}

function bigintOf(value: number | undefined): bigint | null {
  return value === undefined ? null : BigInt(value);
}

function blobOf(bytes: Uint8Array | undefined): DuckDBBlobValue | null {
  return bytes ? new DuckDBBlobValue(bytes) : null;
}
