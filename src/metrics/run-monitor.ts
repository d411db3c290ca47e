// A `run` that is watched: metrics, health and the page they are on. Without --metrics-port nothing of this is
// loaded; `unwatched` stands in for it.
import type { LiveStatus } from '../core/live-status.js';
import type { LedgerCounts, Store } from '../core/ports/store.js';
import { Health } from './health.js';
import { startMonitor } from './monitor.js';
import { RunMetrics } from './run-metrics.js';
import type { RunMonitor } from './watching.js';

/** Starts to serve on this address. UserError: the port is taken. */
export async function startRunMonitor(place: { host: string; port: number }): Promise<RunMonitor> {
  const metrics = new RunMetrics();
  const health = new Health();
  let statusNow: (() => LiveStatus) | undefined;
  const observe = (status: LiveStatus): void => {
    metrics.observe(status);
    health.tick(progressOf(status));
  };
  const monitor = await startMonitor(place, {
    ...{ health, registry: metrics.registry },
    refresh() {
      const status = statusNow?.();
      if (status) metrics.observe(status);
    },
  });
  return {
    ...monitor,
    meter: (store) => metered(store, metrics),
    standsBy() {
      statusNow = undefined;
      health.forget('store');
      metrics.deactivated();
      health.role = 'standby';
    },
    counts(epoch: number, ledger: LedgerCounts, status: () => LiveStatus) {
      metrics.activated(epoch, ledger);
      health.role = 'active';
      statusNow = status;
    },
    observe,
    letters: (published, waiting) => metrics.letters(published, waiting),
    async close() {
      statusNow = undefined;
      await monitor.close();
    },
  };
}

/** The same store; what is committed is measured. */
function metered<S extends Store>(store: S, metrics: RunMetrics): S {
  return {
    ...store,
    async commit(commit) {
      const startedMs = performance.now();
      try {
        await store.commit(commit);
      } catch (error) {
        metrics.commitFailed();
        throw error;
      }
      metrics.committed(commit, (performance.now() - startedMs) / 1000);
    },
  };
}

function progressOf({ partitions }: LiveStatus): { position: number; lag: number } {
  let position = 0;
  let lag = 0;
  for (const one of partitions) {
    position += one.position;
    if (one.end !== undefined) lag += Math.max(0, one.end - one.position);
  }
  return { position, lag };
}
