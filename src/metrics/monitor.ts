// What all monitors have in common: a registry that begins with the process itself, and the server whose pages show
// registry and health.
import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { VERSION } from '../version.js';
import type { Health } from './health.js';
import { startHttpServer } from './http-server.js';
import type { Monitor } from './watching.js';

/** A registry with the figures of Node.js and the process, and `click_agg_info`. */
export function newRegistry(): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const info = new Gauge({
    ...{ name: 'click_agg_info', help: 'Always 1; tells what runs' },
    ...{ labelNames: ['version'], registers: [registry] },
  });
  info.set({ version: VERSION }, 1);
  return registry;
}

export interface Monitored {
  health: Health;
  registry: Registry;
  /** Called before every scrape, to bring the figures up to date. */
  refresh(): Promise<void> | void;
}

/** Starts to serve on this address; when it is closed, the process is stopping. UserError: the port is taken. */
export async function startMonitor(
  place: { host: string; port: number },
  { health, registry, refresh }: Monitored,
): Promise<Monitor> {
  const server = await startHttpServer(place, {
    health,
    async metrics() {
      await refresh();
      return { contentType: registry.contentType, text: await registry.metrics() };
    },
  });
  return {
    url: server.url,
    watch: (name, ask) => health.watch(name, ask),
    async close() {
      health.role = 'stopping';
      await server.close();
    },
  };
}
