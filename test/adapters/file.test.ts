// The file input's own promises, beside those of every source: packing, formats, faults of the file, long lines.
import { execFile, execFileSync } from 'node:child_process';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type FileSourceOptions, fileIdentity, fileSource } from '../../src/adapters/file/file-source.js';
import { identityOf, sameFile } from '../../src/adapters/file/identity.js';
import { RECORD_BYTES_MAX } from '../../src/core/method.js';
import { UserError } from '../../src/errors.js';
import { readAll } from '../contract/source-contract.js';
import { temporaryDirectory } from './embedded-logs.js';
import { translate } from './translated.js';

let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
beforeAll(async () => {
  directory = await temporaryDirectory();
});
afterAll(() => directory.remove());

let files = 0;
async function inputOf(content: string | Uint8Array): Promise<string> {
  const path = join(directory.path, `input-${files++}`);
  await writeFile(path, content);
  return path;
}

async function open(content: string | Uint8Array, options: Partial<FileSourceOptions> = {}) {
  return fileSource({ path: await inputOf(content), partitions: 2, format: 'auto', ...options });
}

async function read(content: string | Uint8Array, options: Partial<FileSourceOptions> = {}) {
  return readAll(await open(content, options));
}

const offsetsAndValues = (records: Awaited<ReturnType<typeof readAll>>) =>
  records.map(({ offset, value }) => [offset, value]);

test('blank lines are numbered but no records, CRLF ends a line, and the last line needs no end', async () => {
  const source = await open('{"a":1}\r\n\n \t \r\n{"b":2}\n\r\n  {"c":3}', { firstLine: 10 });
  expect(offsetsAndValues(await readAll(source))).toEqual([
    [10, '{"a":1}'],
    [13, '{"b":2}'],
    [15, '  {"c":3}'],
  ]);
  expect(source.nextLine()).toBe(16);
  expect(source.partitionCount).toBe(2);
});

test('bare lines begin at the smallest position, or at the first line if a partition has none', async () => {
  const source = await open('a\nb\nc\nd\n');
  const from = async (positions: [number, number][]) =>
    (await readAll(source, { positions: new Map(positions) })).map(({ value }) => value).join('');
  expect(
    await from([
      [0, 3],
      [1, 2],
    ]),
  ).toBe('cd');
  expect(await from([[1, 2]])).toBe('abcd');
});

const envelope = (fields: object) =>
  JSON.stringify({
    topic: 't',
    partition: 0,
    offset: 0,
    tstype: 'create',
    ts: 5,
    broker: 1,
    key: 'k',
    payload: 'p',
    ...fields,
  });

test('Kafka records carry partition, offset, time and key; tombstones and times unknown are taken as such', async () => {
  const lines = [
    envelope({ partition: 3, offset: 7, payload: '{"click_id":"\u20ac \ud83d\ude00 \n"}' }),
    envelope({ offset: 1, key: null, payload: null }),
    envelope({ offset: 2, tstype: 'unknown', ts: 9 }),
    envelope({ offset: 3, ts: -1, headers: ['a', { deep: [1, 2.5e3, true, null] }] }),
    '{"payload":{"click_id": "x"},"offset":4,"partition":0}',
  ];
  const records = await read(`\n${lines.join('\n')}\r\n`);
  const from = (
    partition: number,
    offset: number,
    value: string,
    key: string | undefined,
    appendTimeMs: number,
  ) => ({
    partition,
    offset,
    value,
    key,
    appendTimeMs,
  });
  expect(records).toEqual([
    from(3, 7, '{"click_id":"\u20ac \ud83d\ude00 \n"}', 'k', 5),
    from(0, 1, '', undefined, 5),
    from(0, 2, 'p', 'k', Number.NaN),
    from(0, 3, 'p', 'k', Number.NaN),
    from(0, 4, '{"click_id": "x"}', undefined, Number.NaN),
  ]);
});

test('a Kafka record below the position, or delivered again, is skipped', async () => {
  const offsets = [4, 5, 5, 6, 5, 7];
  const source = await open(offsets.map((offset) => envelope({ offset })).join('\n'));
  const read = async (position: number) =>
    (await readAll(source, { positions: new Map([[0, position]]) })).map(({ offset }) => offset);
  expect(await read(0)).toEqual([4, 5, 6, 7]);
  expect(await read(6)).toEqual([6, 7]);
});

