// What was not billed and is kept for people: look at it, count it, take it out, send it again once mended.
// Values come from the open internet, so whatever is shown passes the terminal's escaping.
import { letterFields, textOf, valueFields } from '../adapters/ndjson/letter-lines.js';
import { admittedBy } from '../core/admitted.js';
import type { Revision } from '../core/ports/books.js';
import type { DeadLetter } from '../core/ports/commit.js';
import { checkedDataDir } from '../engine/data-dir.js';
import { UsageError, UserError } from '../errors.js';
import { command } from '../options/command.js';
import { lakeOptions, lakePlaceOf } from '../options/lake.js';
import { integer } from '../options/option.js';
import { dataDirOption } from '../options/shared.js';
import { storeOption } from '../options/store.js';
import { openReader } from '../stores/open-store.js';
import { cut, visible } from '../ui/escape.js';
import { jsonLine } from '../ui/json-line.js';
import { exportCommand } from './dead-letters-export.js';
import { allLetters, letterFilterOptions, placeOf, verdictFilter } from './dead-letters-options.js';
import { letterPlaceOptions, type OpenedLetters, openLetters } from './dead-letters-place.js';
import { redriveCommand } from './dead-letters-redrive.js';
import { bytesOf } from './letter-bytes.js';

/** A value is cut to this in a list. */
const LISTED_VALUE_LENGTH = 60;
const LIST_MAX = 100_000;

const listCommand = command({
  name: 'list',
  summary: 'list dead letters, newest first',
  description:
    'A too-late click that a backfill admitted stays listed, with the revision that counts it; it is not missing ' +
    'from the totals any more.',
  options: {
    ...letterPlaceOptions,
    ...letterFilterOptions,
    limit: integer({ flag: 'limit', default: '50', min: 1, max: LIST_MAX, about: 'how many at most' }),
  },
  examples: [
    ['click-agg dead-letters list', 'the last fifty'],
    ['click-agg dead-letters list --verdict invalid --reason country', 'those with a country that is none'],
    ['click-agg dead-letters list --brokers k1:9092', 'those in the topic clicks.dead-letters'],
    ["click-agg dead-letters list --json --limit 1000 | jq -r '.[].text'", 'the records themselves'],
  ],
  async run({ options, terminal }) {
    const reader = await openLetters(options);
    try {
      const { reason, limit } = options;
      const verdict = verdictFilter(options.verdict);
      const letters = await reader.deadLetters({ verdict, reason, limit, at: [] });
      const revisions = await reader.revisions();
      if (terminal.wantsJson) {
        const lines = letters.map((letter) =>
          jsonLine({ ...fieldsOf(letter, revisions), ...valueFields(letter.value) }),
        );
        await terminal.print(`[${lines.join(',\n')}]\n`);
        return;
      }
      await terminal.table(
        ['record', 'verdict', 'reason', 'event time', 'value'],
        letters.map((letter) => listRow(letter, revisions)),
      );
    } finally {
      await reader.close();
    }
  },
});

function fieldsOf(
  letter: DeadLetter,
  revisions: readonly Revision[],
): Record<string, string | number | null> {
  return { ...letterFields(letter), admitted_by_revision: admittedBy(letter, revisions) ?? null };
}

function listRow(letter: DeadLetter, revisions: readonly Revision[]): string[] {
  const { partition, offset, verdict, reason, eventTimeMs, redrivenAtMs, value, clickId } = letter;
  const admitted = admittedBy(letter, revisions);
  const since = [
    ...(admitted === undefined ? [] : [`admitted by revision ${admitted}`]),
    ...(redrivenAtMs === undefined ? [] : ['sent again']),
  ];
  return [
    `${partition}:${offset}`,
    [verdict, ...since].join(', '),
    reason,
    eventTimeMs === undefined ? '' : new Date(eventTimeMs).toISOString(),
    cut(value ? shownValue(value) : `click_id ${visible(clickId ?? '')}`, LISTED_VALUE_LENGTH),
  ];
}

/** Bytes as text that is safe to show; bytes that aren't UTF-8 as hex. */
function shownValue(value: Uint8Array): string {
  const text = textOf(value);
  return text === undefined ? `0x${Buffer.from(value).toString('hex')}` : visible(text);
}

