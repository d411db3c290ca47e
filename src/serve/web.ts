// The web UI's files, as the build made them. Every path that is no file and no part of the API is a view of the UI,
// which finds out by itself what it shows.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance } from 'fastify';
import { UserError } from '../errors.js';
import { Refusal } from './error-answer.js';

/** Serves the files of this folder. UserError: the UI was not built. */
export async function addWeb(app: FastifyInstance, folder: string): Promise<void> {
  if (!existsSync(join(folder, 'index.html'))) {
    throw new UserError(`the web UI is not in ${folder}`, { hint: 'Build it: npm run build.' });
  }
  await app.register(fastifyStatic, {
    root: folder,
    wildcard: false,
    setHeaders(reply, path) {
      // Names below assets/ change with what is in them.
      const keeps = path.startsWith(join(folder, 'assets'));
      reply.header('cache-control', keeps ? 'public, max-age=31536000, immutable' : 'no-cache');
    },
  });
  app.get('/*', { schema: { hide: true } }, (request, reply) => {
    const path = request.url.split('?')[0]!;
    if (/^\/v1(\/|$)/.test(path) || /\.\w+$/.test(path)) throw new Refusal(404, 'there is nothing here');
    return reply.sendFile('index.html');
  });
}
