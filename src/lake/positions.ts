// How far the lake has come in each partition, and what the next commit says about it. Records of a log are
// known by partition and offset. Bare lines are numbered over all partitions, and a flush always holds all
// lines up to some number, so there every partition stands at the same line.
import type { RawBatch } from '../core/batches.js';
import { PARTITION_MAX } from '../core/batches.js';
import type { Positions } from '../core/ports/log.js';
import { UserError } from '../errors.js';
import type { LakeFile, LakeLog, LakePartition, LakeState } from './manifest.js';

export interface ProgressOptions {
  partitionCount: number;
  identity: string | null;
  /** An identity that the lake may hold instead, because the present log goes on where that one ended. */
  continues: string | null;
  /** Its name, for messages. */
  lake: string;
}

export class Progress {
  /** Next offset to take by partition. */
  readonly #next = new Float64Array(PARTITION_MAX + 1);
  readonly #seen = new Map<number, LakePartition>();
  readonly #partitionCount: number;
  #identity: string | null;
  readonly #lake: string;
  /** Undefined until the first record of a new lake tells. */
  #bare: boolean | undefined;
  #nextLine = 0;

  constructor(state: LakeState, { partitionCount, identity, continues, lake }: ProgressOptions) {
    this.#partitionCount = partitionCount;
    this.#identity = identity;
    this.#lake = lake;
    if (state.log) this.#resume(state.log, continues);
    for (const partition of state.partitions.values()) {
      this.#seen.set(partition.partition, { ...partition });
      this.#next[partition.partition] = partition.position;
      if (this.#bare) this.#nextLine = Math.max(this.#nextLine, partition.position);
    }
  }

  #resume(log: LakeLog, continues: string | null): void {
    this.#identity ??= log.identity;
    if (log.identity !== null && log.identity !== this.#identity && log.identity !== continues) {
      throw new UserError(`the lake ${this.#lake} was written from another log or file`, {
        hint: 'Give each log a lake of its own: --lake DIR.',
      });
    }
    this.#bare = log.bare;
    if (log.bare && log.partitionCount !== this.#partitionCount) {
      throw new UserError(
        `the lake ${this.#lake} was written with ${log.partitionCount} partitions, not ${this.#partitionCount}`,
        { hint: `Use --partitions ${log.partitionCount}.` },
      );
    }
  }

  /** Next offset to take by partition: where the source reads on. */
  next(): Positions {
    return new Map([...this.#seen.values()].map(({ partition }) => [partition, this.#nextOf(partition)]));
  }

  #nextOf(partition: number): number {
    return this.#bare ? this.#nextLine : this.#next[partition]!;
  }

  /** Whether the lake doesn't hold the record yet, nor what has gathered since. */
  isNew(batch: RawBatch, i: number): boolean {
    const partition = batch.partition[i]!;
    if (partition < 0) return batch.offset[i]! >= this.#nextLine;
    if (partition > PARTITION_MAX) {
      throw new UserError(`partition ${partition} is beyond the ${PARTITION_MAX} that a lake can hold`);
    }
    return batch.offset[i]! >= this.#next[partition]!;
  }

  /** Notes a record that `isNew`; `partition` is the one it was put into. */
  take(batch: RawBatch, i: number, partition: number): void {
    const bare = batch.partition[i]! < 0;
    const next = batch.offset[i]! + 1;
    if (bare !== this.#bare) this.#becomes(bare);
    if (bare) {
      this.#nextLine = next;
      return;
    }
    this.#next[partition] = next;
    if (!this.#seen.has(partition)) {
      this.#seen.set(partition, { partition, position: 0, firstOffset: null, records: 0 });
    }
  }

  #becomes(bare: boolean): void {
    if (this.#bare !== undefined) {
      throw new UserError(
        `the lake ${this.#lake} holds ${this.#bare ? 'bare lines' : 'records with partition and offset'}; ` +
          `the input gives ${bare ? 'bare lines' : 'records with partition and offset'}`,
        { hint: 'Give each log a lake of its own: --lake DIR.' },
      );
    }
    this.#bare = bare;
    if (!bare) return;
    for (let partition = 0; partition < this.#partitionCount; partition++) {
      this.#seen.set(partition, { partition, position: 0, firstOffset: null, records: 0 });
    }
  }

  log(): LakeLog {
    return { bare: this.#bare ?? false, partitionCount: this.#partitionCount, identity: this.#identity };
  }

  /**
   * The partitions after a commit of `files`, which hold everything that was taken when `next` gave `taken`; to be
   * called once a commit, in order.
   */
  partitionsAfter(files: readonly LakeFile[], taken: Positions): LakePartition[] {
    for (const file of files) {
      const partition = this.#seen.get(file.partition)!;
      partition.records += file.records;
      partition.firstOffset = Math.min(partition.firstOffset ?? Infinity, file.firstOffset);
    }
    return [...taken]
      .map(([partition, position]) => ({ ...this.#seen.get(partition)!, position }))
      .sort((a, b) => a.partition - b.partition);
  }
}
