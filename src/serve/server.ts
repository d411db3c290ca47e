// The server of `serve` and `dashboard`: read API, live socket and, if asked for, the web UI. Fastify, since it routes,
// limits and describes itself with plugins of its own makers, and is what the ingest server runs on; jose for tokens;
// ws below @fastify/websocket.
import fastifyCookie from '@fastify/cookie';
import fastifyRateLimit from '@fastify/rate-limit';
import fastifySwagger from '@fastify/swagger';
import fastifyWebsocket from '@fastify/websocket';
import fastify, { type FastifyInstance, type FastifyRequest } from 'fastify';
import { cannotListen, UsageError } from '../errors.js';
import { callerReader } from '../ingest/caller.js';
import type { Networks } from '../ingest/networks.js';
import type { StorePlace } from '../stores/open-store.js';
import { VERSION } from '../version.js';
import { LIMITS } from './api.js';
import { errorAnswerOf, Refusal } from './error-answer.js';
import { openFeed } from './feed.js';
import { addQuestions, addSession } from './routes.js';
import { ANSWER_SCHEMAS } from './schemas.js';
import { type CampaignsOf, Scopes } from './scopes.js';
import { isLoopback, refusalOf, type SessionRules } from './session.js';
import { Sockets } from './sockets.js';
import { storeSource } from './store-source.js';
import { tokensBy } from './tokens.js';
import { Views } from './views.js';
import { addWeb } from './web.js';

/** Longest URL: a thousand ids fit in it. */
const URL_BYTES_MAX = 65_536;

export interface ServeOptions {
  host: string;
  /** 0: any free one. */
  port: number;
  store: StorePlace;
  /** Where runs on other machines tell of their commits. */
  redis: { url: string; channel: string } | undefined;
  /** Keys of the tokens; none: everybody on this machine sees everything, and nobody else connects. */
  tokenKeys: readonly string[];
  campaignsOf: CampaignsOf;
  publicUrl: URL | undefined;
  /** Proxies that are believed about whom they were asked by. */
  trustedProxies: Networks | undefined;
  /** Where `reconcile` keeps its report. */
  reportFile: string;
  /** Requests a minute from one viewer. */
  requestsPerMinute: number;
  /** Folder of the web UI; undefined: the API alone. */
  webDir: string | undefined;
  /** An answer was given; the route is `/v1/totals` and the like, or `web`. Absent: nobody wants to know. */
  onAnswer: ((answer: GivenAnswer) => void) | undefined;
  warn: (line: string) => void;
}

export interface GivenAnswer {
  route: string;
  status: number;
  seconds: number;
}

/** How the server is, for metrics. */
export interface ServeFigures {
  /** Browsers that watch now. */
  watchers: number;
  /** Different questions that are remembered. */
  views: number;
  /** Answers made anew since the start, and times that none could be made. */
  made: number;
  failed: number;
  /** A living run tells what it commits. */
  told: boolean;
}

export interface ServeServer {
  /** `http://127.0.0.1:8090` */
  readonly url: string;
  figures(): ServeFigures;
  /** Rejects while the store can't be read, with the reason. */
  askStore(): Promise<unknown>;
  close(): Promise<void>;
}

/** Starts it. UsageError: everybody would see everything; UserError: the port is taken, Redis refuses the user. */
export async function startServe(options: ServeOptions): Promise<ServeServer> {
  const { host, port, tokenKeys, publicUrl, warn } = options;
  if (tokenKeys.length === 0 && !isLoopback(host)) {
    throw new UsageError(`--host ${host}: without tokens everybody there would see everything`, {
      hint: 'Set CLICK_AGG_TOKEN_KEY, and make tokens with `click-agg ads token`.',
    });
  }
  const tokens = tokenKeys.length > 0 ? tokensBy(tokenKeys) : undefined;
  const rules: SessionRules = { tokens, publicUrl };
  const source = storeSource(options.store);
  const feed = await openFeed({ source, dataDir: options.store.dataDir, redis: options.redis, warn });
  const views = new Views({
    ...{ source, feed, reportFile: options.reportFile },
    scopes: new Scopes(options.campaignsOf),
  });
  const sockets = new Sockets(views, warn);
  const app = await appOf(options, { rules, views, sockets });
  const close = async (): Promise<void> => {
    sockets.close();
    views.close();
    await app.close();
    await feed.close();
    await source.close();
  };
  try {
    const url = await app.listen({ host, port });
    return {
      url,
      figures: () => ({ watchers: sockets.size, told: feed.told, ...views.tally, views: views.size }),
      askStore: () => source.fingerprint(),
      close,
    };
  } catch (error) {
    await close();
    throw cannotListen(error, options);
  }
}