test.each([
  ['{"partition":0,"offset":2,"payl', /it ends within a string/],
  ['{"partition":0,"offset":2}', /it has no "payload"/],
  ['{"partition":-1,"offset":2,"payload":""}', /"partition" is "-1"/],
  ['{"partition":65536,"offset":2,"payload":""}', /"partition" is "65536"/],
  ['{"partition":0,"offset":"2","payload":""}', /"offset" is/],
  ['{"partition":0,"offset":2,"offset":3,"payload":""}', /it has "offset" twice/],
  ['{"partition":0,"offset":2,"payload":"\\x"}', /"payload" is not a sound JSON string/],
  ['{"partition":0,"offset":2,"payload":"x"} {}', /it goes on behind the object/],
  [`{"a":${'['.repeat(100)}`, /nested deeper/],
  ['garbage', /it is not a JSON object/],
])(
  'the line %s among Kafka records is an error that names it, and what came before it is read',
  async (line, problem) => {
    const source = await open(`${envelope({ offset: 1 })}\n\n${line}\n${envelope({ offset: 9 })}\n`);
    const seen: number[] = [];
    const reading = (async () => {
      const signal = new AbortController().signal;
      for await (const batch of source.read({ positions: new Map(), untilEnd: true, signal })) {
        seen.push(...batch.offset.subarray(0, batch.count));
      }
    })();
    await expect(reading).rejects.toThrow(UserError);
    await expect(reading).rejects.toThrow(/input-\d+, line 3: /);
    await expect(reading).rejects.toThrow(problem);
    expect(seen).toEqual([1]);
  },
);

test('the format is told by the first line that is not blank, and can be said', async () => {
  const click = '{"click_id":"1","partition":0,"offset":1,"payload":"x"}';
  expect((await open(`\n${click}\n`)).format).toBe('clicks');
  expect((await open(`\r\n \n${envelope({})}\n`)).format).toBe('kcat');
  expect((await open(envelope({ payload: 'x'.repeat(200_000) }))).format).toBe('kcat');
  expect((await open('')).format).toBe('clicks');
  expect((await open(gzipSync(envelope({})))).format).toBe('kcat');
  expect((await open(envelope({}), { format: 'clicks' })).format).toBe('clicks');
});

const text = Array.from({ length: 300 }, (_, i) => `{"click_id":"${i}"}\n`).join('');
const lines = text.split('\n').slice(0, -1);
const half = lines.slice(0, 150).join('\n').length + 1;
/** Two frames with checksums, and a skippable one between. */
const ZSTD = Buffer.from(
  [
    'KLUv/QSIdQcAdtYuFZAnxRwvJVrCWVXPkYiIECmHyd0V4C0AKwAkAEvI1VqlTqUte6NHY5E4FJbkDN52Tc9y5x+fFY',
    '2UEw6GGAAGgYEAgsJAQWEwCGRjYjXaFnZlVUU1JdViXVFHRkVEQ0Il0hR0Y1NDMyPT4TwxJyYlJCMiFUoHv7evp5+X',
    '7/P/+IstrpjiiSVuzPg44ju7Oro5uR7vizszKwuEg+Fkk0smeWSRK1NeDvm69erUp0tvZ79HP268OPHhwsvJZ4CVqB',
    'FQqL7fAeDnEH5E6AcPeMALdMADPuABHpzYsVZVVUvVSq1q1QEAAQD2ARJIVR2Of3hQKk0YBAAAAGFiY2QotS/9BIjd',
    'BACyCxwTsKcNKGAoQhq6tMje3DJl7RQOBEBSEs9e5E4mnr3IHUw8e5E7l3j2Incs8exF7jzx7EXuVOLZi9yhxLMXue',
    'PEsxe508SzF7kzLolnL3InE89e5A4mnr3InUs8e5E7lnj2IhdIyrwlKEQhGENxDAUJgJWoEaA77Hfg5xB+RYB8EClo',
    '3j7BM199wlO+fSnVKWjePuH4t4FUBZwmzv8=',
  ].join(''),
  'base64',
);
const GZIP = Buffer.concat([gzipSync(text.slice(0, half)), gzipSync(text.slice(half))]);

test('gzip in several members and zstd in several frames are unpacked, whatever the name', async () => {
  for (const packed of [GZIP, Buffer.concat([GZIP, Buffer.alloc(512)]), ZSTD]) {
    expect((await read(packed)).map(({ value }) => value)).toEqual(lines);
  }
});

test.each([
  ['gzip', GZIP],
  ['zstd', ZSTD],
])('damaged %s is an error, never fewer or other clicks', async (_, packed) => {
  for (let i = 0; i < 60; i++) {
    const at = 10 + Math.floor(((packed.length - 10) * i) / 60);
    const cut = packed.subarray(0, at);
    const flipped = Buffer.from(packed);
    flipped[at] ^= 1 << (i % 8);
    for (const damaged of [cut, flipped]) {
      const outcome = await read(damaged).then(
        (records) => records.map(({ value }) => value).join('\n'),
        (error: unknown) => error,
      );
      // A frame boundary is a sound end; and some bytes (a file's name or time) mean nothing.
      if (typeof outcome === 'string') expect(lines.join('\n').startsWith(outcome)).toBe(true);
      else expect(outcome).toBeInstanceOf(UserError);
    }
  }
  const behind = Buffer.concat([packed, Buffer.from('what is this')]);
  await expect(read(behind)).rejects.toThrow(/is damaged (gzip|zstd): /);
  await expect(read(packed.subarray(0, packed.length - 2))).rejects.toThrow(UserError);
});

