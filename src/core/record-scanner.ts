// Finds the known fields of records, many records at a time: wasm/scan-records.ts does it, in memory of its own that is
// filled and read here. What it does not take is for the slow way in record-fields.ts, which fills in the same places.
import type { RawBatch } from './batches.js';
import { KNOWN_FIELDS } from './record-fields.js';
import { SCAN_RECORDS_WASM } from './scan-records.wasm.js';

/** What a field's value is. */
export const KIND = { absent: 0, string: 1, integer: 2, null: 3, other: 4 } as const;

/** Places of a record's fields, from its own on. */
export const FIELD_COUNT = KNOWN_FIELDS.length;

/** So much text at once stays in the processor's cache until its fields are read. A longer record is alone. */
const TEXT_BYTES = 262_144;

/** What is used of it; Node's types leave it to those of browsers. */
declare const WebAssembly: {
  Module: new (binary: Uint8Array) => object;
  Instance: new (module: object) => { exports: object };
};

/** What the module exports: addresses and sizes, and the function. */
interface Module {
  readonly memory: { readonly buffer: ArrayBuffer };
  readonly FIELDS: Constant;
  readonly FIRST_UNUSED_FIELD: Constant;
  readonly MARK_FIELD: Constant;
  readonly NAME_BYTES: Constant;
  readonly RECORDS_MAX: Constant;
  readonly TEXT_BYTES_MAX: Constant;
  readonly names: Constant;
  readonly text: Constant;
  readonly from: Constant;
  readonly to: Constant;
  readonly taken: Constant;
  readonly starts: Constant;
  readonly ends: Constant;
  readonly kinds: Constant;
  scanRecords(count: number, base: number): void;
}
interface Constant {
  readonly value: number;
}

/** Records as they lie in a batch. */
type Records = Pick<RawBatch, 'count' | 'bytes' | 'valueStart' | 'valueEnd'>;

export class RecordScanner {
  /**
   * For each scanned record FIELD_COUNT places: where a known field's value begins and ends in the batch (a string's
   * without its quotes), and what it is.
   */
  readonly start: Int32Array;
  readonly end: Int32Array;
  readonly kind: Uint8Array;
  /**
   * Whether a record was taken: it is sound JSON then. Texts are as in the record, with short escapes left in them (in
   * fields whose text is not used). False: the slow way has to decide.
   */
  readonly taken: Uint8Array;
  readonly #module: Module;
  readonly #text: Uint8Array;
  readonly #from: Int32Array;
  readonly #to: Int32Array;

  constructor() {
    const module = instance();
    this.#module = module;
    const records = module.RECORDS_MAX.value;
    const { buffer } = module.memory;
    this.start = new Int32Array(buffer, module.starts.value, records * FIELD_COUNT);
    this.end = new Int32Array(buffer, module.ends.value, records * FIELD_COUNT);
    this.kind = new Uint8Array(buffer, module.kinds.value, records * FIELD_COUNT);
    this.taken = new Uint8Array(buffer, module.taken.value, records);
    this.#text = new Uint8Array(buffer, module.text.value, module.TEXT_BYTES_MAX.value);
    this.#from = new Int32Array(buffer, module.from.value, records);
    this.#to = new Int32Array(buffer, module.to.value, records);
  }

  /** Scans records from `first` on, as many as fit. Gives how many: at least one. The next call forgets them. */
  scan({ count, bytes, valueStart, valueEnd }: Records, first: number): number {
    const base = valueStart[first]!;
    const most = Math.min(count - first, this.taken.length);
    let scanned = 0;
    let end = base;
    for (; scanned < most; scanned++) {
      const from = valueStart[first + scanned]!;
      const to = valueEnd[first + scanned]!;
      if (from < base || to - base > (scanned === 0 ? this.#text.length : TEXT_BYTES)) break;
      this.#from[scanned] = from - base;
      this.#to[scanned] = to - base;
      if (to > end) end = to;
    }
    if (scanned === 0) {
      this.taken[0] = 0; // longer than any record may be
      return 1;
    }
    this.#text.set(bytes.subarray(base, end));
    this.#module.scanRecords(scanned, base);
    return scanned;
  }
}

function instance(): Module {
  const binary = Uint8Array.from(atob(SCAN_RECORDS_WASM), (char) => char.charCodeAt(0));
  const module = new WebAssembly.Instance(new WebAssembly.Module(binary)).exports as Module;
  const { FIELDS, FIRST_UNUSED_FIELD, MARK_FIELD } = module;
  const isSame =
    FIELDS.value === FIELD_COUNT &&
    FIRST_UNUSED_FIELD.value === KNOWN_FIELDS.indexOf('user_agent') &&
    MARK_FIELD.value === KNOWN_FIELDS.indexOf('invalid_traffic');
  if (!isSame) throw new Error('wasm/scan-records.ts knows other fields');
  const size = module.NAME_BYTES.value;
  const vector = (size - 4) / 2;
  for (const [field, name] of KNOWN_FIELDS.entries()) {
    const place = new Uint8Array(module.memory.buffer, module.names.value + field * size, size);
    const quoted = Uint8Array.from(`${name}"`, (char) => char.charCodeAt(0));
    place.set(quoted);
    place.fill(0xff, vector, vector + quoted.length);
    place[2 * vector] = name.length;
  }
  return module;
}
