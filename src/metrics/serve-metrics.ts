// What a server of the read API shows of itself: one that is a process of its own, or `ingest --dashboard`.
import { Gauge, Histogram, type Registry } from 'prom-client';
import { TotalCounter } from './counter.js';
import type { ServeFigures } from './watching.js';

/** Seconds: from an answer that is there already to a query over months. */
const ANSWER_BUCKETS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10];

export class ServeMetrics {
  readonly #registry: Registry;
  readonly #answers: TotalCounter;
  readonly #seconds: Histogram;
  readonly #made: TotalCounter;
  readonly #failed: TotalCounter;
  readonly #watchers: Gauge;
  readonly #views: Gauge;
  readonly #told: Gauge;

  /** Registers them; each registry can have them once. */
  constructor(registry: Registry) {
    this.#registry = registry;
    this.#answers = new TotalCounter(registry, {
      ...{ name: 'click_agg_serve_answers_total', help: 'Answers by route and HTTP status' },
      labelNames: ['route', 'status'],
    });
    this.#seconds = new Histogram({
      ...{ name: 'click_agg_serve_answer_duration_seconds', help: 'How long an answer took' },
      ...{ buckets: ANSWER_BUCKETS, labelNames: ['route'], registers: [registry] },
    });
    this.#made = this.#counter('answers_made', 'Answers made anew, each for all who ask the same');
    this.#failed = this.#counter('answers_failed', 'Times that no answer could be made');
    this.#watchers = this.#gauge('watchers', 'Browsers that watch over a WebSocket');
    this.#views = this.#gauge('views', 'Different questions that are remembered');
    this.#told = this.#gauge('told', '1: a living run tells what it commits; 0: the store is looked at');
  }

  /** An answer was given. */
  answered({ route, status, seconds }: { route: string; status: number; seconds: number }): void {
    this.#answers.add(1, { route, status: String(status) });
    this.#seconds.observe({ route }, seconds);
  }

  /** The figures as they are now. */
  show({ watchers, views, made, failed, told }: ServeFigures): void {
    this.#made.raiseTo(made);
    this.#failed.raiseTo(failed);
    this.#watchers.set(watchers);
    this.#views.set(views);
    this.#told.set(told ? 1 : 0);
  }

  #counter(name: string, help: string): TotalCounter {
    return new TotalCounter(this.#registry, { name: `click_agg_serve_${name}_total`, help });
  }

  #gauge(name: string, help: string): Gauge {
    return new Gauge({ name: `click_agg_serve_${name}`, help, registers: [this.#registry] });
  }
}
