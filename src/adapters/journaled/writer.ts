// The one writer of a store without transactions. A write is put into the journal, decided by a swap of the head, carried
// out in the tables, and completed by another swap. Whoever finds one that is decided and not completed completes it.
import { setTimeout as sleep } from 'node:timers/promises';
import { FencedError, invariant, UserError } from '../../errors.js';
import { carryOut } from './carry-out.js';
import type { RowDatabase } from './database.js';
import { type HeadState, type KnownHead, openHead, readHead, swapHead } from './head.js';
import { Hold, unheld } from './hold.js';
import {
  dropJournal,
  dropJournals,
  type HeadChange,
  type Part,
  readJournal,
  writeJournal,
} from './journal.js';

/** What a write does. */
export interface Work {
  head: HeadChange;
  /** Rows to write; absent: the head alone changes. What comes piece by piece is read back from the journal. */
  parts?: readonly Part[] | AsyncIterable<Part>;
}

/** Works out a write from the head; undefined: there is nothing to write. */
export type Plan = (state: HeadState) => Promise<Work | undefined>;

export interface WriterOptions {
  /** Called when somebody else may have written: what is remembered of rows is worth nothing any more. */
  forget(): void;
  /** So long another writer of the same epoch is given to complete its write before this one does it, ms. */
  patienceMs?: number;
}

const PATIENCE_MS = 10_000;
const PATIENCE_STEP_MS = 20;
/** Two writers of one epoch, a run and a backfill, get in each other's way seldom. */
const ATTEMPTS_MAX = 100;

export class Writer {
  private turn: Promise<unknown> = Promise.resolve();
  private closed = false;
  /** The head after this one's last write; undefined: it has to be looked at. */
  private known: KnownHead | undefined;
  /** The head that `forget` was called for last, or that came after it by this one's own writes. */
  private remembered = 0;

  private constructor(
    private readonly database: RowDatabase,
    private epoch: number,
    private readonly options: WriterOptions,
  ) {}

  /** Who opens the store, made if there is none, and does not take it over may write until another one does. */
  static async open(database: RowDatabase, options: WriterOptions): Promise<Writer> {
    const head = await openHead(database);
    return new Writer(database, head.state.epoch, options);
  }

  /** Makes this the store's only writer; gives its epoch. What was decided before is completed first. */
  takeOver(): Promise<number> {
    return this.inTurn(async () => {
      this.known = undefined;
      for (;;) {
        const head = await this.completed(await this.look(), 0);
        if (!head) continue;
        const epoch = head.state.epoch + 1;
        const taken = await swapHead(this.database, head, { ...head.state, epoch, hold: undefined });
        if (!taken) continue;
        this.epoch = epoch;
        this.know(taken);
        this.options.forget();
        await this.dropOthersJournals(head);
        return epoch;
      }
    });
  }

