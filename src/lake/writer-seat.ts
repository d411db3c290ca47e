// The place of a lake's only writer, and the one way in which the lake changes. Whoever takes it finishes what the
// writer before left, and makes sure that that one can't commit any more, should it only have been asleep.
import { randomUUID } from 'node:crypto';
import { LakeTakenError } from '../errors.js';
import {
  applyCommit,
  CHECKPOINT_COMMITS,
  type LakeCommit,
  type LakeState,
  MANIFEST_VERSION,
  readState,
  writeCheckpoint,
  writeCommit,
} from './manifest.js';
import type { LakeStorage, LakeWriting } from './storage.js';

/** Others that take the seat at the same moment are few. */
const ATTEMPTS_MAX = 20;

/** A commit but for what every commit of this seat has. */
export type NewCommit = Omit<LakeCommit, 'version' | 'commit' | 'writer' | 'writtenAtMs'>;

export class WriterSeat {
  readonly #storage: LakeStorage;
  readonly writing: LakeWriting;
  readonly #writer = randomUUID();
  #state: LakeState;

  private constructor(storage: LakeStorage, writing: LakeWriting, state: LakeState) {
    this.#storage = storage;
    this.writing = writing;
    this.#state = state;
  }

  /** The lake after the last commit. */
  get state(): LakeState {
    return this.#state;
  }

  /** Takes the seat; release it. UserError: another process has it, or the lake is damaged. */
  static async take(storage: LakeStorage): Promise<WriterSeat> {
    const writing = await storage.beginWriting();
    try {
      const seat = new WriterSeat(storage, writing, await readState(storage));
      for (let attempt = 1; !(await seat.#finishAndFence()); attempt++) {
        if (attempt === ATTEMPTS_MAX) throw new LakeTakenError(storage.name);
        seat.#state = await readState(storage);
      }
      await writing.clear(seat.state.commit);
      return seat;
    } catch (error) {
      writing.release();
      throw error;
    }
  }

  /** False: somebody committed in between, so that there is something else to finish. */
  async #finishAndFence(): Promise<boolean> {
    const { last, log, methodHash, partitions } = this.#state;
    // Before the fence, behind which nobody would know any more that it has to be finished.
    if (last) await this.writing.place(last);
    if (!this.writing.fencesByCommit || !log) return true;
    try {
      await this.commit({
        kind: 'take-over',
        methodHash: methodHash ?? null,
        log,
        partitions: [...partitions.values()],
        add: [],
        remove: [],
      });
      return true;
    } catch (error) {
      if (error instanceof LakeTakenError) return false;
      throw error;
    }
  }

  /** Changes the lake. LakeTakenError: another process is its writer now. */
  async commit(entry: NewCommit): Promise<void> {
    const commit: LakeCommit = {
      version: MANIFEST_VERSION,
      commit: this.#state.commit + 1,
      writtenAtMs: Date.now(),
      writer: this.#writer,
      ...entry,
    };
    await writeCommit(this.#storage, this.writing, commit);
    await this.writing.place(commit);
    applyCommit(this.#state, commit);
    if (this.#state.commit - this.#state.checkpoint >= CHECKPOINT_COMMITS) {
      await writeCheckpoint(this.#storage, this.writing, this.#state);
    }
  }

  release(): void {
    this.writing.release();
  }
}
