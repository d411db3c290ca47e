// Lines of `kcat -J` as batches: each line a Kafka record with its own partition and offset. A line that can't be
// read is no record at all but a fault of the file, and stops the run before anything behind it is counted.
import { RECORD_BYTES_MAX } from '../../core/method.js';
import type { Positions } from '../../core/ports/log.js';
import { UserError } from '../../errors.js';
import type { ByteFeed } from './byte-feed.js';
import { Envelope, isWhitespace } from './envelope.js';
import { BATCH_RECORDS_MAX, type ReadBatch } from './line-batches.js';
import { LineReader, type LongLine } from './line-reader.js';
import type { EscapedLength } from './unescape.js';

/** So much of a line holds its record: RECORD_BYTES_MAX bytes of payload, each escaped in six, and the rest. */
const LINE_BYTES_KEPT = 6 * RECORD_BYTES_MAX + 2 * 1_048_576;

/** The last batch may be empty: it tells how many lines there were. */
export async function* envelopeBatches(
  feed: ByteFeed,
  path: string,
  positions: Positions,
): AsyncGenerator<ReadBatch> {
  const envelope = new Envelope();
  const longLine = new LongEnvelope(envelope);
  const lines = new LineReader(feed, LINE_BYTES_KEPT, longLine);
  const records = new EnvelopeColumns();
  const nextOffsets = new Map(positions);
  const take = (): ReadBatch => ({ batch: records.take(lines.bytes), linesRead: lines.number + 1 });
  do {
    while (lines.next()) {
      const isLong = lines.lineBytes > lines.end - lines.start;
      if (!isLong && isBlank(lines.bytes, lines.start, lines.end)) continue;
      const problem = isLong ? longLine.finish() : envelope.read(lines.bytes, lines.start, lines.end);
      if (problem !== undefined) {
        // What came before it is sound and can be counted; a run that is started again goes on from there.
        if (records.count > 0) yield take();
        throw lineError(path, lines.number, problem);
      }
      if (envelope.offset < (nextOffsets.get(envelope.partition) ?? 0)) continue;
      nextOffsets.set(envelope.partition, envelope.offset + 1);
      records.add(envelope);
      if (records.count === BATCH_RECORDS_MAX) yield take();
    }
    if (records.count > 0) yield take();
  } while (await lines.refill());
  yield take();
}

function lineError(path: string, number: number, problem: string): UserError {
  const name = path === '-' ? 'standard input' : path;
  return new UserError(`${name}, line ${number + 1}: ${problem}; not a record as kcat -J writes it`, {
    hint: 'Mend or remove the line and start again: records counted before stay counted once. For bare clicks: --format clicks.',
  });
}

/** Follows a line that is too long to be kept. */
class LongEnvelope implements LongLine {
  readonly #envelope: Envelope;
  #problem: string | undefined;
  #rest: EscapedLength | undefined;

  constructor(envelope: Envelope) {
    this.#envelope = envelope;
  }

  begin(bytes: Buffer, start: number, end: number): void {
    const begun = this.#envelope.readBeginning(bytes, start, end);
    this.#problem = 'problem' in begun ? begun.problem : undefined;
    this.#rest = 'rest' in begun ? begun.rest : undefined;
  }

  more(bytes: Buffer, start: number, end: number): void {
    if (this.#rest && !this.#rest.add(bytes, start, end)) {
      this.#problem = '"payload" is not a sound JSON string';
      this.#rest = undefined;
    }
  }

  /** At the line's end: what is wrong with it, or undefined. */
  finish(): string | undefined {
    if (this.#problem !== undefined || !this.#rest) return this.#problem ?? 'it is too long';
    if (!this.#rest.closed) return 'it ends within "payload"';
    const { valueStart, valueEnd } = this.#envelope;
    // Only a payload is ever cut: whatever else makes the line so long has no place in a log of clicks.
    if (valueEnd - valueStart < RECORD_BYTES_MAX) return 'it is too long before its payload';
    this.#envelope.cutValueBytes = this.#rest.bytes;
    return undefined;
  }
}

class EnvelopeColumns {
  count = 0;
  readonly #valueStart = new Int32Array(BATCH_RECORDS_MAX);
  readonly #valueEnd = new Int32Array(BATCH_RECORDS_MAX);
  readonly #keyStart = new Int32Array(BATCH_RECORDS_MAX);
  readonly #keyEnd = new Int32Array(BATCH_RECORDS_MAX);
  readonly #partition = new Int32Array(BATCH_RECORDS_MAX);
  readonly #offset = new Float64Array(BATCH_RECORDS_MAX);
  readonly #appendTimeMs = new Float64Array(BATCH_RECORDS_MAX);
  #cutValueBytes = new Map<number, number>();

  add(envelope: Envelope): void {
    const i = this.count++;
    const valueBytes = envelope.valueEnd - envelope.valueStart;
    const kept = Math.min(valueBytes, RECORD_BYTES_MAX);
    this.#valueStart[i] = envelope.valueStart;
    this.#valueEnd[i] = envelope.valueStart + kept;
    if (envelope.cutValueBytes >= 0) this.#cutValueBytes.set(i, envelope.cutValueBytes);
    else if (valueBytes > kept) this.#cutValueBytes.set(i, valueBytes);
    this.#keyStart[i] = envelope.keyStart;
    this.#keyEnd[i] = envelope.keyEnd;
    this.#partition[i] = envelope.partition;
    this.#offset[i] = envelope.offset;
    this.#appendTimeMs[i] = envelope.appendTimeMs;
  }

  /** The records added since the last time. */
  take(bytes: Buffer): ReadBatch['batch'] {
    const cut = this.#cutValueBytes.size > 0 ? { cutValueBytes: this.#cutValueBytes } : {};
    const batch = {
      count: this.count,
      bytes,
      valueStart: this.#valueStart,
      valueEnd: this.#valueEnd,
      keyStart: this.#keyStart,
      keyEnd: this.#keyEnd,
      partition: this.#partition,
      offset: this.#offset,
      appendTimeMs: this.#appendTimeMs,
      ...cut,
    };
    this.count = 0;
    this.#cutValueBytes = new Map();
    return batch;
  }
}

function isBlank(bytes: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    if (!isWhitespace(bytes[at])) return false;
  }
  return true;
}
