// The local server of a living `run`: DuckDB lets one process have the file, so whoever wants to read the totals
// meanwhile asks here. Only this machine can connect, and only who can read run.json may ask.
import { timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { LiveStatus } from '../core/live-status.js';
import type { StoreBooks } from '../core/ports/books.js';
import type { Store, TotalsQuery } from '../core/ports/store.js';
import { UserError } from '../errors.js';
import type { Announcer } from './announcer.js';
import { newToken, removeRunFile, writeRunFile } from './run-file.js';
import { messageText } from './run-message.js';
import { decode, encode, METHODS, type MethodName, wireError } from './wire.js';

/** Longest question: the lines of a hundred thousand campaigns fit. */
const QUESTION_BYTES_MAX = 64 * 1_048_576;
/** Questions that are answered at a time; others wait. */
const ANSWERS_MAX = 8;
const WAITING_MAX = 256;
/** Those who hear every commit, at a time. */
const LISTENERS_MAX = 64;
/** Who reads an answer slower than this is cut off when the run ends. */
const ENDING_WAIT_MS = 3_000;

export interface LiveServerOptions {
  store: Store & StoreBooks;
  status(): LiveStatus;
  /** Makes a complete commit, so that a snapshot holds everything that was counted. */
  beforeSnapshot(): Promise<void>;
  /** Says what each commit changed, to those who ask for `messages`; absent: nobody is told. */
  announcer?: Announcer;
  dataDir: string;
}

export interface LiveServer {
  readonly port: number;
  /** Removes run.json, lets the answers under way end, and stops. */
  close(): Promise<void>;
}

/** Starts the server on a free port of 127.0.0.1 and writes run.json. */
export async function startLiveServer(options: LiveServerOptions): Promise<LiveServer> {
  const token = newToken();
  const listeners = new Listeners(options.announcer);
  const asked = { ...options, token, listeners, inTurn: limiter() };
  const server = createServer((request, response) => {
    answer(asked, request, response).catch((error: unknown) => {
      // The one who asked has gone, or the answer broke off half-way: cut it, so that it isn't taken for whole.
      response.destroy(error instanceof Error ? error : undefined);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  // Nobody should have to wait for this server to let the process end.
  server.unref();
  writeRunFile(options.dataDir, { pid: process.pid, port, token });
  return {
    port,
    async close() {
      removeRunFile(options.dataDir, token);
      listeners.end();
      await stop(server);
    },
  };
}

async function stop(server: Server): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  server.closeIdleConnections();
  const cutOff = setTimeout(() => server.closeAllConnections(), ENDING_WAIT_MS);
  await closed;
  clearTimeout(cutOff);
}

interface Asked extends LiveServerOptions {
  token: string;
  listeners: Listeners;
  inTurn: <T>(work: () => Promise<T>) => Promise<T>;
}

async function answer(options: Asked, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { token, inTurn, listeners } = options;
  // No connection is kept, so that closing never waits for one.
  response.setHeader('connection', 'close');
  response.setHeader('content-type', 'application/json');
  if (!isAllowed(request, token)) {
    response.writeHead(401).end('{}');
    return;
  }
  try {
    const question = decode(await bodyOf(request));
    const { method, args } = question as { method: unknown; args: unknown };
    if (method === 'status') {
      // Not in turn: that it lives must show even while it is busy.
      response.end(encode(options.status()));
      return;
    }
    if (method === 'messages') {
      listeners.add(response);
      return;
    }
    if (method === 'pages') {
      await inTurn(() => answerPages(options, (args as [TotalsQuery])[0], response));
      return;
    }
    if (method === 'commitAll') {
      response.end(encode(await inTurn(options.beforeSnapshot)));
      return;
    }
    const name = METHODS.find((known) => known === method);
    if (!name || !Array.isArray(args)) throw new UserError('a question this run does not know');
    response.end(encode(await inTurn(() => call(options, name, args))));
  } catch (error) {
    if (response.headersSent) throw error;
    response.writeHead(500).end(encode(wireError(error)));
  }
}

async function call(options: LiveServerOptions, name: MethodName, args: unknown[]): Promise<unknown> {
  if (name === 'snapshot') await options.beforeSnapshot();
  const method = options.store[name] as (...args: unknown[]) => Promise<unknown>;
  return await method.apply(options.store, args);
}

/** A line for each page, and `end` behind the last: an answer without it broke off. */
async function answerPages(
  { store }: LiveServerOptions,
  query: TotalsQuery,
  response: ServerResponse,
): Promise<void> {
  for await (const page of store.pages(query)) {
    if (response.destroyed) return;
    if (!response.write(`${JSON.stringify(page)}\n`)) await drained(response);
  }
  response.end('"end"\n');
}

/** Those who hear what the run says, a message a line, until one of the two ends. */
class Listeners {
  private readonly responses = new Set<ServerResponse>();

  constructor(private readonly announcer: Announcer | undefined) {}

  add(response: ServerResponse): void {
    if (!this.announcer) throw new UserError('a question this run does not know');
    if (this.responses.size >= LISTENERS_MAX) throw new UserError('too many listen to the run at a time');
    this.responses.add(response);
    // The headers go at once: whoever waits for them knows then that it hears every commit.
    response.flushHeaders();
    let missed = false;
    const deaf = this.announcer.listen((text) => {
      // Whoever reads slower than the run commits is told so, and never holds memory of the run.
      if (response.writableNeedDrain) missed = true;
      else response.write(`${text}\n`);
    });
    response.on('drain', () => {
      if (missed) response.write(`${messageText({ kind: 'missed' })}\n`);
      missed = false;
    });
    response.on('close', () => {
      deaf();
      this.responses.delete(response);
    });
  }

  end(): void {
    for (const response of this.responses) response.end();
  }
}

async function drained(response: ServerResponse): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = (): void => {
      response.off('drain', done).off('close', done);
      resolve();
    };
    response.on('drain', done).on('close', done);
  });
}

function isAllowed(request: IncomingMessage, token: string): boolean {
  const shown = Buffer.from(request.headers.authorization ?? '');
  const wanted = Buffer.from(`Bearer ${token}`);
  return request.method === 'POST' && shown.length === wanted.length && timingSafeEqual(shown, wanted);
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of request) {
    bytes += (piece as Buffer).length;
    if (bytes > QUESTION_BYTES_MAX) throw new UserError('the question is too long for the run');
    pieces.push(piece as Buffer);
  }
  return Buffer.concat(pieces).toString('utf8');
}

/** Lets a few run at a time. */
function limiter(): <T>(work: () => Promise<T>) => Promise<T> {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (running >= ANSWERS_MAX) {
      if (waiting.length >= WAITING_MAX) throw new UserError('the run is asked too much at a time');
      await new Promise<void>((resolve) => waiting.push(resolve));
    } else {
      running++;
    }
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else running--;
    }
  };
}
