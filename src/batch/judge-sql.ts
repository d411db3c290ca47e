// The verdicts in SQL, rule by rule. Each rule first marks its suspects by narrow integers (64-bit hashes stand
// for strings), which is cheap for the many clicks that nothing is wrong with; then the strings of the suspects
// alone are read, and the rule is decided by them exactly. A colliding hash makes one suspect more, no error.
//
// `rid` numbers all records below the positions: ordered as (partition, offset), and each partition's begin at a
// multiple of BLOCK_ROWS, so that `rid // BLOCK_ROWS` never spans two partitions.
import { BUCKET_MS, type Method } from '../core/method.js';
import { isClick, isMarked } from './marks-sql.js';

/** Rows whose greatest event time is kept, for the watermark. Small, so that few blocks hold late clicks and others. */
export const BLOCK_ROWS = 64;

/** A period whose too-late clicks count, if their offset is below the position of their partition. */
export interface Admission {
  fromMs: number;
  toMs: number;
  positions: ReadonlyMap<number, number>;
}

const bucketEnd = (t: string): string => `(${t} - ${t} % ${BUCKET_MS} + ${BUCKET_MS})`;

/** `records`: a table expression over the lake. Makes `arrived`: how many records there are by partition. */
export function countArrived(records: string): string {
  return `CREATE OR REPLACE TEMP TABLE arrived AS
    SELECT p.part, count(*) AS records FROM ${records} AS l JOIN partitions AS p
    ON p.part = l.partition AND l."offset" < p.position GROUP BY p.part;`;
}

/** Adds the combinations of dimensions that `ads` and `places` don't have yet. */
export function nameDimensions(records: string): string {
  return `
  INSERT INTO ads SELECT row_number() OVER () + (SELECT coalesce(max(ad), 0) FROM ads), ad_id, campaign_id
    FROM (SELECT DISTINCT ad_id, campaign_id FROM ${records} WHERE malformed IS NULL) AS found
    ANTI JOIN ads USING (ad_id, campaign_id);
  INSERT INTO places SELECT row_number() OVER () + (SELECT coalesce(max(place), 0) FROM places), country, device_type
    FROM (SELECT DISTINCT country, device_type FROM ${records} WHERE malformed IS NULL) AS found
    ANTI JOIN places USING (country, device_type);`;
}

const numbered = (records: string): string =>
  `${records} AS l JOIN partitions AS p ON p.part = l.partition AND l."offset" < p.position`;

/** Makes `clicks`: every record that is not invalid, as integers; `marked` ones are no candidates. */
export function readClicks(records: string, method: Method): string {
  return `CREATE OR REPLACE TEMP TABLE clicks AS
    SELECT p.base + l."offset" AS rid, p.part, l.event_time AS t, a.ad, c.place,
      narrow_hash(hash(l.click_id, l.event_time, l.partition)) AS id_hash,
      narrow_hash(hash(l.user_id, l.ad_id)) AS pair_hash,
      narrow_hash(ip_key(l.ip_address)) AS ip_hash,
      ${isMarked(method)} AS marked
    FROM ${numbered(records)}
    JOIN ads AS a ON a.ad_id = l.ad_id AND a.campaign_id = l.campaign_id
    JOIN places AS c ON c.country = l.country AND c.device_type = l.device_type
    WHERE ${isClick(method)};`;
}

/** Makes `times_after`: event times that are only read because they move watermarks. */
export function readTimesAfter(records: string, method: Method): string {
  return `CREATE OR REPLACE TEMP TABLE times_after AS
    SELECT p.base + l."offset" AS rid, p.part, l.event_time AS t FROM ${numbered(records)} WHERE ${isClick(method)};`;
}

/** Fills `admissions`: whose too-late clicks count all the same. */
export function listAdmissions(admissions: readonly Admission[]): string {
  const rows = admissions.flatMap(({ fromMs, toMs, positions }) =>
    [...positions].map(([partition, position]) => `(${fromMs}, ${toMs}, ${partition}, ${position})`),
  );
  return `CREATE OR REPLACE TEMP TABLE admissions
    (from_t BIGINT, to_t BIGINT, part INTEGER, position BIGINT);
    ${rows.length === 0 ? '' : `INSERT INTO admissions VALUES ${rows.join(', ')};`}`;
}

/**
 * Makes `late` from `clicks` and `times_after`. The greatest event time before a record is that of the blocks before
 * its own and of the records before it in its own; the second is only looked for where it can matter.
 */
