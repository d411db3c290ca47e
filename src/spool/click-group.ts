// Clicks that are written together, as columns: what came while the group before was on its way to the disk.
import type { AppendBatch } from '../adapters/embedded/log-writer.js';
import { RECORD_BYTES_MAX } from '../core/method.js';
import { murmur2, partitionOf } from '../core/murmur2.js';
import { invariant } from '../errors.js';
import type { LoggedClick } from './click-log.js';

/** A group is full with so many records or bytes: then the disk is far behind. */
const RECORDS_MAX = 16_384;
const BYTES_MAX = 16 * 1_048_576;
const BYTES_FIRST = 262_144;
/** A group's memory is given back when it grew beyond this. */
const BYTES_KEPT = 2 * 1_048_576;

export class ClickGroup {
  count = 0;
  /** Bytes of keys and values. */
  used = 0;
  readonly #valueStart = new Int32Array(RECORDS_MAX);
  readonly #valueEnd = new Int32Array(RECORDS_MAX);
  readonly #keyStart = new Int32Array(RECORDS_MAX);
  readonly #keyEnd = new Int32Array(RECORDS_MAX);
  readonly #partition = new Int32Array(RECORDS_MAX);
  readonly #appendTimeMs = new Float64Array(RECORDS_MAX);
  #bytes = Buffer.from(new ArrayBuffer(BYTES_FIRST));
  #settle: { resolve: () => void; reject: (error: unknown) => void } | undefined;
  #written: Promise<void> | undefined;

  constructor(private readonly partitions: number) {}

  /** Adds the click; false if it has no room. */
  add({ key, value }: LoggedClick, appendTimeMs: number): boolean {
    const room = 3 * key.length + (typeof value === 'string' ? 3 * value.length : value.length);
    if (this.count === RECORDS_MAX || !this.#makeRoom(room)) return false;
    const bytes = this.#bytes;
    const keyStart = this.used;
    const valueStart = keyStart + bytes.write(key, keyStart);
    let end = valueStart;
    if (typeof value === 'string') end += bytes.write(value, valueStart);
    else {
      bytes.set(value, valueStart);
      end += value.length;
    }
    invariant(end - valueStart <= RECORD_BYTES_MAX, `a click of ${end - valueStart} bytes`);
    const i = this.count++;
    this.#keyStart[i] = keyStart;
    this.#keyEnd[i] = valueStart;
    this.#valueStart[i] = valueStart;
    this.#valueEnd[i] = end;
    this.#partition[i] =
      this.partitions === 1 ? 0 : partitionOf(murmur2(bytes, keyStart, valueStart), this.partitions);
    this.#appendTimeMs[i] = appendTimeMs;
    this.used = end;
    return true;
  }

  /** Resolves for all clicks of the group at once. */
  written(): Promise<void> {
    this.#written ??= new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    return this.#written;
  }

  batch(): AppendBatch {
    return {
      count: this.count,
      bytes: this.#bytes,
      valueStart: this.#valueStart,
      valueEnd: this.#valueEnd,
      keyStart: this.#keyStart,
      keyEnd: this.#keyEnd,
      partition: this.#partition,
      appendTimeMs: this.#appendTimeMs,
    };
  }

  /** Is empty again; what is given tells all who wait. */
  done(error?: unknown): () => void {
    const settle = this.#settle;
    this.#settle = this.#written = undefined;
    this.count = this.used = 0;
    if (this.#bytes.length > BYTES_KEPT) this.#bytes = Buffer.from(new ArrayBuffer(BYTES_FIRST));
    return () => {
      if (error === undefined) settle?.resolve();
      else settle?.reject(error);
    };
  }

  #makeRoom(bytes: number): boolean {
    const needed = this.used + bytes;
    if (needed <= this.#bytes.length) return true;
    if (needed > BYTES_MAX && this.count > 0) return false;
    const grown = Buffer.from(new ArrayBuffer(Math.max(needed, 2 * this.#bytes.length)));
    this.#bytes.copy(grown, 0, 0, this.used);
    this.#bytes = grown;
    return true;
  }
}
