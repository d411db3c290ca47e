// Prometheus counters over numbers that are counted elsewhere.
import { Counter, type Registry } from 'prom-client';

/** A counter that is told totals instead of increments. */
export class TotalCounter {
  readonly #counter: Counter;
  readonly #shown = new Map<string, number>();

  constructor(registry: Registry, spec: { name: string; help: string; labelNames?: readonly string[] }) {
    const { name, help, labelNames = [] } = spec;
    this.#counter = new Counter({ name, help, labelNames: [...labelNames], registers: [registry] });
  }

  /**
   * The total is now this. One that fell is held until it has risen again: a click whose verdict changes leaves the
   * count of its first one, and Prometheus would take a counter that falls for a restart.
   */
  raiseTo(total: number, labels: Readonly<Record<string, string>> = {}): void {
    const key = JSON.stringify(labels);
    const rise = total - (this.#shown.get(key) ?? 0);
    if (rise > 0) this.#shown.set(key, total);
    this.#counter.inc(labels, Math.max(0, rise));
  }

  /** What it shows. */
  shown(labels: Readonly<Record<string, string>> = {}): number {
    return this.#shown.get(JSON.stringify(labels)) ?? 0;
  }

  /** It rises by so much. */
  add(more: number, labels: Readonly<Record<string, string>> = {}): void {
    this.raiseTo(this.shown(labels) + more, labels);
  }
}
