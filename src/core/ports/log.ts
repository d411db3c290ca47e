// Where records come from: what the embedded log, files and Kafka promise to whoever reads them.
import type { RawBatch } from '../batches.js';

/** Next offset to read by partition. A partition that is missing starts at its first record. */
export type Positions = ReadonlyMap<number, number>;

export interface SourceOptions {
  /** Where to start in each partition. */
  positions: Positions;
  /** Return at the log's present end (as it is when the source is opened) instead of following it. */
  untilEnd: boolean;
  signal: AbortSignal;
  /** Told where memory is rebuilt: of what was appended before this, epoch ms, nothing is needed, there or not. */
  neededSinceMs?: number | undefined;
}

/** A log that several processes may want to read, of which one is active at a time (a consumer group); the others stand by. */
export interface Membership {
  /** Waits until this process is the active one. False: the signal came first. */
  active(signal: AbortSignal): Promise<boolean>;
  /** Tells the group how far the store has counted, for lag tools. Positions come from the store, never from here. */
  report(positions: Positions): Promise<void>;
}

/**
 * Where records come from: the embedded log, a file, Kafka.
 *
 * Guarantee: within a partition records come in ascending offset order, each once, none left out, beginning
 * at the asked position. Partitions come interleaved so that none runs ahead of the others by more than a
 * few batches in event time where the source can choose.
 */
export interface Source {
  /** How many partitions there are, as far as the source knows when it is opened (bare lines: --partitions). */
  readonly partitionCount: number;
  /** Whether it can be opened again at an older position (a pipe can't). */
  readonly seekable: boolean;
  /** Names what is read, for logs: `embedded log ./click-agg-data/log`, `clicks.ndjson`. */
  readonly description: string;
  /** Present where processes share a log. `read` then throws OwnershipLostError when another one became active. */
  readonly membership?: Membership;
  /** A batch is the consumer's until the next one is asked for; then its arrays may be used again. */
  read(options: SourceOptions): AsyncIterable<RawBatch>;
  /** Next offset to be written by partition, as far as it is known now: for lag. Partitions that were added are among them. */
  ends(): Promise<Positions>;
  /** Offset of each partition's first record that is still there, where it may be another than 0. */
  starts?(): Promise<Positions>;
  close(): Promise<void>;
}