  /**
   * Makes a write that `plan` works out from the head, exactly once; undefined: nothing is to be written. `plan` is asked
   * again where another one wrote meanwhile; with `holding`, others wait until it is done, however long it takes.
   * FencedError: another process owns the store.
   */
  write(plan: Plan, { holding } = { holding: false }): Promise<void> {
    return this.inTurn(async () => {
      for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
        const head = await this.settled();
        const done = holding
          ? await this.writeHolding(head, plan)
          : await this.carriedThrough(head, await this.planned(head, plan));
        if (done) return;
        this.known = undefined;
      }
      throw new UserError('others write to the store all the time', {
        hint: 'Try again when they are done.',
      });
    });
  }

  /** Runs `work` between two writes of this one. */
  between<T>(work: () => Promise<T>): Promise<T> {
    return this.inTurn(work);
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.turn;
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    invariant(!this.closed, 'the store is used after it was closed');
    const result = this.turn.then(work);
    this.turn = Promise.allSettled([result]);
    return result;
  }

  /** The head with nothing pending, which is this one's to change. */
  private async settled(): Promise<KnownHead> {
    for (;;) {
      const read = this.known ?? (await this.look());
      if (read.state.epoch !== this.epoch) throw new FencedError();
      const completed = await this.completed(read, this.options.patienceMs ?? PATIENCE_MS);
      const head = completed && (await unheld(this.database, completed));
      this.known = undefined;
      if (!head) continue;
      if (head.revision !== this.remembered) this.options.forget();
      this.know(head);
      return head;
    }
  }

  private async look(): Promise<KnownHead> {
    const head = await readHead(this.database);
    if (!head) throw new UserError(`the store in ${this.database.name} is gone`);
    return head;
  }

  private know(head: KnownHead): void {
    this.known = head;
    this.remembered = head.revision;
  }

  /** What the owner before may have left: of a write that was not decided, or that was completed two swaps ago. */
  private async dropOthersJournals({ revision }: KnownHead): Promise<void> {
    for (const one of [revision - 2, revision]) await dropJournals(this.database, one);
  }

  /** False: the head moved before the write was decided. */
  private async writeHolding(head: KnownHead, plan: Plan): Promise<boolean> {
    const hold = await Hold.take(this.database, head);
    if (!hold) return false;
    this.known = undefined;
    const [planned] = await Promise.allSettled([this.planned(head, plan)]);
    if (planned.status === 'rejected' || planned.value === undefined) await hold.release();
    if (planned.status === 'rejected') throw planned.reason;
    const held = await hold.end();
    if (!held) return false;
    // The same but for the hold: what was planned and is remembered is right.
    this.know(held);
    return await this.carriedThrough(held, planned.value);
  }

  private async planned(head: KnownHead, plan: Plan): Promise<Work | undefined> {
    const [planned] = await Promise.allSettled([plan(head.state)]);
    if (planned.status === 'fulfilled') return planned.value;
    // What it has half worked out and remembered is of no use.
    this.options.forget();
    throw planned.reason;
  }

  /** False: the head moved before the write was decided, and nothing happened. */
  private async carriedThrough(head: KnownHead, work: Work | undefined): Promise<boolean> {
    if (!work) return true;
    const { database } = this;
    // Until it is known how this ends, the head and the rows must be looked at again.
    this.known = undefined;
    const remembered = this.remembered;
    this.remembered = 0;
    const version = Math.max(head.state.version + 1, Date.now() * 1000);
    const free = { ...head.state, version, hold: undefined };
    if (!work.parts) {
      const swapped = await swapHead(database, head, { ...free, ...work.head });
      if (!swapped) return false;
      this.know(swapped);
      return true;
    }
    invariant(remembered === head.revision, 'a write is planned by the head that it follows');
    const pending = await writeJournal(database, { revision: head.revision, version }, work.parts, work.head);
    const decided = await swapHead(database, head, { ...free, pending });
    if (!decided) {
      await dropJournal(database, pending, version);
      return false;
    }
    const completed = Array.isArray(work.parts)
      ? await this.complete(decided, work.parts, work.head)
      : await this.completed(decided, 0);
    if (completed) this.know(completed);
    return true;
  }

  /** The head with nothing pending; undefined: it moved, look again. Others are given `patienceMs` to complete their write. */
  private async completed(head: KnownHead, patienceMs: number): Promise<KnownHead | undefined> {
    const { pending, version, shards } = head.state;
    if (!pending) return head;
    for (let waited = 0; waited < patienceMs; waited += PATIENCE_STEP_MS) {
      await sleep(PATIENCE_STEP_MS);
      const now = await this.look();
      if (now.revision !== head.revision) return undefined;
    }
    const change = await readJournal(this.database, pending, (part) =>
      carryOut(this.database, part, { version, shards }),
    );
    if (change) return await this.complete(head, [], change);
    const now = await this.look();
    invariant(now.revision !== head.revision, 'the journal of a write that is decided is there');
    return undefined;
  }

  /** Carries out what is decided and completes it; undefined: another one has completed it. */
  private async complete(
    head: KnownHead,
    parts: readonly Part[],
    change: HeadChange,
  ): Promise<KnownHead | undefined> {
    const { database } = this;
    const { pending, version, shards } = head.state;
    for (const part of parts) await carryOut(database, part, { version, shards });
    const completed = await swapHead(database, head, { ...head.state, ...change, pending: undefined });
    await dropJournal(database, pending!, version);
    return completed;
  }
}
