// What every store must do, whatever database it is made of. A store joins by a line in a test file of its own
// that calls `describeStore` with how it is opened.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DEFAULT_METHOD } from '../../src/core/method.js';
import { methodHash } from '../../src/core/method-hash.js';
import type { Revision, StoreBooks } from '../../src/core/ports/books.js';
import { NO_EVENT_TIME } from '../../src/core/ports/commit.js';
import { EVERYTHING, type Store, type TotalsQuery } from '../../src/core/ports/store.js';
import {
  cell,
  columnsOf,
  commitOf,
  deadLetter,
  ledgerChange,
  MINUTE_MS,
  START_MS,
  type WrittenCell,
} from './commits.js';

export interface StoreUnderTest {
  /** Opens the store that lives at `directory`, making it on the first call. */
  open(directory: string): Promise<Store & StoreBooks>;
  /** How many cells a great commit has: fewer where the server that runs here takes its time for each row. */
  greatCommit?: number;
}

const NO_FILTER = { verdict: undefined, reason: undefined, at: [], limit: 100 };
const ALWAYS = { fromMs: undefined, toMs: undefined };

/** The contract's tests for one kind of store. */
export function describeStore(name: string, { open, greatCommit = 200_000 }: StoreUnderTest): void {
  describe(`${name} keeps the contract of stores`, () => {
    let directory: string;
    let store: Store & StoreBooks;

    beforeEach(async () => {
      directory = mkdtempSync(join(tmpdir(), 'click-agg-store-'));
      store = await open(directory);
    });
    afterEach(async () => {
      await store.close();
      rmSync(directory, { recursive: true, force: true });
    });

    const reopen = async (): Promise<void> => {
      await store.close();
      store = await open(directory);
    };
    const totals = async () =>
      (await store.query(EVERYTHING)).map((row) => [row.minute, row.ad_id, row.clicks]);
    const write = (...cells: WrittenCell[]) => store.commit(commitOf({ cells }));

    test('counts in epochs how often it was taken over', async () => {
      const first = await store.takeOver();
      expect(await store.takeOver()).toBe(first + 1);
      await reopen();
      expect(await store.takeOver()).toBe(first + 2);
    });

    test('a new store knows nothing', async () => {
      expect(await store.state()).toEqual({
        positions: [],
        checkpoint: undefined,
        methodHash: undefined,
        method: undefined,
        sourceIdentity: undefined,
        commits: 0,
      });
      expect(await store.query(EVERYTHING)).toEqual([]);
      expect((await store.ledger()).records).toBe(0);
      expect(await store.deadLetters(NO_FILTER)).toEqual([]);
    });

    test('what a commit wrote is there after reopening', async () => {
      await store.begin({ method: DEFAULT_METHOD, sourceIdentity: 'log 1' });
      const position = {
        partition: 3,
        position: 9_007_199_254_740_000,
        maxEventTimeMs: START_MS,
        rewindOffset: 7,
        rewindMaxEventTimeMs: -Infinity,
      };
      const checkpoint = {
        floorMs: START_MS,
        openPeriods: [
          { hash: [1, 4_294_967_295, 3, 2_147_483_648] as const, openedMs: START_MS + 1 },
          { hash: [0, 0, 0, 0] as const, openedMs: START_MS + 2 },
        ],
      };
      await store.commit(commitOf({ cells: [cell()], positions: [position], checkpoint }));
      await reopen();
      expect(await store.state()).toEqual({
        positions: [position],
        checkpoint,
        methodHash: methodHash(DEFAULT_METHOD),
        method: DEFAULT_METHOD,
        sourceIdentity: 'log 1',
        commits: 1,
      });
      expect(await store.standing()).toEqual({
        positions: [position],
        methodHash: methodHash(DEFAULT_METHOD),
        method: DEFAULT_METHOD,
        sourceIdentity: 'log 1',
        commits: 1,
      });
      expect(await totals()).toEqual([['2026-02-22T10:00:00Z', 'ad-1', 1]]);
    });

    test('an empty commit and one without a checkpoint change nothing else', async () => {
      const checkpoint = { floorMs: -Infinity, openPeriods: [] };
      await store.commit(commitOf({ cells: [cell()], checkpoint }));
      const before = await store.state();
      await store.commit(commitOf({}));
      expect(await store.state()).toEqual({ ...before, commits: 2 });
      expect(before.checkpoint).toEqual(checkpoint);
      expect(await totals()).toEqual([['2026-02-22T10:00:00Z', 'ad-1', 1]]);
    });

    test('commits are numbered; one with a number that was reached is made already, and a jump is followed', async () => {
      const numbered = (number: number | undefined, parts: { clicks: number; rewrite?: boolean }) =>
        store.commit(
          commitOf({
            cells: [cell(parts)],
            ledger: [ledgerChange(0, START_MS, { billable: 1 })],
            deadLetters: [deadLetter({ partition: 0, offset: parts.clicks })],
            number,
          }),
        );
      const standing = async () => [
        (await store.standing()).commits,
        (await totals()).map(([, , clicks]) => clicks),
        (await store.ledger()).billable,
        (await store.deadLetters(NO_FILTER)).length,
      ];
      await numbered(undefined, { clicks: 1 });
      await numbered(1, { clicks: 9, rewrite: true });
      expect(await standing()).toEqual([1, [1], 1, 1]);
      await numbered(7, { clicks: 2, rewrite: true });
      expect(await standing()).toEqual([7, [2], 2, 2]);
      await reopen();
      await store.takeOver();
      for (const number of [7, 3]) await numbered(number, { clicks: 9, rewrite: true });
      expect(await standing()).toEqual([7, [2], 2, 2]);
      await numbered(undefined, { clicks: 3, rewrite: true });
      expect(await standing()).toEqual([8, [3], 3, 3]);
      await numbered(9, { clicks: 4, rewrite: true });
      expect(await standing()).toEqual([9, [4], 4, 4]);
    });

    test('rewriting a cell replaces its clicks, and writing the same again changes nothing', async () => {
      await write(cell({ clicks: 5 }), cell({ adId: 'ad-2', clicks: 7 }));
      await write(cell({ clicks: 3, rewrite: true }));
      await write(cell({ clicks: 3, rewrite: true }));
      expect((await totals()).map(([, ad, clicks]) => [ad, clicks])).toEqual([
        ['ad-1', 3],
        ['ad-2', 7],
      ]);
    });

    test('a rewritten cell that was never written is simply written', async () => {
      await write(cell({ rewrite: true, clicks: 4 }));
      expect((await totals()).map(([, , clicks]) => clicks)).toEqual([4]);
    });

    test('zero clicks delete a cell, and deleting what is not there does nothing', async () => {
      await write(cell(), cell({ adId: 'ad-2' }));
      await write(cell({ clicks: 0, rewrite: true }), cell({ adId: 'ad-3', clicks: 0, rewrite: true }));
      expect((await totals()).map(([, ad]) => ad)).toEqual(['ad-2']);
    });

    test('cells differ by every one of their columns', async () => {
      const cells = [
        cell(),
        cell({ minuteMs: START_MS + MINUTE_MS }),
        cell({ adId: 'ad-2' }),
        cell({ campaignId: 'campaign-2' }),
        cell({ country: 'FR' }),
        cell({ deviceType: 'tv' }),
      ];
      await write(...cells);
      await reopen();
      await write(...cells.map((one, i) => ({ ...one, clicks: 10 + i, rewrite: true })));
      const rows = await store.query(EVERYTHING);
      expect(rows).toHaveLength(cells.length);
      expect(rows.reduce((sum, row) => sum + Number(row.clicks), 0)).toBe(10 + 11 + 12 + 13 + 14 + 15);
    });

    test('ids are any text, and are sorted by their bytes', async () => {
      const ids = [
        'a',
        "it's",
        '"quoted"',
        'ä',
        'Ω',
        '日本',
        '😀',
        '\u001b[2J',
        '-- drop',
        'x'.repeat(128),
        ' ',
      ];
      await write(...ids.map((adId) => cell({ adId, campaignId: `${adId}!` })));
      await reopen();
      await write(...ids.map((adId) => cell({ adId, campaignId: `${adId}!`, clicks: 2, rewrite: true })));
      const rows = await store.query(EVERYTHING);
      const byBytes = [...ids].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      expect(rows.map(({ ad_id }) => ad_id)).toEqual(byBytes);
      expect(rows.every(({ clicks }) => clicks === 2)).toBe(true);
      const [row] = await store.query({ ...EVERYTHING, adIds: ["it's"] });
      expect(row).toMatchObject({ ad_id: "it's", campaign_id: "it's!" });
    });

    test('minutes from the first to the last that can be', async () => {
      const last = Date.UTC(9999, 11, 31, 23, 59);
      await write(cell({ minuteMs: 0 }), cell({ minuteMs: last, clicks: 2_000_000_000 }));
      expect(await totals()).toEqual([
        ['1970-01-01T00:00:00Z', 'ad-1', 1],
        ['9999-12-31T23:59:00Z', 'ad-1', 2_000_000_000],
      ]);
    });

    test('the ledger adds differences, up and down', async () => {
      await store.commit(
        commitOf({
          ledger: [
            ledgerChange(0, START_MS, { billable: 5, duplicate: 1 }),
            ledgerChange(0, NO_EVENT_TIME, { invalid: 2 }),
            ledgerChange(1, START_MS + MINUTE_MS, { billable: 1, bot: 1 }),
          ],
        }),
      );
      await store.commit(
        commitOf({
          ledger: [ledgerChange(0, START_MS, { billable: -2, invalid_traffic: 1, double_click: 1 })],
        }),
      );
      const sum = {
        records: 10,
        invalid: 2,
        too_late: 0,
        duplicate: 1,
        invalid_traffic: 1,
        double_click: 1,
        bot: 1,
        billable: 4,
      };
      expect(await store.ledger()).toEqual(sum);
      expect(await store.ledger(ALWAYS)).toEqual(sum);
      expect(await store.ledger({ fromMs: START_MS, toMs: START_MS + MINUTE_MS })).toMatchObject({
        records: 6,
        invalid: 0,
        billable: 3,
      });
      const byPartition = await store.ledgerByPartition();
      expect([...byPartition].map(([partition, { records }]) => [partition, records])).toEqual([
        [0, 8],
        [1, 2],
      ]);
    });

    test('positions are replaced by partition', async () => {
      const at = (partition: number, position: number) => ({
        partition,
        position,
        maxEventTimeMs: START_MS,
        rewindOffset: 0,
        rewindMaxEventTimeMs: START_MS - 1,
      });
      await store.commit(commitOf({ positions: [at(1, 10), at(0, 5)] }));
      await store.commit(commitOf({ positions: [at(1, 20)] }));
      expect((await store.state()).positions).toEqual([at(0, 5), at(1, 20)]);
    });

    test('dead letters keep their bytes, are filtered, withdrawn and written again', async () => {
      const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
      const invalid = deadLetter({
        partition: 1,
        offset: 9_007_199_254_740_991,
        value: bytes,
        valueBytes: 5_000_000_000,
        key: new Uint8Array(),
        appendTimeMs: START_MS,
      });
      const bot = deadLetter({
        partition: 0,
        offset: 2,
        verdict: 'bot',
        reason: 'so many clicks',
        eventTimeMs: START_MS,
        clickId: 'c-1',
        adId: 'ä',
        campaignId: 'campaign',
        ipAddress: '::1',
      });
      await store.commit(commitOf({ deadLetters: [invalid, bot] }));
      expect(await store.deadLetters(NO_FILTER)).toEqual([bot, invalid]);
      expect(await store.deadLetters({ ...NO_FILTER, verdict: 'bot' })).toEqual([bot]);
      expect(await store.deadLetters({ ...NO_FILTER, reason: "o'r 1=1" })).toEqual([]);
      expect(await store.deadLetters({ ...NO_FILTER, at: [invalid] })).toEqual([invalid]);
      expect(await store.deadLetters({ ...NO_FILTER, limit: 1 })).toEqual([bot]);
      const first = { ...NO_FILTER, after: { partition: -1, offset: -1 } };
      expect(await store.deadLetters(first)).toEqual([bot, invalid]);
      expect(await store.deadLetters({ ...first, after: bot })).toEqual([invalid]);
      expect(await store.deadLetterCounts()).toEqual([
        { verdict: 'bot', reason: '', count: 1 },
        { verdict: 'invalid', reason: 'country', count: 1 },
      ]);
      await store.commit(commitOf({ withdrawn: [bot] }));
      expect(await store.deadLetters(NO_FILTER)).toEqual([invalid]);
      await store.commit(commitOf({ deadLetters: [bot] }));
      await store.markRedriven([invalid], START_MS + 5);
      await reopen();
      expect(await store.deadLetters(NO_FILTER)).toEqual([bot, { ...invalid, redrivenAtMs: START_MS + 5 }]);
    });

    test('invalid traffic is counted by its marks, the rare ones of very many together', async () => {
      const marks = Array.from({ length: 104 }, (_, offset) => {
        const reason = offset < 2 ? 'crawler' : `mark ${1000 - offset}`;
        return deadLetter({ partition: 9, offset, verdict: 'invalid_traffic', reason });
      });
      await store.commit(commitOf({ deadLetters: marks }));
      const [most, rest, ...others] = await store.deadLetterCounts();
      expect(most).toEqual({ verdict: 'invalid_traffic', reason: '', count: 3 });
      expect(rest).toEqual({ verdict: 'invalid_traffic', reason: 'crawler', count: 2 });
      expect(others).toHaveLength(99);
      expect(others.map(({ reason }) => reason)).not.toContain('mark 998');
    });

    test('answers are filtered, grouped, ordered and cut as asked', async () => {
      const hour = 60 * MINUTE_MS;
      await write(
        cell({ clicks: 1 }),
        cell({ clicks: 2, minuteMs: START_MS + MINUTE_MS, country: 'US' }),
        cell({ clicks: 4, minuteMs: START_MS + hour, adId: 'ad-2' }),
        cell({
          clicks: 8,
          minuteMs: START_MS + 24 * hour,
          adId: 'ad-2',
          campaignId: 'campaign-2',
          deviceType: 'tv',
        }),
      );
      const ask = (parts: Partial<TotalsQuery>) => store.query({ ...EVERYTHING, ...parts });
      expect(await ask({ groupBy: ['hour'] })).toEqual([
        { hour: '2026-02-22T10:00:00Z', clicks: 3 },
        { hour: '2026-02-22T11:00:00Z', clicks: 4 },
        { hour: '2026-02-23T10:00:00Z', clicks: 8 },
      ]);
      expect(await ask({ groupBy: ['day', 'ad_id'] })).toEqual([
        { day: '2026-02-22T00:00:00Z', ad_id: 'ad-1', clicks: 3 },
        { day: '2026-02-22T00:00:00Z', ad_id: 'ad-2', clicks: 4 },
        { day: '2026-02-23T00:00:00Z', ad_id: 'ad-2', clicks: 8 },
      ]);
      expect(await ask({ groupBy: ['ad_id'], top: true, limit: 1 })).toEqual([{ ad_id: 'ad-2', clicks: 12 }]);
      expect(await ask({ groupBy: ['device_type', 'country'] })).toEqual([
        { device_type: 'mobile', country: 'DE', clicks: 5 },
        { device_type: 'mobile', country: 'US', clicks: 2 },
        { device_type: 'tv', country: 'DE', clicks: 8 },
      ]);
      expect(
        await ask({ groupBy: ['campaign_id'], fromMs: START_MS, toMs: START_MS + 2 * MINUTE_MS }),
      ).toEqual([{ campaign_id: 'campaign-1', clicks: 3 }]);
      expect(await ask({ countries: ['US', 'XX'], deviceTypes: ['mobile'] })).toEqual([
        {
          minute: '2026-02-22T10:01:00Z',
          ad_id: 'ad-1',
          campaign_id: 'campaign-1',
          country: 'US',
          device_type: 'mobile',
          clicks: 2,
        },
      ]);
      expect(await ask({ adIds: ['ad-2'], campaignIds: ['campaign-1'] })).toHaveLength(1);
      expect(Object.keys((await ask({ limit: 1 }))[0]!)).toEqual([
        'minute',
        'ad_id',
        'campaign_id',
        'country',
        'device_type',
        'clicks',
      ]);
    });

    test(`${greatCommit} cells in one commit, and all of them rewritten`, async () => {
      const cells = Array.from({ length: greatCommit }, (_, i) =>
        cell({
          minuteMs: START_MS + (i % 60) * MINUTE_MS,
          adId: `ad-${Math.floor(i / 60)}`,
          clicks: 1 + (i % 3),
        }),
      );
      await store.commit({ ...commitOf({}), cells: columnsOf(cells) });
      await reopen();
      const rewritten = cells.map((one) => ({ ...one, clicks: one.clicks - 1, rewrite: true }));
      await store.commit({ ...commitOf({}), cells: columnsOf(rewritten) });
      let rows = 0;
      let clicks = 0;
      let last = '';
      for await (const page of store.pages(EVERYTHING)) {
        for (const row of page) {
          rows++;
          clicks += Number(row.clicks);
          const key = `${row.minute} ${row.ad_id}`;
          expect(key > last, `${key} behind ${last}`).toBe(true);
          last = key;
        }
      }
      const kept = rewritten.filter((one) => one.clicks > 0);
      expect([rows, clicks]).toEqual([kept.length, kept.reduce((sum, one) => sum + one.clicks, 0)]);
    });

    test('a snapshot is of one commit and can replace a period', async () => {
      await store.begin({ method: DEFAULT_METHOD, sourceIdentity: 'log 1' });
      await store.commit(
        commitOf({
          cells: [cell({ clicks: 5 }), cell({ minuteMs: START_MS + MINUTE_MS, adId: 'ad-2' })],
          ledger: [
            ledgerChange(0, START_MS, { billable: 5 }),
            ledgerChange(0, START_MS + MINUTE_MS, { billable: 1 }),
          ],
          complete: true,
        }),
      );
      const period = { fromMs: START_MS, toMs: START_MS + MINUTE_MS };
      const before = await store.snapshot(directory, period);
      expect(before.complete).toBe(true);
      expect(before.state).toEqual(await store.state());
      await store.commit(
        commitOf({
          cells: [
            cell({ clicks: 50, rewrite: true }),
            cell({ adId: 'ad-3' }),
            cell({ minuteMs: START_MS + MINUTE_MS, adId: 'ad-4' }),
          ],
          ledger: [
            ledgerChange(0, START_MS, { billable: 46 }),
            ledgerChange(0, START_MS + MINUTE_MS, { billable: 1 }),
          ],
        }),
      );
      const revision: Revision = {
        revision: 1,
        ...period,
        recordedAtMs: START_MS,
        methodHash: 'hash',
        positions: [{ partition: 0, position: 3 }],
        tooLateAdmitted: 2,
        adjustments: [{ campaignId: 'campaign-1', clicks: -46, amount: '-4.60', currency: 'EUR' }],
      };
      const line = { campaignId: 'campaign-1', clicks: -46, pricePerClick: '0.1', amount: '-4.6' };
      const closed = { periodId: 'a period', currency: 'EUR', cause: 'backfill revision 1' };
      const adjustments = [{ ...line, ...closed, recordedAtMs: START_MS }];
      await store.replacePeriod({ ...period, ...before, revision, adjustments });
      expect((await totals()).map(([, ad, clicks]) => [ad, clicks])).toEqual([
        ['ad-1', 5],
        ['ad-2', 1],
        ['ad-4', 1],
      ]);
      expect(await store.ledger()).toMatchObject({ billable: 7 });
      expect(await store.revisions()).toEqual([revision]);
      expect((await store.snapshot(directory, ALWAYS)).complete).toBe(false);
      expect(await store.adjustments()).toEqual(adjustments);
      await expect(store.replacePeriod({ ...period, ...before, revision, adjustments })).rejects.toThrow(
        /another backfill/,
      );
      expect(await store.adjustments(), 'refused as a whole').toEqual(adjustments);
      await write(cell({ adId: 'ad-5', minuteMs: START_MS + MINUTE_MS }), cell({ clicks: 6, rewrite: true }));
      expect((await totals()).map(([, ad, clicks]) => [ad, clicks])).toContainEqual(['ad-1', 6]);
    });

    test('a period is closed once, and its adjustments are kept in their order', async () => {
      const line = { campaignId: 'ä', clicks: 3, pricePerClick: '0.1', amount: '0.3000', currency: 'EUR' };
      const period = {
        periodId: '2026-02-01T00:00Z/2026-03-01T00:00Z',
        fromMs: START_MS,
        toMs: START_MS + 10 * MINUTE_MS,
        closedAtMs: START_MS + 1,
        methodHash: 'hash',
        lines: [line, { ...line, campaignId: 'b' }],
      };
      await store.closePeriod(period);
      const overlapping = {
        ...period,
        periodId: 'other',
        fromMs: START_MS + MINUTE_MS,
        toMs: START_MS + 90 * MINUTE_MS,
      };
      await expect(store.closePeriod(overlapping)).rejects.toThrow(/overlaps/);
      await store.closePeriod({ ...overlapping, fromMs: period.toMs, lines: [] });
      const adjustment = { ...line, periodId: period.periodId, cause: 'late clicks', recordedAtMs: START_MS };
      await store.addAdjustments([adjustment, { ...adjustment, clicks: -1, amount: '-0.1' }]);
      await store.addAdjustments([{ ...adjustment, cause: 'backfill revision 1' }]);
      await reopen();
      expect((await store.closedPeriods()).map(({ periodId }) => periodId)).toEqual([
        period.periodId,
        'other',
      ]);
      expect((await store.closedPeriods())[0]).toEqual(period);
      expect((await store.adjustments()).map(({ clicks, cause }) => [clicks, cause])).toEqual([
        [3, 'late clicks'],
        [-1, 'late clicks'],
        [3, 'backfill revision 1'],
      ]);
    });

    test('reading goes on while commits are made, and each answer is of one commit', async () => {
      const commits = Array.from({ length: 20 }, (_, i) =>
        store.commit(
          commitOf({
            cells: [cell({ adId: `ad-${i}`, clicks: 2 }), cell({ adId: `twin-${i}`, clicks: 2 })],
            ledger: [ledgerChange(0, START_MS, { billable: 4 })],
          }),
        ),
      );
      const answers: number[] = [];
      while (answers.at(-1) !== 20) {
        const rows = await store.query(EVERYTHING);
        expect(rows.length % 2).toBe(0);
        answers.push(rows.length / 2);
      }
      await Promise.all(commits);
      expect(answers).toEqual([...answers].sort((a, b) => a - b));
    });
  });
}
