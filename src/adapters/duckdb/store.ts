// The store in one DuckDB file. `openStore` is its one writer: commits wait for each other, reads don't wait for
// commits. What is hot here is `commit`; see commit.ts and columns.ts for how it leaves the JavaScript thread
// to the engine.
import type { Method } from '../../core/method.js';
import { methodHash } from '../../core/method-hash.js';
import type { StoreBooks } from '../../core/ports/books.js';
import type { LetterOutbox } from '../../core/ports/letters.js';
import type { Store, StoreReader } from '../../core/ports/store.js';
import { invariant, UserError } from '../../errors.js';
import { type BooksReader, createBooks, createBooksReader } from './books.js';
import { type CommitNumbers, stageCommit } from './commit.js';
import { Dictionary } from './dictionary.js';
import { openFile, type StoreFile } from './file.js';
import { FreshLetters } from './fresh-letters.js';
import { createOutbox, nextArrival } from './letter-outbox.js';
import type { DuckDBConnection } from './node-api.js';
import { createReader } from './reader.js';
import { hasTables, prepareForWriting, STAGES } from './schema.js';
import { numberOf } from './sql.js';

/** Makes the statements of a transaction, then runs it; what goes wrong undoes all of it. */
async function inTransaction<T>(
  connection: DuckDBConnection,
  work: (connection: DuckDBConnection) => Promise<T>,
): Promise<T> {
  await connection.run('BEGIN');
  try {
    const result = await work(connection);
    await connection.run('COMMIT');
    return result;
  } catch (error) {
    await rollBack(connection);
    throw error;
  }
}

/** A failed COMMIT has already ended the transaction; a file that can't be used any more can't roll back. */
async function rollBack(connection: DuckDBConnection): Promise<void> {
  try {
    await connection.run('ROLLBACK');
  } catch (error) {
    invariant(error instanceof Error, 'an error');
  }
}

/**
 * Opens the store at `path` for writing, making it if there is none. UserError: another process has it open, it
 * is from a newer version or no store, or the disk won't have it.
 */
export async function openStore(path: string): Promise<Store & StoreBooks & LetterOutbox> {
  const file = await openFile(path, 'READ_WRITE');
  try {
    const connection = await file.connect();
    await file.explained(prepareForWriting(connection, path));
    const next = { commit: (await commitsOf(connection)) + 1, arrival: await nextArrival(connection) };
    return writer(file, connection, next);
  } catch (error) {
    file.closeSync();
    throw error;
  }
}

function writer(
  file: StoreFile,
  connection: DuckDBConnection,
  next: CommitNumbers,
): Store & StoreBooks & LetterOutbox {
  const dictionary = new Dictionary(connection);
  const fresh = new FreshLetters();
  let turn: Promise<unknown> = Promise.resolve();
  let closed = false;
  let failed = false;
  /** One writer's work at a time; whoever fails makes the dictionary be read again. */
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    invariant(!closed, 'the store is used after it was closed');
    const result = turn.then(() => file.explained(work()));
    turn = result.catch(() => {
      failed = true;
      dictionary.forget();
    });
    return result;
  };
  const transact = <T>(work: (connection: DuckDBConnection) => Promise<T>): Promise<T> =>
    inTurn(() => inTransaction(connection, work));
  return {
    ...createReader(file),
    ...createBooks(file, transact, () => dictionary.forget()),
    ...createOutbox(file, transact, fresh),
    takeOver: () => transact(takeOver),
    begin: (identity) => transact(() => recordIdentity(connection, identity)),
    commit: (commit) =>
      inTurn(async () => {
        const numbers = { ...next, commit: commit.number ?? next.commit };
        if (numbers.commit < next.commit) return;
        try {
          const statements = await stageCommit(connection, commit, dictionary, numbers);
          await inTransaction(connection, () => connection.run(statements));
          next.commit = numbers.commit + 1;
          fresh.add(next.arrival + commit.withdrawn.length, commit.deadLetters);
          next.arrival += commit.withdrawn.length + commit.deadLetters.length;
        } finally {
          await clearStages(connection);
        }
      }),
    async close() {
      if (closed) return;
      const last = turn;
      closed = true;
      await last;
      try {
        // Folds the write-ahead log into the file. Not after a failure: that was told, and may have left no
        // file to fold into; what was committed is read from the log again.
        if (!failed) await file.explained(connection.run('CHECKPOINT'));
      } finally {
        connection.closeSync();
        file.closeSync();
      }
    },
  };
}

async function commitsOf(connection: DuckDBConnection): Promise<number> {
  return await numberOf(connection, `SELECT value::BIGINT FROM meta WHERE name = 'commits'`);
}

/** After a failure the file may be unusable, and then so are its temporary tables. */
async function clearStages(connection: DuckDBConnection): Promise<void> {
  try {
    await connection.run(STAGES);
  } catch (error) {
    if (!(error instanceof Error && /invalidated/.test(error.message))) throw error;
  }
}

/** A file has one writer anyway: its epoch only counts how often it got one. */
async function takeOver(connection: DuckDBConnection): Promise<number> {
  const before = await numberOf(connection, `SELECT max(value::BIGINT) FROM meta WHERE name = 'epoch'`);
  await connection.run(`DELETE FROM meta WHERE name = 'epoch'`);
  await connection.run(`INSERT INTO meta VALUES ('epoch', $1)`, [String(before + 1)]);
  return before + 1;
}

async function recordIdentity(
  connection: DuckDBConnection,
  { method, sourceIdentity }: { method: Method; sourceIdentity: string },
): Promise<void> {
  await connection.run(`DELETE FROM meta WHERE name IN ('method', 'method_hash', 'source_identity')`);
  await connection.run(
    `INSERT INTO meta VALUES ('method', $1), ('method_hash', $2), ('source_identity', $3)`,
    [JSON.stringify(method), methodHash(method), sourceIdentity],
  );
}

/**
 * Opens the store at `path` to read, beside other readers. Waits some seconds while a writer has it. UserError:
 * there is no store, a writer holds on to it, or it is from a newer version.
 */
export async function openStoreReader(path: string): Promise<StoreReader & BooksReader> {
  const file = await openFile(path, 'READ_ONLY');
  try {
    if (!(await file.read((connection) => hasTables(connection, path)))) {
      throw new UserError(`${path} is empty`, { hint: 'Run `click-agg run` first.' });
    }
  } catch (error) {
    file.closeSync();
    throw error;
  }
  return { ...createReader(file), ...createBooksReader(file), close: async () => file.closeSync() };
}
