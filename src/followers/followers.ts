// More than one store: the first is counted into, and each of its commits is written to a queue on the disk before it
// is made. The others make the same commits from there, each at its own pace, and catch up after an outage. What became
// of a commit whose process died amid it, the first store tells.
import type { FollowerStatus } from '../core/live-status.js';
import type { Standing, StoredState } from '../core/ports/commit.js';
import type { Store } from '../core/ports/store.js';
import { UserError } from '../errors.js';
import { pause } from '../pause.js';
import { CommitQueue } from './commit-queue.js';
import { type FollowedPlace, Follower, type Leader, PATIENCE, type Patience } from './follower.js';
import { lineageOf, type Turn, turnsWith, wasMade } from './turns.js';

/** Whoever stops by hand doesn't want to wait; whoever counts to the end wants all of it, as long as it goes on. */
const STOP_WAIT_MS = 5_000;
const END_WAIT_MS = 60_000;
const LOOK_MS = 100;

export interface FollowersOptions {
  folder: string;
  bytesMax: number;
  places: readonly FollowedPlace[];
  warn(line: string): void;
  info(line: string): void;
  patience?: Patience;
}

/** The turn that begins. */
export interface LedTurn {
  epoch: number;
  /** As the store was when it was taken over. */
  state: StoredState;
  /** Names the store. */
  origin: string;
}

export class Followers {
  /** Rejects with a mistake of ours; never resolves. */
  readonly failed: Promise<never>;
  private readonly followers: readonly Follower[];
  private leader: Leader | undefined;
  /** Told once that the queue can't be written. */
  private queueFailed = false;
  private trimming: Promise<void> | undefined;
  private standing: AbortController | undefined;
  private asking: Promise<void> | undefined;

  private constructor(
    private readonly options: FollowersOptions,
    private readonly queue: CommitQueue,
  ) {
    const { warn, info, patience = PATIENCE } = options;
    this.followers = options.places.map(
      (place) =>
        new Follower({
          ...{ place, queue, warn, info, patience },
          leader: () => this.leader,
          onApplied: () => this.trim(),
        }),
    );
    this.failed = Promise.race(
      this.followers.map(({ running }) => running.then(() => new Promise<never>(() => {}))),
    );
    this.failed.catch(() => undefined);
  }

  /** Opens the queue; the followers make what is in it. UserError: the disk won't have it. */
  static async open(options: FollowersOptions): Promise<Followers> {
    const { folder, bytesMax } = options;
    return new Followers(options, await CommitQueue.open({ folder, bytesMax }));
  }

  /** How each stands. */
  status(): FollowerStatus[] {
    return this.followers.map((follower) => follower.status());
  }

  /** The store that this turn counts into, its commits queued for the others first; `begin` tells them of it. */
  async lead<S extends Store>(store: S, turn: LedTurn): Promise<S> {
    await this.standsByNoMore();
    const { epoch, state, origin } = turn;
    await this.settle({ turns: turnsWith(state, epoch), commits: state.commits }, { isOver: true });
    return {
      ...store,
      begin: async (identity) => {
        await store.begin(identity);
        this.leader = { origin, identity, commits: this.leader?.commits ?? state.commits };
        this.wake();
      },
      commit: async (commit) => {
        const leader = this.leader!;
        const numbered = { ...commit, number: leader.commits + 1 };
        const { identity } = leader;
        const { number } = numbered;
        const isQueued = await this.enqueue({ number, epoch, origin, identity, commit: numbered });
        await store.commit(numbered);
        if (isQueued) this.queue.made();
        this.leader = { ...leader, commits: numbered.number };
        this.wake();
      },
    };
  }

  /** The turn is over: the followers make what is left, if they can. */
  rest(): void {
    this.leader = undefined;
    this.wake();
  }

  /**
   * While this process stands by it asks the first store what became of its last commit, so that the others get it,
   * and whoever counts meanwhile can go on with them. `ask` gives undefined where the store can't be asked now.
   */
  standsBy(ask: () => Promise<Standing | undefined>): void {
    if (!this.queue.doubtful || this.standing) return;
    this.standing = new AbortController();
    this.asking = this.askOn(ask, this.standing.signal);
    this.asking.catch(() => undefined);
  }

