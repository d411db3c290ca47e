// Drives the engine over a log as `run` does, but by a plan: which partition is read when, in what batches,
// when it commits, when it is killed. And checks after every commit that the store holds what the oracle says.
import { isDeepStrictEqual } from 'node:util';
import { expect } from 'vitest';
import { Aggregator, MemoryFloorError } from '../../src/core/aggregator.js';
import { createDecoder } from '../../src/core/decoder.js';
import type { Verdict } from '../../src/core/method.js';
import { decide, type OracleRecord } from '../oracle.js';
import { MemoryStore } from './memory-store.js';
import type { RandomLog } from './random-log.js';
import { rawBatchOf } from './raw-batch.js';

/** One batch: as many records from each picked partition in turn, then what happens. */
export interface Step {
  picks: readonly { partition: number; count: number }[];
  /**
   * `commit idle`: the partitions that no pick names count as idle, and their open minutes are written as provisional.
   * `tell`: the engine hears of one more partition (see `partitionsAtFirst`).
   */
  after: 'go on' | 'commit' | 'commit idle' | 'commit all' | 'kill' | 'tell';
}

export interface ReplayOptions {
  quietAfterRecords?: number;
  /** Compare with the oracle after every commit (else only after the last). */
  checkEachCommit?: boolean;
  /** Partitions that the engine knows of at first; it hears of more by `tell`, or by their records. Default: all. */
  partitionsAtFirst?: number;
}

/** Verdicts that a dead letter tells of. */
export const LETTERED: readonly Verdict[] = ['invalid', 'too_late', 'invalid_traffic', 'bot'];

/** A log of so few records can't fall below memory's floor more often. */
const REBUILDS_MAX = 300;

/** Replays `log` by `plan`, then what is left, and returns the store after a last complete commit. */
export function replay(log: RandomLog, plan: readonly Step[], options: ReplayOptions = {}): MemoryStore {
  return new Replay(log, options).run(plan);
}

class Replay {
  private readonly store = new MemoryStore();
  private readonly byPartition = new Map<number, OracleRecord[]>();
  private readonly decode;
  private aggregator!: Aggregator;
  private rebuilds = 0;
  private partitions: number;
  /** Next offset to read by partition. */
  private next = new Map<number, number>();

  constructor(
    private readonly log: RandomLog,
    private readonly options: ReplayOptions,
  ) {
    for (const record of log.records) {
      this.byPartition.set(record.partition, [...(this.byPartition.get(record.partition) ?? []), record]);
    }
    const decoder = createDecoder({ method: log.method, partitions: log.partitionCount });
    this.decode = (records: readonly OracleRecord[]) => decoder.decode(rawBatchOf(records));
    this.partitions = options.partitionsAtFirst ?? log.partitionCount;
    this.start();
  }

  run(plan: readonly Step[]): MemoryStore {
    for (const { picks, after } of plan) {
      this.push(picks.flatMap(({ partition, count }) => this.take(partition, count)));
      if (after === 'kill') this.start();
      else if (after === 'tell') this.tell();
      else if (after === 'commit idle') this.commit(false, this.idleBeside(picks));
      else if (after !== 'go on') this.commit(after === 'commit all');
    }
    for (let rest = this.takeFromAll(); rest.length > 0; rest = this.takeFromAll()) {
      this.push(rest);
      // As `run` does: what memory was rebuilt for is counted before the next partition wakes up.
      if (this.rebuilds > 0) this.commit(false);
    }
    this.commit(true);
    this.check();
    return this.store;
  }

  private start(holdFor?: MemoryFloorError): void {
    const { quietAfterRecords } = this.options;
    this.aggregator = new Aggregator(this.log.method, {
      partitionCount: this.partitions,
      ...(quietAfterRecords === undefined ? {} : { quietAfterRecords }),
    });
    const state = this.store.state();
    this.next = new Map(this.aggregator.restore(state, holdFor === undefined ? {} : { holdFor }));
  }

  /** A click below memory's floor: memory is rebuilt so that it reaches back to it. */
  private push(records: readonly OracleRecord[]): void {
    try {
      this.aggregator.push(this.decode(records));
    } catch (error) {
      if (!(error instanceof MemoryFloorError)) throw error;
      // Some of the batch was booked, some was not: whoever commits just now must get nothing of it.
      expect(this.aggregator.commit({ complete: true })).toBeUndefined();
      if (++this.rebuilds > REBUILDS_MAX)
        throw new Error('memory is rebuilt again and again', { cause: error });
      this.start(error);
    }
  }

  private tell(): void {
    if (this.partitions < this.log.partitionCount) this.aggregator.addPartition(this.partitions++);
  }

  private take(partition: number, count: number): OracleRecord[] {
    const from = this.next.get(partition) ?? 0;
    const records = (this.byPartition.get(partition) ?? []).filter(({ offset }) => offset >= from);
    const taken = records.slice(0, count);
    const last = taken.at(-1);
    if (last) this.next.set(partition, last.offset + 1);
    return taken;
  }

  private takeFromAll(): OracleRecord[] {
    return [...this.byPartition.keys()].flatMap((partition) => this.take(partition, 7));
  }

  private idleBeside(picks: Step['picks']): Set<number> {
    const picked = new Set(picks.map(({ partition }) => partition));
    return new Set([...this.byPartition.keys()].filter((partition) => !picked.has(partition)));
  }

  private commit(complete: boolean, provisional: ReadonlySet<number> = new Set()): void {
    const commit = this.aggregator.commit({ complete, provisional });
    if (commit === undefined) return; // memory is being rebuilt
    this.store.commit(commit);
    if (this.options.checkEachCommit) this.check(complete);
  }

  /** Whatever was committed: ledger and dead letters are the oracle's for the records below the positions. */
  private check(complete = true): void {
    const { store } = this;
    const positions = new Map(
      store.state().positions.map(({ partition, position }) => [partition, position]),
    );
    const counted = this.log.records.filter(
      ({ partition, offset }) => offset < (positions.get(partition) ?? 0),
    );
    const decided = decide(counted, this.log.method);
    expectSame(store.ledgerRows(), decided.ledgerRows);
    const letters = store.deadLetters();
    expectSame(
      letters.map(({ partition, offset, verdict }) => ({ partition, offset, verdict })),
      decided.verdicts
        .filter(({ verdict }) => LETTERED.includes(verdict))
        .map(({ partition, offset, verdict }) => ({ partition, offset, verdict })),
    );
    for (const letter of letters) this.checkLetter(letter, decided.verdicts);
    if (complete) expectSame(store.totals(), decided.totals);
  }

  private checkLetter(
    letter: ReturnType<MemoryStore['deadLetters']>[number],
    verdicts: ReturnType<typeof decide>['verdicts'],
  ): void {
    const isIt = (at: { partition: number; offset: number }): boolean =>
      at.partition === letter.partition && at.offset === letter.offset;
    const { reason } = verdicts.find(isIt)!;
    if (letter.verdict === 'invalid' || letter.verdict === 'invalid_traffic')
      expectSame(letter.reason, reason);
    else if (letter.reason === '') expect.fail('a dead letter says no reason');
    if (letter.verdict === 'bot' || letter.verdict === 'invalid_traffic') return;
    const { value } = this.log.records.find(isIt)!;
    expectSame(Buffer.compare(letter.value!, value), 0);
    expectSame(letter.valueBytes, value.length);
  }
}

/** As `expect(actual).toEqual(expected)`, which takes longer than the engine when it is asked thousands of times. */
function expectSame(actual: unknown, expected: unknown): void {
  if (!isDeepStrictEqual(actual, expected)) expect(actual).toEqual(expected);
}
