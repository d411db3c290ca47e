// Cuts a stream of bytes into lines, in place: a line is a span of one buffer. A line of any length takes no
// more memory than what is kept of it; the rest is counted and dropped.
import type { ByteFeed } from './byte-feed.js';

const NEWLINE = 10;
const RETURN = 13;
/** Room for fresh bytes beside a kept line: a batch of lines is about as long. */
const READ_BYTES = 4 * 1_048_576;

/** Is shown the bytes of a line that is too long to be kept. */
export interface LongLine {
  /** The kept beginning of the line. */
  begin(bytes: Buffer, start: number, end: number): void;
  /** More of the line, in order; dropped afterwards. */
  more(bytes: Buffer, start: number, end: number): void;
}

/**
 * `while (next() || await refill())` over all lines. Positions of earlier lines hold until `refill`. The newline and
 * one carriage return before it are no part of a line; the last line needs no newline.
 */
export class LineReader {
  readonly bytes: Buffer;
  /** The line is `bytes[start, end)`: at most `keepBytes` of it. */
  start = 0;
  end = 0;
  /** True length of the line. */
  lineBytes = 0;
  /** The line's number, from 0. */
  number = -1;

  readonly #feed: ByteFeed;
  readonly #keepBytes: number;
  readonly #longLine: LongLine | undefined;
  /** Unread bytes are `bytes[#from, #have)`; there is no newline before `#scanned`. A newline stands at `#have`. */
  #from = 0;
  #scanned = 0;
  #have = 0;
  #ended = false;
  /** True length of a long line that lies at the buffer's beginning, to be given out next; else -1. */
  #longBytes = -1;

  constructor(feed: ByteFeed, keepBytes: number, longLine?: LongLine) {
    this.#feed = feed;
    this.#keepBytes = keepBytes;
    this.#longLine = longLine;
    this.bytes = Buffer.from(new ArrayBuffer(keepBytes + READ_BYTES));
    this.bytes[0] = NEWLINE;
  }

  /** Goes to the next line. False: `refill` first. */
  next(): boolean {
    if (this.#longBytes >= 0) {
      this.start = 0;
      this.end = this.#keepBytes;
      this.lineBytes = this.#longBytes;
      this.#longBytes = -1;
      this.number++;
      return true;
    }
    const newline = this.bytes.indexOf(NEWLINE, this.#scanned);
    if (newline === this.#have && (!this.#ended || this.#from === this.#have)) {
      this.#scanned = newline;
      return false;
    }
    this.start = this.#from;
    this.end = newline > this.start && this.bytes[newline - 1] === RETURN ? newline - 1 : newline;
    this.lineBytes = this.end - this.start;
    if (this.lineBytes > this.#keepBytes) this.#cut();
    this.#from = Math.min(newline + 1, this.#have);
    this.#scanned = this.#from;
    this.number++;
    return true;
  }

  /** Reads more. False: that was all. */
  async refill(): Promise<boolean> {
    if (this.#ended) return false;
    this.bytes.copyWithin(0, this.#from, this.#have);
    this.#have -= this.#from;
    this.#from = 0;
    this.#scanned = this.#have;
    if (this.#have > this.#keepBytes + 1) {
      await this.#dropRest();
      return true;
    }
    await this.#read();
    return !this.#ended || this.#have > 0;
  }

  async #read(): Promise<void> {
    // One byte stays free for the newline that ends the search.
    const room = this.bytes.subarray(0, this.bytes.length - 1);
    const count = await this.#feed.fill(room, this.#have);
    if (count === 0) this.#ended = true;
    this.#have += count;
    this.bytes[this.#have] = NEWLINE;
  }

  /** A line is longer than may be kept, and its end is in the buffer. */
  #cut(): void {
    const { bytes, start, end } = this;
    this.end = start + this.#keepBytes;
    this.#longLine?.begin(bytes, start, this.end);
    this.#longLine?.more(bytes, this.end, end);
  }

  /** A line is longer than may be kept, and its end isn't in the buffer yet: finds it, keeping the beginning. */
  async #dropRest(): Promise<void> {
    const keep = this.#keepBytes;
    this.#longLine?.begin(this.bytes, 0, keep);
    let lineBytes = keep;
    for (;;) {
      // The last byte stays back, for it may be the carriage return before the newline.
      const newline = this.bytes.indexOf(NEWLINE, keep);
      if (newline < this.#have || this.#ended) {
        const end = newline > keep && this.bytes[newline - 1] === RETURN ? newline - 1 : newline;
        this.#longLine?.more(this.bytes, keep, end);
        this.#longBytes = lineBytes + end - keep;
        this.#from = Math.min(newline + 1, this.#have);
        this.#scanned = this.#from;
        return;
      }
      const last = this.#have - 1;
      this.#longLine?.more(this.bytes, keep, last);
      lineBytes += last - keep;
      this.bytes[keep] = this.bytes[last];
      this.#have = keep + 1;
      await this.#read();
    }
  }
}
