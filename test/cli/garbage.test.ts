// Garbage as input, through the real program with little memory: every line ends as `invalid` with a reason, the
// sound clicks between them are counted, and the ledger closes.
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BIN, node, temporaryDirectory } from './click-agg.js';

const HEAP_MB = 96;
const CLICK = {
  click_id: 'c-1',
  event_time: '2026-02-22T10:00:00Z',
  ad_id: 'ad-1',
  campaign_id: 'c-1',
  user_id: 'u-1',
  ip_address: '192.0.2.1',
  country: 'DE',
  device_type: 'mobile',
};
const SOUND = Array.from({ length: 20 }, (_, i) =>
  JSON.stringify({ ...CLICK, click_id: `sound-${i}`, user_id: `u-${i}` }),
);

/** A line by what is wrong with it, with the reason that it must get. */
const garbage: [what: string, reason: string, line: string | Buffer][] = [
  ['random bytes', 'not_json', Buffer.from(Array.from({ length: 300 }, (_, i) => ((i * 7919) % 245) + 11))],
  ['truncated JSON', 'not_json', JSON.stringify(CLICK).slice(0, 90)],
  ['no object', 'not_json', '[1,2,3]'],
  ['a number', 'not_json', '42'],
  ['nesting too deep', 'not_json', `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`],
  ['open brackets', 'not_json', '['.repeat(500_000)],
  ['a lone surrogate', 'not_json', JSON.stringify(CLICK).replace('ad-1', '\\ud800')],
  ['an escaped NUL', 'not_json', JSON.stringify(CLICK).replace('ad-1', 'ad\\u0000')],
  ['a raw NUL', 'not_json', JSON.stringify(CLICK).replace('ad-1', 'ad\u0000')],
  ['a field twice', 'not_json', JSON.stringify(CLICK).replace('{', '{"ad_id":"ad-2",')],
  [
    'bytes that are not UTF-8',
    'not_json',
    Buffer.from(JSON.stringify(CLICK).replace('ad-1', '\u00ff'), 'latin1'),
  ],
  ['a number as a string', 'event_time', JSON.stringify({ ...CLICK, event_time: '1771754400000' })],
  ['a string as a number', 'ad_id', JSON.stringify({ ...CLICK, ad_id: 17 })],
  ['__proto__ instead of a field', 'ad_id', JSON.stringify(CLICK).replace('"ad_id"', '"__proto__"')],
  ['a line of 100 MB', 'too_long', Buffer.alloc(100_000_000, 'x')],
  ...Object.keys(CLICK).map((field): [string, string, string] => {
    const { [field as keyof typeof CLICK]: _, ...rest } = CLICK;
    return [`${field} missing`, field, JSON.stringify(rest)];
  }),
];

let directory: ReturnType<typeof temporaryDirectory>;

beforeAll(async () => {
  directory = temporaryDirectory();
  const file = createWriteStream(join(directory.path, 'garbage.ndjson'));
  for (const [i, [, , line]] of garbage.entries()) {
    file.write(line);
    file.write(`\n${SOUND[i % SOUND.length]!.replace('sound-', `sound-${i}-`)}\n`);
  }
  await finished(file.end());
});
afterAll(() => directory.remove());

test('every garbled line is invalid with its reason, the others count, and little memory is enough', async () => {
  const cwd = directory.path;
  const options = [`--max-old-space-size=${HEAP_MB}`, BIN];
  const run = await node([...options, 'run', '--input', 'garbage.ndjson', '--json', '-q'], { cwd });
  expect(run.stderr).toBe('');
  expect(run.code).toBe(0);
  const { ledger } = JSON.parse(run.stdout) as { ledger: Record<string, number> };
  const { records, ...verdicts } = ledger;
  expect(records).toBe(2 * garbage.length);
  expect(verdicts.invalid).toBe(garbage.length);
  expect(Object.values(verdicts).reduce((sum, count) => sum + count, 0)).toBe(records);

  const listed = await node([BIN, 'dead-letters', 'list', '--json', '--limit', '1000'], { cwd });
  const letters = JSON.parse(listed.stdout) as { offset: number; verdict: string; reason: string }[];
  const reasons = new Map(letters.map(({ offset, reason }) => [offset, reason]));
  const found = garbage.map(([what], i) => [what, reasons.get(2 * i)]);
  expect(found).toEqual(garbage.map(([what, reason]) => [what, reason]));
});
