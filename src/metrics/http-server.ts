// The HTTP side of being watched: three paths, GET only, nothing that changes anything.
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { cannotListen } from '../errors.js';
import type { Answer, Health } from './health.js';

export interface Pages {
  health: Health;
  /** The metrics in Prometheus's text format. */
  metrics(): Promise<{ contentType: string; text: string }>;
}

export interface HttpServer {
  /** `http://127.0.0.1:9464` */
  readonly url: string;
  close(): Promise<void>;
}

/** Serves the pages on this address. UserError: the port is taken or may not be had. */
export async function startHttpServer(
  place: { host: string; port: number },
  pages: Pages,
): Promise<HttpServer> {
  const server = createServer((request, response) => {
    answer(pages, request, response).catch((error: unknown) => {
      response.destroy(error instanceof Error ? error : undefined);
    });
  });
  const { host, port } = place;
  server.listen(port, host);
  try {
    await once(server, 'listening');
  } catch (error) {
    throw cannotListen(error, place, {
      act: 'serve metrics',
      hint: 'Choose another --metrics-port (0: any free one) or --metrics-host.',
    });
  }
  // Being watched is no reason to stay.
  server.unref();
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${(server.address() as AddressInfo).port}`,
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function answer(pages: Pages, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { method, url = '/' } = request;
  const path = url.split('?')[0];
  response.setHeader('cache-control', 'no-store');
  if (method !== 'GET' && method !== 'HEAD') {
    response.writeHead(405, { allow: 'GET, HEAD' }).end();
    return;
  }
  if (path === '/metrics') {
    const { contentType, text } = await pages.metrics();
    response.writeHead(200, { 'content-type': contentType }).end(text);
  } else if (path === '/healthz') sendAnswer(response, await pages.health.live());
  else if (path === '/readyz') sendAnswer(response, await pages.health.ready());
  else {
    response.writeHead(404, { 'content-type': 'text/plain; charset=utf-8' });
    response.end('/metrics, /healthz and /readyz are here\n');
  }
}

function sendAnswer(response: ServerResponse, { ok, checks }: Answer): void {
  response.writeHead(ok ? 200 : 503, { 'content-type': 'application/json' });
  response.end(`${JSON.stringify({ status: ok ? 'ok' : 'unavailable', ...checks })}\n`);
}
