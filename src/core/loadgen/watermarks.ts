// The watermarks that a counting engine will see, so that a late click is late for certain and not by
// chance. Known because lateness is a property of the log alone, and the generator writes the log. This is
// not the engine's code: the generator must not agree with it by sharing its mistakes.
import { BUCKET_MS, EVENT_TIME_MIN_MS, type Method } from '../method.js';
import type { Random } from './random.js';

/** Too-late clicks are up to this much older than they would have to be. */
const TOO_LATE_SPREAD_MS = 2 * 3_600_000;

export class Watermarks {
  private readonly maxEventTimeMs: Float64Array;
  private readonly delayMs: number;
  private readonly latenessMs: number;

  constructor(partitions: number, method: Method) {
    this.maxEventTimeMs = new Float64Array(partitions).fill(-Infinity);
    this.delayMs = method.watermarkDelayMs;
    this.latenessMs = method.allowedLatenessMs;
  }

  /** Takes note of a record that is not invalid; true if it came too late. */
  meet(partition: number, eventTimeMs: number): boolean {
    const maxMs = this.maxEventTimeMs[partition];
    if (eventTimeMs > maxMs) {
      this.maxEventTimeMs[partition] = eventTimeMs;
      return false;
    }
    const bucketEndMs = Math.floor(eventTimeMs / BUCKET_MS) * BUCKET_MS + BUCKET_MS;
    return maxMs - this.delayMs > bucketEndMs + this.latenessMs;
  }

  /** An event time whose minute is closed but may still be counted; -1 if there is none now. */
  lateTime(partition: number, random: Random): number {
    const watermarkMs = this.maxEventTimeMs[partition] - this.delayMs;
    const fromMs = Math.max(EVENT_TIME_MIN_MS, ceilMinute(watermarkMs - this.latenessMs) - BUCKET_MS);
    const toMs = Math.floor(watermarkMs / BUCKET_MS) * BUCKET_MS;
    return toMs > fromMs ? fromMs + random.below(toMs - fromMs) : -1;
  }

  /** An event time for which the allowed lateness is over, mostly by minutes; -1 if there is none now. */
  tooLateTime(partition: number, random: Random): number {
    const endMs = ceilMinute(this.maxEventTimeMs[partition] - this.delayMs - this.latenessMs) - BUCKET_MS;
    const backMs = 1 + Math.floor(random.unit() * random.unit() * TOO_LATE_SPREAD_MS);
    return endMs - backMs >= EVENT_TIME_MIN_MS ? endMs - backMs : -1;
  }
}

function ceilMinute(timeMs: number): number {
  return Math.ceil(timeMs / BUCKET_MS) * BUCKET_MS;
}
