// Requests to the server over HTTP, and how long they wait for one that went away. Everything that is sent may be sent
// again: rows carry their version.
import { Readable } from 'node:stream';
import { type ClickHouseClient, ClickHouseLogLevel, createClient } from '@clickhouse/client';
import { GONE_WAIT_MS, insistently, type Notice } from '../../insist.js';
import type { Address } from './address.js';
import { isPassing, serverError } from './server-errors.js';

/** A request of which nothing is heard for so long is given up. */
const SILENCE_MS_MAX = 120_000;
const REQUESTS_AT_ONCE = 12;
/** Shorter than any server keeps a connection that nobody uses. */
const IDLE_MS = 2_000;

const SETTINGS = {
  // The text of a head, and lists of ids, stand in the statement.
  max_query_size: '67108864',
  // Numbers as numbers, whatever the server's default is.
  output_format_json_quote_64bit_integers: 0,
  // Inserted is inserted when the answer comes.
  async_insert: 0,
  // Many days in one insert are no mistake here.
  max_partitions_per_insert_block: '0',
} as const;

export interface ConnectionsOptions {
  /** Waits for a server that is gone, since the one who asks will live on. */
  patient: boolean;
  /** Told in one line when the server is gone and waited for. */
  onWait?: ((line: string) => void) | undefined;
  /** Aborted: whoever waits for the server has waited long enough. */
  signal?: AbortSignal | undefined;
}

/** A row of an answer: its columns in order. */
export type Row = readonly unknown[];

export class Connections {
  private readonly client: ClickHouseClient;
  private readonly notice: Notice = { given: false };
  private readonly closing = new AbortController();

  constructor(
    readonly address: Address,
    private readonly options: ConnectionsOptions,
  ) {
    this.client = createClient({
      ...{ url: address.url, username: address.user, password: address.password },
      application: 'click-agg',
      request_timeout: SILENCE_MS_MAX,
      max_open_connections: REQUESTS_AT_ONCE,
      keep_alive: { enabled: true, idle_socket_ttl: IDLE_MS },
      // What goes wrong is thrown; nothing else is to be said on anybody's terminal.
      log: { level: ClickHouseLogLevel.OFF },
    });
  }

  /** All rows that a SELECT gives; it may be given less time than others. */
  ask(sql: string, withinMs?: number): Promise<Row[]> {
    return this.persistently(() => this.askOnce(sql, withinMs));
  }

  /** The same, once: for whoever tries again by itself. Errors are the server's own. */
  async askOnce(sql: string, withinMs?: number): Promise<Row[]> {
    const answer = await this.client.query({
      query: sql,
      format: 'JSONCompactEachRow',
      // An error that is met late comes instead of the answer.
      clickhouse_settings: { ...SETTINGS, wait_end_of_query: 1 },
      ...(withinMs === undefined ? {} : { abort_signal: AbortSignal.timeout(withinMs) }),
    });
    return await answer.json<Row>();
  }

  /** The rows of a SELECT as they come. */
  async *pages(sql: string): AsyncGenerator<Row[]> {
    const answer = await this.persistently(() =>
      this.client.query({ query: sql, format: 'JSONCompactEachRow', clickhouse_settings: SETTINGS }),
    );
    try {
      for await (const rows of answer.stream<Row>()) yield rows.map((row) => row.json<Row>());
    } catch (error) {
      throw serverError(error, this.address);
    } finally {
      answer.close();
    }
  }

  /** Carries out a statement that gives nothing. */
  tell(sql: string): Promise<void> {
    return this.persistently(() => this.tellOnce(sql));
  }

  /** The same, once: for whoever tries again by itself. Errors are the server's own. */
  async tellOnce(sql: string): Promise<void> {
    await this.client.command({ query: sql, clickhouse_settings: SETTINGS });
  }

  /** Inserts rows in the format RowBinary; `into` is a table and its columns. */
  insert(into: string, rows: Uint8Array): Promise<void> {
    return this.persistently(async () => {
      const { stream } = await this.client.exec({
        query: `INSERT INTO ${into} FORMAT RowBinary`,
        values: Readable.from([rows]),
        clickhouse_settings: SETTINGS,
      });
      // An answer says nothing; its end is the end of the request.
      for await (const chunk of stream) chunk satisfies unknown;
    });
  }

  /** Does `work`, again and again while what stops it may pass: once if nobody is patient. */
  async persistently<T>(work: (attempt: number) => Promise<T>): Promise<T> {
    const { address, notice, closing } = this;
    const { patient, onWait, signal } = this.options;
    const how = {
      patienceMs: (error: unknown) => (isPassing(error) ? (patient ? GONE_WAIT_MS : 0) : undefined),
      explained: (error: unknown) => serverError(error, address),
      ...{ notice, onWait, signal, closing: closing.signal },
    };
    return await insistently(how, work);
  }

  async close(): Promise<void> {
    this.closing.abort();
    await this.client.close();
  }
}
