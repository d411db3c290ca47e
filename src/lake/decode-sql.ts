// The lake's own reading of a record, in SQL: is it a click, and if not, which reason comes first? It shares
// nothing with the stream's byte decoder but the limits of the method, so that each can find the other's
// mistakes. DuckDB's JSON reads more than RFC 8259 (NaN, Infinity, trailing commas; -0 as 0; the first of two
// equal names), so a record passes quickly only if its shape rules all of that out; any other goes through
// exact tests on its text with the strings taken out.
import {
  DEVICE_TYPES,
  EVENT_TIME_END_MS,
  EVENT_TIME_MIN_MS,
  FIELD_BYTES_MAX,
  NESTING_MAX,
  RECORD_BYTES_MAX,
} from '../core/method.js';
import { IP_ADDRESS_PATTERN } from './ip-pattern.js';

/** Every field the count knows, in the order in which a bad one becomes the reason. */
export const CLICK_FIELDS = [
  'click_id',
  'event_time',
  'ad_id',
  'campaign_id',
  'user_id',
  'ip_address',
  'country',
  'device_type',
  'user_agent',
  'referrer',
  'impression_id',
] as const;
export type ClickField = (typeof CLICK_FIELDS)[number];
export const TEXT_FIELDS = CLICK_FIELDS.filter((name) => name !== 'event_time');
export const OPTIONAL_FIELDS: readonly string[] = ['user_agent', 'referrer', 'impression_id'];

const quoted = (names: readonly string[]): string => names.map((name) => `'${name}'`).join(', ');
/** The struct of these fields for from_json. */
export const structOf = (type: string, fields: readonly string[] = CLICK_FIELDS): string =>
  `'{${fields.map((name) => `"${name}":"${type}"`).join(',')}}'`;
const FIELDS_AWAY = `'{${CLICK_FIELDS.map((name) => `"${name}":null`).join(',')}}'`;

// RE2 patterns.
const TRAILING_COMMA = String.raw`,[ \t\r\n]*[}\]]`;
const STRING_TOKEN = String.raw`"(?:[^"\\]|\\.)*"`;
const HOUR_MINUTE = '(?:[01][0-9]|2[0-3]):[0-5][0-9]';
const ISO_TIME = String.raw`[0-9]{4}-[0-9]{2}-[0-9]{2}T${HOUR_MINUTE}:[0-5][0-9](?:\.[0-9]{1,9})?(?:Z|[+-]${HOUR_MINUTE})`;
const SURROGATE_PAIR = String.raw`\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}`;
const SURROGATE = String.raw`\\u[dD][89a-fA-F][0-9a-fA-F]{2}`;

/**
 * Reads the relation `lines` with the columns partition, "offset", append_time, value VARCHAR (null: not UTF-8),
 * raw BLOB (the bytes where value is null), key_bytes BLOB, kind TINYINT (see intake.ts) and value_bytes.
 * Gives what gatheredRow asks for.
 */
export function decodeSql(lines: string): string {
  return `SELECT partition, "offset", append_time,
    CASE WHEN kind = 1 AND (ad_id IS NULL OR encode(ad_id) <> key_bytes) THEN key_bytes END AS "key",
    click_id, event_time, ad_id, campaign_id, user_id, ip_address, country, device_type,
    user_agent, referrer, impression_id, extra, malformed,
    CASE WHEN malformed IS NOT NULL THEN coalesce(raw, encode(value)) END AS "value", value_bytes,
    CASE WHEN malformed IS NULL THEN event_time
         WHEN append_time BETWEEN ${EVENT_TIME_MIN_MS} AND ${EVENT_TIME_END_MS - 1} THEN append_time
         ELSE 0 END // 3600000 AS hour,
    kind = 2 AND coalesce(encode(ad_id), ''::BLOB) <> key_bytes AS recheck, kind, false AS doubtful
  FROM (SELECT *, ${reasonSql()} AS malformed FROM (${fieldsSql(strictSql(lines))}))`;
}

/**
 * Adds the known fields as JSON texts (`j`) and as plain text (`t`), null where absent or JSON's null; `names`;
 * `plain` (a click as nearly all are: flat, no escapes, known names only) and `is_json` (strict, in limits).
 */
