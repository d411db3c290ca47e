// Reads the spool for its sender: from a position on, and never a click that a power cut could still take back. For if
// one were sent and then lost here, the next click would get its place and would be taken for sent.
import { setTimeout as sleep } from 'node:timers/promises';
import { FRAME_BYTES_MAX } from '../adapters/embedded/frame.js';
import { FrameRecords } from '../adapters/embedded/frame-records.js';
import { PartitionReader, ReadBuffer } from '../adapters/embedded/partition-reader.js';
import type { RawBatch } from '../core/batches.js';
import { invariant } from '../errors.js';
import { SPOOL_PARTITION } from './backlog.js';

/** What one reading takes at most is one piece of a transaction: more than comes between two of them. */
const READ_BYTES = FRAME_BYTES_MAX;
/** A segment that was just begun is seen at one of the next looks. */
const LOOK_AGAIN_MS = 2;

/** Waits until everything below an offset is durable. False: the sender shall end, and it is not. */
export type UntilDurable = (offset: number) => Promise<boolean>;

export class SpoolReader {
  readonly #buffer = new ReadBuffer();
  readonly #records = new FrameRecords();

  private constructor(
    private readonly reader: PartitionReader,
    private readonly untilDurable: UntilDurable,
    private position: number,
  ) {}

  /** UserError: the spool doesn't hold the position, or is damaged. */
  static async open(spoolDir: string, position: number, untilDurable: UntilDurable): Promise<SpoolReader> {
    const start = { logDir: spoolDir, partition: SPOOL_PARTITION, position, untilEnd: false };
    return new SpoolReader(await PartitionReader.open(start), untilDurable, position);
  }

  /** The clicks that come next, at least one; the caller's until the next call. Undefined: the sender shall end. */
  async next(): Promise<RawBatch | undefined> {
    if (!(await this.untilDurable(this.position + 1))) return undefined;
    do {
      while (!(await this.reader.ready())) await sleep(LOOK_AGAIN_MS);
      await this.reader.read(this.#buffer, this.#records, READ_BYTES);
    } while (this.#records.count === 0);
    const batch = this.#records.batch(this.#buffer.bytes);
    const { position } = this;
    invariant(batch.offset[0] === position, `click ${batch.offset[0]} where ${position} was wanted`);
    this.position += batch.count;
    return (await this.untilDurable(this.position)) ? batch : undefined;
  }

  close(): Promise<void> {
    return this.reader.close();
  }
}
