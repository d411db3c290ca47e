// The short way for clicks as nearly all are written. If a line without a backslash equals `{"click_id":"…",…}`
// put together from the texts that were found in it, then it is that object and nothing else: strict JSON,
// flat, every name once, every value of the right type. What is left are the rules of the single fields. A
// line that fails here is only doubtful; decode-sql.ts decides about it.
import { EVENT_TIME_END_MS, EVENT_TIME_MIN_MS } from '../core/method.js';
import { type ClickShape, isExtra, isOptional, SHAPE_FIELDS, type ShapeField } from './click-shape.js';
import { isoTimeSql, OPTIONAL_FIELDS, structOf, TEXT_FIELDS, textIsSound } from './decode-sql.js';
import { KIND } from './intake.js';

/**
 * Reads `lines` as decodeSql does. Gives what gatheredRow asks for; where `doubtful`, only those of the
 * log are of use, with the whole value, and `key` is the key or the guessed ad as it came. (`try` instead of
 * json_valid would decode every vector with a bad line in it row by row.)
 */
export function quickSql(lines: string, shape: ClickShape): string {
  return `SELECT partition, "offset", append_time,
    CASE WHEN doubtful OR (kind = ${KIND.keyed} AND encode(ad_id) <> key_bytes) THEN key_bytes END AS "key",
    click_id, event_time, ad_id, campaign_id, user_id, ip_address, country, device_type,
    user_agent, referrer, impression_id, extra, NULL::VARCHAR AS malformed,
    CASE WHEN doubtful THEN encode(value) END AS "value", value_bytes,
    event_time // 3600000 AS hour,
    NOT doubtful AND kind = ${KIND.bare} AND encode(ad_id) <> key_bytes AS recheck, kind, doubtful
  FROM (SELECT *, ${TEXT_FIELDS.map((name) => `t.${name} AS ${name}`).join(', ')}, ${extraSql(shape)} AS extra,
      NOT coalesce(${soundSql(shape)}, false) AS doubtful
    FROM (SELECT *, CASE WHEN strlen(t.event_time) < 16 THEN
          CASE WHEN regexp_full_match(t.event_time, '[1-9][0-9]{0,14}') THEN try_cast(t.event_time AS BIGINT) END
        ELSE ${isoTimeSql('t.event_time')} END AS event_time
      FROM (SELECT *, CASE WHEN json_valid(value) THEN from_json(value, ${structOf('VARCHAR', SHAPE_FIELDS)}) END AS t FROM (${lines}))))`;
}

function soundSql(shape: ClickShape): string {
  const fields = TEXT_FIELDS.map((name) => {
    const sound = textIsSound(name, `t.${name}`);
    return OPTIONAL_FIELDS.includes(name) ? `coalesce(${sound}, true)` : sound;
  });
  return `NOT contains(value, '\\') AND value = ${rebuiltSql(shape)}
    AND event_time BETWEEN ${EVENT_TIME_MIN_MS} AND ${EVENT_TIME_END_MS - 1} AND ${fields.join(' AND ')}`;
}

/** The object of the extra fields; null where there are none. */
function extraSql({ order }: ClickShape): string {
  const extras = order.filter(isExtra);
  const parts = extras.map((name) => `'"${name}":"' || t.${name} || '"'`);
  const first = `coalesce(${extras.map((name) => `t.${name}`).join(', ')})`;
  return `CASE WHEN ${first} IS NOT NULL THEN concat('{', concat_ws(',', ${parts.join(', ')}), '}') END`;
}

/** The line, put together again. `||` makes a missing field's part null, and concat passes over nulls. */
function rebuiltSql({ order, comma, colon }: ClickShape): string {
  const part = (name: ShapeField, place: number): string => {
    const lead = `${place === 0 ? '{' : comma}"${name}"${colon}`;
    // Times in digits have at most 15; whether they were quoted is seen by the comparison.
    if (name === 'event_time') {
      return `'${lead}', CASE WHEN strlen(t.event_time) < 16 THEN t.event_time ELSE '"' || t.event_time || '"' END`;
    }
    return isOptional(name) ? `'${lead}"' || t.${name} || '"'` : `'${lead}"', t.${name}, '"'`;
  };
  return `concat(${order.map(part).join(', ')}, '}')`;
}