test('nothing behind zeros in a gzip file is dropped silently', async () => {
  await expect(read(Buffer.concat([GZIP, Buffer.alloc(20), GZIP]))).rejects.toThrow(/damaged gzip/);
});

test('an input that can not be read is one line with its path', async () => {
  const missing = join(directory.path, 'missing');
  await expect(fileSource({ path: missing, partitions: 1, format: 'auto' })).rejects.toThrow(
    `can't read ${missing}: there is no such file`,
  );
  const folder = join(directory.path, 'folder');
  await mkdir(folder);
  await expect(fileSource({ path: folder, partitions: 1, format: 'auto' })).rejects.toThrow(
    `${folder} is a folder`,
  );
  if (process.getuid?.() === 0) return;
  const secret = await inputOf('x');
  await chmod(secret, 0);
  await expect(fileSource({ path: secret, partitions: 1, format: 'auto' })).rejects.toThrow(
    'may not be read',
  );
});

test('a file that has grown is the same, another one is not', async () => {
  const long = 'x'.repeat(100_000);
  const path = await inputOf('one\ntwo\n');
  const identity = await fileIdentity(path);
  expect(identity).toMatchObject({ bytes: 8, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) });
  await writeFile(path, `one\ntwo\n${long}`);
  const grown = await fileSource({ path, partitions: 1, format: 'auto' });
  expect(await grown.matches(identity)).toBe(true);
  expect(grown.identity.bytes).toBe(65_536);
  expect(await (await open('one\ntwX\nthree')).matches(identity)).toBe(false);
  expect(await (await open('one\n')).matches(identity)).toBe(false);
  expect(sameFile(identityOf('-', Buffer.from(long)), Buffer.from(`${long}${long}`))).toBe(true);
});

test('a long payload of a Kafka record is cut with its true length', async () => {
  const payload = '"\\\n\u20ac\ud83d\ude00'.repeat(2_000_000);
  const source = await open(`${envelope({ offset: 1, payload })}\n${envelope({ offset: 2 })}\n`);
  const records: [number, number, number | undefined][] = [];
  const signal = new AbortController().signal;
  for await (const batch of source.read({ positions: new Map(), untilEnd: true, signal })) {
    for (let i = 0; i < batch.count; i++) {
      records.push([batch.offset[i], batch.valueEnd[i] - batch.valueStart[i], batch.cutValueBytes?.get(i)]);
    }
  }
  expect(records).toEqual([
    [1, RECORD_BYTES_MAX, Buffer.byteLength(payload)],
    [2, 1, undefined],
  ]);
});

test('a line of 100 MB is cut with its true length, in little memory', async () => {
  const code = await temporaryDirectory();
  await translate(code.path);
  const path = join(code.path, 'long');
  execFileSync('sh', [
    '-c',
    `(echo first; head -c 100000000 /dev/zero | tr '\\0' x; echo; echo last) > '${path}'`,
  ]);
  const script = `
    import { fileSource } from '${code.path}/src/adapters/file/file-source.js';
    const source = await fileSource({ path: process.argv[1], partitions: 1, format: 'auto' });
    const signal = new AbortController().signal;
    const records = [];
    for await (const batch of source.read({ positions: new Map(), untilEnd: true, signal })) {
      for (let i = 0; i < batch.count; i++) {
        records.push([batch.offset[i], batch.valueEnd[i] - batch.valueStart[i], batch.cutValueBytes?.get(i) ?? 0]);
      }
    }
    console.log(JSON.stringify({ records, megabytes: process.resourceUsage().maxRSS / 1024 }));`;
  const run = (name: string) =>
    promisify(execFile)('sh', [
      '-c',
      `${name === '-' ? `cat '${path}' |` : ''} "$1" --max-old-space-size=24 --input-type=module -e "$2" "$3"`,
      'sh',
      process.execPath,
      script,
      name,
    ]);
  for (const name of [path, '-']) {
    const { records, megabytes } = JSON.parse((await run(name)).stdout);
    expect(records).toEqual([
      [0, 5, 0],
      [1, RECORD_BYTES_MAX, 100_000_000],
      [2, 4, 0],
    ]);
    expect(megabytes).toBeLessThan(140);
  }
  await code.remove();
});

test('a pipe that nothing comes from is given up when it is told to', async () => {
  const fifo = join(directory.path, 'quiet');
  execFileSync('mkfifo', [fifo]);
  const feeding = execFile('sh', ['-c', `exec > '${fifo}'; printf 'a\\nhalf a li'; exec sleep 300`]);
  const source = await fileSource({ path: fifo, partitions: 1, format: 'auto' });
  const controller = new AbortController();
  const values: string[] = [];
  setTimeout(() => controller.abort(), 200);
  for (const { value } of await readAll(source, { signal: controller.signal })) values.push(value);
  expect(values).toEqual(['a']);
  expect(feeding.exitCode, 'who feeds it has not closed it').toBeNull();
  feeding.kill();
});
