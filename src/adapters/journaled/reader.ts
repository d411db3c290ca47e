// Reading the store: answers by the tables that are made for them, the ledger, dead letters, and where it stands.
import { methodHash } from '../../core/method-hash.js';
import type { Standing, StoredState } from '../../core/ports/commit.js';
import type { StoreReader, TotalsQuery, TotalsRow } from '../../core/ports/store.js';
import { unpackOpenPeriods } from '../../core/stored-rows.js';
import { answerOf } from './answer.js';
import { CHECKPOINTS } from './commit.js';
import type { RowDatabase } from './database.js';
import type { HeadState } from './head.js';
import { countsOf, ledgerRows } from './ledger.js';
import { readLetterCounts, readLetters } from './letter-reader.js';
import { allValues, keyOf } from './long-values.js';
import { END_MS } from './places.js';
import { planOf } from './plan.js';
import type { Reading } from './reading.js';

/** Rows of one page of an answer. */
const PAGE_ROWS = 10_000;

export interface ReaderOptions {
  /** Questions that no table is made for are answered by a look at everything. */
  allowScan: boolean;
}

/** Answers of a database. */
export function createReader(
  database: RowDatabase,
  reading: Reading,
  { allowScan }: ReaderOptions,
): Omit<StoreReader, 'close'> {
  const { tables } = database;
  const answered = (query: TotalsQuery): Promise<TotalsRow[]> =>
    reading.read((state) => answerOf(database, query, planOf(query, { tables, state, allowScan })));
  const pages = (query: TotalsQuery): AsyncIterable<TotalsRow[]> =>
    database.answer ? streamed(database, reading, query) : pagesOf(answered(query));
  return {
    state: () => reading.exact((state) => readState(database, state)),
    standing: async () => standingOf(await reading.state()),
    async query(query) {
      if (!database.answer) return await answered(query);
      const rows: TotalsRow[] = [];
      for await (const page of pages(query)) for (const row of page) rows.push(row);
      return rows;
    },
    pages,
    async ledger({ fromMs, toMs } = { fromMs: undefined, toMs: undefined }) {
      if (fromMs === undefined && toMs === undefined) {
        const { ledger } = await reading.state();
        return countsOf(ledger.map(({ counts }) => counts));
      }
      const period = { fromMs: Math.max(0, fromMs ?? 0), toMs: Math.min(END_MS, toMs ?? END_MS) };
      return await reading.read(async (state) => {
        const rows = [];
        for await (const { counts } of ledgerRows(database, state, period)) rows.push(counts);
        return countsOf(rows);
      });
    },
    async ledgerByPartition() {
      const { ledger } = await reading.state();
      return new Map(ledger.map(({ partition, counts }) => [partition, countsOf([counts])]));
    },
    deadLetters: (filter) => reading.read((state) => readLetters(database, state, filter)),
    deadLetterCounts: () => reading.read(() => readLetterCounts(database)),
  };
}

async function* pagesOf(answer: Promise<TotalsRow[]>): AsyncGenerator<TotalsRow[]> {
  const rows = await answer;
  for (let from = 0; from < rows.length; from += PAGE_ROWS) yield rows.slice(from, from + PAGE_ROWS);
}

/** The database's own answer. It is of the moment in which it began: if the head is the same then, it is of one commit. */
async function* streamed(
  database: RowDatabase,
  reading: Reading,
  query: TotalsQuery,
): AsyncGenerator<TotalsRow[]> {
  let pages: AsyncIterator<TotalsRow[]> | undefined;
  try {
    const first = await reading.read(async () => {
      await pages?.return?.();
      pages = database.answer!(query)[Symbol.asyncIterator]();
      return await pages.next();
    });
    for (let page = first; !page.done; page = await pages!.next()) yield page.value;
  } finally {
    await pages?.return?.();
  }
}

/** How far the store has counted and how. */
export function standingOf({ positions, identity, commits }: HeadState): Standing {
  return {
    positions,
    method: identity?.method,
    methodHash: identity && methodHash(identity.method),
    sourceIdentity: identity?.sourceIdentity,
    commits,
  };
}

/** What the store knows when a run starts. */
export async function readState(database: RowDatabase, state: HeadState): Promise<StoredState> {
  const { checkpoint } = state;
  return {
    ...standingOf(state),
    checkpoint: checkpoint && {
      floorMs: checkpoint.floorMs,
      openPeriods: unpackOpenPeriods(await openPeriodsOf(database, checkpoint.number)),
    },
  };
}

async function openPeriodsOf(database: RowDatabase, number: number): Promise<Uint8Array> {
  const range = { after: keyOf(number), through: `${keyOf(number)}/9999` };
  for await (const { value } of allValues(database, CHECKPOINTS, range)) return value;
  return new Uint8Array();
}
