// The fixtures were worked out by hand, the oracle was written from the rules: where both agree, both are
// probably right.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { DEFAULT_METHOD, withInvalidTraffic } from '../../src/core/method.js';
import { decide } from '../oracle.js';
import { readFixtures } from './fixtures.js';

const FOLDER = join(import.meta.dirname, '../../fixtures');
const fixtures = readFixtures();

test.each(fixtures)('$name: the oracle decides what was worked out by hand', (fixture) => {
  const { records, totals, ledger, verdicts } = fixture;
  const decided = decide(records, DEFAULT_METHOD);
  expect(decided.verdicts).toEqual(verdicts);
  expect(decided.totals).toEqual(totals);
  expect(decided.ledger).toEqual(ledger);
});

const backfilled = fixtures.flatMap(({ name, records, backfill }) =>
  backfill ? [{ name, records, backfill }] : [],
);
test.each(backfilled)('$name: and what a backfill makes of it', ({ records, backfill }) => {
  const admit = [{ fromMs: Date.parse(backfill.from), toMs: Date.parse(backfill.to) }];
  const decided = decide(records, DEFAULT_METHOD, { admit });
  expect(decided.totals).toEqual(backfill.totals);
  expect(decided.ledger).toEqual(backfill.ledger);
});

const withMarks = fixtures.flatMap(({ name, records, off }) => (off ? [{ name, records, off }] : []));
test.each(withMarks)('$name: and what version 1 makes of it', ({ records, off }) => {
  const decided = decide(records, withInvalidTraffic(DEFAULT_METHOD, false));
  expect(decided.totals).toEqual(off.totals);
  expect(decided.ledger).toEqual(off.ledger);
});

test('fixtures/README.md explains every fixture', () => {
  const readme = readFileSync(join(FOLDER, 'README.md'), 'utf8');
  expect(fixtures.filter(({ name }) => !readme.includes(`\`${name}\``))).toEqual([]);
});

test('fixtures/make.mjs writes exactly the fixtures that are there', () => {
  const copy = mkdtempSync(join(tmpdir(), 'click-agg-fixtures-'));
  try {
    cpSync(join(FOLDER, 'make'), join(copy, 'make'), { recursive: true });
    cpSync(join(FOLDER, 'make.mjs'), join(copy, 'make.mjs'));
    execFileSync(process.execPath, [join(copy, 'make.mjs')]);
    const made = readdirSync(copy).filter((name) => !name.startsWith('make'));
    expect(made.sort()).toEqual(fixtures.map(({ name }) => name).sort());
    for (const name of made) {
      for (const file of ['log.ndjson', 'expected.json']) {
        expect(readFileSync(join(copy, name, file))).toEqual(readFileSync(join(FOLDER, name, file)));
      }
    }
  } finally {
    rmSync(copy, { recursive: true });
  }
});
