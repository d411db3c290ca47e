// What was put in: the generator's account of its own records, against which a count can be checked.
import { INVALID_REASONS, type InvalidReason, type Method } from '../method.js';
import { MALFORMATIONS, type Malformation } from './malformed.js';
import { type Form, KINDS, type Kind, type LoadProfile } from './profile.js';

/** Running counts; arrays are by the index of the kind, malformation or reason. */
export class Tally {
  records = 0;
  bytes = 0;
  readonly kinds = new Float64Array(KINDS.length);
  readonly malformations = new Float64Array(MALFORMATIONS.length);
  readonly reasons = new Float64Array(INVALID_REASONS.length);
  tooLate = 0;
  duplicates = 0;
  invalidTraffic = 0;
  firstArrivalMs = Number.NaN;
  lastArrivalMs = Number.NaN;

  addRecord(kind: number, arrivalMs: number): void {
    if (this.records === 0) this.firstArrivalMs = arrivalMs;
    this.lastArrivalMs = arrivalMs;
    this.records++;
    this.kinds[kind]++;
  }

  addMalformed(record: { malformation: Malformation; reason: InvalidReason }): void {
    this.malformations[MALFORMATIONS.indexOf(record.malformation)]++;
    this.reasons[INVALID_REASONS.indexOf(record.reason)]++;
  }
}

/** The JSON of `--truth` and `--json`. Times are ISO 8601 in UTC, or null when nothing was put in. */
export interface Truth {
  seed: number;
  form: Form;
  partitions: number;
  method: Method;
  records: number;
  /** Bytes written, with line ends and envelopes. */
  bytes: number;
  first_arrival: string | null;
  last_arrival: string | null;
  /** Records by what they were put in as; they sum to `records`. */
  kinds: Record<Kind, number>;
  /** The malformed ones by what is wrong with them. */
  malformed: Partial<Record<Malformation, number>>;
  /**
   * What a count of exactly these records, by this method over so many partitions, must find.
   * `counted` is what remains for double_click, bot and billable, which depend on how clicks meet.
   */
  expected: {
    records: number;
    invalid: number;
    too_late: number;
    duplicate: number;
    invalid_traffic: number;
    counted: number;
    invalid_reasons: Partial<Record<InvalidReason, number>>;
  };
}

/** The account of what was tallied, as JSON. */
export function truthOf(tally: Tally, profile: LoadProfile): Truth {
  const invalid = tally.reasons.reduce((sum, count) => sum + count, 0);
  return {
    seed: profile.seed,
    form: profile.form,
    partitions: profile.partitions,
    method: profile.method,
    records: tally.records,
    bytes: tally.bytes,
    first_arrival: isoTime(tally.firstArrivalMs),
    last_arrival: isoTime(tally.lastArrivalMs),
    kinds: Object.fromEntries(KINDS.map((kind, index) => [kind, tally.kinds[index]!])) as Record<
      Kind,
      number
    >,
    malformed: nonZero(MALFORMATIONS, tally.malformations),
    expected: {
      records: tally.records,
      invalid,
      too_late: tally.tooLate,
      duplicate: tally.duplicates,
      invalid_traffic: tally.invalidTraffic,
      counted: tally.records - invalid - tally.tooLate - tally.duplicates - tally.invalidTraffic,
      invalid_reasons: nonZero(INVALID_REASONS, tally.reasons),
    },
  };
}

function isoTime(timeMs: number): string | null {
  return Number.isNaN(timeMs) ? null : new Date(timeMs).toISOString();
}

function nonZero<N extends string>(names: readonly N[], counts: Float64Array): Partial<Record<N, number>> {
  const entries = names
    .map((name, index) => [name, counts[index]!] as const)
    .filter(([, count]) => count > 0);
  return Object.fromEntries(entries) as Partial<Record<N, number>>;
}
