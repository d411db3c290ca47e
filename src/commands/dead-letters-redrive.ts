// Sends mended records again: checks each as the engine would, refuses what could not be billed, and only then
// appends all of them to the log and remembers which dead letters they were.
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { readError } from '../adapters/file/raw-input.js';
import { type MendedRecord, mendedRecord } from '../adapters/ndjson/letter-lines.js';
import type { RawBatch } from '../core/batches.js';
import { type DecodedBatch, invalidReasonOf } from '../core/decoded-batch.js';
import { createDecoder } from '../core/decoder.js';
import { BUCKET_MS, DEFAULT_METHOD, type Method } from '../core/method.js';
import type { DeadLetter, StoredState } from '../core/ports/commit.js';
import { UsageError, UserError } from '../errors.js';
import { command } from '../options/command.js';
import { lakeOptions } from '../options/lake.js';
import { onOff, optionalText, texts } from '../options/option.js';
import type { Terminal } from '../ui/terminal.js';
import { keyOf, placeOf } from './dead-letters-options.js';
import { letterPlaceOptions } from './dead-letters-place.js';
import { openRedriveBooks, type RedriveBooks } from './redrive-books.js';
import { unmarkedRecords } from './redrive-unmarked.js';

/** All records are checked before the first is sent, so they are in memory. */
const RECORDS_MAX = 200_000;
const BYTES_MAX = 256 * 1_048_576;
/** Letters that are looked up in one question. */
const LOOKED_UP = 500;

/** A record to be sent, and how a person finds it: `line 3`, `record 0:17`. */
export interface Sent extends MendedRecord {
  name: string;
  key?: Uint8Array | undefined;
}

export const redriveCommand = command({
  name: 'redrive',
  summary: 'send mended dead letters again',
  description:
    'Reads the lines that export wrote, mended, or bare clicks, and appends them to the embedded log, with ' +
    '--brokers to the Kafka topic, or to a file for those who keep their clicks elsewhere. --at sends letters ' +
    'again as they are: for those that came from the future and whose time has come. All are checked first; if ' +
    'one would still be invalid, nothing is sent. Letters are marked, and not sent twice unless --again says so: ' +
    'with --brokers in the topic of dead letters, where they are looked up, too (--dead-letter-topic none: in the ' +
    'store), in one transaction with what is sent. --unmark bills clicks that were wrongly marked as invalid traffic: ' +
    'each gets a record of its own, with the same event time and another click_id.',
  options: {
    ...letterPlaceOptions,
    ...lakeOptions,
    input: optionalText({
      flag: 'input',
      short: 'i',
      value: 'FILE|-',
      flagOnly: true,
      about: 'mended letters or clicks as NDJSON; - is standard input',
    }),
    at: texts({
      flag: 'at',
      value: 'PARTITION:OFFSET',
      flagOnly: true,
      about: 'send this letter again as it is',
    }),
    output: optionalText({
      flag: 'output',
      value: 'FILE|-',
      flagOnly: true,
      about: 'write them as NDJSON into a new file or standard output instead of the log',
    }),
    again: onOff({ flag: 'again', flagOnly: true, about: 'send letters that were sent before' }),
    unmark: onOff({
      flag: 'unmark',
      flagOnly: true,
      about: 'send clicks that were marked as invalid traffic without their mark, to be billed',
    }),
  },
  examples: [
    ['click-agg dead-letters redrive --input bad.ndjson', 'send what was exported and mended'],
    ['click-agg dead-letters redrive --at 0:17 --at 2:5', 'send two letters again as they are'],
    ['click-agg dead-letters redrive --at 3:42 --unmark', 'bill a click that was no robot’s'],
    ['click-agg dead-letters redrive -i bad.ndjson --brokers localhost:9092', 'into the Kafka topic clicks'],
  ],
  async run({ options, terminal }) {
    const { input, at, output, again, unmark } = options;
    if ((input === undefined) === (at.length === 0)) throw new UsageError('give --input or --at');
    const books = await openRedriveBooks(options, terminal);
    try {
      const given =
        input === undefined
          ? await originals(books, at)
          : await mendedOf(readLines(input), { input, unmark });
      const letters = await checkLetters(books, given, { again, unmark });
      const records = unmark ? await unmarkedRecords(given, letters, options) : given;
      const state = await books.state();
      const destination = await books.destination();
      try {
        const decoded = checkRecords(records, state.method ?? DEFAULT_METHOD, destination.partitions);
        if (destination.isLog) {
          refuseAhead(records, decoded, state);
          warnOfLate(decoded, state, terminal);
        }
        if (records.length > 0) await destination.send(records, decoded);
      } finally {
        await destination.close();
      }
      await books.mark(records.flatMap(({ letter }) => letter ?? []));
      const sent = { sent: records.length, to: destination.name };
      if (output === '-') terminal.info(`${sent.sent} records sent`);
      else if (terminal.wantsJson) await terminal.json(sent);
      else await terminal.print(`${sent.sent} records sent to ${sent.to}\n`);
    } finally {
      await books.close();
    }
  },
});

