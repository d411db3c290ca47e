// Memory, then Redis, then the table. An ad that is clicked all the time is asked for anew behind the clicks, before its
// time in memory is over, so that no click of it ever waits; one whose time is over is still better than no answer.
import { LRUCache } from 'lru-cache';
import { type AdsTable, type Target, toTarget } from './ad.js';
import { jittered, type KeyValues, type Lives, SharedTargets } from './shared-targets.js';
import { TableLookups } from './table-lookups.js';
import type { TargetStats, Targets } from './targets.js';

/** Ads in memory. Ids that don't exist have a place of their own: whoever makes some up drives out no ad. */
const KNOWN_MAX = 100_000;
const UNKNOWN_MAX = 20_000;
/** An ad is asked for anew when so much of its time is over. */
const REFRESH_AT = 0.5;
/** So long after a failed attempt it is tried again. */
const REFRESH_AGAIN_MS = 1_000;
/** A click that could have an old target waits so long for a new one. */
const STALE_WAIT_MS = 100;

export interface CachedTargetsOptions {
  table: AdsTable;
  redis?: (KeyValues & { close(): Promise<void> }) | undefined;
  /** In memory: until then a change of an ad isn't seen. */
  memory: Lives;
  /** In Redis. */
  shared: Lives;
  /** The table is given up on after so long. */
  tableWaitMs: number;
  /** Told in one line when the table is gone, and when it is back. */
  onChange?: ((line: string) => void) | undefined;
}

interface Entry {
  target: Target | undefined;
  refreshAtMs: number;
  untilMs: number;
}

/** Targets of a table; closes it, and Redis, when it is closed. */
export function cachedTargets(options: CachedTargetsOptions): Targets {
  return new CachedTargets(options);
}

class CachedTargets implements Targets {
  private readonly known = new LRUCache<string, Entry>({ max: KNOWN_MAX });
  private readonly unknown = new LRUCache<string, Entry>({ max: UNKNOWN_MAX });
  /** Who is being asked for: everyone who asks meanwhile gets the same answer. */
  private readonly asked = new Map<string, Promise<Target | undefined>>();
  private readonly lookups: TableLookups;
  private readonly shared: SharedTargets | undefined;
  private hits = 0;
  private stale = 0;
  private fromShared = 0;
  private failures = 0;

  constructor(private readonly options: CachedTargetsOptions) {
    this.lookups = new TableLookups(options.table, options);
    this.shared = options.redis && new SharedTargets(options.redis, options.shared);
  }

  find(adId: string): Promise<Target | undefined> | Target | undefined {
    const entry = this.known.get(adId) ?? this.unknown.get(adId);
    const nowMs = performance.now();
    if (entry === undefined || nowMs >= entry.untilMs) {
      return entry?.target === undefined ? this.askInNeed(adId) : this.askBriefly(adId, entry.target);
    }
    this.hits++;
    if (nowMs >= entry.refreshAtMs) {
      entry.refreshAtMs = nowMs + REFRESH_AGAIN_MS;
      void Promise.allSettled([this.ask(adId)]);
    }
    return entry.target;
  }

  stats(): TargetStats {
    return {
      hits: this.hits,
      stale: this.stale,
      shared: this.fromShared,
      queries: this.lookups.queries,
      failures: this.failures,
      redisAnswers: this.shared?.answers,
      tableAnswers: this.lookups.answers,
      cached: this.known.size,
    };
  }

  async close(): Promise<void> {
    await this.options.redis?.close();
    await this.options.table.close();
  }

  private async askInNeed(adId: string): Promise<Target | undefined> {
    try {
      return await this.ask(adId);
    } catch (error) {
      this.failures++;
      throw error;
    }
  }

  /** The old target where no new one comes in time. */
  private async askBriefly(adId: string, old: Target): Promise<Target | undefined> {
    let timer: NodeJS.Timeout | undefined;
    const tooLate = new Promise<'old'>((resolve) => {
      timer = setTimeout(resolve, STALE_WAIT_MS, 'old');
    });
    const answer = this.ask(adId).catch(() => 'old' as const);
    const found = await Promise.race([answer, tooLate]);
    clearTimeout(timer);
    if (found !== 'old') return found;
    this.stale++;
    return old;
  }

  private ask(adId: string): Promise<Target | undefined> {
    const already = this.asked.get(adId);
    if (already !== undefined) return already;
    const answer = this.lookUp(adId).finally(() => this.asked.delete(adId));
    this.asked.set(adId, answer);
    return answer;
  }

  private async lookUp(adId: string): Promise<Target | undefined> {
    const shared = await this.shared?.get(adId);
    if (shared !== undefined) {
      this.fromShared++;
      return this.remember(adId, shared ?? undefined);
    }
    const target = await this.lookups.get(adId);
    void this.shared?.fill(adId, target);
    return this.remember(adId, target);
  }

  private remember(adId: string, found: Target | undefined): Target | undefined {
    const target = found && toTarget(found);
    const { knownMs, unknownMs } = this.options.memory;
    const lifeMs = jittered(target === undefined ? unknownMs : knownMs);
    const nowMs = performance.now();
    const [place, other] = target === undefined ? [this.unknown, this.known] : [this.known, this.unknown];
    place.set(adId, { target, refreshAtMs: nowMs + REFRESH_AT * lifeMs, untilMs: nowMs + lifeMs });
    other.delete(adId);
    return target;
  }
}
