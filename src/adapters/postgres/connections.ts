// The connections of one open store, and how long it waits for a server that went away.
import type pg from 'pg';
import { GONE_WAIT_MS, insistently, type Notice } from '../../insist.js';
import type { Address } from './address.js';
import type { Lease } from './reader.js';
import { isPassing, serverError, sqlStateOf } from './server-errors.js';
import { DURABLE, inTransaction, readers } from './session.js';

/** So long anybody waits for one that says it is starting up. */
const STARTING_WAIT_MS = 30_000;
const STARTING_UP = '57P03';

/** Whoever keeps the books waits so long for a commit that is under way. */
const LOCK_WAIT = '60s';

/** One writer at a time: commits and books take this lock first. */
export const LOCK_WRITERS = 'SELECT epoch, commits FROM writer FOR UPDATE';

export interface ConnectionsOptions {
  /** Waits for a server that is gone, since the one who asks will live on. */
  patient: boolean;
  /** Told in one line when the server is gone and waited for. */
  onWait?: ((line: string) => void) | undefined;
  /** Aborted: whoever waits for the server has waited long enough. */
  signal?: AbortSignal | undefined;
}

export class Connections {
  private readonly pool: pg.Pool;
  private readonly notice: Notice = { given: false };
  private readonly closing = new AbortController();

  constructor(
    readonly address: Address,
    private readonly options: ConnectionsOptions,
  ) {
    this.pool = readers(address);
  }

  /** Runs `work` in a read transaction: everything it sees is of one commit. It may be run again. */
  readonly read = <T>(work: (client: pg.ClientBase) => Promise<T>): Promise<T> =>
    this.persistently(() => this.withClient((client) => inTransaction(client, 'read', work)));

  /** A connection in a read transaction, for answers in pages. */
  readonly lease: Lease = async () => {
    const client = await this.persistently(async () => {
      const leased = await this.pool.connect();
      return await begun(leased);
    });
    return { client, explained: (promise) => this.explained(promise), release: () => ended(client) };
  };

  /** Runs `work` in a write transaction that holds the lock of writers. */
  readonly write = <T>(work: (client: pg.ClientBase) => Promise<T>): Promise<T> =>
    this.explained(
      this.withClient((client) =>
        inTransaction(client, 'write', async () => {
          await client.query(DURABLE);
          await client.query(`SET LOCAL lock_timeout = '${LOCK_WAIT}'`);
          await client.query(`SET LOCAL idle_in_transaction_session_timeout = '${LOCK_WAIT}'`);
          await client.query(LOCK_WRITERS);
          return await work(client);
        }),
      ),
    );

  /** Runs `work`, the first on these connections, outside of a transaction; unless `patient`, only a server that starts up is waited for. */
  atOnce<T>(work: (client: pg.ClientBase) => Promise<T>, patient = false): Promise<T> {
    return this.insistently({ patient }, () => this.withClient(work));
  }

  private async withClient<T>(work: (client: pg.ClientBase) => Promise<T>): Promise<T> {
    const client = await this.pool.connect();
    let failure: unknown;
    try {
      return await work(client);
    } catch (error) {
      failure = error;
      throw error;
    } finally {
      client.release(isPassing(failure));
    }
  }

  /** Waits for a promise; the server's complaints become UserErrors. */
  async explained<T>(promise: Promise<T>): Promise<T> {
    try {
      return await promise;
    } catch (error) {
      throw serverError(error, this.address);
    }
  }

  /** Does `work`, again and again while what stops it may pass: a server that starts, and for the patient one that is gone. */
  persistently<T>(work: (attempt: number) => Promise<T>): Promise<T> {
    return this.insistently(this.options, work);
  }

  private insistently<T>(
    { patient }: Pick<ConnectionsOptions, 'patient'>,
    work: (attempt: number) => Promise<T>,
  ): Promise<T> {
    const { address, notice, closing } = this;
    const { onWait, signal } = this.options;
    const how = {
      patienceMs(error: unknown): number | undefined {
        if (!isPassing(error)) return undefined;
        if (patient) return GONE_WAIT_MS;
        return sqlStateOf(error) === STARTING_UP ? STARTING_WAIT_MS : 0;
      },
      explained: (error: unknown) => serverError(error, address),
      ...{ notice, onWait, signal, closing: closing.signal },
    };
    return insistently(how, work);
  }

  async close(): Promise<void> {
    this.closing.abort();
    await this.pool.end();
  }
}

async function begun(client: pg.PoolClient): Promise<pg.PoolClient> {
  try {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    return client;
  } catch (error) {
    client.release(true);
    throw error;
  }
}

/** Ends the transaction, or, where that fails, the connection with it. */
async function ended(client: pg.PoolClient): Promise<void> {
  const [outcome] = await Promise.allSettled([client.query('ROLLBACK')]);
  client.release(outcome.status === 'rejected');
}
