// An ingest server that is watched: what it answered, what waits to be sent, who knew the ads, whether it is well.
import { Gauge, Histogram } from 'prom-client';
import { TotalCounter } from './counter.js';
import type { Health } from './health.js';
import { newRegistry, startMonitor } from './monitor.js';
import { ServeMetrics } from './serve-metrics.js';
import type { IngestFigures, IngestMonitor, ServeFigures } from './watching.js';

/** Seconds: an answer takes a write to the disk, so a millisecond or a few. */
const ANSWER_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 2.5];

/** Starts to serve on this address; without one only the health is known. UserError: the port is taken. */
export async function startIngestMonitor(
  place: { host: string; port: number },
  health: Health,
): Promise<IngestMonitor> {
  const metrics = new IngestMetrics();
  let figuresNow: (() => IngestFigures) | undefined;
  let dashboard: { metrics: ServeMetrics; figuresNow?: () => ServeFigures } | undefined;
  const monitor = await startMonitor(place, {
    ...{ health, registry: metrics.registry },
    refresh() {
      if (figuresNow) metrics.show(figuresNow());
      if (dashboard?.figuresNow) dashboard.metrics.show(dashboard.figuresNow());
    },
  });
  return {
    ...monitor,
    live: () => health.live(),
    ready: () => health.ready(),
    takes(figures) {
      figuresNow = figures;
      health.role = 'active';
    },
    stops() {
      health.role = 'stopping';
    },
    withDashboard() {
      const beside: typeof dashboard = { metrics: new ServeMetrics(metrics.registry) };
      dashboard = beside;
      return {
        answered: (answer) => beside.metrics.answered(answer),
        serves: (figures) => {
          beside.figuresNow = figures;
        },
      };
    },
    answered: (route, seconds) => metrics.answerSeconds[route].observe(seconds),
  };
}

class IngestMetrics {
  readonly registry = newRegistry();
  readonly #seconds = new Histogram({
    name: 'click_agg_ingest_answer_duration_seconds',
    help: 'How long an answer took, the wait for the disk included',
    buckets: ANSWER_BUCKETS,
    labelNames: ['route'],
    registers: [this.registry],
  });
  /** By route, looked up once: answers are many. */
  readonly answerSeconds: Record<string, { observe(seconds: number): void }> = {
    redirect: this.#seconds.labels('redirect'),
    clicks: this.#seconds.labels('clicks'),
  };

  readonly #answers = this.#counter('answers', 'Answers by route and HTTP status', ['route', 'status']);
  readonly #accepted = this.#counter('clicks_accepted', 'Clicks that are safe in the log or the spool');
  readonly #rejected = this.#counter('clicks_rejected', 'Clicks of POSTs that were refused', ['reason']);
  readonly #marked = this.#counter('invalid_traffic', 'Clicks marked as invalid traffic', ['kind']);
  readonly #links = this.#counter('links_refused', 'Links without a valid signature', ['cause']);
  readonly #otherCampaign = this.#counter(
    'other_campaign',
    'Clicks whose unsigned link names another campaign than the ads table',
  );
  readonly #seen = this.#counter('seen_answers', 'What Redis said for --mark-seen', ['answer']);
  readonly #taken = this.#counter('log_taken', 'Clicks that the log or spool took');
  readonly #refused = this.#counter('log_refused', 'Clicks that it refused since it was full or broken');
  readonly #sent = this.#counter('log_sent', 'Clicks that are in the log that others read');
  readonly #waiting = this.#gauge('spool_waiting_clicks', 'Clicks in the spool that are not in Kafka yet');
  readonly #waitingBytes = this.#gauge('spool_waiting_bytes', 'Bytes of these, about');
  readonly #oldest = this.#gauge('spool_oldest_wait_seconds', 'How long the oldest of them has waited');
  readonly #sending = this.#gauge('spool_sending', '1: waiting clicks are being sent to Kafka');
  readonly #lookups = this.#counter('target_lookups', 'Who told where an ad leads', ['source']);
  readonly #cached = this.#gauge('targets_cached', 'Ads in memory');
  readonly #answering = this.#gauge('lookup_answers', '1: it answered when it was last asked', ['part']);

  show({ tally, log, targets }: IngestFigures): void {
    for (const [route, byStatus] of Object.entries(tally.answers)) {
      for (const [status, count] of Object.entries(byStatus)) this.#answers.raiseTo(count, { route, status });
    }
    this.#accepted.raiseTo(tally.accepted);
    for (const [reason, count] of Object.entries(tally.rejected)) this.#rejected.raiseTo(count, { reason });
    for (const [kind, count] of Object.entries(tally.marked)) this.#marked.raiseTo(count, { kind });
    for (const [cause, count] of Object.entries(tally.links)) this.#links.raiseTo(count, { cause });
    this.#otherCampaign.raiseTo(tally.otherCampaign);
    for (const [answer, count] of Object.entries(tally.seen)) this.#seen.raiseTo(count, { answer });
    this.#taken.raiseTo(log.taken);
    this.#refused.raiseTo(log.refused);
    this.#sent.raiseTo(log.sent);
    this.#waiting.set(log.waitingRecords);
    this.#waitingBytes.set(log.waitingBytes);
    this.#oldest.set((log.oldestWaitingMs ?? 0) / 1000);
    this.#sending.set(log.sending ? 1 : 0);
    const { hits, stale, shared, queries, failures } = targets;
    for (const [source, count] of Object.entries({
      memory: hits,
      stale,
      redis: shared,
      table: queries,
      nobody: failures,
    })) {
      this.#lookups.raiseTo(count, { source });
    }
    this.#cached.set(targets.cached);
    if (targets.redisAnswers !== undefined)
      this.#answering.set({ part: 'redis' }, targets.redisAnswers ? 1 : 0);
    this.#answering.set({ part: 'table' }, targets.tableAnswers ? 1 : 0);
  }

  #counter(name: string, help: string, labelNames: readonly string[] = []): TotalCounter {
    return new TotalCounter(this.registry, { name: `click_agg_ingest_${name}_total`, help, labelNames });
  }

  #gauge(name: string, help: string, labelNames: readonly string[] = []): Gauge {
    return new Gauge({
      ...{ name: `click_agg_ingest_${name}`, help, labelNames: [...labelNames] },
      registers: [this.registry],
    });
  }
}
