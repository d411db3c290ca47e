// Reading what belongs to one commit, without transactions: the head is read before and after. Where commits come too
// fast for that, an answer may hold some rows of the one that is just being made, which is the most that it can be off.
//
// A glance at the head is enough, which may miss a swap that is not answered yet. A commit's rows are written when the swap
// that decided it is answered, so whoever saw one of them sees that swap afterwards; the swap that completes it is made
// when all of them are written, so whoever saw it, answered or not, finds every row.
import { setTimeout as sleep } from 'node:timers/promises';
import { UserError } from '../../errors.js';
import type { RowDatabase } from './database.js';
import { glanceAtHead, type HeadState, type KnownHead } from './head.js';
import { Hold, unheld } from './hold.js';

/** A question is asked so often again, with a wait that grows, before it is answered as well as it can be. */
const ATTEMPTS_MAX = 5;
const WAIT_STEP_MS = 5;
/** What must be of one commit is tried for so long. */
const EXACT_WAIT_MS = 30_000;
const EXACT_STEP_MS = 50;
/** So often it is tried without holding anybody up. */
const FREE_ATTEMPTS = 3;

/** Runs work between two writes of this process, where it writes. */
export type Between = <T>(work: () => Promise<T>) => Promise<T>;

export class Reading {
  constructor(
    private readonly database: RowDatabase,
    private readonly between?: Between,
  ) {}

  /** What the head says now. */
  async state(): Promise<HeadState> {
    return (await this.head()).state;
  }

  /** An answer of one commit, or, while commits come without a break, with a part of the one that is being made. */
  async read<T>(work: (state: HeadState) => Promise<T>): Promise<T> {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const answer = await this.attempt(work);
      if (answer) return answer.value;
      await sleep(attempt * WAIT_STEP_MS);
    }
    const anyhow = async (): Promise<T> => work(await this.state());
    return this.between ? await this.between(anyhow) : await anyhow();
  }

  /**
   * An answer of one commit; where they come too fast for it, writers are held up until it is there. UserError: a commit
   * is half made and nobody makes the rest.
   */
  async exact<T>(work: (state: HeadState) => Promise<T>): Promise<T> {
    const first = await this.head();
    const untilMs = Date.now() + EXACT_WAIT_MS;
    for (let attempts = 0; ; attempts++) {
      const answer = attempts < FREE_ATTEMPTS ? await this.attempt(work) : await this.inTurn(work);
      if (answer) return answer.value;
      if (attempts > FREE_ATTEMPTS && Date.now() >= untilMs) break;
      await sleep(EXACT_STEP_MS);
    }
    const { revision } = await this.head();
    const { name } = this.database;
    throw revision === first.revision
      ? new UserError(`a commit to ${name} is half made`, {
          hint: 'Start `click-agg run`: it makes the rest.',
        })
      : new UserError(`${name} is written all the time`, { hint: 'Try again when less is written.' });
  }

  private async inTurn<T>(work: (state: HeadState) => Promise<T>): Promise<{ value: T } | undefined> {
    // Between its own writes it has only those of others against it.
    if (this.between) return await this.between(() => this.attempt(work));
    const head = await this.head();
    if (head.state.pending) return undefined;
    const free = await unheld(this.database, head);
    const hold = free && (await Hold.take(this.database, free));
    if (!hold) return undefined;
    const [outcome] = await Promise.allSettled([work(head.state)]);
    const released = await hold.release();
    if (outcome.status === 'rejected') throw outcome.reason;
    return released ? { value: outcome.value } : undefined;
  }

  /** Undefined: the head moved meanwhile, or a commit is being made. */
  async attempt<T>(work: (state: HeadState) => Promise<T>): Promise<{ value: T } | undefined> {
    const before = await this.head();
    if (before.state.pending) return undefined;
    const value = await work(before.state);
    return (await this.isStill(before)) ? { value } : undefined;
  }

  async isStill({ revision }: KnownHead): Promise<boolean> {
    return (await this.head()).revision === revision;
  }

  async head(): Promise<KnownHead> {
    const head = await glanceAtHead(this.database);
    if (head) return head;
    throw new UserError(`the store in ${this.database.name} is gone`);
  }
}