  private async askOn(ask: () => Promise<Standing | undefined>, signal: AbortSignal): Promise<void> {
    while (!signal.aborted && this.queue.doubtful) {
      const state = await ask();
      if (state && !signal.aborted) {
        await this.settle({ turns: lineageOf(state).turns ?? [], commits: state.commits }, { isOver: false });
        this.wake();
      }
      await pause((this.options.patience ?? PATIENCE).ask, signal);
    }
  }

  private async standsByNoMore(): Promise<void> {
    this.standing?.abort();
    await this.asking;
    this.standing = this.asking = undefined;
  }

  /** Keeps or drops the newest commit of the queue; one of which nobody knows is dropped when its turn `isOver`. */
  private async settle(
    store: { turns: readonly Turn[]; commits: number },
    { isOver }: { isOver: boolean },
  ): Promise<void> {
    const { doubtful } = this.queue;
    if (!doubtful) return;
    const made = wasMade(doubtful, store);
    if (made) this.queue.made();
    else if (made === false || isOver) await this.queue.dropDoubtful();
  }

  private async enqueue(queued: Parameters<CommitQueue['append']>[0]): Promise<boolean> {
    try {
      await this.queue.append(queued);
      this.queueFailed = false;
      return true;
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      // Counting goes on: what the first store has can be copied.
      if (!this.queueFailed) {
        this.options.warn(
          `${error.message}: the stores that follow miss commits from now on, and need \`click-agg copy-totals\``,
        );
      }
      this.queueFailed = true;
      return false;
    }
  }

  private wake(): void {
    for (const follower of this.followers) follower.wake();
    this.trim();
  }

  /** Gives the disk back; once at a time. */
  private trim(): void {
    const known = this.followers.map(({ commits }) => commits ?? 0);
    this.trimming ??= this.queue
      .trim(Math.min(...known))
      .then((lost) => {
        if (lost === undefined) return;
        this.options.warn(
          `more than ${this.options.bytesMax} bytes of commits wait for a store that does not follow: those up to ` +
            `number ${lost} are dropped, and it needs \`click-agg copy-totals\` (--follow-limit lets more wait)`,
        );
      })
      .finally(() => {
        this.trimming = undefined;
      });
    this.trimming.catch(() => undefined);
  }

  /** Waits until the followers have all that there is; what they don't get now waits on the disk, and is told. */
  async finish(stopped: boolean): Promise<void> {
    const last = this.leader?.commits;
    if (last === undefined) return;
    let goneOnMs = Date.now();
    let made = -1;
    for (;;) {
      const late = this.followers.filter(({ commits }) => (commits ?? 0) < last);
      if (late.length === 0) return;
      const now = this.followers.reduce((sum, { commits }) => sum + (commits ?? 0), 0);
      if (now > made && !stopped) goneOnMs = Date.now();
      made = now;
      const isHopeless = stopped || late.every((follower) => follower.status().trouble !== undefined);
      const isOver = Date.now() - goneOnMs >= (isHopeless ? STOP_WAIT_MS : END_WAIT_MS);
      if (isOver || late.every(({ isStuck }) => isStuck)) {
        for (const follower of late) this.tellLate(follower);
        return;
      }
      await Promise.race([pause(LOOK_MS, new AbortController().signal), this.failed]);
    }
  }

  private tellLate(follower: Follower): void {
    const { store, behind, trouble } = follower.status();
    const count = behind === undefined ? 'the last commits' : `${behind} commits`;
    this.options.warn(
      `${store} lacks ${count}${trouble === undefined ? '' : ` (${trouble})`}: the next run brings those that wait on the disk`,
    );
  }

  async close(): Promise<void> {
    await this.standsByNoMore();
    await Promise.allSettled(this.followers.map((follower) => follower.close()));
    await this.trimming;
    await this.queue.close();
  }
}
