// A server of the read API over a small store, asked as programs and browsers ask it.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WebSocket } from 'ws';
import { openStore } from '../../src/adapters/duckdb/store.js';
import { DEFAULT_METHOD } from '../../src/core/method.js';
import type { Commit } from '../../src/core/ports/commit.js';
import type { ClientMessage, ServerMessage } from '../../src/serve/api.js';
import { type ServeOptions, type ServeServer, startServe } from '../../src/serve/server.js';
import { tokensBy } from '../../src/serve/tokens.js';
import { commitOf, START_MS, type WrittenCell } from '../contract/commits.js';

export const KEY = 'a key of thirty-two characters or more';

/** What each advertiser owns. */
export const OWNED: Readonly<Record<string, readonly string[]>> = {
  blue: ['blue-1', 'blue-2'],
  red: ['red-1'],
  idle: [],
};

export interface Serving {
  server: ServeServer;
  dataDir: string;
  warnings: string[];
  end(): Promise<void>;
}

/** A server on a data directory of its own, gone with `end`. */
export async function serving(
  options: Partial<ServeOptions> = {},
  commits: readonly Commit[] = [],
): Promise<Serving> {
  const dataDir = mkdtempSync(join(tmpdir(), 'click-agg-serve-'));
  if (commits.length > 0) await commitAll(dataDir, commits);
  const warnings: string[] = [];
  const server = await startServe({
    ...{ host: '127.0.0.1', port: 0, store: { dataDir, store: 'duckdb' }, redis: undefined },
    ...{ tokenKeys: [], publicUrl: undefined, requestsPerMinute: 100_000, webDir: undefined },
    ...{ trustedProxies: undefined, onAnswer: undefined },
    reportFile: join(dataDir, 'reports', 'last.json'),
    campaignsOf: async (advertiserId) => OWNED[advertiserId] ?? [],
    warn: (line) => warnings.push(line),
    ...options,
  });
  return {
    ...{ server, dataDir, warnings },
    async end() {
      await server.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

/** Writes commits as a run would that ends then. */
export async function commitAll(dataDir: string, commits: readonly Commit[]): Promise<void> {
  const store = await openStore(join(dataDir, 'store.duckdb'));
  await store.begin({ method: DEFAULT_METHOD, sourceIdentity: 'log 1' });
  for (const commit of commits) await store.commit(commit);
  await store.close();
}

/** A commit of these cells, as of a watermark at the start of the story. */
export function committed(cells: readonly WrittenCell[], position = 1): Commit {
  return commitOf({
    cells,
    positions: [
      {
        ...{ partition: 0, position, rewindOffset: 0, rewindMaxEventTimeMs: -Infinity },
        maxEventTimeMs: START_MS + DEFAULT_METHOD.watermarkDelayMs,
      },
    ],
    complete: true,
  });
}

/** A token for an advertiser, or an administrator's. */
export function tokenOf(advertiserId: string | undefined, lastsMs = 60_000): Promise<string> {
  return tokensBy([KEY]).issue({ advertiserId, expiresAtMs: Date.now() + lastsMs });
}

export interface Got {
  status: number;
  headers: Headers;
  text: string;
  /** Of JSON. */
  content: unknown;
}

/** GET, with a token if given. */
export async function get(
  { server }: Pick<Serving, 'server'>,
  path: string,
  options: { token?: string; headers?: Record<string, string>; method?: string; body?: string } = {},
): Promise<Got> {
  const { token, headers, ...rest } = options;
  const response = await fetch(`${server.url}${path}`, {
    ...rest,
    headers: { ...(token === undefined ? {} : { authorization: `Bearer ${token}` }), ...headers },
  });
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.startsWith('application/json');
  return {
    ...{ status: response.status, headers: response.headers, text },
    content: isJson ? JSON.parse(text) : undefined,
  };
}

export interface Browser {
  readonly socket: WebSocket;
  /** Everything that the server sent. */
  readonly heard: ServerMessage[];
  /** Code with which the server closed the socket; undefined while it is open. */
  closedWith: number | undefined;
  say(message: ClientMessage): void;
  /** The newest state of a view. */
  state(id: string): unknown;
}

/** A socket on /v1/live that is open, or was refused. */
export async function browser(
  { server }: Pick<Serving, 'server'>,
  headers: Record<string, string> = {},
): Promise<Browser> {
  const socket = new WebSocket(`${server.url.replace('http', 'ws')}/v1/live`, { headers });
  const heard: ServerMessage[] = [];
  const watching: Browser = {
    ...{ socket, heard, closedWith: undefined },
    say: (message) => socket.send(JSON.stringify(message)),
    state(id) {
      const states = heard.filter((message) => message.type === 'state' && message.id === id);
      return (states.at(-1) as { answer: unknown } | undefined)?.answer;
    },
  };
  socket.on('message', (text) => heard.push(JSON.parse(String(text)) as ServerMessage));
  socket.on('close', (code) => {
    watching.closedWith = code;
  });
  await new Promise<void>((resolve, reject) => {
    socket.on('open', resolve);
    socket.on('error', reject);
  });
  return watching;
}
