// Marks of invalid traffic in SQL. Whether a mark means anything is up to the method, so the lake keeps it where it
// keeps all that it need not know: among the unknown fields, in `extra`, with names given twice and nulls as they
// came. Lakes that were written before there were marks are read by the same words.
import { FIELD_BYTES_MAX, type Method } from '../core/method.js';

const NAME = 'invalid_traffic';
const PATH = `'$.${NAME}'`;
// Nearly always there is no `extra`, or it doesn't hold the name: that is told without reading JSON.
const MAY_HOLD = `extra IS NOT NULL AND contains(extra, '"${NAME}"')`;
const TIMES = `len(list_filter(json_keys(extra), lambda name: name = '${NAME}'))`;

/**
 * `mark_of(extra)`: the mark of a click; NULL where it has none. `bad_mark(extra)`: whether the field is there and is no
 * mark, which makes the record invalid.
 */
export const MARK_MACROS = `
  CREATE OR REPLACE MACRO bad_mark(extra) AS CASE
    WHEN NOT (${MAY_HOLD}) THEN false
    WHEN ${TIMES} <> 1 THEN ${TIMES} > 1
    WHEN json_type(extra, ${PATH}) = 'NULL' THEN false
    WHEN json_type(extra, ${PATH}) <> 'VARCHAR' THEN true
    ELSE strlen(json_extract_string(extra, ${PATH})) > ${FIELD_BYTES_MAX.invalid_traffic} END;
  CREATE OR REPLACE MACRO mark_of(extra) AS CASE
    WHEN ${MAY_HOLD} THEN nullif(json_extract_string(extra, ${PATH}), '') END;`;

/** Whether a record of the lake, `l`, is a click by the method: the lake itself judges neither clocks nor marks. */
export function isClick(method: Method): string {
  return `l.malformed IS NULL AND (l.append_time IS NULL OR l.event_time <= l.append_time + ${method.clockSkewMs})
    ${method.invalidTraffic ? 'AND NOT bad_mark(l.extra)' : ''}`;
}

/** Whether a click, `l`, is marked as invalid traffic. */
export function isMarked(method: Method): string {
  return method.invalidTraffic ? 'mark_of(l.extra) IS NOT NULL' : 'false';
}