/** The letters themselves, as they came. */
async function originals(reader: RedriveBooks, at: readonly string[]): Promise<Sent[]> {
  const records: Sent[] = [];
  for (const text of at) {
    const place = placeOf(text);
    if (!place) throw new UsageError(`--at ${text}: must be PARTITION:OFFSET such as 3:1042`);
    const [letter] = await lettersAt(reader, [place]);
    if (!letter) throw new UserError(`record ${text} is no dead letter`);
    if (letter.verdict === 'too_late') {
      throw new UserError(`record ${text} came too late, and would be too late again`, {
        hint: 'click-agg backfill bills clicks that came too late.',
      });
    }
    const value = letter.value ?? new Uint8Array();
    records.push({ name: `record ${text}`, letter: place, value, key: letter.key });
  }
  return records;
}

async function* readLines(input: string): AsyncGenerator<string> {
  const stream = input === '-' ? process.stdin : createReadStream(input);
  try {
    yield* createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY });
  } catch (error) {
    throw readError(error, input);
  }
}

async function mendedOf(
  lines: AsyncIterable<string>,
  { input, unmark }: { input: string; unmark: boolean },
): Promise<Sent[]> {
  const records: Sent[] = [];
  let line = 0;
  let bytes = 0;
  for await (const text of lines) {
    line++;
    if (text.trim() === '') continue;
    const record = mendedRecord(text, unmark);
    if (typeof record === 'string') throw new UserError(`line ${line} of ${input} ${record}`);
    records.push({ ...record, name: `line ${line} of ${input}` });
    bytes += record.value.length;
    if (records.length > RECORDS_MAX || bytes > BYTES_MAX) {
      throw new UserError(`${input} is too much at a time`, {
        hint: `Split it: at most ${RECORDS_MAX} records and ${BYTES_MAX / 1_048_576} MiB.`,
      });
    }
  }
  return records;
}

async function lettersAt(
  reader: RedriveBooks,
  at: readonly { partition: number; offset: number }[],
): Promise<DeadLetter[]> {
  const found: DeadLetter[] = [];
  for (let from = 0; from < at.length; from += LOOKED_UP) {
    const some = at.slice(from, from + LOOKED_UP);
    const filter = { verdict: undefined, reason: undefined, at: some, limit: some.length };
    found.push(...(await reader.deadLetters(filter)));
  }
  return found;
}

/** The letters by place. Refuses those that there are not, that were sent before, or would only become duplicates. */
async function checkLetters(
  reader: RedriveBooks,
  records: readonly Sent[],
  { again, unmark }: { again: boolean; unmark: boolean },
): Promise<Map<string, DeadLetter>> {
  const places = records.flatMap(({ letter }) => letter ?? []);
  const letters = new Map((await lettersAt(reader, places)).map((letter) => [keyOf(letter), letter]));
  const seen = new Set<string>();
  for (const { letter: place, name } of records) {
    if (!place) {
      if (unmark) throw new UserError(`${name} names no dead letter to be unmarked`);
      continue;
    }
    const key = keyOf(place);
    const letter = letters.get(key);
    if (!letter) throw new UserError(`${name}: there is no dead letter ${key}`);
    if (seen.has(key)) throw new UserError(`${name}: dead letter ${key} stands there twice`);
    seen.add(key);
    refuseDuplicate(letter, name, unmark);
    if (letter.redrivenAtMs !== undefined && !again) {
      const when = new Date(letter.redrivenAtMs).toISOString();
      throw new UserError(`${name}: dead letter ${key} was sent again already, at ${when}`, {
        hint: 'Leave it out, or give --again.',
      });
    }
  }
  return letters;
}

