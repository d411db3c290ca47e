// Makes the records of a load, one after the other in the order of the log. Each gets an arrival time, then a
// kind by chance, then an event time that makes it of that kind. Pure: the same profile and the same
// arrivals give the same bytes.
import { INVALID_REASONS } from '../method.js';
import { AliasTable, zipfWeights } from './alias-table.js';
import { Arrivals, type Clock } from './arrivals.js';
import { BotBursts } from './bot-bursts.js';
import { MARKS, newClick } from './click.js';
import { BATCH_BYTES_FULL, BATCH_RECORDS_MAX, type ClickBatch } from './click-batch.js';
import { PastClicks } from './past-clicks.js';
import { KINDS, type LoadProfile, type ShareKind } from './profile.js';
import { Random } from './random.js';
import { RecordWriter } from './record-writer.js';
import { Tally, type Truth, truthOf } from './truth.js';
import { Watermarks } from './watermarks.js';

// A kind is its index in KINDS here.
const [
  ORDINARY,
  DISORDERED,
  LATE,
  TOO_LATE,
  DUPLICATE,
  DOUBLE_CLICK,
  BOT,
  MARKED,
  UNUSUAL,
  MALFORMED,
  FUTURE,
] = KINDS.keys();
const FROM_THE_FUTURE = INVALID_REASONS.indexOf('from_the_future');

/** An ordinary click takes up to this long from the device to the log. */
const TRANSIT_MS = 500;
/** Clocks that run ahead do so by up to this much more than the allowance. */
const AHEAD_MS = 3_600_000;
/** Clicks to redeliver or to click twice are of about the last minute; one in OLD_ONCE_IN is kept for longer. */
const RECENT_CLICKS_MAX = 65_536;
const RECENT_SECONDS = 60;
const OLD_CLICKS_MAX = 16_384;
const OLD_SECONDS = 1800;
const OLD_ONCE_IN = 64;
/** One redelivery in so many is of an old click. */
const OLD_REDELIVERY_ONCE_IN = 8;
const DOUBLE_CLICK_TRIES = 8;

export class ClickGenerator {
  private readonly tally = new Tally();
  private readonly random: Random;
  private readonly clock: Clock;
  private readonly popularity: AliasTable;
  private readonly records: RecordWriter;
  private readonly watermarks: Watermarks;
  private readonly bots: BotBursts;
  private readonly recent: PastClicks;
  private readonly old: PastClicks;
  /** The click being made. */
  private readonly click = newClick();
  /** Kinds with a share, and up to where a number in [0, 1) means each. */
  private readonly shareKinds: Int32Array;
  private readonly shareEnds: Float64Array;
  private readonly sharesEnd: number;
  /** How many of the newest clicks a first click is looked for among. */
  private readonly doubleClickReach: number;

  /** `clock` says when each record arrives; without one, as the profile tells. */
  constructor(
    private readonly profile: LoadProfile,
    clock?: Clock,
  ) {
    const { shares, bots, method, clicksPerSecond } = profile;
    this.random = new Random(profile.seed, profile.startMs);
    this.clock = clock ?? new Arrivals(profile.startMs, clicksPerSecond, profile.dayNight);
    this.popularity = new AliasTable(zipfWeights(profile.ads, profile.zipf));
    this.records = new RecordWriter(profile, this.random, this.tally);
    this.watermarks = new Watermarks(profile.partitions, method);
    this.bots = new BotBursts(bots, method, clicksPerSecond, this.random);
    this.recent = new PastClicks(Math.min(RECENT_CLICKS_MAX, clicksPerSecond * RECENT_SECONDS));
    const oldClicks = Math.ceil((clicksPerSecond * OLD_SECONDS) / OLD_ONCE_IN);
    this.old = new PastClicks(Math.min(OLD_CLICKS_MAX, oldClicks));
    const kinds = Object.keys(shares) as ShareKind[];
    this.shareKinds = Int32Array.from(kinds, (kind) => KINDS.indexOf(kind));
    this.shareEnds = new Float64Array(kinds.length);
    // Shares are of all records; the kind is drawn among those that are no bot's.
    let end = 0;
    for (let i = 0; i < kinds.length; i++) {
      if (bots < 1) end += shares[kinds[i]!] / (1 - bots);
      this.shareEnds[i] = end;
    }
    this.sharesEnd = end;
    this.doubleClickReach = Math.ceil((clicksPerSecond * method.doubleClickMs) / 2000);
  }

  /** What was put in until now. */
  truth(): Truth {
    return truthOf(this.tally, this.profile);
  }

  /** Fills the batch anew with the next records: `countMax` of them, or as many as have room. */
  fill(batch: ClickBatch, countMax: number): void {
    const { tally } = this;
    const count = Math.min(countMax, BATCH_RECORDS_MAX);
    batch.count = 0;
    batch.used = 0;
    while (batch.count < count && batch.used < BATCH_BYTES_FULL) {
      const appendTimeMs = Math.floor(this.clock.next(this.random));
      const kind = this.make(this.chooseKind(), appendTimeMs);
      const writing = kind === MALFORMED ? 'malformed' : kind === UNUSUAL ? 'unusual' : 'usual';
      this.records.put(batch, this.click, writing, appendTimeMs);
      tally.addRecord(kind, appendTimeMs);
    }
    tally.bytes += batch.used;
  }