interface Parts {
  rules: SessionRules;
  views: Views;
  sockets: Sockets;
}

async function appOf(options: ServeOptions, { rules, views, sockets }: Parts): Promise<FastifyInstance> {
  const { warn, webDir, publicUrl } = options;
  const app = fastify({
    logger: false,
    // Answers under way end; connections that nobody uses don't hold the end up.
    forceCloseConnections: 'idle',
    http: { maxHeaderSize: URL_BYTES_MAX },
  });
  // What is asked is checked by question.ts; the schemas describe.
  app.setValidatorCompiler(() => () => true);
  app.setSerializerCompiler(() => (answer) => JSON.stringify(answer));
  app.setErrorHandler((error, request, reply) => {
    const { status, answer } = errorAnswerOf(error, request.viewer, warn);
    return reply.code(status).header('cache-control', 'no-store').send(answer);
  });
  app.decorateRequest('viewer', undefined);
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(SAFE_HEADERS);
    if (publicUrl?.protocol === 'https:') reply.header('strict-transport-security', 'max-age=31536000');
    // A socket that was to be a WebSocket and is answered like a page is nobody's any more: neither Node nor ws ends it.
    if (request.headers.upgrade !== undefined)
      reply.raw.once('finish', () => request.raw.socket.destroySoon());
    const refusal = refusalOf(request, rules);
    if (refusal !== undefined) throw new Refusal(403, refusal);
  });
  if (options.onAnswer) tellAnswers(app, options.onAnswer);
  await app.register(fastifyCookie);
  for (const [name, schema] of Object.entries(ANSWER_SCHEMAS)) app.addSchema({ $id: name, ...schema });
  await app.register(fastifySwagger, { openapi: DESCRIPTION, refResolver: NAMED_SCHEMAS });
  await app.register(fastifyWebsocket, { options: { maxPayload: LIMITS.messageBytes } });
  addSession(app, rules);
  await app.register(fastifyRateLimit, {
    max: options.requestsPerMinute,
    timeWindow: '1 minute',
    keyGenerator: callerOf(callerReader(options.trustedProxies)),
    allowList: (request) => !request.url.startsWith('/v1/'),
  });
  addQuestions(app, views);
  app.get('/v1/live', { websocket: true, schema: { hide: true } }, (socket, request) =>
    sockets.add(socket, request.viewer),
  );
  app.get('/openapi.json', { schema: { hide: true } }, async (_request, reply) =>
    reply.header('cache-control', 'no-cache').send(app.swagger()),
  );
  if (webDir !== undefined) await addWeb(app, webDir);
  app.setNotFoundHandler(async () => {
    throw new Refusal(404, 'there is nothing here: /openapi.json tells what there is');
  });
  return app;
}

/** Whose requests are counted together: an advertiser's, or those of one address. */
function callerOf(readCaller: ReturnType<typeof callerReader>) {
  return ({ viewer, raw, ip }: FastifyRequest): string =>
    viewer?.role === 'advertiser'
      ? `advertiser ${viewer.advertiserId}`
      : (readCaller(raw)?.address.text ?? ip);
}

/** Tells of each answer. Files of the web UI are one route, and so is all that is not there. */
function tellAnswers(app: FastifyInstance, onAnswer: (answer: GivenAnswer) => void): void {
  app.addHook('onResponse', (request, { statusCode: status, elapsedTime }, done) => {
    const { url = '' } = request.routeOptions;
    onAnswer({ route: url.startsWith('/v1/') ? url : 'web', status, seconds: elapsedTime / 1000 });
    done();
  });
}

/** Nothing from elsewhere, nothing inline, in no frame. */
const SAFE_HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data:; " +
    "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'x-frame-options': 'DENY',
};

const DESCRIPTION = {
  openapi: '3.1.0' as const,
  info: {
    title: 'click-agg read API',
    version: VERSION,
    description:
      'Totals of ad clicks, exact to the click. Ask again with If-None-Match: an answer that has not changed is a 304.',
  },
  components: {
    securitySchemes: { token: { type: 'http' as const, scheme: 'bearer', bearerFormat: 'JWT' } },
  },
  security: [{ token: [] as string[] }],
};

const NAMED_SCHEMAS = {
  buildLocalReference: (json: { $id?: unknown }, _base: unknown, _fragment: unknown, index: number) =>
    typeof json.$id === 'string' ? json.$id : `schema-${index}`,
};
