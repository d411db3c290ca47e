// The dead letters of a commit: what is not billed and is kept for people to look at. Invalid, too late and marked
// records are final at once. A click becomes a bot's when its window fills, and may turn into a double click
// after that: its letter is then withdrawn.
import { type ClickRows, FLAG, verdictOf } from './click-rows.js';
import type { DecodedBatch } from './decoded-batch.js';
import { formatIp } from './ip-address.js';
import { type Method, VERDICT_CODE } from './method.js';
import type { Commit, DeadLetter } from './ports/commit.js';
import type { Totals } from './totals.js';

type Place = Commit['withdrawn'][number];

/** What a letter without a value takes in memory, about. */
const LETTER_BYTES = 200;

const utf8 = new TextDecoder();

export class DeadLetters {
  private letters: DeadLetter[] = [];
  private withdrawn: Place[] = [];
  /** Rows whose verdict became or ceased to be `bot` since their letters were looked at. */
  private changedRows: number[] = [];
  /** Bytes of the letters that await the next commit, about. */
  pendingBytes = 0;
  private readonly botReason: string;

  constructor(
    private readonly rows: ClickRows,
    private readonly totals: Totals,
    method: Method,
    private readonly refused: (partition: number, offset: number) => void = () => {},
  ) {
    const { botThreshold, botWindowMs } = method;
    this.botReason = `more than ${botThreshold} clicks of its IP address within ${botWindowMs / 1000} s`;
  }

  /** Record `i` is invalid or too late. */
  add(batch: DecodedBatch, i: number, verdict: 'invalid' | 'too_late', reason: string): void {
    const { bytes, keyStart, keyEnd } = batch;
    const value = bytes.slice(batch.valueStart[i]!, batch.valueEnd[i]!);
    this.pendingBytes += value.length;
    this.letters.push({
      partition: batch.partition[i]!,
      offset: batch.offset[i]!,
      verdict,
      reason,
      ...saidBy(batch, i),
      key: keyStart[i]! < 0 ? undefined : bytes.slice(keyStart[i]!, keyEnd[i]!),
      value,
      valueBytes: batch.valueBytes[i]!,
    });
  }

  /** Record `i` is marked as invalid traffic. */
  addMarked(batch: DecodedBatch, i: number): void {
    this.refused(batch.partition[i]!, batch.offset[i]!);
    this.pendingBytes += LETTER_BYTES;
    this.letters.push({
      partition: batch.partition[i]!,
      offset: batch.offset[i]!,
      verdict: 'invalid_traffic',
      reason: textOf(batch, batch.markStart[i]!, batch.markLength[i]!),
      ...saidBy(batch, i),
      key: undefined,
      value: undefined,
      valueBytes: undefined,
    });
  }

  /** The row's verdict became or ceased to be `bot`. */
  botChanged(row: number): void {
    this.changedRows.push(row);
    this.refused(this.rows.partition[row]!, this.rows.offset[row]!);
  }

  /** Makes and withdraws the letters of bot clicks. To be called before rows are freed: they are known by number. */
  settleBots(): void {
    const { rows } = this;
    for (const row of this.changedRows) {
      const flags = rows.flags[row]!;
      const isBot = verdictOf(flags) === VERDICT_CODE.bot;
      if (isBot === ((flags & FLAG.lettered) !== 0)) continue;
      rows.flags[row] = flags ^ FLAG.lettered;
      if (isBot) this.addBot(row);
      else this.withdrawn.push({ partition: rows.partition[row]!, offset: rows.offset[row]! });
    }
    this.changedRows.length = 0;
  }

  private addBot(row: number): void {
    const { rows } = this;
    this.pendingBytes += LETTER_BYTES;
    this.letters.push({
      partition: rows.partition[row]!,
      offset: rows.offset[row]!,
      verdict: 'bot',
      reason: this.botReason,
      eventTimeMs: rows.timeMs[row]!,
      appendTimeMs: undefined,
      clickId: utf8.decode(rows.idBytes(row)),
      ...this.totals.describe(rows.cell[row]!),
      ipAddress: formatIp(rows.ipWords, 4 * row),
      key: undefined,
      value: undefined,
      valueBytes: undefined,
    });
  }

  /** Everything since the last commit. */
  take(): Pick<Commit, 'deadLetters' | 'withdrawn'> {
    this.settleBots();
    const taken = settle(this.letters, this.withdrawn);
    this.letters = [];
    this.withdrawn = [];
    this.pendingBytes = 0;
    return taken;
  }
}

/** A letter that was made and withdrawn between two commits, or the other way round, comes to nothing. */
function settle(
  deadLetters: readonly DeadLetter[],
  withdrawn: readonly Place[],
): Pick<Commit, 'deadLetters' | 'withdrawn'> {
  if (withdrawn.length === 0) return { deadLetters, withdrawn };
  const keyOf = ({ partition, offset }: Place): string => `${partition}:${offset}`;
  const balance = new Map<string, number>();
  for (const letter of deadLetters) balance.set(keyOf(letter), (balance.get(keyOf(letter)) ?? 0) + 1);
  for (const place of withdrawn) balance.set(keyOf(place), (balance.get(keyOf(place)) ?? 0) - 1);
  const once = new Set<string>();
  const isFirst = (key: string): boolean => once.size !== once.add(key).size;
  return {
    deadLetters: deadLetters.filter((letter) => balance.get(keyOf(letter))! > 0 && isFirst(keyOf(letter))),
    withdrawn: withdrawn.filter((place) => balance.get(keyOf(place))! < 0 && isFirst(keyOf(place))),
  };
}

function numberOrNone(value: number): number | undefined {
  return Number.isNaN(value) ? undefined : value;
}

function textOf({ bytes }: DecodedBatch, start: number, length: number): string {
  return utf8.decode(bytes.subarray(start, start + length));
}

/** What record `i` says of itself, as far as it can be read. */
function saidBy(
  batch: DecodedBatch,
  i: number,
): Pick<DeadLetter, 'eventTimeMs' | 'appendTimeMs' | 'clickId' | 'adId' | 'campaignId' | 'ipAddress'> {
  const isRead = batch.reason[i] === 0;
  const text = (start: number, length: number): string | undefined =>
    isRead ? textOf(batch, start, length) : undefined;
  return {
    eventTimeMs: numberOrNone(batch.eventTimeMs[i]!),
    appendTimeMs: numberOrNone(batch.appendTimeMs[i]!),
    clickId: text(batch.idStart[i]!, batch.idBytes[i]!),
    adId: text(batch.adStart[i]!, batch.adLength[i]!),
    campaignId: text(batch.campaignStart[i]!, batch.campaignLength[i]!),
    ipAddress: isRead ? formatIp(batch.ip, 4 * i) : undefined,
  };
}
