// A server of the read API that is watched: what it answered, who looks, how often the store was asked for it.
import { Health } from './health.js';
import { newRegistry, startMonitor } from './monitor.js';
import { ServeMetrics } from './serve-metrics.js';
import type { ServeFigures, ServeMonitor } from './watching.js';

/** Starts to serve on this address. UserError: the port is taken. */
export async function startServeMonitor(place: { host: string; port: number }): Promise<ServeMonitor> {
  const health = new Health();
  const registry = newRegistry();
  const metrics = new ServeMetrics(registry);
  let figuresNow: (() => ServeFigures) | undefined;
  const monitor = await startMonitor(place, {
    ...{ health, registry },
    refresh() {
      if (figuresNow) metrics.show(figuresNow());
    },
  });
  return {
    ...monitor,
    serves(figures) {
      figuresNow = figures;
      health.role = 'active';
    },
    answered: (answer) => metrics.answered(answer),
  };
}
