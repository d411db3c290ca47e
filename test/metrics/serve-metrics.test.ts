// `serve` and `dashboard` as processes that are watched: what they answered, and whether the store answers them.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, expect, test } from 'vitest';
import { temporaryDirectory } from '../cli/click-agg.js';
import { sampleValue } from './exposition.js';
import { startWatched, until, type Watched } from './watched.js';

const directory = temporaryDirectory();
let watched: Watched | undefined;
afterEach(() => {
  watched?.process.kill('SIGKILL');
  watched = undefined;
});
afterAll(() => directory.remove());

async function start(command: string, dataDir: string): Promise<string> {
  const one = await startWatched([command, '--port', '0', '--data-dir', join(directory.path, dataDir)]);
  watched = one;
  const url = () => one.log.map((entry) => entry.url).find((found) => typeof found === 'string');
  return await until(async () => url() as string | undefined, 'the server to listen');
}

test.each(['serve', 'dashboard'])('%s tells what it answered, and that it is ready', async (command) => {
  const url = await start(command, 'none');
  const paths = ['/v1/status', '/v1/status', '/v1/totals?nonsense=1', '/favicon.gif'];
  for (const path of paths) await (await fetch(url + path)).text();
  const families = await watched!.metrics();
  const value = (name: string, labels: Record<string, string> = {}) =>
    sampleValue(families, `click_agg_serve_${name}`, labels);
  expect(value('answers_total', { route: '/v1/status', status: '200' })).toBe(2);
  expect(value('answers_total', { route: '/v1/totals', status: '400' })).toBe(1);
  expect(value('answers_total', { route: 'web', status: '404' })).toBe(1);
  expect(value('answers_made_total')).toBeGreaterThan(0);
  const duration = 'click_agg_serve_answer_duration_seconds';
  expect(sampleValue(families, duration, { route: '/v1/status' }, `${duration}_count`)).toBe(2);
  expect([value('watchers'), value('told'), value('answers_failed_total')]).toEqual([0, 0, 0]);
  const ready = await watched!.get('/readyz');
  expect([ready.status, JSON.parse(ready.text)]).toEqual([
    200,
    { status: 'ok', role: 'active', store: 'reachable' },
  ]);
  expect((await watched!.get('/healthz')).status).toBe(200);
  expect(await watched!.stop()).toBe(0);
});

test('ingest with the dashboard shows the metrics of both, and the store is no matter of its readiness', async () => {
  mkdirSync(join(directory.path, 'both'), { recursive: true });
  writeFileSync(join(directory.path, 'both', 'store.duckdb'), 'not a store');
  const dataDir = ['--data-dir', join(directory.path, 'both')];
  const ports = ['--port', '0', '--dashboard', '--dashboard-port', '0'];
  const one = await startWatched(['ingest', ...ports, ...dataDir]);
  watched = one;
  const said = (key: string) =>
    until(async () => one.log.map((entry) => entry[key]).find((found) => typeof found === 'string'), key);
  const dashboard = (await said('dashboard_url')) as string;
  const ingest = (await said('url')) as string;
  expect((await fetch(`${dashboard}/v1/status`)).status).toBe(503);
  expect((await fetch(`${ingest}/c/nobody`)).status).toBe(404);
  const families = await one.metrics();
  const redirects = { route: 'redirect', status: '404' };
  expect(sampleValue(families, 'click_agg_ingest_answers_total', redirects)).toBe(1);
  const statuses = { route: '/v1/status', status: '503' };
  expect(sampleValue(families, 'click_agg_serve_answers_total', statuses)).toBe(1);
  expect(sampleValue(families, 'click_agg_serve_answers_failed_total')).toBeGreaterThan(0);
  expect((await one.get('/readyz')).status).toBe(200);
  expect(await one.stop()).toBe(0);
});

test('a store that can’t be read makes it not ready, and it lives on', async () => {
  const url = await start('serve', 'broken');
  mkdirSync(join(directory.path, 'broken'), { recursive: true });
  writeFileSync(join(directory.path, 'broken', 'store.duckdb'), 'not a store');
  const ready = await until(async () => {
    const answer = await watched!.get('/readyz');
    return answer.status === 503 ? (JSON.parse(answer.text) as Record<string, string>) : undefined;
  }, 'it not to be ready');
  expect(ready).toMatchObject({ status: 'unavailable', role: 'active' });
  expect(ready.store).toMatch(/store/);
  expect((await watched!.get('/healthz')).status).toBe(200);
  expect((await fetch(`${url}/v1/status`)).status).toBe(503);
  const failed = sampleValue(await watched!.metrics(), 'click_agg_serve_answers_failed_total');
  expect(failed).toBeGreaterThan(0);
});
