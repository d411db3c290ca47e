// The connections to one cluster, and how long its nodes are waited for. All statements are such that doing them
// twice is doing them once; the one that is not, the swap of the head, looks afterwards what it did.
import cassandra from 'cassandra-driver';
import { GONE_WAIT_MS, type Insistence, insistently, type Notice } from '../../insist.js';
import type { Address, Consistency } from './address.js';
import { passing, serverError } from './server-errors.js';

/** So long anybody waits for nodes that are there and answer too late. */
const BUSY_WAIT_MS = 30_000;

const CONNECT_MS = 10_000;
/** Longer than the nodes themselves wait for each other: what they say is better than silence. */
const ANSWER_MS = 25_000;
const RECONNECT_MS = { first: 200, max: 5_000 };

const LEVELS = cassandra.types.consistencies;
/** What reads and writes ask for, and the register, which one node after the other must agree on. */
const CONSISTENCY: Readonly<Record<Consistency, { rows: number; register: number }>> = {
  local_quorum: { rows: LEVELS.localQuorum, register: LEVELS.localSerial },
  quorum: { rows: LEVELS.quorum, register: LEVELS.serial },
  one: { rows: LEVELS.localOne, register: LEVELS.localSerial },
};

export interface ClusterOptions {
  /** Waits for nodes that are gone, since the one who asks will live on. */
  patient: boolean;
  /** Told in one line when the nodes are waited for. */
  onWait?: ((line: string) => void) | undefined;
  /** Aborted: whoever waits has waited long enough. */
  signal?: AbortSignal | undefined;
}

export interface Statement {
  query: string;
  params: readonly unknown[];
}

export type Row = Readonly<Record<string, unknown>>;

export interface Page {
  rows: Row[];
  /** Where the next page begins; undefined: there is none. */
  next: string | undefined;
}

export class Cluster {
  private readonly notice: Notice = { given: false };
  private readonly closing = new AbortController();

  private constructor(
    readonly address: Address,
    /** The one whose nodes are asked. */
    readonly datacenter: string,
    private readonly client: cassandra.Client,
    private readonly options: ClusterOptions,
  ) {}

  /** Connects; `waits`: the nodes may be starting just now. UserError: they can't be used, and why. */
  static async connect(address: Address, options: ClusterOptions, waits = false): Promise<Cluster> {
    const how = insistence(address, { ...options, patient: waits });
    return await insistently({ ...how, notice: { given: false } }, async () => {
      const datacenter = address.datacenter ?? (await datacenterOf(address));
      const client = new cassandra.Client({ ...clientOptions(address), localDataCenter: datacenter });
      try {
        await client.connect();
      } catch (error) {
        await client.shutdown();
        throw error;
      }
      return new Cluster(address, datacenter, client, options);
    });
  }

  /** Nodes of the data center. */
  get nodes(): number {
    return this.client.hosts.values().filter(({ datacenter }) => datacenter === this.datacenter).length;
  }

  /** A statement that is not asked for often, or makes tables. */
  async run(query: string, params: readonly unknown[] = []): Promise<Row[]> {
    return await this.persistently(async () => {
      const how = { ...this.rowOptions, prepare: params.length > 0 };
      const { rows } = await this.client.execute(query, [...params], how);
      return rows ?? [];
    });
  }

  /** Writes one row with a version. */
  async write({ query, params }: Statement, version: number): Promise<void> {
    await this.persistently(() =>
      this.client.execute(query, [...params], {
        ...this.rowOptions,
        timestamp: cassandra.types.Long.fromNumber(version),
      }),
    );
  }

  /** The first node of ours that keeps a partition, by the values of its key; undefined: nobody knows. */
  nodeOf(partition: readonly (string | number)[]): string | undefined {
    const [first, ...others] = this.client.hosts.values();
    if (others.length === 0) return first?.address;
    const replicas = this.client.getReplicas(this.address.keyspace, routingKey(partition)) as
      | cassandra.Host[]
      | null
      | undefined;
    return replicas?.find(({ datacenter }) => datacenter === this.datacenter)?.address;
  }

  /** Writes rows with a version: those of one partition all or none, of several perhaps some where it fails. */
  async writeTogether(statements: readonly Statement[], version: number): Promise<void> {
    if (statements.length === 1) return await this.write(statements[0]!, version);
    const batch = statements.map(({ query, params }) => ({ query, params: [...params] }));
    const timestamp = cassandra.types.Long.fromNumber(version);
    await this.persistently(() => this.client.batch(batch, { ...this.rowOptions, logged: false, timestamp }));
  }

