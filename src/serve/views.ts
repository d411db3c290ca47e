// What is looked at, each question once, whoever asks it: an answer is made at most once a second and serves everybody
// who polls it or watches it. A change that touches it makes it old; so does time, since a message may be lost.
import { createHash } from 'node:crypto';
import { VERDICTS } from '../core/method.js';
import type { Standing } from '../core/ports/commit.js';
import type { LedgerCounts } from '../core/ports/store.js';
import { UserError } from '../errors.js';
import type { ChangeMessage } from '../live/run-message.js';
import { ledgerAnswer, type Scope, seriesAnswer, totalsAnswer } from './answer.js';
import type { Feed } from './feed.js';
import { BadQuestion, type Meant } from './question.js';
import { reconciliationAnswer } from './reconciliation.js';
import type { Scopes } from './scopes.js';
import { statusAnswer } from './status.js';
import type { StoreSource } from './store-source.js';
import { NO_TIDE, readTide, type Tide } from './tide.js';
import type { Viewer } from './tokens.js';
import { touches } from './touches.js';

/** An answer is made anew so often at most. */
const ANSWER_EVERY_MS = 1_000;
/** An answer is made anew after so long in any case: a change may not have been told. */
const ANSWER_KEEPS_MS = 10_000;
/** Views that are remembered; of those that nobody watches the oldest go. */
const VIEWS_MAX = 2_000;

/** A question of somebody. */
export interface View {
  meant: Meant;
  viewer: Viewer;
}

export interface Answer {
  /** JSON text. */
  body: string;
  /** Another one for another answer: an HTTP entity tag. */
  etag: string;
}

/** Is given the newest answer; or why there is none at the moment. It must not wait. */
export type Watcher = (answer: Answer | Error) => void;

/** Too many different views are watched: status 429. */
export class TooManyViews extends Error {}

export interface ViewsOptions {
  source: StoreSource;
  feed: Feed;
  scopes: Scopes;
  /** Where `reconcile` keeps its report. */
  reportFile: string;
}

export class Views {
  /** Answers made anew, and times that none could be made. */
  readonly tally = { made: 0, failed: 0 };
  private readonly views = new Map<string, OpenView>();
  private readonly ticker: NodeJS.Timeout;
  private tide: { atMs: number; asked: Promise<Tide> } | undefined;

  constructor(private readonly options: ViewsOptions) {
    options.feed.onChange((change) => {
      for (const view of this.views.values()) view.changed(change);
    });
    this.ticker = setInterval(() => {
      for (const view of this.views.values()) view.tick();
    }, ANSWER_EVERY_MS);
    this.ticker.unref();
  }

  /** How many are remembered. */
  get size(): number {
    return this.views.size;
  }

  /** The newest answer. UserError: the store can't be read, and why. */
  answer(view: View): Promise<Answer> {
    return this.opened(view).answer();
  }

  /** The newest answer, then each that differs from the one before, until the returned function is called. */
  watch(view: View, watcher: Watcher): () => void {
    return this.opened(view).watch(watcher);
  }

  private opened(view: View): OpenView {
    const { meant, viewer } = view;
    // Who sees everything sees the same, by whatever token.
    const who = viewer.role === 'advertiser' ? viewer.advertiserId : null;
    const key = JSON.stringify([who, meant]);
    const open =
      this.views.get(key) ??
      new OpenView(
        meant,
        () => this.counted(view),
        () => this.options.feed.told,
      );
    this.views.delete(key);
    this.views.set(key, open);
    if (this.views.size > VIEWS_MAX) this.forgetOne();
    return open;
  }

  private forgetOne(): void {
    for (const [key, view] of this.views) {
      if (view.isWatched) continue;
      this.views.delete(key);
      return;
    }
    const [newest] = [...this.views.keys()].reverse();
    this.views.delete(newest!);
    throw new TooManyViews('too many different views are open');
  }

  private async counted(view: View): Promise<Made> {
    try {
      const made = await this.make(view);
      this.tally.made++;
      return made;
    } catch (error) {
      this.tally.failed++;
      throw error;
    }
  }

  private async make({ meant, viewer }: View): Promise<Made> {
    const { source, feed, scopes, reportFile } = this.options;
    const scope = await scopes.of(viewer);
    if (meant.kind === 'reconciliation') {
      return { answer: await reconciliationAnswer(reportFile, scope), scope, newestMs: undefined };
    }
    const living = feed.live();
    const tide = await this.tideNow();
    if (meant.kind === 'status') {
      const answered = await source.read((reader) => statusAnswer(reader, { tide, living, viewer }));
      const answer = answered ?? (await statusAnswer(undefined, { tide, living, viewer }));
      return { answer, scope, newestMs: tide.newestMs };
    }
    const context = { scope, tide };
    const answer = await source.read((reader) => {
      if (meant.kind === 'totals') return totalsAnswer(reader, meant, context);
      if (meant.kind === 'series') return seriesAnswer(reader, meant, context);
      return ledgerAnswer(reader, meant, context) as Promise<object>;
    });
    return { answer: answer ?? (await unanswered(meant, context)), scope, newestMs: tide.newestMs };
  }