export function judgeLateness(method: Method): string {
  const limit = `(${bucketEnd('t')} + ${method.allowedLatenessMs + method.watermarkDelayMs})`;
  return `
  CREATE OR REPLACE TEMP VIEW times AS SELECT rid, part, t FROM clicks UNION ALL SELECT rid, part, t FROM times_after;
  CREATE OR REPLACE TEMP TABLE blocks AS
    SELECT block, greatest_in, max(greatest_in) OVER (PARTITION BY part ORDER BY block
      ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS greatest_before
    FROM (SELECT rid // ${BLOCK_ROWS} AS block, any_value(part) AS part, max(t) AS greatest_in FROM times GROUP BY block);
  CREATE OR REPLACE TEMP TABLE maybe_late AS
    SELECT rid, t, ${limit} AS late_above, block, greatest_before, coalesce(greatest_before > ${limit}, false) AS surely
    FROM clicks JOIN blocks ON block = rid // ${BLOCK_ROWS}
    WHERE greatest(greatest_in, greatest_before) > ${limit} AND NOT EXISTS (
      SELECT 1 FROM admissions AS a JOIN partitions AS p USING (part)
      WHERE a.part = clicks.part AND t >= a.from_t AND t < a.to_t AND rid < p.base + a.position);
  CREATE OR REPLACE TEMP TABLE late AS
    SELECT rid, greatest_before AS greatest FROM maybe_late WHERE surely
    UNION ALL
    SELECT rid, greatest(greatest_before, before_in_block) AS greatest
    FROM maybe_late JOIN (
      SELECT rid, max(t) OVER (PARTITION BY rid // ${BLOCK_ROWS} ORDER BY rid
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before_in_block
      FROM times WHERE rid // ${BLOCK_ROWS} IN (SELECT block FROM maybe_late WHERE NOT surely)
    ) USING (rid)
    WHERE NOT surely AND greatest(greatest_before, before_in_block) > late_above;`;
}

/** Bits of `suspects.rules`. */
const RULE = { duplicate: 1, doubleClick: 2, bot: 4 } as const;

/** Makes `maybe_double`: clicks with another one of their user and ad less than the period away. */
export function suspectDoubleClicks(method: Method): string {
  return `CREATE OR REPLACE TEMP TABLE maybe_double AS SELECT rid, t, pair_hash FROM (
      SELECT rid, t, pair_hash, t - lag(t) OVER by_pair AS since, lead(t) OVER by_pair - t AS until
      FROM clicks WHERE NOT marked WINDOW by_pair AS (PARTITION BY pair_hash ORDER BY t))
    WHERE since < ${method.doubleClickMs} OR until < ${method.doubleClickMs};`;
}

/**
 * Makes `suspects`. A window of W with more than T clicks lies in two neighbouring steps of W, which together
 * hold more than T: the clicks of such steps are a bot's suspects.
 */
export function suspectOthers(method: Method): string {
  const { botWindowMs: w, botThreshold: threshold } = method;
  return `
  CREATE OR REPLACE TEMP TABLE busy_steps AS
    SELECT ip_hash, step FROM (
      SELECT ip_hash, step, n, lag(step) OVER by_ip AS step_before, lag(n) OVER by_ip AS n_before,
        lead(step) OVER by_ip AS step_after, lead(n) OVER by_ip AS n_after
      FROM (
        SELECT ip_hash, t // ${w} AS step, count(*) AS n FROM clicks
        SEMI JOIN (SELECT ip_hash FROM clicks WHERE NOT marked GROUP BY ip_hash HAVING count(*) > ${threshold})
          USING (ip_hash)
        WHERE NOT marked GROUP BY ip_hash, step)
      WINDOW by_ip AS (PARTITION BY ip_hash ORDER BY step))
    WHERE n + CASE WHEN step_before = step - 1 THEN n_before ELSE 0 END > ${threshold}
      OR n + CASE WHEN step_after = step + 1 THEN n_after ELSE 0 END > ${threshold};
  CREATE OR REPLACE TEMP TABLE suspects AS
    SELECT rid, bit_or(rule) AS rules FROM (
      SELECT rid, ${RULE.duplicate} AS rule FROM clicks
        SEMI JOIN (SELECT id_hash FROM clicks GROUP BY id_hash HAVING count(*) > 1) USING (id_hash)
      UNION ALL SELECT rid, ${RULE.doubleClick} FROM maybe_double
      UNION ALL SELECT rid, ${RULE.bot} FROM clicks
        SEMI JOIN busy_steps ON busy_steps.ip_hash = clicks.ip_hash AND busy_steps.step = t // ${w}
        WHERE NOT marked)
    ANTI JOIN late USING (rid) GROUP BY rid;`;
}

/** Makes `named`: the suspects with the strings that decide about them; `ip` only of a bot's suspects. */
export function nameSuspects(records: string): string {
  return `CREATE OR REPLACE TEMP TABLE named AS
    SELECT s.rid, s.rules, p.part, l.event_time AS t, l.click_id, l.user_id, l.ad_id,
      CASE WHEN s.rules & ${RULE.bot} <> 0 THEN canonical_ip(l.ip_address) END AS ip
    FROM ${numbered(records)} JOIN suspects AS s ON s.rid = p.base + l."offset";`;
}

