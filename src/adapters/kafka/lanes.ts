// The partitions as lanes of fetched chunks, put into one order: the oldest next record first, so that no lane
// runs ahead in event time. Bounded: a lane that is far ahead is paused, and when all have something, fetching
// waits for the reader.
import type { RawBatch } from '../../core/batches.js';
import type { FetchedBatch } from './fetched-batches.js';
import { type Chunk, fillChunk, newChunk } from './record-chunk.js';

/** When all lanes hold more than this together, nothing is fetched until it was read. */
const TOTAL_BYTES_MAX = 16 * 1_048_576;
/** While one lane has nothing, another that holds its share of the total, within these limits, is paused. */
const LANE_BYTES_MIN = 262_144;
const LANE_BYTES_MAX = 4 * 1_048_576;
/** A lane that is behind its end and gets nothing (no leader, an open transaction) holds up the others so long. */
const STALLED_MS = 10_000;
const SPARE_CHUNKS_MAX = 64;

interface Lane {
  readonly partition: number;
  /** Offset of the next record that is fetched. */
  next: number;
  /** What is known of the partition's end: offset behind its last record. */
  end: number;
  /** Records from here on are not wanted; Infinity: all are. */
  stopAt: number;
  chunks: Chunk[];
  bytes: number;
  paused: boolean;
  /** Since when it is behind its end with nothing to give; undefined: it isn't. */
  starvingSinceMs: number | undefined;
}

export interface LaneStart {
  partition: number;
  next: number;
  end: number;
  stopAt: number;
}

export class Lanes {
  readonly #lanes = new Map<number, Lane>();
  readonly #spare: Chunk[] = [];
  #bytes = 0;
  #given: Chunk | undefined;
  readonly #wake = new Set<() => void>();

  constructor(
    private readonly fetching: { pause(partition: number): void; resume(partition: number): void },
    private readonly nowMs: () => number = () => performance.now(),
  ) {}

  add({ partition, next, end, stopAt }: LaneStart): void {
    const lane = {
      partition,
      next,
      end,
      stopAt,
      chunks: [],
      bytes: 0,
      paused: false,
      starvingSinceMs: undefined,
    };
    this.#lanes.set(partition, lane);
    this.#noteStarving(lane);
    if (next >= stopAt) this.#pause(lane);
    this.#changed();
  }

  has(partition: number): boolean {
    return this.#lanes.has(partition);
  }

  /** Offset of the next record to be fetched by partition. */
  next(): Map<number, number> {
    return new Map([...this.#lanes].map(([partition, { next }]) => [partition, next]));
  }

  /** The same of one partition, which must be there. */
  nextOf(partition: number): number {
    return this.#lanes.get(partition)!.next;
  }

  /** Fetching forgot what was paused: says it again. */
  pauseAgain(): void {
    for (const lane of this.#lanes.values()) if (lane.paused) this.fetching.pause(lane.partition);
  }

  /** Takes what was fetched; the next record will be at `next`. `end`: the partition's end, as the broker just said. */
  push(partition: number, batches: readonly FetchedBatch[], next: number, end: number): void {
    const lane = this.#lanes.get(partition);
    if (!lane) return;
    lane.end = Math.max(lane.end, end, next);
    const chunk = this.#spare.pop() ?? newChunk();
    fillChunk(chunk, partition, batches, { from: lane.next, to: lane.stopAt });
    lane.next = next;
    if (chunk.batch.count > 0) {
      lane.chunks.push(chunk);
      lane.bytes += chunk.bytes;
      this.#bytes += chunk.bytes;
    } else this.#recycle(chunk);
    this.#noteStarving(lane);
    const ahead = lane.bytes > this.#laneBytesMax && this.#oldest() === undefined;
    if (ahead || next >= lane.stopAt) this.#pause(lane);
    this.#changed();
  }

  /** Whether every record that was wanted has been given. */
  get done(): boolean {
    return [...this.#lanes.values()].every((lane) => lane.chunks.length === 0 && lane.next >= lane.stopAt);
  }

  /** Whether there is too much to fetch more, and the reader is the one to wait for. */
  get full(): boolean {
    return this.#bytes > TOTAL_BYTES_MAX && this.#oldest() !== undefined;
  }

  /** The next batch in the order of append time; undefined: not known yet. It is the caller's until the next call. */
  take(): RawBatch | undefined {
    if (this.#given) this.#recycle(this.#given);
    this.#given = undefined;
    const lane = this.#oldest();
    const chunk = lane?.chunks.shift();
    if (!lane || !chunk) return undefined;
    lane.bytes -= chunk.bytes;
    this.#bytes -= chunk.bytes;
    this.#noteStarving(lane);
    if (lane.paused && lane.bytes < this.#laneBytesMax / 2 && lane.next < lane.stopAt) {
      lane.paused = false;
      this.fetching.resume(lane.partition);
    }
    this.#given = chunk;
    this.#changed();
    return chunk.batch;
  }

  /** Resolves at the next change, or after `ms`. */
  async changed(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#wake.delete(done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      this.#wake.add(done);
    });
  }

  /** Lets everybody look again who waits for a change. */
  wake(): void {
    this.#changed();
  }

  /** Partitions that hold up the others. */
  stalled(): number[] {
    const before = this.nowMs() - STALLED_MS;
    return [...this.#lanes.values()]
      .filter(({ starvingSinceMs }) => starvingSinceMs !== undefined && starvingSinceMs < before)
      .map(({ partition }) => partition);
  }

  get #laneBytesMax(): number {
    return Math.min(LANE_BYTES_MAX, Math.max(LANE_BYTES_MIN, TOTAL_BYTES_MAX / this.#lanes.size));
  }

  #changed(): void {
    for (const done of [...this.#wake]) done();
  }

  #pause(lane: Lane): void {
    if (lane.paused) return;
    lane.paused = true;
    this.fetching.pause(lane.partition);
  }

  #recycle(chunk: Chunk): void {
    if (this.#spare.length < SPARE_CHUNKS_MAX) this.#spare.push(chunk);
  }

  #noteStarving(lane: Lane): void {
    const starving = lane.chunks.length === 0 && lane.next < Math.min(lane.end, lane.stopAt);
    lane.starvingSinceMs = starving ? (lane.starvingSinceMs ?? this.nowMs()) : undefined;
  }

  /** The lane whose next record is the oldest of all; undefined while one of them has not told. */
  #oldest(): Lane | undefined {
    const before = this.nowMs() - STALLED_MS;
    let oldest: Lane | undefined;
    for (const lane of this.#lanes.values()) {
      const first = lane.chunks[0];
      if (!first) {
        if (lane.starvingSinceMs !== undefined && lane.starvingSinceMs >= before) return undefined;
      } else if (!oldest || first.firstTimeMs < oldest.chunks[0]!.firstTimeMs) oldest = lane;
    }
    return oldest;
  }
}