  /** A page of an answer; `from` is where the page before ended. */
  async page({ query, params }: Statement, rowsMax: number, from: string | undefined): Promise<Page> {
    return await this.persistently(async () => {
      const how = {
        ...this.rowOptions,
        fetchSize: rowsMax,
        ...(from === undefined ? {} : { pageState: from }),
      };
      const { rows, pageState } = await this.client.execute(query, [...params], how);
      return { rows, next: (pageState as string | null) ?? undefined };
    });
  }

  /** The register as it is now, whatever is under way. */
  async readRegister({ query, params }: Statement): Promise<Row | undefined> {
    return await this.persistently(async () => {
      const consistency = CONSISTENCY[this.address.consistency].register;
      const how = { prepare: true, isIdempotent: true, consistency };
      return (await this.client.execute(query, [...params], how)).rows[0];
    });
  }

  /** Tries a conditional statement once; whether it applied. Where the answer is lost, nobody knows: the error tells. */
  async tryOnce({ query, params }: Statement): Promise<boolean> {
    const { rows, register } = CONSISTENCY[this.address.consistency];
    const how = { prepare: true, isIdempotent: false, consistency: rows, serialConsistency: register };
    return (await this.client.execute(query, [...params], how)).wasApplied();
  }

  /** Does `work`, again and again while what stops it may pass. */
  async persistently<T>(work: () => Promise<T>): Promise<T> {
    const { address, options, notice, closing } = this;
    return await insistently({ ...insistence(address, options), notice, closing: closing.signal }, work);
  }

  /** An error as a UserError, if it is one of the cluster's. */
  explained(error: unknown): unknown {
    return serverError(error, this.address);
  }

  async close(): Promise<void> {
    this.closing.abort();
    await this.client.shutdown();
  }

  private get rowOptions(): { prepare: boolean; isIdempotent: boolean; consistency: number } {
    const { rows } = CONSISTENCY[this.address.consistency];
    return { prepare: true, isIdempotent: true, consistency: rows };
  }
}

/** How the nodes at an address are waited for. */
function insistence(
  address: Address,
  { patient, onWait, signal }: ClusterOptions,
): Omit<Insistence, 'notice'> {
  return {
    patienceMs(error) {
      const reason = passing(error);
      if (reason === undefined) return undefined;
      if (patient) return GONE_WAIT_MS;
      return reason === 'busy' ? BUSY_WAIT_MS : 0;
    },
    explained: (error) => serverError(error, address),
    ...{ onWait, signal },
  };
}

/** A partition's key of several columns as the nodes hash it: each value with its length before and a 0 behind. */
function routingKey(partition: readonly (string | number)[]): Buffer {
  const pieces = partition.flatMap((value) => {
    const bytes = typeof value === 'string' ? Buffer.from(value) : Buffer.alloc(4);
    if (typeof value === 'number') bytes.writeInt32BE(value);
    const length = Buffer.alloc(2);
    length.writeUInt16BE(bytes.length);
    return [length, bytes, Buffer.alloc(1)];
  });
  return Buffer.concat(pieces);
}

function clientOptions({ contactPoints, credentials, tls }: Address): cassandra.DseClientOptions {
  return {
    contactPoints: [...contactPoints],
    ...(credentials ? { credentials } : {}),
    ...(tls ? { sslOptions: tls } : {}),
    applicationName: 'click-agg',
    monitorReporting: { enabled: false },
    socketOptions: { connectTimeout: CONNECT_MS, readTimeout: ANSWER_MS },
    policies: {
      reconnection: new cassandra.policies.reconnection.ExponentialReconnectionPolicy(
        ...[RECONNECT_MS.first, RECONNECT_MS.max],
      ),
    },
  };
}

/** The data center of the first node that answers. */
async function datacenterOf(address: Address): Promise<string> {
  const client = new cassandra.Client({
    ...clientOptions(address),
    // It asks whoever is there, and no schema.
    isMetadataSyncEnabled: false,
    policies: { loadBalancing: new cassandra.policies.loadBalancing.RoundRobinPolicy() },
  });
  try {
    await client.connect();
    const { rows } = await client.execute('SELECT data_center FROM system.local');
    return rows[0]!.data_center as string;
  } finally {
    await client.shutdown();
  }
}