const countCommand = command({
  name: 'count',
  summary: 'count dead letters by verdict and reason',
  options: letterPlaceOptions,
  examples: [
    ['click-agg dead-letters count', 'how many of each'],
    ['click-agg dead-letters count --brokers k1:9092', 'of those in the topic clicks.dead-letters'],
  ],
  async run({ options, terminal }) {
    const reader = await openLetters(options);
    try {
      const admitted = await admittedCount(reader);
      const counts = (await reader.deadLetterCounts()).map((row) => ({
        ...row,
        admitted_by_backfill: row.verdict === 'too_late' ? admitted : 0,
      }));
      if (terminal.wantsJson) await terminal.json(counts);
      else
        await terminal.table(
          ['verdict', 'reason', 'records', 'admitted by backfill'],
          counts.map(({ verdict, reason, count, admitted_by_backfill }) => [
            ...[verdict, reason, count],
            verdict === 'too_late' ? admitted_by_backfill : '',
          ]),
        );
    } finally {
      await reader.close();
    }
  },
});

/** How many too-late clicks backfills have admitted. */
async function admittedCount(reader: OpenedLetters): Promise<number> {
  const revisions = await reader.revisions();
  if (revisions.length === 0) return 0;
  let count = 0;
  for await (const letter of allLetters(reader, { verdict: 'too_late', reason: undefined }))
    if (admittedBy(letter, revisions) !== undefined) count++;
  return count;
}

const showCommand = command({
  name: 'show',
  summary: 'show the bytes of one dead letter as they came',
  description:
    'The bytes go to standard output: as they are into a pipe or file, escaped onto a terminal. What is known ' +
    'of the record goes to standard error. The bytes of a bot click, or of one marked as invalid traffic, are in the log, or, where that has none of ' +
    'it, its fields are in the lake.',
  arguments: [{ name: 'record', about: 'PARTITION:OFFSET, as list shows it', required: true }],
  options: { ...dataDirOption, ...storeOption, ...lakeOptions },
  examples: [
    ['click-agg dead-letters show 3:1042', 'record 1042 of partition 3'],
    ['click-agg dead-letters show 3:1042 | xxd', 'its bytes'],
  ],
  async run({ options, args, terminal }) {
    const place = placeOf(args[0]);
    if (!place) throw new UsageError(`${args[0]} is no record: give PARTITION:OFFSET such as 3:1042`);
    const dataDir = await checkedDataDir(options.dataDir);
    const reader = await openReader(options);
    let letter: DeadLetter | undefined;
    let revisions: readonly Revision[];
    try {
      revisions = await reader.revisions();
      [letter] = await reader.deadLetters({ verdict: undefined, reason: undefined, at: [place], limit: 1 });
    } finally {
      await reader.close();
    }
    if (!letter)
      throw new UserError(`record ${args[0]} is no dead letter`, {
        hint: 'See click-agg dead-letters list.',
      });
    const { value, from } = await bytesOf(dataDir, lakePlaceOf(options), letter);
    if (terminal.wantsJson) {
      await terminal.print(`${jsonLine({ ...fieldsOf(letter, revisions), from, ...valueFields(value) })}\n`);
      return;
    }
    for (const [name, field] of Object.entries(fieldsOf(letter, revisions)))
      if (field !== null) terminal.info(`${name}: ${visible(String(field))}`);
    terminal.info(`bytes from: ${from}`);
    await terminal.print(terminal.interactive ? `${shownValue(value)}\n` : value);
  },
});

export const deadLettersCommand = command({
  name: 'dead-letters',
  summary: 'look at, count and send again what was not billed',
  description:
    'Records that are invalid, too late, invalid traffic or a bot’s are kept with the reason, and the first two with their bytes. ' +
    'With --brokers, list, count, export and redrive look at the topic of dead letters instead of the store. ' +
    'Too late clicks are billed by backfill; invalid ones can be exported, mended and sent again.',
  options: {},
  examples: [
    ['click-agg dead-letters count', 'how many, and why'],
    ['click-agg dead-letters export bad.ndjson --verdict invalid', 'take them out, and mend them'],
    ['click-agg dead-letters redrive --input bad.ndjson', 'send them again'],
  ],
  commands: [listCommand, countCommand, showCommand, exportCommand, redriveCommand],
});