  private chooseKind(): number {
    if (this.bots.isNext(this.random)) return BOT;
    const at = this.random.unit();
    if (at >= this.sharesEnd) return ORDINARY;
    let i = 0;
    while (at >= this.shareEnds[i]) i++;
    return this.shareKinds[i];
  }

  /** Makes `click` one of the kind, or an ordinary one where the kind isn't possible now. Returns which it is. */
  private make(kind: number, appendTimeMs: number): number {
    const { click, random, profile } = this;
    if (kind === DUPLICATE && this.redeliver()) return kind;
    if (kind === DOUBLE_CLICK && this.clickTwice(appendTimeMs)) return this.count(kind);
    if (kind === MARKED) return this.mark(appendTimeMs);
    this.drawClick();
    switch (kind) {
      case MALFORMED:
        click.eventTimeMs = appendTimeMs;
        return kind;
      case BOT:
        click.burst = this.bots.next(appendTimeMs, random);
        click.ad = random.below(profile.ads);
        click.eventTimeMs = this.bots.eventTimeMs;
        return this.count(kind);
      case FUTURE:
        click.eventTimeMs = appendTimeMs + profile.method.clockSkewMs + 1 + random.below(AHEAD_MS);
        // Bare lines have no append time, and then no click is from the future.
        if (profile.form === 'clicks') return this.count(kind);
        this.tally.reasons[FROM_THE_FUTURE]++;
        return kind;
      default:
        return this.count(this.time(kind, appendTimeMs));
    }
  }

  /** A new click of any user on an ad by popularity. */
  private drawClick(): void {
    const { click, random } = this;
    click.ad = this.popularity.draw(random.word(), random.word());
    click.user = random.below(this.profile.users);
    click.burst = -1;
    click.mark = -1;
    this.drawClickId();
  }

  private drawClickId(): void {
    const { click, random } = this;
    click.a = random.word();
    click.b = random.word();
    click.c = random.word();
    click.d = random.word();
  }

  /** A marked click: of anybody, or of who clicked on the same ad before, so that it would be a double click else. */
  private mark(appendTimeMs: number): number {
    const { click, random } = this;
    if (random.below(2) === 0 || !this.clickTwice(appendTimeMs)) {
      this.drawClick();
      this.time(MARKED, appendTimeMs);
    }
    click.mark = random.below(MARKS.length);
    return this.count(MARKED);
  }

  /** Gives the click an event time for its kind; returns the kind that it became. */
  private time(kind: number, appendTimeMs: number): number {
    const { click, random, watermarks } = this;
    if (kind === LATE || kind === TOO_LATE) {
      const partition = this.records.partitionOf(click.ad);
      const late = kind === LATE;
      click.eventTimeMs = late
        ? watermarks.lateTime(partition, random)
        : watermarks.tooLateTime(partition, random);
      if (click.eventTimeMs >= 0) return kind;
    }
    const reachMs = kind === DISORDERED ? this.profile.disorderByMs + 1 : TRANSIT_MS;
    click.eventTimeMs = Math.max(0, appendTimeMs - random.below(reachMs));
    return kind === DISORDERED || kind === UNUSUAL ? kind : ORDINARY;
  }

  /** Takes note of a click that is neither invalid nor a redelivery, and lets it be redelivered later. */
  private count(kind: number): number {
    const { click, tally } = this;
    if (this.watermarks.meet(this.records.partitionOf(click.ad), click.eventTimeMs)) {
      tally.tooLate++;
    } else if (kind !== UNUSUAL) {
      if (kind === MARKED && this.profile.method.invalidTraffic) tally.invalidTraffic++;
      // (An unusual one could not be repeated byte by byte.)
      this.recent.add(click);
      if (tally.records % OLD_ONCE_IN === 0) this.old.add(click);
    }
    return kind;
  }

  /** An earlier click again, mostly a recent one. False if there is none. */
  private redeliver(): boolean {
    const { click, random, tally } = this;
    const past = random.below(OLD_REDELIVERY_ONCE_IN) === 0 ? this.old : this.recent;
    if (!past.recall(click, random)) return false;
    if (this.watermarks.meet(this.records.partitionOf(click.ad), click.eventTimeMs)) tally.tooLate++;
    else tally.duplicates++;
    return true;
  }

  /** The same user on the same ad, less than the double-click period after an earlier click. */
  private clickTwice(appendTimeMs: number): boolean {
    const { click, random } = this;
    const periodMs = this.profile.method.doubleClickMs;
    for (let tries = 0; tries < DOUBLE_CLICK_TRIES; tries++) {
      if (!this.recent.recall(click, random, this.doubleClickReach)) return false;
      const spanMs = Math.min(periodMs - 1, appendTimeMs - click.eventTimeMs);
      // After a marked one it would be the first.
      if (spanMs < 1 || click.mark >= 0) continue;
      // Mostly at once: an impatient finger.
      click.eventTimeMs += 1 + Math.floor(random.unit() * random.unit() * spanMs);
      this.drawClickId();
      return true;
    }
    return false;
  }
}
