// One store that follows another: it makes the commits that wait in the queue, in order, each once. Whatever stands in
// its way is told and waited for, and nobody else waits with it.
import type { FollowerStatus } from '../core/live-status.js';
import type { Store } from '../core/ports/store.js';
import { FencedError, UserError } from '../errors.js';
import { pause } from '../pause.js';
import { RepeatedWarning } from '../repeated-warning.js';
import type { Leading } from './commit-frames.js';
import type { CommitQueue } from './commit-queue.js';
import { lineageOf } from './turns.js';

/** How long things are waited for, ms. */
export interface Patience {
  /** Between two attempts at a store that can't be used: at first, and at most. */
  retry: number;
  retryMax: number;
  /** How often a store is looked at that lacks commits which are not here. */
  look: number;
  /** So long another process may take to bring what is missing before that is told. */
  gap: number;
  /** So often a process that stands by asks what became of its last commit. */
  ask: number;
}

export const PATIENCE: Patience = { retry: 500, retryMax: 15_000, look: 2000, gap: 60_000, ask: 3000 };

export interface FollowedPlace {
  /** As it may be shown. */
  name: string;
  /** Opens it for writing. UserError: it can't be used now. */
  open(signal: AbortSignal): Promise<Store>;
}

/** The store that others follow, and its last commit. */
export interface Leader extends Leading {
  commits: number;
}

export interface FollowerOptions {
  place: FollowedPlace;
  queue: CommitQueue;
  /** Undefined while another process counts. */
  leader(): Leader | undefined;
  /** It has made this commit. */
  onApplied(): void;
  warn(line: string): void;
  info(line: string): void;
  patience: Patience;
}

export class Follower {
  /** Rejects with a mistake of ours; resolves after `close`. */
  readonly running: Promise<void>;
  /** Its last commit; undefined: nobody could ask it yet. */
  commits: number | undefined;
  #trouble: string | undefined;
  #gapSinceMs: number | undefined;
  #gapTold = false;
  #toldIdentity: string | undefined;
  readonly #closing = new AbortController();
  readonly #warning: RepeatedWarning;
  /** It was woken since it last waited. */
  #isAwake = false;
  #rouse: () => void = () => undefined;

