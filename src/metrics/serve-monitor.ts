// A server of the read API that is watched: what it answered, who looks, how often the store was asked for it.
import { Gauge, Histogram } from 'prom-client';
import { TotalCounter } from './counter.js';
import { Health } from './health.js';
import { newRegistry, startMonitor } from './monitor.js';
import type { ServeFigures, ServeMonitor } from './watching.js';

/** Seconds: from an answer that is there already to a query over months. */
const ANSWER_BUCKETS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10];

/** Starts to serve on this address. UserError: the port is taken. */
export async function startServeMonitor(place: { host: string; port: number }): Promise<ServeMonitor> {
  const health = new Health();
  const metrics = new ServeMetrics();
  let figuresNow: (() => ServeFigures) | undefined;
  const monitor = await startMonitor(place, {
    ...{ health, registry: metrics.registry },
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

class ServeMetrics {
  readonly registry = newRegistry();
  readonly #answers = new TotalCounter(this.registry, {
    ...{ name: 'click_agg_serve_answers_total', help: 'Answers by route and HTTP status' },
    labelNames: ['route', 'status'],
  });
  readonly #seconds = new Histogram({
    ...{ name: 'click_agg_serve_answer_duration_seconds', help: 'How long an answer took' },
    ...{ buckets: ANSWER_BUCKETS, labelNames: ['route'], registers: [this.registry] },
  });
  readonly #made = this.#counter('answers_made', 'Answers made anew, each for all who ask the same');
  readonly #failed = this.#counter('answers_failed', 'Times that no answer could be made');
  readonly #watchers = this.#gauge('watchers', 'Browsers that watch over a WebSocket');
  readonly #views = this.#gauge('views', 'Different questions that are remembered');
  readonly #told = this.#gauge('told', '1: a living run tells what it commits; 0: the store is looked at');

  answered({ route, status, seconds }: { route: string; status: number; seconds: number }): void {
    this.#answers.add(1, { route, status: String(status) });
    this.#seconds.observe({ route }, seconds);
  }

  show({ watchers, views, made, failed, told }: ServeFigures): void {
    this.#made.raiseTo(made);
    this.#failed.raiseTo(failed);
    this.#watchers.set(watchers);
    this.#views.set(views);
    this.#told.set(told ? 1 : 0);
  }

  #counter(name: string, help: string): TotalCounter {
    return new TotalCounter(this.registry, { name: `click_agg_serve_${name}_total`, help });
  }

  #gauge(name: string, help: string): Gauge {
    return new Gauge({ name: `click_agg_serve_${name}`, help, registers: [this.registry] });
  }
}