  /** Where the store stands: asked once for all views of a moment. */
  private async tideNow(): Promise<Tide> {
    if (!this.tide || Date.now() - this.tide.atMs >= ANSWER_EVERY_MS / 2) {
      const asked = this.options.source.read(readTide).then((tide) => tide ?? NO_TIDE);
      this.tide = { atMs: Date.now(), asked };
    }
    return await this.tide.asked;
  }

  close(): void {
    clearInterval(this.ticker);
    for (const view of this.views.values()) view.close();
  }
}

/** What a store says in which nothing was counted yet. */
async function unanswered(meant: Meant, context: { scope: Scope; tide: Tide }): Promise<object> {
  const nothing = {
    query: async () => [],
    ledger: async () => NO_RECORDS,
    standing: async () => NOT_BEGUN,
  };
  if (meant.kind === 'totals') return await totalsAnswer(nothing, meant, context);
  if (meant.kind === 'series') return await seriesAnswer(nothing, meant, context);
  return await ledgerAnswer(nothing, meant as Extract<Meant, { kind: 'ledger' }>, context);
}

const NOT_BEGUN: Standing = {
  ...{ positions: [], method: undefined, methodHash: undefined, sourceIdentity: undefined, commits: 0 },
};
const NO_RECORDS = Object.fromEntries(['records', ...VERDICTS].map((name) => [name, 0])) as LedgerCounts;

interface Made {
  answer: object;
  scope: Scope;
  newestMs: number | undefined;
}

/** One question of one kind of viewer. */
class OpenView {
  /** Each with what it was told last: one that came late has not heard what the others have. */
  private readonly watchers = new Map<Watcher, string | undefined>();
  private latest: (Answer & Omit<Made, 'answer'>) | undefined;
  private failure: Error | undefined;
  private madeAtMs = -Infinity;
  private old = true;
  private making: Promise<Answer> | undefined;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly meant: Meant,
    private readonly make: () => Promise<Made>,
    private readonly told: () => boolean,
  ) {}

  get isWatched(): boolean {
    return this.watchers.size > 0;
  }

  async answer(): Promise<Answer> {
    return this.usable() ?? (await this.remake());
  }

  /** The latest answer, if it may still be given. */
  private usable(): Answer | undefined {
    const ageMs = Date.now() - this.madeAtMs;
    const keepsMs =
      this.old || !this.told() || this.meant.kind === 'status' ? ANSWER_EVERY_MS : ANSWER_KEEPS_MS;
    return ageMs < keepsMs && !this.failure ? this.latest : undefined;
  }

  watch(watcher: Watcher): () => void {
    this.watchers.set(watcher, undefined);
    const usable = this.usable();
    if (usable) this.tell(usable);
    if (!usable || this.old) this.schedule();
    return () => {
      this.watchers.delete(watcher);
      if (!this.isWatched) this.close();
    };
  }

  changed(change: ChangeMessage | undefined): void {
    if (this.old && !this.making) return;
    const { latest, meant } = this;
    if (change && latest && !touches(change, { ...latest, meant })) return;
    this.old = true;
    if (this.isWatched) this.schedule();
  }

  /** Once a second. */
  tick(): void {
    if (!this.isWatched) return;
    const ageMs = Date.now() - this.madeAtMs;
    const moves = this.meant.kind === 'status' && ageMs >= ANSWER_EVERY_MS / 2;
    if (moves || ageMs >= ANSWER_KEEPS_MS || this.old) this.schedule();
  }

  close(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  /** Makes it anew as soon as it may be. */
  private schedule(): void {
    if (this.timer || this.making) return;
    const waitMs = Math.max(0, this.madeAtMs + ANSWER_EVERY_MS - Date.now());
    this.timer = setTimeout(() => {
      this.timer = undefined;
      this.remake().catch((error: unknown) => {
        if (!isExpected(error)) throw error;
      });
    }, waitMs);
    this.timer.unref();
  }

  private remake(): Promise<Answer> {
    this.making ??= this.made().finally(() => {
      this.making = undefined;
      if (this.old && this.isWatched) this.schedule();
    });
    return this.making;
  }

  private async made(): Promise<Answer> {
    // What changes from now on may be missing in it.
    this.old = false;
    try {
      const { answer, scope, newestMs } = await this.make();
      const body = JSON.stringify(answer);
      const etag = `"${createHash('sha1').update(body).digest('base64url')}"`;
      this.latest = { body, etag, scope, newestMs };
      this.failure = undefined;
      this.tell(this.latest);
      return this.latest;
    } catch (error) {
      if (!isExpected(error)) throw error;
      this.old = true;
      this.tell(error);
      this.failure = error;
      throw error;
    } finally {
      this.madeAtMs = Date.now();
    }
  }

  /** Tells those who have not heard just this. */
  private tell(answer: Answer | Error): void {
    const words = answer instanceof Error ? answer.message : answer.etag;
    for (const [watcher, heard] of this.watchers) {
      if (heard === words) continue;
      this.watchers.set(watcher, words);
      watcher(answer);
    }
  }
}

/** The world's errors and the asker's; anything else is a bug. */
function isExpected(error: unknown): error is Error {
  return error instanceof UserError || error instanceof BadQuestion;
}
