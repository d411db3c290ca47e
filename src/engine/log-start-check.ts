// When memory is rebuilt from the log's beginning, that must lie before everything memory has to reach back to.
// Where retention has deleted more, a click could only be judged by half of what it takes: better to stop.
import type { TooOldClick } from '../core/aggregator.js';
import type { DecodedBatch } from '../core/decoded-batch.js';
import { BUCKET_MS, type Method } from '../core/method.js';
import { UserError } from '../errors.js';

export class LogStartCheck {
  /** Clicks from here on are needed, event time in epoch ms. */
  private readonly neededFromMs: number;
  private readonly seen = new Set<number>();

  /** `clicks`: those for whose sake memory is rebuilt. */
  constructor(
    clicks: readonly TooOldClick[],
    private readonly method: Method,
  ) {
    const { botWindowMs, doubleClickMs } = method;
    // More than any rounding to minutes and slices can make of it.
    const reachMs = 3 * botWindowMs + 2 * doubleClickMs + 2 * BUCKET_MS;
    this.neededFromMs = Math.min(...clicks.map(({ eventTimeMs }) => eventTimeMs)) - reachMs;
  }

  /** Records that were appended before, epoch ms, can't be such clicks. */
  get neededSinceMs(): number {
    return this.neededFromMs - this.method.clockSkewMs;
  }

  /**
   * Looks at the first record of each partition. No deleted one was appended later, and none is younger than its append
   * time allows; of a log without append times nothing can be said. UserError: records may be missing.
   */
  check({ count, partition, offset, appendTimeMs }: DecodedBatch): void {
    for (let i = 0; i < count; i++) {
      if (this.seen.has(partition[i]!)) continue;
      this.seen.add(partition[i]!);
      if (offset[i] === 0 || !(appendTimeMs[i]! >= this.neededSinceMs)) continue;
      throw new UserError(
        `a click of ${timeOf(this.neededFromMs)} can't be judged: partition ${partition[i]} of the log begins at ` +
          `offset ${offset[i]}, of ${timeOf(appendTimeMs[i]!)}`,
        {
          hint:
            'Retention has deleted what it has to be compared with. If a lake has it, give that: --archive DIR|s3://…; ' +
            'and lengthen the retention.',
        },
      );
    }
  }
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}
