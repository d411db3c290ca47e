// What `run` shows to Prometheus. Counters are of this process, as Prometheus wants them: they begin at 0 and
// never fall. The ledger, which may move a click from one verdict to another, is shown as gauges beside them.
import { collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { LiveStatus } from '../core/live-status.js';
import { VERDICTS } from '../core/method.js';
import type { Commit, DeadLetter } from '../core/ports/commit.js';
import type { LedgerCounts } from '../core/ports/store.js';
import { COUNTED_MARKS_MAX } from '../core/stored-rows.js';
import { VERSION } from '../version.js';
import { TotalCounter } from './counter.js';

/** Seconds; a commit a second is usual, one of 30 s means a store in trouble. */
const COMMIT_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

const NOTHING: LedgerCounts = {
  ...{ records: 0, invalid: 0, too_late: 0, duplicate: 0, invalid_traffic: 0 },
  ...{ double_click: 0, bot: 0, billable: 0 },
};

export class RunMetrics {
  readonly registry = new Registry();
  /** What the ledger held of others' counting when this process became active, less what it had counted before. */
  #base: LedgerCounts = NOTHING;

  #publishedInTurn = 0;

  /** Marks of invalid traffic that have a series of their own: the first ones. */
  readonly #marks = new Set<string>();

  readonly #records = this.#counter('records_total', 'Records that this process gave a verdict');
  readonly #read = this.#counter(
    'records_read_total',
    'Records read, those read again to rebuild memory too',
  );
  readonly #verdicts = this.#counter('verdicts_total', 'Verdicts given by this process', ['verdict']);
  readonly #letters = this.#counter('dead_letters_total', 'Dead letters written to the store', [
    'verdict',
    'reason',
  ]);
  readonly #withdrawn = this.#counter(
    'dead_letters_withdrawn_total',
    'Dead letters of bot clicks that a late click turned into double clicks',
  );
  readonly #published = this.#counter(
    'dead_letters_published_total',
    'Letters, and those taken back, that are in the topic of dead letters',
  );
  readonly #unpublished = this.#gauge('dead_letters_unpublished', 'Those that wait in the store');
  readonly #cells = this.#counter('cells_written_total', 'Cells of the totals written to the store');
  readonly #commitErrors = this.#counter('commit_errors_total', 'Commits that failed');
  readonly #commitSeconds = new Histogram({
    name: 'click_agg_commit_duration_seconds',
    help: 'How long a commit to the store took',
    buckets: COMMIT_BUCKETS,
    registers: [this.registry],
  });

  readonly #ledger = this.#gauge('ledger_records', 'Records by verdict over the life of the store', [
    'verdict',
  ]);
  readonly #lag = this.#gauge('consumer_lag', 'Records between the position and the end of the log', [
    'partition',
  ]);
  readonly #position = this.#gauge('consumer_position', 'Next offset to count', ['partition']);
  readonly #watermark = this.#gauge('watermark_timestamp_seconds', 'Watermark as event time, Unix seconds', [
    'partition',
  ]);
  readonly #watermarkDelay = this.#gauge(
    'watermark_delay_seconds',
    'How far the watermark is behind the wall clock',
    ['partition'],
  );
  readonly #lastCommit = this.#gauge(
    'last_commit_timestamp_seconds',
    'Start of the last commit, Unix seconds',
  );
  readonly #horizonClicks = this.#gauge(
    'horizon_clicks',
    'Clicks held in memory because late ones may change them',
  );
  readonly #horizonBytes = this.#gauge('horizon_bytes', 'Bytes of memory that these take');
  readonly #followerBehind = this.#gauge(
    'follower_behind_commits',
    'Commits that the first store has made and this one has not yet',
    ['store'],
  );
  readonly #followerUp = this.#gauge('follower_up', '1: the store follows; 0: something keeps it from it', [
    'store',
  ]);
  readonly #active = this.#gauge('active', '1: this process counts; 0: it stands by, starts or stops');
  readonly #epoch = this.#gauge(
    'epoch',
    'Epoch under which this process last wrote the store; 0: it never did',
  );
  readonly #info = this.#gauge('info', 'Always 1; tells what runs', ['version', 'method_hash']);

  constructor() {
    collectDefaultMetrics({ register: this.registry });
    // Series that exist from the start are found by alerts, and rates of them are right from the first increase.
    for (const verdict of VERDICTS) this.#verdicts.raiseTo(0, { verdict });
    this.#active.set(0);
    this.#epoch.set(0);
  }

  /** This process counts from now on, behind what the ledger holds already. */
  activated(epoch: number, ledger: LedgerCounts): void {
    this.#active.set(1);
    this.#publishedInTurn = 0;
    this.#epoch.set(epoch);
    this.#base = {
      ...ledger,
      records: ledger.records - this.#records.shown(),
    };
    for (const verdict of VERDICTS) this.#base[verdict] -= this.#verdicts.shown({ verdict });
  }

  /** It does not count any more, or not yet: partitions are another's. */
  deactivated(): void {
    this.#active.set(0);
    for (const gauge of [this.#lag, this.#position, this.#watermark, this.#watermarkDelay]) gauge.reset();
    this.#horizonClicks.set(0);
    this.#horizonBytes.set(0);
  }

  /** How it stands. */
  observe(status: LiveStatus): void {
    const { ledger } = status;
    this.#read.raiseTo(status.records);
    this.#records.raiseTo(ledger.records - this.#base.records);
    for (const verdict of VERDICTS) {
      this.#verdicts.raiseTo(ledger[verdict] - this.#base[verdict], { verdict });
      this.#ledger.set({ verdict }, ledger[verdict]);
    }
    for (const { partition, position, end, watermarkMs } of status.partitions) {
      const labels = { partition: String(partition) };
      this.#position.set(labels, position);
      if (end !== undefined) this.#lag.set(labels, Math.max(0, end - position));
      if (watermarkMs === undefined || !Number.isFinite(watermarkMs)) continue;
      this.#watermark.set(labels, watermarkMs / 1000);
      this.#watermarkDelay.set(labels, (Date.now() - watermarkMs) / 1000);
    }
    for (const { store, behind, trouble } of status.followers ?? []) {
      if (behind !== undefined) this.#followerBehind.set({ store }, behind);
      this.#followerUp.set({ store }, trouble === undefined ? 1 : 0);
    }
    this.#horizonClicks.set(status.horizonClicks);
    this.#horizonBytes.set(status.horizonBytes);
    if (status.lastCommitAtMs !== undefined) this.#lastCommit.set(status.lastCommitAtMs / 1000);
    this.#info.set({ version: VERSION, method_hash: status.methodHash }, 1);
  }

  /** A commit is in the store. */
  committed({ cells, deadLetters, withdrawn }: Commit, seconds: number): void {
    this.#commitSeconds.observe(seconds);
    this.#cells.add(cells.count);
    this.#withdrawn.add(withdrawn.length);
    for (const { verdict, reason } of deadLetters) {
      this.#letters.add(1, { verdict, reason: this.#shownReason(verdict, reason) });
    }
  }

  /** Other reasons are sentences that name a click's own figures: a series for each would never end. */
  #shownReason(verdict: DeadLetter['verdict'], reason: string): string {
    if (verdict === 'invalid') return reason;
    if (verdict !== 'invalid_traffic') return '';
    if (this.#marks.size < COUNTED_MARKS_MAX) this.#marks.add(reason);
    return this.#marks.has(reason) ? reason : '';
  }

  /** How far the topic of dead letters is: since this turn began, and what waits. */
  letters(published: number, waiting: number): void {
    this.#published.add(Math.max(0, published - this.#publishedInTurn));
    this.#publishedInTurn = published;
    this.#unpublished.set(waiting);
  }

  /** A commit failed. */
  commitFailed(): void {
    this.#commitErrors.add(1);
  }

  #counter(name: string, help: string, labelNames: readonly string[] = []): TotalCounter {
    return new TotalCounter(this.registry, { name: `click_agg_${name}`, help, labelNames });
  }

  #gauge(name: string, help: string, labelNames: readonly string[] = []): Gauge {
    return new Gauge({
      ...{ name: `click_agg_${name}`, help, labelNames: [...labelNames] },
      registers: [this.registry],
    });
  }
}