  constructor(private readonly options: FollowerOptions) {
    const { name } = options.place;
    this.#warning = new RepeatedWarning((trouble) =>
      options.warn(`${name} does not follow: ${trouble}; its commits wait on the disk`),
    );
    this.running = this.#run();
    this.running.catch(() => undefined);
  }

  status(): FollowerStatus {
    const { place, leader } = this.options;
    const last = leader()?.commits;
    const behind =
      last === undefined || this.commits === undefined ? undefined : Math.max(0, last - this.commits);
    return { store: place.name, commits: this.commits, behind, trouble: this.#trouble };
  }

  /** Whether this process has nothing that would bring it further. */
  get isStuck(): boolean {
    return this.commits !== undefined && !this.options.queue.has(this.commits + 1);
  }

  /** There may be something to do. */
  wake(): void {
    this.#isAwake = true;
    this.#rouse();
  }

  /** Ends after the commit that is under way. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.wake();
    await this.running;
  }

  async #run(): Promise<void> {
    const { retry, retryMax } = this.options.patience;
    let waitMs = retry;
    while (!this.#closing.signal.aborted) {
      try {
        await this.#somethingToDo();
        if (await this.#follow()) waitMs = retry;
      } catch (error) {
        // Another process of ours brings commits that this one does not have.
        if (error instanceof FencedError) waitMs = retry;
        else if (error instanceof UserError) this.#isInTrouble(error.message);
        else throw error;
      }
      await pause(waitMs, this.#closing.signal);
      waitMs = Math.min(retryMax, waitMs * 2);
    }
  }

  #isInTrouble(trouble: string): void {
    this.#trouble = trouble;
    this.#warning.say(trouble);
  }

  #isWell(): void {
    this.#trouble = undefined;
    this.#gapSinceMs = undefined;
    this.#gapTold = false;
    if (this.#warning.over()) this.options.info(`${this.options.place.name} follows again`);
  }

  /** Waits while the store is known to have all that there is. It is not kept open meanwhile. */
  async #somethingToDo(): Promise<void> {
    const { queue } = this.options;
    while (this.commits !== undefined && !this.#closing.signal.aborted) {
      if (queue.has(this.commits + 1)) return;
      if (this.#isBehind) {
        this.#missesCommits();
        // Another process may bring it further, or a copy.
        await this.#woken(this.options.patience.look);
        return;
      }
      this.#isWell();
      await this.#woken(undefined);
    }
  }

  /** The last commit that this process knows of. */
  get #lastKnown(): number {
    const { leader, queue } = this.options;
    return Math.max(leader()?.commits ?? 0, queue.newest?.number ?? 0);
  }

  get #isBehind(): boolean {
    return this.#lastKnown > this.commits!;
  }

  /** Opens the store and makes commits until the end, or until there is nothing that this process could bring. */
  async #follow(): Promise<boolean> {
    if (this.#closing.signal.aborted) return false;
    const store = await this.options.place.open(this.#closing.signal);
    try {
      this.commits = (await store.standing()).commits;
      if (!(await this.#mayFollow(store))) return false;
      await store.takeOver();
      // A copy may have begun just before.
      if (!(await this.#mayFollow(store))) return false;
      this.commits = (await store.standing()).commits;
      this.#toldIdentity = undefined;
      await this.#applyAll(store);
      return true;
    } finally {
      await store.close();
    }
  }

  #missesCommits(): void {
    const { place, warn, patience } = this.options;
    this.#gapSinceMs ??= Date.now();
    const last = this.#lastKnown;
    this.#trouble = `commits ${this.commits! + 1} to ${last} are not in the queue of this process`;
    const isNew = this.commits === 0;
    if (this.#gapTold || (!isNew && Date.now() - this.#gapSinceMs < patience.gap)) return;
    this.#gapTold = true;
    warn(
      `${place.name} has made ${this.commits} commits of ${last}, and the next ones are not in the queue: ` +
        'it follows once `click-agg copy-totals` has brought it up to date',
    );
  }

  /** Whether the commits of the queue are for this store. UserError: they are another's. */
  async #mayFollow(store: Store): Promise<boolean> {
    const { queue, place } = this.options;
    // Not its state: a process that died may have left a commit half made, which taking over completes.
    const state = await store.standing();
    const next = await queue.read(state.commits + 1);
    if (!next || this.#closing.signal.aborted) return false;
    const { follows, copying } = lineageOf(state);
    if (copying !== undefined) throw new UserError('totals are being copied into it');
    const isNew = state.commits === 0 && state.methodHash === undefined;
    if (isNew || follows === next.origin) return true;
    throw new UserError(`${place.name} holds totals of its own, not those of the first store`, {
      hint: 'Give another one, or an empty one.',
    });
  }

  /** Makes one commit after the other. */
  async #applyAll(store: Store): Promise<void> {
    const { queue, leader, onApplied } = this.options;
    while (!this.#closing.signal.aborted) {
      const next = await queue.read(this.commits! + 1);
      await this.#tellIdentity(store, next ?? leader());
      if (next) {
        await store.commit({ ...next.commit, number: next.number });
        this.commits = next.number;
        this.#isWell();
        onApplied();
      } else if (!leader() || this.#isBehind) return;
      else await this.#woken(undefined);
    }
  }

  /** What the first store counts, in the words that this store keeps. */
  async #tellIdentity(store: Store, leading: Leading | undefined): Promise<void> {
    if (!leading || leading.identity.sourceIdentity === this.#toldIdentity) return;
    const { origin, identity } = leading;
    const { turns: _, ...history } = lineageOf(identity);
    const sourceIdentity = JSON.stringify({ ...history, follows: origin });
    await store.begin({ method: identity.method, sourceIdentity });
    this.#toldIdentity = identity.sourceIdentity;
  }

  /** Waits to be woken, or for so long. */
  async #woken(forMs: number | undefined): Promise<void> {
    if (!this.#isAwake) {
      await new Promise<void>((resolve) => {
        const timer = forMs === undefined ? undefined : setTimeout(resolve, forMs);
        this.#rouse = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#isAwake = false;
  }
}
