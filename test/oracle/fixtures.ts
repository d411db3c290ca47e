// Reads fixtures/ for tests: each folder is a log and what every engine must make of it.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { OracleLedger, OracleRecord, OracleTotal, OracleVerdict } from '../oracle.js';
import { recordsOfBareLines } from './bare-lines.js';

/** How many partitions bare lines are spread over: what `run --input` takes unless told. */
export const FIXTURE_PARTITIONS = 6;

export interface Fixture {
  name: string;
  /** The log, to be given to `run --input`. */
  logFile: string;
  about: string;
  records: OracleRecord[];
  totals: OracleTotal[];
  ledger: OracleLedger;
  /** In order of (partition, offset). */
  verdicts: OracleVerdict[];
  /** What a backfill of a period makes of it. */
  backfill?: { from: string; to: string; totals: OracleTotal[]; ledger: OracleLedger };
  /** What version 1 of the method, which knows no marks, makes of it. */
  off?: { totals: OracleTotal[]; ledger: OracleLedger };
}

const FIXTURES = join(import.meta.dirname, '../../fixtures');

/** All fixtures, by name. They are counted by the default method. */
export function readFixtures(): Fixture[] {
  return readdirSync(FIXTURES, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name !== 'make')
    .map(({ name }) => readFixture(name));
}

/** The fixture of a name (its folder). */
export function readFixture(name: string): Fixture {
  const expected = JSON.parse(readFileSync(join(FIXTURES, name, 'expected.json'), 'utf8')) as Omit<
    Fixture,
    'name' | 'logFile' | 'records'
  > & { input: 'envelopes' | 'bare' };
  const { input, ...rest } = expected;
  const logFile = join(FIXTURES, name, 'log.ndjson');
  const log = readFileSync(logFile);
  const records = input === 'bare' ? recordsOfBareLines(log, FIXTURE_PARTITIONS) : recordsOfEnvelopes(log);
  return { name, logFile, records, ...rest };
}

/** Records of a file as `kcat -J` writes it. */
export function recordsOfEnvelopes(log: Buffer): OracleRecord[] {
  const lines = log.toString().split('\n').filter(Boolean);
  return lines.map((line) => {
    const envelope = JSON.parse(line) as { partition: number; offset: number; ts: number; payload: string };
    const { partition, offset, ts, payload } = envelope;
    return { partition, offset, appendTimeMs: ts, value: Buffer.from(payload) };
  });
}