function strictSql(lines: string): string {
  const isObject = `CASE WHEN value IS NULL OR value_bytes > ${RECORD_BYTES_MAX} THEN false
    WHEN NOT json_valid(value) THEN false
    WHEN starts_with(value, '{') THEN true
    ELSE json_type(value) = 'OBJECT' END`;
  const parsed = `SELECT *, CASE WHEN is_object THEN from_json(value, ${structOf('JSON')}) END AS j,
      CASE WHEN is_object THEN from_json(value, ${structOf('VARCHAR')}) END AS t,
      CASE WHEN is_object THEN json_keys(value) END AS names
    FROM (SELECT *, ${isObject} AS is_object FROM (${lines}))`;

  // Every name is a known one, each once, each with a string (or a time in digits) behind it: such an object
  // is flat and holds no number that DuckDB reads too kindly. What is left to exclude is a comma at its end.
  const present = CLICK_FIELDS.map((name) => `(j.${name} IS NOT NULL)::INTEGER`).join(' + ');
  const texts = TEXT_FIELDS.map((name) => `coalesce(${isText(name)}, true)`).join(' AND ');
  const plain = `SELECT *, is_object AND NOT contains(value, '\\')
      AND CASE WHEN suffix(value, '"}') THEN true ELSE NOT regexp_matches(value, '${TRAILING_COMMA}') END
      AND len(names) = ${present} AND ${texts}
      AND coalesce(${isText('event_time')} OR regexp_full_match(t.event_time, '[1-9][0-9]{0,14}'), true) AS plain
    FROM (${parsed})`;

  const tokens = `regexp_replace(value, '${STRING_TOKEN}', '""', 'gs')`;
  const escapes = String.raw`replace(value, '\\', '  ')`; // a backslash that is left begins another escape
  const taken = `SELECT *, CASE WHEN doubtful THEN ${tokens} END AS bare,
      CASE WHEN doubtful THEN ${escapes} END AS escapes
    FROM (SELECT *, is_object AND NOT plain AS doubtful FROM (${plain}))`;
  const bracketed = `SELECT *, CASE WHEN doubtful THEN regexp_replace(bare, '[^\\[\\]{}]+', '', 'g') END AS brackets
    FROM (${taken})`;
  return `SELECT *, CASE WHEN doubtful THEN ${exactSql()} ELSE plain END AS is_json FROM (${bracketed})`;
}

/** Whether the field is a JSON string; null where it is absent. */
const isText = (name: string): string => `starts_with(j.${name}::VARCHAR, '"')`;

/** Exact tests of a text that DuckDB could parse. `bare`: its strings emptied; `escapes`: its `\\` blanked. */
function exactSql(): string {
  // Taking away all innermost pairs at once lowers the nesting by exactly one.
  const peeled = String.raw`list_reduce(range(${NESTING_MAX})::VARCHAR[],
    lambda rest, pass: regexp_replace(rest, '\{\}|\[\]', '', 'g'), brackets)`;
  const repeated = `len(list_filter(names, lambda name: name IN (${quoted(CLICK_FIELDS)})))
    = len(list_distinct(list_filter(names, lambda name: name IN (${quoted(CLICK_FIELDS)}))))`;
  return String.raw`(
    NOT regexp_matches(replace(bare, 'null', ''), '[nNiI]')
    AND NOT regexp_matches(bare, '${TRAILING_COMMA}')
    AND CASE WHEN strlen(brackets) <= ${2 * NESTING_MAX} THEN true ELSE ${peeled} = '' END
    AND NOT contains(escapes, '\u0000')
    AND NOT regexp_matches(regexp_replace(escapes, '${SURROGATE_PAIR}', ' ', 'g'), '${SURROGATE}')
    AND ${repeated})`;
}

