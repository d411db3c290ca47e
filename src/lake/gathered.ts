// The table in which decoded records gather before they are written. A record's texts are one column, a struct:
// DuckDB keeps an estimate of the distinct values of each column, which costs a hash of every text, but none
// of structs.
import { LAKE_COLUMNS } from './columns.js';

const TEXTS = [
  'click_id',
  'ad_id',
  'campaign_id',
  'user_id',
  'ip_address',
  'country',
  'device_type',
  'user_agent',
  'referrer',
  'impression_id',
];

/**
 * A row of the table, in the order of its columns. `from` gives each under its name: the columns of a lake file;
 * `hour` (hours since 1970, of the folder); `recheck`: the intake guessed this bare line's ad wrong, so that its
 * partition must be computed from `ad_id`; `kind` (see KIND); `doubtful`: it is not decoded, and stands for nothing.
 */
export function gatheredRow(from: string): string {
  const texts = TEXTS.map((name) => `${name}: ${name}`).join(', ');
  return `SELECT partition, "offset", append_time, "key", event_time, {${texts}} AS t, extra, malformed,
      "value", value_bytes, hour, recheck, kind, doubtful
    FROM (${from})`;
}

/** The decoded rows of the table, with the columns of a lake file, hour and recheck. */
export function decodedRows(table: string): string {
  const columns = LAKE_COLUMNS.map(({ name }) =>
    TEXTS.includes(name) ? `t.${name} AS ${name}` : `"${name}"`,
  );
  return `(SELECT ${columns.join(', ')}, hour, recheck FROM ${table} WHERE NOT doubtful)`;
}