/** A click that was a sound one is in the log already. */
function refuseDuplicate(letter: DeadLetter, name: string, unmark: boolean): void {
  const { verdict } = letter;
  const key = keyOf(letter);
  const marked = verdict === 'invalid_traffic';
  if (unmark && !marked) {
    throw new UserError(`${name}: ${key} is not marked as invalid traffic`, {
      hint: '--verdict invalid_traffic exports those that are.',
    });
  }
  if (unmark || (verdict !== 'bot' && !marked)) return;
  const what = marked ? 'marked as invalid traffic' : "a bot's click";
  throw new UserError(`${name}: ${key} is ${what}; sent again it would be a duplicate of itself`, {
    hint: marked
      ? 'Leave it out, or give --unmark if the mark is wrong: then it is billed.'
      : 'Leave such clicks out: --verdict invalid exports the others.',
  });
}

type CountedSoFar = Pick<StoredState, 'positions' | 'method'>;

/** Decodes the records as the engine will; a UserError names the first that is still invalid. */
function checkRecords(records: readonly Sent[], method: Method, partitions: number): DecodedBatch {
  const count = records.length;
  const raw: RawBatch = {
    count,
    bytes: Buffer.concat(records.map(({ value }) => value)),
    valueStart: new Int32Array(count),
    valueEnd: new Int32Array(count),
    partition: new Int32Array(count).fill(-1),
    offset: Float64Array.from(records, (_, index) => index),
    appendTimeMs: new Float64Array(count).fill(Date.now()),
  };
  let at = 0;
  records.forEach(({ value }, index) => {
    raw.valueStart[index] = at;
    at += value.length;
    raw.valueEnd[index] = at;
  });
  const decoded = createDecoder({ method, partitions }).decode(raw);
  records.forEach(({ name }, index) => {
    const reason = invalidReasonOf(decoded, index, method);
    if (reason !== 'ok') {
      throw new UserError(`${name} is still invalid: ${reason}; nothing was sent`, {
        hint: 'click-agg method tells what makes a click invalid.',
      });
    }
  });
  return decoded;
}

/** A click far ahead of all that was counted would move its partition's watermark, and those to come be too late. */
function refuseAhead(
  records: readonly Sent[],
  decoded: DecodedBatch,
  { positions, method = DEFAULT_METHOD }: CountedSoFar,
): void {
  const newestMs = Math.max(...positions.map(({ maxEventTimeMs }) => maxEventTimeMs));
  if (newestMs === -Infinity) return;
  records.forEach(({ name }, index) => {
    const aheadMs = decoded.eventTimeMs[index] - newestMs;
    if (aheadMs <= method.clockSkewMs) return;
    throw new UserError(
      `${name} is ${Math.round(aheadMs / 1000)} s ahead of the newest click that was counted; nothing was sent`,
      {
        hint: 'Sent now, it would make clicks before it too late: wait until `click-agg run` has come so far.',
      },
    );
  });
}

/** A click that is older than the watermark allows is not billed by sending it again. */
function warnOfLate(
  decoded: DecodedBatch,
  { positions, method = DEFAULT_METHOD }: CountedSoFar,
  terminal: Terminal,
): void {
  const newest = new Map(positions.map(({ partition, maxEventTimeMs }) => [partition, maxEventTimeMs]));
  let late = 0;
  for (let i = 0; i < decoded.count; i++) {
    const watermarkMs = (newest.get(decoded.partition[i]) ?? -Infinity) - method.watermarkDelayMs;
    const endMs = Math.floor(decoded.eventTimeMs[i] / BUCKET_MS) * BUCKET_MS + BUCKET_MS;
    if (watermarkMs > endMs + method.allowedLatenessMs) late++;
  }
  if (late === 0) return;
  terminal.warn(`${late} of ${decoded.count} will be too late by now: click-agg backfill is what bills them`);
}
