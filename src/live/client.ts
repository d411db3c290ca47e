// Asks a living `run` what the store would say.
import { type IncomingMessage, request } from 'node:http';
import { createInterface } from 'node:readline';
import type { LiveStatus } from '../core/live-status.js';
import type { StoreBooks } from '../core/ports/books.js';
import type { StoreReader, TotalsRow } from '../core/ports/store.js';
import { UserError } from '../errors.js';
import { isAlive, type RunFile, readRunFile } from './run-file.js';
import { messageOf, type RunMessage } from './run-message.js';
import { decode, encode, errorFromWire, METHODS, type WireError } from './wire.js';

/** A run that lives says so at once, even when it is busy. */
const STATUS_WAIT_MS = 10_000;

/** The store of a living run. */
export interface LiveStore extends StoreReader, StoreBooks {
  readonly live: true;
  status(): Promise<LiveStatus>;
  /** Writes everything that was counted, open minutes too. */
  commitAll(): Promise<void>;
  /** What the run says from now on, until the signal or its end. */
  messages(signal: AbortSignal): Promise<AsyncIterable<RunMessage>>;
}

/** The run that counts into this data directory, or undefined if none lives. */
export async function connectLive(dataDir: string): Promise<LiveStore | undefined> {
  const run = readRunFile(dataDir);
  if (!run || !isAlive(run.pid)) return undefined;
  const live = liveStore(run);
  try {
    await post(run, 'status', [], STATUS_WAIT_MS);
    return live;
  } catch (error) {
    if (error instanceof NobodyThere) return undefined;
    throw error;
  }
}

function liveStore(run: RunFile): LiveStore {
  const methods = METHODS.map((name) => [name, (...args: unknown[]) => post(run, name, args)]);
  return {
    ...(Object.fromEntries(methods) as Omit<StoreReader & StoreBooks, 'pages' | 'close'>),
    live: true,
    pages: (query) => pages(run, query),
    status: () => post(run, 'status', []) as Promise<LiveStatus>,
    commitAll: () => post(run, 'commitAll', []) as Promise<void>,
    messages: (signal) => messages(run, signal),
    async close() {},
  };
}

/** The run of run.json has ended, or another program has its port by now. */
class NobodyThere extends UserError {
  constructor(run: RunFile, cause?: unknown) {
    super(`the run (pid ${run.pid}) has ended`, { hint: 'Ask again.', cause });
  }
}

async function post(run: RunFile, method: string, args: unknown[], waitMs?: number): Promise<unknown> {
  const response = await send(run, method, args, waitMs);
  const pieces: Buffer[] = [];
  try {
    for await (const piece of response) pieces.push(piece as Buffer);
  } catch (error) {
    throw new NobodyThere(run, error);
  }
  const text = Buffer.concat(pieces).toString('utf8');
  if (response.statusCode === 401) throw new NobodyThere(run);
  const content = decode(text);
  if (response.statusCode !== 200) throw errorFromWire(content as WireError);
  return content ?? undefined;
}

async function* pages(run: RunFile, query: unknown): AsyncGenerator<TotalsRow[]> {
  const response = await send(run, 'pages', [query]);
  try {
    if (response.statusCode === 401) throw new NobodyThere(run);
    let ended = false;
    for await (const line of createInterface({ input: response, crlfDelay: Number.POSITIVE_INFINITY })) {
      const content: unknown = JSON.parse(line);
      if (response.statusCode !== 200) throw errorFromWire(decode(line) as WireError);
      ended = content === 'end';
      if (!ended) yield content as TotalsRow[];
    }
    if (!ended) throw new NobodyThere(run);
  } finally {
    response.destroy();
  }
}

/** Resolves when the run has begun to tell. */
async function messages(run: RunFile, signal: AbortSignal): Promise<AsyncIterable<RunMessage>> {
  const response = await send(run, 'messages', []);
  signal.addEventListener('abort', () => response.destroy());
  if (signal.aborted) response.destroy();
  if (response.statusCode === 401) throw new NobodyThere(run);
  if (response.statusCode !== 200) throw errorFromWire((await firstLine(response)) as WireError);
  return messagesOf(response);
}

async function firstLine(response: IncomingMessage): Promise<unknown> {
  for await (const line of createInterface({ input: response })) return decode(line);
  return undefined;
}

async function* messagesOf(response: IncomingMessage): AsyncGenerator<RunMessage> {
  // A run that was killed cuts the line: that is its end, too.
  response.on('error', () => response.destroy());
  try {
    for await (const line of createInterface({ input: response, crlfDelay: Number.POSITIVE_INFINITY })) {
      const message = messageOf(line);
      if (message) yield message;
    }
  } finally {
    response.destroy();
  }
}

function send(run: RunFile, method: string, args: unknown[], waitMs?: number): Promise<IncomingMessage> {
  const body = encode({ method, args });
  return new Promise((resolve, reject) => {
    const call = request(
      {
        host: '127.0.0.1',
        port: run.port,
        method: 'POST',
        agent: false,
        headers: { authorization: `Bearer ${run.token}`, 'content-length': Buffer.byteLength(body) },
      },
      resolve,
    );
    call.on('error', (error: NodeJS.ErrnoException) => {
      const gone = error.code === 'ECONNREFUSED' || error.code === 'ECONNRESET';
      reject(gone ? new NobodyThere(run, error) : error);
    });
    if (waitMs !== undefined) {
      call.setTimeout(waitMs, () => {
        call.destroy(
          new UserError(`the run (pid ${run.pid}) does not answer`, {
            hint: 'It may be stopped or very busy: try again.',
          }),
        );
      });
    }
    call.end(body);
  });
}
