// The stores of a storm: the first one, which holds the positions, and perhaps one that follows it, each on a server of
// its own that can be killed. DuckDB has no server: its file is in the data directory that the runs share.
import { type Service, startService } from '../services/service.js';
import { STORE_SERVERS, type StoreName } from '../services/store-servers.js';
import { clickAgg } from './program.js';

/** What can be the first store. */
export const FIRST_STORES = ['postgres', 'duckdb', 'cassandra', 'dynamodb', 'clickhouse'] as const;
export type FirstStore = (typeof FIRST_STORES)[number];

export interface StormStores {
  /** The server of the first store; undefined: it is a file. */
  store: Service | undefined;
  /** The server of the store that follows, where there is one. */
  follower: Service | undefined;
  /** What --store takes, the first store first. */
  places: readonly [string, ...string[]];
  /** What the processes need to speak to them. */
  environment: Record<string, string>;
}

export interface StoresOptions {
  store: FirstStore;
  follower?: StoreName | undefined;
  serverFolder: (name: 'store' | 'follower') => string;
  say: (line: string) => void;
}

/** Starts the servers and makes the stores on them. */
export async function startStores(options: StoresOptions): Promise<StormStores> {
  const { store, follower } = options;
  const first = store === 'duckdb' ? FILE : await startStore(store, options, 'store');
  const second = follower && (await startStore(follower, options, 'follower'));
  const environment = { ...first.environment, ...second?.environment };
  // The proof asks the stores itself: keys of DynamoDB are nowhere but in the environment.
  Object.assign(process.env, environment);
  return {
    ...{ store: first.server, follower: second?.server, environment },
    places: second ? [first.url, second.url] : [first.url],
  };
}

interface Started {
  server: Service | undefined;
  url: string;
  environment: Record<string, string>;
}

const FILE: Started = { server: undefined, url: 'duckdb', environment: {} };

async function startStore(
  name: StoreName,
  { serverFolder, say }: StoresOptions,
  role: 'store' | 'follower',
): Promise<Started> {
  const { part, place } = STORE_SERVERS[name];
  const server = await startService(part, { directory: serverFolder(role), say });
  const { url, environment } = place(server.address);
  const { code, output } = await clickAgg(['store', 'init', '--store', url], environment);
  if (code !== 0) throw new Error(`store init: ${output}`);
  return { server, url, environment };
}
