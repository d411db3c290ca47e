// Bots' bursts: many clicks on many ads from one address, all within the bot window, so that each belongs
// to a window of more than the threshold. A few bursts run at a time, between the others' clicks.
import type { Method } from '../method.js';
import type { Random } from './random.js';

const BURSTS_MAX = 1024;
/** A burst's clicks reach the log within about this time, or this many records if those come sooner. */
const BURST_ARRIVAL_MS = 20_000;
const BURST_RECORDS = 5000;
/** The greatest share of records that bots take while bursts run, so that a slow log still has others. */
const CROWDING_MAX = 0.5;

interface Burst {
  number: number;
  /** Event time of its first click, epoch ms; -1 before it. */
  startMs: number;
  /** Event time from one click to the next, ms. */
  stepMs: number;
  clicks: number;
  made: number;
}

export class BotBursts {
  /** Of the click that `next` made, epoch ms; never after its arrival. */
  eventTimeMs = 0;
  private readonly running: Burst[] = [];
  private nextNumber = 0;
  private nextClicks: number;
  /** Clicks that bots should have made by now and that no burst was begun for. */
  private owed: number;
  private readonly perBurstShare: number;

  constructor(
    private readonly share: number,
    private readonly method: Method,
    clicksPerSecond: number,
    random: Random,
  ) {
    this.nextClicks = burstClicks(method, random);
    // As if the log had begun somewhere in the life of another one.
    this.owed = share > 0 ? random.unit() * this.nextClicks : 0;
    const meanClicks = method.botThreshold * 2 + 1;
    this.perBurstShare = meanClicks / Math.min(BURST_RECORDS, (BURST_ARRIVAL_MS / 1000) * clicksPerSecond);
  }

  /** Called for every record: is it a bot's? */
  isNext(random: Random): boolean {
    if (this.share === 0) return false;
    this.owed += this.share;
    if (this.owed >= this.nextClicks && this.running.length < BURSTS_MAX) this.begin(random);
    if (this.running.length === 0) return false;
    const crowding = Math.max(CROWDING_MAX, this.share);
    return random.unit() < Math.min(crowding, this.running.length * this.perBurstShare);
  }

  private begin(random: Random): void {
    const clicks = this.nextClicks;
    // Nine tenths of the window: the last click is well inside.
    const stepMs = (0.9 * this.method.botWindowMs) / clicks;
    this.running.push({ number: this.nextNumber++, startMs: -1, stepMs, clicks, made: 0 });
    this.owed -= clicks;
    this.nextClicks = burstClicks(this.method, random);
  }

  /** The next click of a running burst: returns the burst's number; its event time is in `eventTimeMs`. */
  next(nowMs: number, random: Random): number {
    const at = random.below(this.running.length);
    const burst = this.running[at]!;
    if (burst.startMs < 0) burst.startMs = nowMs;
    this.eventTimeMs = Math.min(nowMs, burst.startMs + Math.floor(burst.made * burst.stepMs));
    burst.made++;
    if (burst.made === burst.clicks) {
      this.running[at] = this.running[this.running.length - 1]!;
      this.running.pop();
    }
    return burst.number;
  }
}

/** From just above the threshold to three times as many. */
function burstClicks(method: Method, random: Random): number {
  return method.botThreshold + 1 + random.below(method.botThreshold * 2 + 1);
}