/** Makes `duplicates`. */
export const JUDGE_DUPLICATES = `CREATE OR REPLACE TEMP TABLE duplicates AS SELECT rid, first_rid FROM (
    SELECT rid, min(rid) OVER (PARTITION BY part, t, click_id) AS first_rid
    FROM named WHERE rules & ${RULE.duplicate} <> 0)
  WHERE rid <> first_rid;`;

/**
 * Makes `bots`, and `bot_windows`: how many clicks of an address there are in the window that begins at a time. A
 * window may be moved up to its first click, so only the times of clicks are tried.
 */
export function judgeBots(method: Method): string {
  const { botWindowMs: w, botThreshold: threshold } = method;
  const candidates = `named ANTI JOIN duplicates USING (rid) WHERE rules & ${RULE.bot} <> 0`;
  return `
  CREATE OR REPLACE TEMP TABLE bot_windows AS
    SELECT ip, t, CAST(sum(clicks) OVER (PARTITION BY ip ORDER BY t
      RANGE BETWEEN CURRENT ROW AND ${w - 1} FOLLOWING) AS BIGINT) AS n
    FROM (SELECT ip, t, count(*) AS clicks FROM ${candidates} GROUP BY ip, t);
  CREATE OR REPLACE TEMP TABLE bots AS
    SELECT rid FROM ${candidates} AND (ip, t) IN (SELECT (ip, t) FROM (
        SELECT ip, t, max(n) OVER (PARTITION BY ip ORDER BY t
          RANGE BETWEEN ${w - 1} PRECEDING AND CURRENT ROW) AS most
        FROM bot_windows)
      WHERE most > ${threshold});`;
}

/** The candidates among the suspects of the double-click rule, in `double_suspects`. */
export const PICK_DOUBLE_SUSPECTS = `CREATE OR REPLACE TEMP TABLE double_suspects AS
  SELECT rid, t, user_id, ad_id, click_id FROM named ANTI JOIN duplicates USING (rid)
  WHERE rules & ${RULE.doubleClick} <> 0;`;

/** Makes `judged`: every record that is neither invalid nor billable. */
export const COLLECT_VERDICTS = `CREATE OR REPLACE TEMP TABLE judged AS
  SELECT c.rid, c.part, c.t, verdict FROM clicks AS c JOIN (
    SELECT rid, 'too_late' AS verdict FROM late
    UNION ALL SELECT rid, 'duplicate' FROM duplicates
    UNION ALL SELECT rid, 'invalid_traffic' FROM (SELECT rid FROM clicks WHERE marked)
      ANTI JOIN late USING (rid) ANTI JOIN duplicates USING (rid)
    UNION ALL SELECT rid, 'double_click' FROM doubles
    UNION ALL SELECT rid, 'bot' FROM bots ANTI JOIN doubles USING (rid)) AS found USING (rid);`;

/** Makes `cells` and `ledger` of the period (event times in SQL, `t >= … AND t < …`). */
export function countCells(within: string): string {
  const count = (verdict: string): string => `count(*) FILTER (verdict = '${verdict}') AS ${verdict}`;
  return `
  CREATE OR REPLACE TEMP TABLE cells AS
    SELECT t // ${BUCKET_MS} * ${BUCKET_MS} AS minute, ad, place, count(*) AS clicks
    FROM clicks ANTI JOIN judged USING (rid) WHERE ${within} GROUP BY ALL;
  CREATE OR REPLACE TEMP TABLE ledger AS
    SELECT part AS "partition", minute, 0::BIGINT AS invalid,
      coalesce(too_late, 0) AS too_late, coalesce(duplicate, 0) AS duplicate,
      coalesce(invalid_traffic, 0) AS invalid_traffic,
      coalesce(double_click, 0) AS double_click, coalesce(bot, 0) AS bot,
      n - coalesce(too_late + duplicate + invalid_traffic + double_click + bot, 0) AS billable
    FROM (SELECT part, t // ${BUCKET_MS} * ${BUCKET_MS} AS minute, count(*) AS n FROM clicks WHERE ${within} GROUP BY ALL)
    LEFT JOIN (
      SELECT part, t // ${BUCKET_MS} * ${BUCKET_MS} AS minute, ${count('too_late')}, ${count('duplicate')},
        ${count('invalid_traffic')}, ${count('double_click')}, ${count('bot')}
      FROM judged WHERE ${within} GROUP BY ALL) USING (part, minute);`;
}

/** Adds the invalid records to a ledger of everything: those that arrived and are no clicks. */
export const COUNT_INVALID = `INSERT INTO ledger
  SELECT part, -1, records - coalesce(n, 0), 0, 0, 0, 0, 0, 0
  FROM arrived LEFT JOIN (SELECT part, count(*) AS n FROM clicks GROUP BY part) USING (part)
  WHERE records > coalesce(n, 0);`;
