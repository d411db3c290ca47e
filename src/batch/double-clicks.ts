// Double clicks in SQL: the greedy periods of 60 s, without walking from click to click.
//
// Clicks of one user and ad with gaps below D form a chain; a chain's first click opens a period whatever came
// before. Within D of it everything is a double click, and most chains end there. In a longer chain every click
// points to the one that would open the next period if it opened one itself; which clicks do open one is then
// reachability from the chain's first click, found by doubling the pointers: n log n, where walking a chain of
// a million clicks in SQL would be n².
import { invariant } from '../errors.js';
import type { BatchSession } from './session.js';

/** Doublings after which every chain must have ended: 2^60 periods. */
const DOUBLINGS_MAX = 60;

/** Makes `doubles` (rid) from `double_suspects` (rid, t, user_id, ad_id, click_id). */
export async function judgeDoubleClicks(session: BatchSession, doubleClickMs: number): Promise<void> {
  await session.run(`
    CREATE OR REPLACE TEMP TABLE chained AS
      SELECT rid, t, place, max(t) FILTER (opens) OVER in_order AS chain_t,
        max(place) FILTER (opens) OVER in_order AS chain
      FROM (
        SELECT rid, t, place, coalesce(t - lag(t) OVER (PARTITION BY pair ORDER BY place) >= ${doubleClickMs}, true) AS opens,
          pair
        FROM (
          SELECT rid, t, row_number() OVER (ORDER BY pair, t, click_id, rid) AS place, pair
          FROM double_suspects JOIN (
            SELECT row_number() OVER () AS pair, user_id, ad_id FROM double_suspects GROUP BY user_id, ad_id
          ) USING (user_id, ad_id)))
      WINDOW in_order AS (PARTITION BY pair ORDER BY place ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW);
    CREATE OR REPLACE TEMP TABLE long_chained AS
      SELECT rid, t, place, chain FROM chained
      SEMI JOIN (SELECT DISTINCT chain FROM chained WHERE t - chain_t >= ${doubleClickMs}) USING (chain);
    CREATE OR REPLACE TEMP TABLE pointers AS SELECT place, next FROM (
        SELECT place, chain + count(*) OVER (PARTITION BY chain ORDER BY t
          RANGE BETWEEN UNBOUNDED PRECEDING AND ${doubleClickMs - 1} FOLLOWING) AS next,
          chain + count(*) OVER (PARTITION BY chain) AS chain_end
        FROM long_chained)
      WHERE next < chain_end;
    CREATE OR REPLACE TEMP TABLE openings AS SELECT DISTINCT chain AS place FROM long_chained;`);
  await reachOpenings(session);
  await session.run(`CREATE OR REPLACE TEMP TABLE doubles AS
    SELECT rid FROM chained ANTI JOIN long_chained USING (chain) WHERE place <> chain
    UNION ALL SELECT rid FROM long_chained ANTI JOIN openings USING (place);`);
}

/** After round k, `openings` holds the first 2^k of every chain. */
async function reachOpenings(session: BatchSession): Promise<void> {
  for (let round = 0; round < DOUBLINGS_MAX; round++) {
    await session.run(`CREATE OR REPLACE TEMP TABLE reached AS
      SELECT next AS place FROM openings JOIN pointers USING (place);`);
    if ((await session.number('SELECT count(*) FROM reached')) === 0) return;
    await session.run(`
      INSERT INTO openings SELECT place FROM reached;
      CREATE OR REPLACE TEMP TABLE pointers AS
        SELECT a.place, b.next FROM pointers AS a JOIN pointers AS b ON b.place = a.next;`);
  }
  invariant(false, 'a chain of double clicks did not end');
}
