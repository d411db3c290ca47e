// The routes of the read API. Each asks the views, which answer everybody who asks the same from one look at the store.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { csvLine } from '../ui/csv.js';
import type { TotalsAnswer, WatchKind } from './api.js';
import { Refusal } from './error-answer.js';
import { BadQuestion, meantBy } from './question.js';
import { QUERY_SCHEMAS, type Schema } from './schemas.js';
import { type SessionRules, sessionOf, signIn, signOut, viewerOf } from './session.js';
import type { Viewer } from './tokens.js';
import type { Answer, Views } from './views.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks; undefined: nobody who may. */
    viewer: Viewer | undefined;
  }
}

/** Longest body: a token. */
const BODY_BYTES_MAX = 16_384;

const answers = (name: string): Schema => ({
  200: { description: 'The answer, with an ETag.', $ref: `${name}#` },
  304: { description: 'As before: the ETag of If-None-Match is still the newest.', type: 'null' },
  default: { description: 'Why there is no answer.', $ref: 'Error#' },
});

const QUESTIONS = {
  totals: [
    'Totals',
    'Billable clicks by ad, campaign, country, device and time, as `click-agg query` gives them.',
  ],
  series: ['Series', 'Clicks over time, a number for each step, as a chart needs them.'],
  ledger: ['LedgerAnswer', 'Records and their verdicts. Not for advertisers.'],
  status: ['Status', 'How the stream is: watermarks, lag, verdicts, the living run.'],
  reconciliation: ['Reconciliation', 'The last reconciliation, with its billing lines.'],
} as const satisfies Record<WatchKind, readonly [string, string]>;

/** Puts the questions below /v1. */
export function addQuestions(app: FastifyInstance, views: Views): void {
  for (const [kind, [schema, description]] of Object.entries(QUESTIONS)) {
    const querystring = (QUERY_SCHEMAS as Readonly<Record<string, Schema>>)[kind];
    app.get(
      `/v1/${kind}`,
      { schema: { description, ...(querystring ? { querystring } : {}), response: answers(schema) } },
      async (request, reply) => {
        const viewer = requireViewer(request);
        if (kind === 'ledger' && viewer.role === 'advertiser')
          throw new Refusal(403, 'the ledger counts the clicks of all advertisers');
        const { format, ...question } = request.query as Record<string, unknown>;
        const asCsv = wantsCsv(kind, format, request);
        const answer = await views.answer({ meant: meantBy(kind as WatchKind, question, 'url'), viewer });
        return asCsv ? sendCsv(request, reply, answer) : sendAnswer(request, reply, answer);
      },
    );
  }
}

/** Who asks. Refusal: nobody who may. */
export function requireViewer({ viewer }: FastifyRequest): Viewer {
  if (!viewer) throw new Refusal(401, 'a token is needed: Authorization: Bearer TOKEN');
  return viewer;
}

function wantsCsv(kind: string, format: unknown, { headers }: FastifyRequest): boolean {
  if (kind !== 'totals') {
    if (format !== undefined) throw new BadQuestion('format goes with /v1/totals only');
    return false;
  }
  if (format === undefined) return (headers.accept ?? '').startsWith('text/csv');
  if (format !== 'json' && format !== 'csv') throw new BadQuestion('format must be json or csv');
  return format === 'csv';
}

function sendAnswer(request: FastifyRequest, reply: FastifyReply, { body, etag }: Answer): FastifyReply {
  return sendIfNew(request, reply, {
    etag,
    contentType: 'application/json; charset=utf-8',
    body: () => body,
  });
}

/** RFC 4180, as `query --format csv` writes it. */
function sendCsv(request: FastifyRequest, reply: FastifyReply, { body, etag }: Answer): FastifyReply {
  return sendIfNew(request, reply, {
    etag: etag.replace(/"$/, '-csv"'),
    contentType: 'text/csv; charset=utf-8',
    body() {
      const { columns, rows } = JSON.parse(body) as TotalsAnswer;
      return [columns, ...rows.map((row) => columns.map((column) => row[column]!))].map(csvLine).join('');
    },
  });
}

function sendIfNew(
  request: FastifyRequest,
  reply: FastifyReply,
  { etag, contentType, body }: { etag: string; contentType: string; body: () => string },
): FastifyReply {
  reply.headers({ etag, 'cache-control': 'private, no-cache', vary: 'Accept, Authorization, Cookie' });
  if (knows(request.headers['if-none-match'], etag)) return reply.code(304).send();
  return reply.type(contentType).send(body());
}

/** Whether If-None-Match names the tag: `W/` before it means the same. */
function knows(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  return header.split(',').some((tag) => ['*', etag].includes(tag.trim().replace(/^W\//, '')));
}

/** Signing in and out, for browsers. */
export function addSession(app: FastifyInstance, rules: SessionRules): void {
  const response = { 200: { description: 'Who asks.', $ref: 'Session#' }, default: { $ref: 'Error#' } };
  app.addHook('onRequest', async (request) => {
    request.viewer = request.url.startsWith('/v1/') ? await viewerOf(request, rules) : undefined;
  });
  app.get('/v1/session', { schema: { description: 'Who asks.', response } }, async (request, reply) => {
    reply.header('cache-control', 'no-store');
    return sessionOf(requireViewer(request));
  });
  app.post(
    '/v1/session',
    {
      bodyLimit: BODY_BYTES_MAX,
      schema: {
        description: 'Signs a browser in: the answer sets a cookie.',
        body: { type: 'object', properties: { token: { type: 'string' } }, required: ['token'] },
        response,
      },
    },
    async (request, reply) => {
      reply.header('cache-control', 'no-store');
      const { token } = (request.body ?? {}) as { token?: unknown };
      if (typeof token !== 'string') throw new BadQuestion('the body must be {"token": "…"}');
      const viewer = rules.tokens ? await rules.tokens.viewerOf(token) : ({ role: 'open' } as const);
      if (!viewer) throw new Refusal(401, 'this token is not one of this server, or it has ended');
      signIn(reply, token, viewer, rules);
      return sessionOf(viewer);
    },
  );
  app.delete('/v1/session', { schema: { description: 'Signs out.' } }, async (_request, reply) => {
    signOut(reply, rules);
    return reply.code(204).send();
  });
}
