// The one writer: whose store it is, commits in turn, and what becomes of a commit whose answer was lost.
import type pg from 'pg';
import type { Commit } from '../../core/ports/commit.js';
import { FencedError, invariant } from '../../errors.js';
import { applyCommit, STAGES, stageCells } from './commit.js';
import { type Connections, LOCK_WRITERS } from './connections.js';
import { isPassing, sqlStateOf } from './server-errors.js';
import { connectWriter, inTransaction, rowsOf } from './session.js';

const INSUFFICIENT_PRIVILEGE = '42501';

/** A paused owner may sit in the middle of a commit: its connection is ended, and with it its transaction. */
const END_OWNER = `
  SELECT pg_terminate_backend(pid) FROM writer JOIN pg_stat_activity AS a
    ON a.pid = writer.backend AND a.backend_start = writer.backend_start
  WHERE pid <> pg_backend_pid()`;
const MY_BACKEND = `backend = pg_backend_pid(),
  backend_start = (SELECT a.backend_start FROM pg_stat_activity AS a WHERE pid = pg_backend_pid())`;
const TAKE_OVER = `UPDATE writer SET epoch = epoch + 1, ${MY_BACKEND} RETURNING epoch, commits`;
/** By another connection than before. */
const CLAIM = `UPDATE writer SET ${MY_BACKEND} WHERE epoch = $1`;
const COUNT_COMMIT = 'UPDATE writer SET commits = $1, complete = $2';

export class Writer {
  private client: pg.Client | undefined;
  private turn: Promise<unknown> = Promise.resolve();
  private closed = false;
  private epoch = 0;
  private commits = 0;
  private isOwner = false;

  private constructor(private readonly connections: Connections) {}

  /** Connects. Who opens the store and does not take it over may write until another one does. */
  static async open(connections: Connections): Promise<Writer> {
    const writer = new Writer(connections);
    await connections.explained(writer.look());
    return writer;
  }

  private async look(): Promise<void> {
    const client = await this.session();
    const [[epoch, commits] = []] = await rowsOf(client, 'SELECT epoch, commits FROM writer');
    this.epoch = Number(epoch);
    this.commits = Number(commits);
  }

  /** Makes this the store's only writer; gives its epoch. */
  takeOver(): Promise<number> {
    return this.inTurn(() =>
      this.persistently(async (client) => {
        await endOwner(client);
        const [[epoch, commits] = []] = await rowsOf(client, TAKE_OVER);
        this.epoch = Number(epoch);
        this.commits = Number(commits);
        this.isOwner = true;
        return this.epoch;
      }),
    );
  }

  /** Runs `work`, which does the same when it is done again, in a transaction of the owner. FencedError. */
  write(work: (client: pg.ClientBase) => Promise<void>): Promise<void> {
    return this.inTurn(() =>
      this.persistently((client) =>
        inTransaction(client, 'write', async () => {
          await this.lock(client);
          await work(client);
        }),
      ),
    );
  }

  /** Makes a commit, exactly once, however often the connection is lost meanwhile. FencedError: another one owns the store. */
  commit(commit: Commit): Promise<void> {
    return this.inTurn(async () => {
      const number = commit.number ?? this.commits + 1;
      if (number <= this.commits) return;
      await this.persistently((client, attempt) =>
        inTransaction(client, 'write', async () => {
          const staged = await stageCells(client, commit.cells);
          const commits = await this.lock(client);
          // The connection was lost between the server's COMMIT and its answer.
          if (attempt > 0 && commits === number) return;
          if (commits !== this.commits) throw new FencedError();
          await applyCommit(client, commit, staged);
          await client.query(COUNT_COMMIT, [number, commit.complete]);
        }),
      );
      this.commits = number;
    });
  }

  /** Waits for other writers and keeps them out until the transaction ends; gives the commits made so far. */
  private async lock(client: pg.ClientBase): Promise<number> {
    const [[epoch, commits] = []] = await rowsOf(client, LOCK_WRITERS);
    if (Number(epoch) !== this.epoch) throw new FencedError();
    return Number(commits);
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    invariant(!this.closed, 'the store is used after it was closed');
    const result = this.turn.then(work);
    this.turn = Promise.allSettled([result]);
    return result;
  }

  private persistently<T>(work: (client: pg.Client, attempt: number) => Promise<T>): Promise<T> {
    return this.connections.persistently(async (attempt) => {
      try {
        return await work(await this.session(), attempt);
      } catch (error) {
        if (isPassing(error)) this.forget();
        throw error;
      }
    });
  }

  private async session(): Promise<pg.Client> {
    if (this.client) return this.client;
    const client = await connectWriter(this.connections.address);
    try {
      await client.query(STAGES);
      if (this.isOwner) await client.query(CLAIM, [this.epoch]);
    } catch (error) {
      await client.end();
      throw error;
    }
    this.client = client;
    return client;
  }

  /** Not waited for: the other side may be gone. */
  private forget(): void {
    const { client } = this;
    this.client = undefined;
    void Promise.allSettled([client?.end()]);
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.turn;
    await this.client?.end();
  }
}

/** Where the owner is another user's, the server ends its transaction after a while by itself. */
async function endOwner(client: pg.ClientBase): Promise<void> {
  try {
    await client.query(END_OWNER);
  } catch (error) {
    if (sqlStateOf(error) !== INSUFFICIENT_PRIVILEGE) throw error;
  }
}