/** Adds each field under its name, null where it is absent or malformed, `extra` and `<optional>_bad`. */
function fieldsSql(strict: string): string {
  const texts = CLICK_FIELDS.map(
    (name) =>
      `CASE WHEN plain THEN t.${name} WHEN is_json AND ${isText(name)} THEN t.${name} END AS t_${name}`,
  );
  const extra = `CASE WHEN is_json AND NOT plain
      AND len(list_filter(names, lambda name: name NOT IN (${quoted(CLICK_FIELDS)}))) > 0
    THEN json_merge_patch(value, ${FIELDS_AWAY})::VARCHAR END`;
  const checked = TEXT_FIELDS.map(
    (name) => `CASE WHEN ${textIsSound(name, `t_${name}`)} THEN t_${name} END AS ${name}`,
  );
  const bad = OPTIONAL_FIELDS.map(
    (name) =>
      `is_json AND j.${name} IS NOT NULL AND NOT coalesce(${textIsSound(name, `t_${name}`)}, false) AS ${name}_bad`,
  );
  return `SELECT partition, "offset", append_time, value, raw, key_bytes, kind, value_bytes, is_json, extra,
      ${[...checked, ...bad].join(',\n      ')},
      CASE WHEN any_time BETWEEN ${EVENT_TIME_MIN_MS} AND ${EVENT_TIME_END_MS - 1} THEN any_time END AS event_time
    FROM (SELECT *, ${timeSql()} AS any_time FROM (
      SELECT *, ${texts.join(',\n        ')}, ${extra} AS extra
      FROM (${strict})))`;
}

/** Whether the string `text` is within the rules of the field `name`; null where it is null. */
export function textIsSound(name: string, text: string): string {
  if (name === 'country') return `strlen(${text}) = 2 AND regexp_full_match(${text}, '[A-Z]{2}')`;
  if (name === 'device_type') return `${text} IN (${quoted(DEVICE_TYPES)})`;
  const max = FIELD_BYTES_MAX[name as keyof typeof FIELD_BYTES_MAX];
  if (OPTIONAL_FIELDS.includes(name)) return `strlen(${text}) <= ${max}`;
  const length = `strlen(${text}) BETWEEN 1 AND ${max}`;
  return name === 'ip_address' ? `${length} AND regexp_full_match(${text}, '${IP_ADDRESS_PATTERN}')` : length;
}

/** Epoch ms of the event time, or null; it may lie outside of the allowed range. */
function timeSql(): string {
  // DuckDB writes -0 as 0, but tells its type from that of 0.
  return `CASE WHEN NOT is_json OR j.event_time IS NULL THEN NULL
    WHEN ${isText('event_time')} THEN ${isoTimeSql('t_event_time')}
    WHEN NOT regexp_full_match(t.event_time, '[0-9]{1,15}') THEN NULL
    WHEN t.event_time = '0' AND json_type(value, '$.event_time') <> 'UBIGINT' THEN NULL
    ELSE try_cast(t.event_time AS BIGINT) END`;
}

/** Epoch ms of a time as text; null if it isn't one. */
export function isoTimeSql(text: string): string {
  // Three digits of fraction and Z are what nearly all times have, and what DuckDB reads without our help.
  const usual = `epoch_ms(try_cast(${text} AS TIMESTAMP))`;
  const seconds = `epoch_ms(try_cast(substring(${text}, 1, 19) AS TIMESTAMP))`;
  const fraction = `CASE WHEN substring(${text}, 20, 1) <> '.' THEN 0
    ELSE rpad(regexp_extract(${text}, '[.]([0-9]{1,3})', 1), 3, '0')::BIGINT END`;
  const zone = `CASE WHEN suffix(${text}, 'Z') THEN 0
    ELSE (substring(right(${text}, 6), 1, 1) || '1')::BIGINT * 60000
      * (60 * substring(right(${text}, 6), 2, 2)::BIGINT + right(${text}, 2)::BIGINT) END`;
  return `CASE WHEN NOT regexp_full_match(${text}, '${ISO_TIME}') THEN NULL
    WHEN strlen(${text}) = 24 AND suffix(${text}, 'Z') THEN ${usual}
    ELSE ${seconds} + ${fraction} - ${zone} END`;
}

/** The first reason that applies, in the order of INVALID_REASONS; null for a sound record. */
function reasonSql(): string {
  const first = CLICK_FIELDS.map((name) =>
    OPTIONAL_FIELDS.includes(name)
      ? `WHEN ${name}_bad THEN '${name}'`
      : `WHEN ${name} IS NULL THEN '${name}'`,
  );
  return `CASE WHEN value_bytes > ${RECORD_BYTES_MAX} THEN 'too_long' WHEN NOT is_json THEN 'not_json'
    ${first.join(' ')} END`;
}
