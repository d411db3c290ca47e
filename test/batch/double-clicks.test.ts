// The greedy walk of the double-click rule in SQL, on chains short and very long. A failure prints its seed.
import { describe, expect, test } from 'vitest';
import { judgeDoubleClicks } from '../../src/batch/double-clicks.js';
import { openSession } from '../../src/batch/session.js';

/** How many double clicks the obvious walk finds in clicks that are `gapsMs` apart. */
function walked(timesMs: readonly number[], doubleClickMs: number): number {
  let openedMs = Number.NEGATIVE_INFINITY;
  let found = 0;
  for (const timeMs of timesMs) {
    if (timeMs - openedMs < doubleClickMs) found++;
    else openedMs = timeMs;
  }
  return found;
}

describe('a chain of double clicks', () => {
  test.each([
    ['every 59 s, so that each other one opens a period', 100_000, 59_000],
    ['every 100 ms, so that 600 fall into a period', 300_000, 100],
    ['at one and the same time', 300_000, 0],
  ])('of one user, %s, is judged in one go', async (_, count, gapMs) => {
    const session = await openSession();
    try {
      await session.run(`CREATE TEMP TABLE double_suspects AS
        SELECT i AS rid, i * ${gapMs} AS t, 'user' AS user_id, 'ad' AS ad_id, 'click-' || i AS click_id
        FROM range(${count}) AS r(i)`);
      await judgeDoubleClicks(session, 60_000);
      const times = Array.from({ length: count }, (_, index) => index * gapMs);
      expect(await session.number('SELECT count(*) FROM doubles')).toBe(walked(times, 60_000));
    } finally {
      await session.close();
    }
  });
});
