// `click-agg method`, and with it the four places an option can come from.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DEFAULT_METHOD } from '../../src/core/method.js';
import { methodHash } from '../../src/core/method-hash.js';
import { clickAgg, type RunOptions, temporaryDirectory } from './click-agg.js';

let directory: ReturnType<typeof temporaryDirectory>;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => directory.remove());

/** Of the default method, version 2. */
const HASH = '29df3e75893ca832';

async function methodJson(args: readonly string[], options: RunOptions = {}) {
  const { code, stdout, stderr } = await clickAgg(['method', '--json', ...args], {
    cwd: directory.path,
    ...options,
  });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout);
}

function writeConfig(content: unknown, name = 'click-agg.json'): string {
  const path = join(directory.path, name);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

/** Runs it and expects a refusal: exit 2, these lines on stderr, nothing on stdout. */
async function refused(args: readonly string[], lines: readonly string[], options: RunOptions = {}) {
  const outcome = await clickAgg(args, { cwd: directory.path, ...options });
  expect(outcome).toEqual({ code: 2, stdout: '', stderr: `${lines.join('\n')}\n` });
}

describe('click-agg method', () => {
  test('prints the default method as people and programs read it', async () => {
    const { code, stdout } = await clickAgg(['method'], { cwd: directory.path });
    expect(code).toBe(0);
    expect(stdout).toContain(`version 2, hash ${HASH}`);
    expect(stdout).toMatch(/^--watermark-delay {3}3m /m);
    expect(stdout).toMatch(/^bot .* 1m .* 30 clicks/m);
    const document = await methodJson([]);
    expect(document).toMatchObject({ version: 2, hash: HASH, method: DEFAULT_METHOD });
    expect(document.rules.map((rule: { verdict: string }) => rule.verdict)).toEqual([
      'invalid',
      'too_late',
      'duplicate',
      'invalid_traffic',
      'double_click',
      'bot',
      'billable',
    ]);
  });

  test('with --invalid-traffic off is version 1, to the letter of its JSON and its hash', async () => {
    const document = await methodJson(['--invalid-traffic', 'off']);
    expect(document).toMatchObject({ version: 1, hash: '4de2adcb38ced86a' });
    expect(JSON.stringify(document.method)).toBe(
      '{"version":1,"watermarkDelayMs":180000,"allowedLatenessMs":600000,"doubleClickMs":60000,' +
        '"botWindowMs":60000,"botThreshold":30,"clockSkewMs":300000}',
    );
    expect(JSON.stringify(document)).not.toMatch(/invalid_traffic/);
  });

  test('has another hash for every parameter that differs, and none for the order of their names', () => {
    const hashes = new Set([methodHash(DEFAULT_METHOD)]);
    for (const [name, value] of Object.entries(DEFAULT_METHOD))
      hashes.add(methodHash({ ...DEFAULT_METHOD, [name]: value === true ? false : value + 1 }));
    expect(hashes.size).toBe(Object.keys(DEFAULT_METHOD).length + 1);
    const reversed = Object.fromEntries(Object.entries(DEFAULT_METHOD).reverse());
    expect(methodHash(reversed as unknown as typeof DEFAULT_METHOD)).toBe(methodHash(DEFAULT_METHOD));
  });
});

describe('an option', () => {
  const env = { CLICK_AGG_BOT_THRESHOLD: '40' };

  test('is taken from the flag, then the environment, then the file, then the default', async () => {
    expect((await methodJson([])).method.botThreshold).toBe(30);
    writeConfig({ botThreshold: 50, method: { clockSkew: '1m' } });
    const configured = await methodJson([]);
    expect(configured.method).toMatchObject({ botThreshold: 50, clockSkewMs: 60_000 });
    expect((await methodJson([], { env })).method.botThreshold).toBe(40);
    expect((await methodJson(['--bot-threshold', '60'], { env })).method.botThreshold).toBe(60);
  });

  test('given twice takes its last value', async () => {
    const { method } = await methodJson(['--bot-threshold', '60', '--bot-threshold=70']);
    expect(method.botThreshold).toBe(70);
  });

  test('may stand before the command if every command has it', async () => {
    const { stdout } = await clickAgg(['--json', 'method'], { cwd: directory.path });
    expect(JSON.parse(stdout).version).toBe(2);
  });

  test('of the file is overruled by the section of the command', async () => {
    writeConfig({ botThreshold: 50, method: { botThreshold: 51 } });
    expect((await methodJson([])).method.botThreshold).toBe(51);
  });

  test('that is a switch can be turned off again by its --no- form', async () => {
    writeConfig({ json: true });
    expect((await clickAgg(['method'], { cwd: directory.path })).stdout).toMatch(/^\{/);
    expect((await clickAgg(['method', '--no-json'], { cwd: directory.path })).stdout).toMatch(/^Counting/);
    const env = { CLICK_AGG_JSON: 'off' };
    expect((await clickAgg(['method'], { cwd: directory.path, env })).stdout).toMatch(/^Counting/);
  });

  test('set to nothing in the environment is not set', async () => {
    expect((await methodJson([], { env: { CLICK_AGG_BOT_THRESHOLD: '' } })).method.botThreshold).toBe(30);
  });

  test('is refused with its name, its place and what was got', async () => {
    await refused(
      ['method', '--watermark-delay', '3 minutes'],
      ['click-agg: --watermark-delay: must be a duration such as 90s, 3m or 1h30m (got "3 minutes")'],
    );
    await refused(['method'], ['click-agg: CLICK_AGG_BOT_THRESHOLD: must be a whole number (got "many")'], {
      env: { CLICK_AGG_BOT_THRESHOLD: 'many' },
    });
    await refused(
      ['method', '--bot-threshold', '0', '--json'],
      ['click-agg: --bot-threshold: must be at least 1 (got "0")'],
    );
    await refused(['method'], ['click-agg: CLICK_AGG_JSON: must be true or false (got "maybe")'], {
      env: { CLICK_AGG_JSON: 'maybe' },
    });
    writeConfig({ method: { doubleClick: true } });
    await refused(
      ['method'],
      [
        'click-agg: click-agg.json: method.doubleClick: must be a duration such as 90s, 3m or 1h30m (got "true")',
      ],
    );
  });
});

describe('the config file', () => {
  test('can be named', async () => {
    const path = writeConfig({ botThreshold: 7 }, 'other.json');
    expect((await methodJson(['--config', path])).method.botThreshold).toBe(7);
    expect((await methodJson([], { env: { CLICK_AGG_CONFIG: path } })).method.botThreshold).toBe(7);
  });

  test('as the documentation shows it is accepted', async () => {
    for (const page of ['README.md', 'docs/options.md']) {
      const text = readFileSync(join(import.meta.dirname, '../..', page), 'utf8');
      const [, example] = /```json\n([^`]*)```/.exec(text) ?? [];
      writeConfig(example ?? '');
      expect((await methodJson([])).method.botThreshold, page).toBe(50);
    }
    writeConfig({ method: { quiet: true, json: true }, deadLetters: { list: { limit: 3, quiet: true } } });
    expect((await clickAgg(['method'], { cwd: directory.path })).stdout).toMatch(/^\{/);
  });

  test('is refused where it is missing, broken or has keys that nobody knows', async () => {
    await refused(
      ['method', '--config', 'none.json'],
      ["click-agg: can't read the config file none.json: there is none"],
    );
    await refused(
      ['method', '--config', directory.path],
      [`click-agg: can't read the config file ${directory.path}: it is a folder`],
    );
    writeConfig('{"botThreshold": 7,}');
    const broken = await clickAgg(['method'], { cwd: directory.path });
    expect(broken.code).toBe(2);
    expect(broken.stderr).toMatch(/^click-agg: click-agg\.json is not JSON: .*\n$/);
    writeConfig([]);
    await refused(
      ['method'],
      ['click-agg: click-agg.json must hold a JSON object, such as {"dataDir": "clicks"}'],
    );
    writeConfig({ botTreshold: 7 });
    await refused(
      ['method'],
      ['click-agg: click-agg.json: unknown key "botTreshold"', '  did you mean "botThreshold"?'],
    );
    writeConfig({ method: { until: 7 } });
    await refused(
      ['method'],
      ['click-agg: click-agg.json: unknown key "method.until"', '  see docs/options.md for the keys'],
    );
    writeConfig({ config: 'other.json' });
    expect((await clickAgg(['method'], { cwd: directory.path })).code).toBe(2);
    writeConfig({ quiet: 'yes' });
    await refused(['method'], ['click-agg: click-agg.json: quiet: must be true or false']);
    writeConfig({ botThreshold: [1, 2] });
    await refused(['method'], ['click-agg: click-agg.json: botThreshold: takes one value, not a list']);
    writeConfig({ botThreshold: { one: 1 } });
    expect((await clickAgg(['method'], { cwd: directory.path })).stderr).toContain(
      'botThreshold: must be a text',
    );
  });
});
