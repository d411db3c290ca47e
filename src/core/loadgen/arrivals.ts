// When clicks reach the log: at random (a Poisson process) at a rate that follows the hour of the day.
// The curve is a table and not a sine, because people are no sine and because sin differs between
// versions of V8 in its last bit, which would break "a seed repeats byte for byte".
import type { Random } from './random.js';

const HOUR_MS = 3_600_000;
const RATE_STEP_MS = 60_000;

/** Clicks by hour of the day (UTC) relative to the day's mean of 1: quiet before dawn, busiest at night. */
const DAY_SHAPE = [
  0.75, 0.55, 0.42, 0.35, 0.33, 0.4, 0.55, 0.75, 0.92, 1.03, 1.1, 1.15, 1.2, 1.18, 1.14, 1.12, 1.15, 1.22,
  1.32, 1.45, 1.58, 1.6, 1.4, 1.34,
];
const SHAPE_MEAN = DAY_SHAPE.reduce((sum, value) => sum + value, 0) / DAY_SHAPE.length;

/** Rate at a time relative to the day's mean; `dayNight` 0 is flat, 1 the full curve. */
export function dayCurve(timeMs: number, dayNight: number): number {
  const hours = (timeMs / HOUR_MS) % 24;
  const hour = Math.floor(hours);
  const from = DAY_SHAPE[hour]!;
  const to = DAY_SHAPE[(hour + 1) % 24]!;
  const shape = (from + (to - from) * (hours - hour)) / SHAPE_MEAN;
  return 1 + dayNight * (shape - 1);
}

/** Says when each record arrives. */
export interface Clock {
  /** Goes on to the next record's arrival and returns it, epoch ms with fractions; never back. */
  next(random: Random): number;
}

/** Virtual time: as fast as the generator can, over as much of event time as the rate tells. */
export class Arrivals implements Clock {
  /** Arrival time of the last click, epoch ms with fractions. */
  nowMs: number;
  private meanGapMs = 0;
  private rateUntilMs = -1;

  constructor(
    startMs: number,
    private readonly clicksPerSecond: number,
    private readonly dayNight: number,
  ) {
    this.nowMs = startMs;
  }

  next(random: Random): number {
    if (this.nowMs >= this.rateUntilMs) {
      this.meanGapMs = 1000 / (this.clicksPerSecond * dayCurve(this.nowMs, this.dayNight));
      this.rateUntilMs = this.nowMs + RATE_STEP_MS;
    }
    this.nowMs -= Math.log(1 - random.unit()) * this.meanGapMs;
    return this.nowMs;
  }
}

/** Real time, told from outside: records arrive evenly spread over the time that has passed. */
export class SteadyArrivals implements Clock {
  private stepMs = 0;

  constructor(private nowMs: number) {}

  /** The next `count` records arrive between the last one and `toMs`. */
  spread(toMs: number, count: number): void {
    this.stepMs = Math.max(0, toMs - this.nowMs) / count;
  }

  next(): number {
    this.nowMs += this.stepMs;
    return this.nowMs;
  }
}
