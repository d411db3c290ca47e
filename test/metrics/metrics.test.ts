// What a real process shows over HTTP: figures that are those of `query`, well-formed, and answers for who
// restarts it and who routes to it.
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { VERDICTS } from '../../src/core/method.js';
import type { LedgerCounts } from '../../src/core/ports/store.js';
import { clickAgg, temporaryDirectory } from '../cli/click-agg.js';
import { type Family, sampleValue } from './exposition.js';
import { startWatched, until, type Watched } from './watched.js';

const CLICKS = 20_000;

const directory = temporaryDirectory();
const running = new Set<Watched>();
beforeAll(async () => {
  const shares = ['--malformed', '0.02', '--bots', '0.1'];
  await json('loadgen', '--count', String(CLICKS), '--seed', '7', ...shares);
});
afterEach(() => {
  for (const { process } of running) process.kill('SIGKILL');
  running.clear();
});
afterAll(() => directory.remove());

async function json<T>(...args: string[]): Promise<T> {
  const { code, stdout, stderr } = await clickAgg([...args, '--json'], { cwd: directory.path });
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout) as T;
}

async function start(command: string, ...args: string[]): Promise<Watched> {
  const watched = await startWatched([command, '--data-dir', `${directory.path}/click-agg-data`, ...args]);
  running.add(watched);
  return watched;
}

/** The store's ledger when everything is counted. */
async function wholeLedger(): Promise<LedgerCounts> {
  return await until(async () => {
    const asked = await clickAgg(['query', '--ledger', '--json'], { cwd: directory.path });
    // The run says that it counts before the store is there.
    if (asked.code === 1 && asked.stderr.includes('no totals')) return undefined;
    expect(asked.code, asked.stderr).toBe(0);
    const ledger = JSON.parse(asked.stdout) as LedgerCounts;
    return ledger.records === CLICKS ? ledger : undefined;
  }, 'everything to be counted');
}

/** The metrics once every partition's lag is known to be none. */
async function metricsAtEnd(watched: Watched, lag: string): Promise<Map<string, Family>> {
  return await until(async () => {
    const families = await watched.metrics();
    const samples = families.get(lag)?.samples ?? [];
    return samples.length > 0 && samples.every(({ value }) => value === 0) ? families : undefined;
  }, `no ${lag}`);
}

/** Every letter in the store was counted when it was written, and was counted out if it was withdrawn. */
async function expectLetters(families: Map<string, Family>): Promise<void> {
  const stored = await json<{ verdict: string; reason: string; count: number }[]>('dead-letters', 'count');
  const withdrawn = sampleValue(families, 'click_agg_dead_letters_withdrawn_total') ?? 0;
  expect(stored.map(({ verdict }) => verdict)).toContain('bot');
  for (const { verdict, reason, count } of stored) {
    const written = sampleValue(families, 'click_agg_dead_letters_total', { verdict, reason });
    expect(written, `${verdict} ${reason}`).toBe(verdict === 'bot' ? count + withdrawn : count);
  }
}

test('a run that is watched shows what query says, and counts from zero when it is started again', async () => {
  const run = await start('run');
  const ledger = await wholeLedger();
  const families = await metricsAtEnd(run, 'click_agg_consumer_lag');
  for (const verdict of VERDICTS) {
    expect(ledger[verdict], verdict).toBeGreaterThan(0);
    expect(sampleValue(families, 'click_agg_ledger_records', { verdict }), verdict).toBe(ledger[verdict]);
    const given = sampleValue(families, 'click_agg_verdicts_total', { verdict });
    expect(given, verdict).toBeGreaterThanOrEqual(ledger[verdict]);
  }
  expect(sampleValue(families, 'click_agg_records_total')).toBe(CLICKS);
  const positions = families.get('click_agg_consumer_position')!.samples;
  expect(positions.reduce((sum, { value }) => sum + value, 0)).toBe(CLICKS);
  await expectLetters(families);
  const duration = 'click_agg_commit_duration_seconds';
  const commits = sampleValue(families, duration, {}, `${duration}_count`);
  expect(commits).toBeGreaterThan(0);
  expect(sampleValue(families, duration, { le: '+Inf' }, `${duration}_bucket`)).toBe(commits);
  for (const [name, labels] of [
    ['click_agg_watermark_delay_seconds', { partition: '0' }],
    ['click_agg_horizon_clicks', {}],
    ['click_agg_horizon_bytes', {}],
    ['click_agg_active', {}],
    ['click_agg_last_commit_timestamp_seconds', {}],
    ['process_resident_memory_bytes', {}],
  ] as const)
    expect(sampleValue(families, name, labels), name).toBeGreaterThan(0);
  expect(await run.stop()).toBe(0);

  const later = await metricsAtEnd(await start('run'), 'click_agg_consumer_lag');
  expect(sampleValue(later, 'click_agg_records_total')).toBe(0);
  expect(sampleValue(later, 'click_agg_ledger_records', { verdict: 'bot' })).toBe(ledger.bot);
});

test('it says that it lives and is ready, answers nothing else, and keeps its port to itself', async () => {
  const run = await start('run');
  await metricsAtEnd(run, 'click_agg_consumer_lag');
  const live = await run.get('/healthz');
  expect([live.status, JSON.parse(live.text)]).toEqual([
    200,
    { status: 'ok', role: 'active', loop: 'turns' },
  ]);
  const ready = await run.get('/readyz');
  const reachable = { source: 'reachable', store: 'reachable' };
  expect([ready.status, JSON.parse(ready.text)]).toEqual([
    200,
    { status: 'ok', role: 'active', ...reachable },
  ]);
  expect((await run.get('/metrics')).contentType).toMatch(/^text\/plain; version=0\.0\.4/);
  expect((await run.get('/')).status).toBe(404);
  expect((await fetch(`${run.url}/metrics`, { method: 'POST' })).status).toBe(405);

  const { port } = new URL(run.url);
  const other = ['run', '--data-dir', 'other', '--metrics-port', port];
  const second = await clickAgg(other, { cwd: directory.path });
  expect(second.code).toBe(1);
  expect(second.stderr).toMatch(
    /^click-agg: can't serve metrics on 127\.0\.0\.1:\d+: another program has it\n {2}Choose .*\n$/,
  );
  expect(await run.stop()).toBe(0);
  await expect(run.get('/healthz')).rejects.toThrow();
});

test('a lake that is watched shows what it has kept', async () => {
  const lake = await start('lake', '--flush-interval', '100ms');
  const families = await metricsAtEnd(lake, 'click_agg_lake_lag');
  expect((await lake.get('/readyz')).status).toBe(200);
  expect((await lake.get('/healthz')).status).toBe(200);
  expect(await lake.stop()).toBe(0);
  const status = await json<{ records: number; malformed: number }>('lake', 'status');
  expect(status.records).toBe(CLICKS);
  expect(sampleValue(families, 'click_agg_lake_records_total')).toBe(CLICKS);
  expect(sampleValue(families, 'click_agg_lake_malformed_records_total')).toBe(status.malformed);
});
