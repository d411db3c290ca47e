// The ingest server: routes, limits, and what a refused request is told. Fastify: of the frameworks that are well kept
// it is the one that costs nothing beside node:http (14.5 µs of CPU a redirect, node:http 14, Hono 17, Koa 29,
// Express 90), and it brings limits on bodies, URLs and time that a bare server would have to be taught.
import { STATUS_CODES } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import Fastify, {
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify';
import { cannotListen } from '../errors.js';
import { keyCheck } from './api-keys.js';
import { callerReader } from './caller.js';
import type { Ingestion, Refusal } from './ingestion.js';
import type { Networks } from './networks.js';
import { clickPoster } from './posted-clicks.js';
import { type RateLimiter, rateLimiter } from './rate-limiter.js';
import { redirect } from './redirect.js';
import type { RefusalLog } from './refusal-log.js';
import { type Route, raise } from './tally.js';

/** Who sends a head or a body slower than this is no browser. */
const HEAD_WAIT_MS = 10_000;
const REQUEST_WAIT_MS = 30_000;
/** Longer than the idle time of usual load balancers, so that it is they who close. */
const KEEP_ALIVE_MS = 75_000;
const CUT_OFF_MS = 1_000;
/** So long requests under way may take when the server stops. */
const ENDING_WAIT_MS = 10_000;

export interface IngestLimits {
  bodyBytes: number;
  headerBytes: number;
  urlBytes: number;
  connections: number;
  /** Requests an address may make in a window; 0: as many as it likes. */
  requests: number;
  windowMs: number;
}

/** Whether the process is well: an answer of /healthz or /readyz. */
export interface HealthAnswer {
  ok: boolean;
  checks: Readonly<Record<string, string>>;
}

export interface IngestServerOptions {
  host: string;
  port: number;
  ingestion: Ingestion;
  trustedProxies: Networks | undefined;
  limits: IngestLimits;
  refusals: RefusalLog;
  live(): Promise<HealthAnswer>;
  ready(): Promise<HealthAnswer>;
  /** How long an answer took, for a histogram. Absent: nobody measures. */
  onAnswer: ((route: Route, seconds: number) => void) | undefined;
}

export interface IngestServer {
  /** `http://127.0.0.1:8080` */
  readonly url: string;
  /** Takes no more requests, and lets those under way end. */
  close(): Promise<void>;
}

/** Starts to listen. UserError: the port is taken or may not be had. */
export async function startIngestServer(options: IngestServerOptions): Promise<IngestServer> {
  const { host, port, limits } = options;
  const app = Fastify({
    logger: false,
    exposeHeadRoutes: false,
    bodyLimit: limits.bodyBytes,
    requestTimeout: REQUEST_WAIT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: limits.urlBytes },
    http: { maxHeaderSize: limits.headerBytes, headersTimeout: HEAD_WAIT_MS },
    clientErrorHandler: (error, socket) => answerNoRequest(error, socket, options),
    frameworkErrors: (error, request, reply) => {
      refuse(options, request, reply, refusalOfError(error, options));
    },
  });
  app.server.maxConnections = limits.connections;
  admit(app, options);
  routes(app, options);
  try {
    await app.listen({ host, port });
  } catch (error) {
    throw cannotListen(error, { host, port });
  }
  const { port: actual } = app.server.address() as AddressInfo;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${actual}`,
    async close() {
      const cutOff = setTimeout(() => app.server.closeAllConnections(), ENDING_WAIT_MS);
      await app.close();
      clearTimeout(cutOff);
    },
  };
}

/** What could not be read as a request: no route has seen it. */
function answerNoRequest(
  { code }: { code?: string },
  socket: Socket,
  { ingestion }: IngestServerOptions,
): void {
  if (code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const status = code === 'HPE_HEADER_OVERFLOW' ? 431 : code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400;
  raise(ingestion.tally.answers.other, status);
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
  // Cut at once, the answer could be lost on its way.
  socket.setTimeout(CUT_OFF_MS, () => socket.destroy());
}

/** Who comes in at all: before a body is read, before anything is looked up. */
function admit(app: FastifyInstance, options: IngestServerOptions): void {
  const { limits, trustedProxies } = options;
  const callerOf = callerReader(trustedProxies);
  const isKnown = keyCheck(options.ingestion.apiKeys);
  const limiter: RateLimiter | undefined =
    limits.requests > 0 ? rateLimiter({ requests: limits.requests, windowMs: limits.windowMs }) : undefined;
  app.decorateRequest('caller');
  app.addHook('onRequest', (request, reply, next) => {
    const caller = callerOf(request.raw);
    if (!caller) {
      // Nobody is there any more to be answered.
      request.raw.destroy();
      return;
    }
    request.caller = caller;
    if ((request.raw.url ?? '').length > limits.urlBytes) {
      refuse(options, request, reply, {
        status: 414,
        reason: `the URL is longer than ${limits.urlBytes} bytes`,
      });
      return;
    }
    const limited = limiter !== undefined && isKnown(request.headers.authorization) !== true;
    const waitMs = limited ? limiter(caller.address, Date.now()) : 0;
    if (waitMs > 0) {
      const retryAfterS = Math.ceil(waitMs / 1000);
      refuse(options, request, reply, {
        status: 429,
        reason: 'too many requests of one address',
        retryAfterS,
      });
      return;
    }
    next();
  });
}

function routes(app: FastifyInstance, options: IngestServerOptions): void {
  const { ingestion, onAnswer } = options;
  const { answers } = ingestion.tally;
  type Handler = (request: FastifyRequest, reply: FastifyReply) => Promise<Refusal | undefined>;
  const handled = (route: Route, handler: Handler) => {
    const answer = async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
      const startedMs = onAnswer ? performance.now() : 0;
      const refusal = await handler(request, reply);
      if (refusal) refuse(options, request, reply, refusal);
      else raise(answers[route], reply.statusCode);
      onAnswer?.(route, (performance.now() - startedMs) / 1000);
    };
    // Fastify is not given the promise: it would watch each response until that has ended.
    return (request: FastifyRequest, reply: FastifyReply): void => {
      answer(request, reply).catch((error: unknown) => reply.send(error));
    };
  };
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_, body, done) => done(null, body));
  const click = handled('redirect', (request, reply) => redirect(ingestion, request, reply));
  app.route({ method: ['GET', 'HEAD'], url: '/c/:adId', handler: click });
  app.post('/v1/clicks', handled('clicks', clickPoster(ingestion)));
  app.get('/healthz', (_, reply) => health(reply, options.live()));
  app.get('/readyz', (_, reply) => health(reply, options.ready()));
  app.setNotFoundHandler((request, reply) => {
    refuse(options, request, reply, { status: 404, reason: 'there is nothing at this address' });
  });
  app.setErrorHandler((error: FastifyError, request, reply) => {
    refuse(options, request, reply, refusalOfError(error, options));
  });
}

async function health(reply: FastifyReply, answer: Promise<HealthAnswer>): Promise<FastifyReply> {
  const { ok, checks } = await answer;
  reply.code(ok ? 200 : 503).header('cache-control', 'no-store');
  return reply.send({ status: ok ? 'ok' : 'unavailable', ...checks });
}

function refusalOfError(error: FastifyError, { limits, ingestion }: IngestServerOptions): Refusal {
  switch (error.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return { status: 413, reason: `the body is longer than ${limits.bodyBytes} bytes` };
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return { status: 415, reason: 'clicks are posted as application/json' };
    case 'FST_ERR_BAD_URL':
      return { status: 400, reason: 'the URL is malformed' };
    default:
      if (error.statusCode !== undefined && error.statusCode >= 400 && error.statusCode < 500) {
        return { status: error.statusCode, reason: 'the request is malformed' };
      }
      // A bug: the operator sees the stack, the caller nothing of it.
      ingestion.warn(error.stack ?? String(error));
      return { status: 500, reason: 'something is wrong here' };
  }
}

function refuse(
  { ingestion, refusals }: IngestServerOptions,
  request: FastifyRequest,
  reply: FastifyReply,
  refusal: Refusal,
): void {
  const { status, reason, retryAfterS } = refusal;
  const route = routeOf(request.raw.url ?? '');
  raise(ingestion.tally.answers[route], status);
  const { pseudonyms } = ingestion;
  const address = request.caller?.address;
  refusals.tell(refusal, request.raw, address && (pseudonyms ? pseudonyms.ip(address) : address.text));
  reply.code(status).header('cache-control', 'no-store');
  if (retryAfterS !== undefined) reply.header('retry-after', String(retryAfterS));
  if (status === 413 || status === 414) reply.header('connection', 'close');
  if (route === 'redirect') reply.type('text/html; charset=utf-8').send(page(status, reason));
  else reply.send({ error: reason });
}

function routeOf(url: string): Route {
  if (url.startsWith('/c/')) return 'redirect';
  return /^\/v1\/clicks(\?|$)/.test(url) ? 'clicks' : 'other';
}

/** What a person sees. Nothing of the request is in it. */
function page(status: number, reason: string): string {
  const title = status === 404 ? 'This ad is not available' : 'This link can’t be followed now';
  return (
    `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">` +
    `<title>${title}</title><body style="font:1.1rem/1.5 system-ui;max-width:34rem;margin:15vh auto;padding:0 1rem">` +
    `<h1 style="font-size:1.5rem">${title}</h1><p>${status}: ${reason}.</p></body></html>\n`
  );
}
