// A whole store out of a database that keeps rows: for its one writer, for those who only read, and for those who keep the
// books beside a living run.
import type { StoreBooks } from '../../core/ports/books.js';
import type { LetterOutbox } from '../../core/ports/letters.js';
import type { Store, StoreReader } from '../../core/ports/store.js';
import { createAudit } from './audit.js';
import {
  planAdjustments,
  planClosing,
  planRedriven,
  readAdjustments,
  readClosedPeriods,
  readRevisions,
} from './books.js';
import { Memory, planCommit } from './commit.js';
import type { RowDatabase } from './database.js';
import { readHead } from './head.js';
import { readEvents } from './letter-reader.js';
import { createReader } from './reader.js';
import { Reading } from './reading.js';
import { planReplacement } from './replace-period.js';
import { writeSnapshot } from './snapshot.js';
import { Writer, type WriterOptions } from './writer.js';

export interface JournaledOptions {
  /** Questions that no table is made for are answered by a look at everything. */
  allowScan?: boolean | undefined;
  /** So long another writer of the same epoch is given to complete its write before this one does it, ms. */
  patienceMs?: number | undefined;
}

type BooksReader = Pick<StoreBooks, 'audit' | 'snapshot' | 'revisions' | 'closedPeriods' | 'adjustments'>;

/** The store for its one writer, made if there is none; closing it closes the database. UserError: it is of another version. */
export async function openJournaledStore(
  database: RowDatabase,
  options: JournaledOptions = {},
): Promise<Store & StoreBooks & LetterOutbox> {
  return await closedUnless(database, async () => {
    const { writer, memory, reading } = await writing(database, options);
    return {
      ...createReader(database, reading, { allowScan: options.allowScan ?? true }),
      ...createBooks(database, reading, { writer, memory }),
      ...createOutbox(database, reading, writer),
      takeOver: () => writer.takeOver(),
      begin: (identity) => writer.write(async () => ({ head: { identity } })),
      commit: (commit) => writer.write((state) => planCommit(database, memory, commit, state)),
      close: once(async () => {
        await writer.close();
        await database.close();
      }),
    };
  });
}

/** The store to read, beside its writer; undefined where nothing was counted yet: then the database is closed. */
export async function openJournaledReader(
  database: RowDatabase,
  { allowScan = false }: JournaledOptions = {},
): Promise<(StoreReader & BooksReader) | undefined> {
  return await closedUnless(database, async () => {
    if (!(await readHead(database))) return undefined;
    const reading = new Reading(database);
    return {
      ...createReader(database, reading, { allowScan }),
      ...createBooksReader(database, reading),
      close: once(() => database.close()),
    };
  });
}

/** As `openJournaledReader`, to keep the books as well: each of its writes waits for the commit that is under way. */
export async function openJournaledBooks(
  database: RowDatabase,
  options: JournaledOptions = {},
): Promise<(StoreReader & StoreBooks) | undefined> {
  return await closedUnless(database, async () => {
    if (!(await readHead(database))) return undefined;
    const { writer, memory, reading } = await writing(database, options);
    return {
      ...createReader(database, reading, { allowScan: options.allowScan ?? true }),
      ...createBooks(database, reading, { writer, memory }),
      close: once(async () => {
        await writer.close();
        await database.close();
      }),
    };
  });
}

/** The database is closed where opening the store fails, or there is none. */
async function closedUnless<T>(database: RowDatabase, open: () => Promise<T>): Promise<T> {
  const [opened] = await Promise.allSettled([open()]);
  if (opened.status === 'rejected' || opened.value === undefined) await database.close();
  if (opened.status === 'rejected') throw opened.reason;
  return opened.value;
}

function once(close: () => Promise<void>): () => Promise<void> {
  let closing: Promise<void> | undefined;
  return async () => {
    closing ??= close();
    await closing;
  };
}

interface Writing {
  writer: Writer;
  memory: Memory;
}

async function writing(
  database: RowDatabase,
  { patienceMs }: JournaledOptions,
): Promise<Writing & { reading: Reading }> {
  const memory = new Memory(database);
  const options: WriterOptions = { forget: () => memory.forget() };
  if (patienceMs !== undefined) options.patienceMs = patienceMs;
  const writer = await Writer.open(database, options);
  return { writer, memory, reading: new Reading(database, (work) => writer.between(work)) };
}

function createBooksReader(database: RowDatabase, reading: Reading): BooksReader {
  return {
    ...(database.tables.length > 1 ? { audit: createAudit(database, reading) } : {}),
    snapshot: (directory, period) =>
      reading.exact((state) => writeSnapshot(database, state, { directory, period })),
    revisions: () => reading.read((state) => readRevisions(database, state)),
    closedPeriods: () => reading.read((state) => readClosedPeriods(database, state)),
    adjustments: () => reading.read((state) => readAdjustments(database, state)),
  };
}

function createBooks(database: RowDatabase, reading: Reading, { writer, memory }: Writing): StoreBooks {
  return {
    ...createBooksReader(database, reading),
    replacePeriod: (replacement) =>
      writer.write((state) => planReplacement(database, memory, replacement, state), { holding: true }),
    closePeriod: (period) => writer.write((state) => planClosing(database, period, state)),
    addAdjustments: (lines) => writer.write(async (state) => planAdjustments(lines, state)),
    markRedriven: (letters, atMs) => writer.write(() => planRedriven(database, letters, atMs)),
  };
}

function createOutbox(database: RowDatabase, reading: Reading, writer: Writer): LetterOutbox {
  return {
    async letterStream() {
      const { store, letters } = await reading.state();
      return { id: store, ...letters };
    },
    // Events are never changed, and none behind the head's last one is shown: any moment is as good.
    letterEvents: async (after, limit) => readEvents(database, await reading.state(), { after, limit }),
    markPublished: (sequence) =>
      writer.write(async ({ letters }) => ({
        head: { letters: { ...letters, published: Math.trunc(sequence) } },
      })),
  };
}
