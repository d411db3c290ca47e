// `run --open-minutes`, `serve`, `dashboard`, `ads token` and `top --url` as processes: a click is seen within seconds,
// what the API says is what `query` says, and each ends when it is told to.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { SeriesAnswer, StatusAnswer, TotalsAnswer } from '../../src/serve/api.js';
import { BIN, clickAgg, temporaryDirectory } from './click-agg.js';

const KEY = 'a key of thirty-two characters or more';
const SOON = { interval: 200 };

let directory: ReturnType<typeof temporaryDirectory>;
const children: ChildProcess[] = [];
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(async () => {
  for (const child of children.splice(0)) {
    const ended = child.exitCode === null ? once(child, 'close') : undefined;
    child.kill('SIGKILL');
    await ended;
  }
  directory.remove();
});

function start(args: readonly string[], env: Record<string, string> = {}): ChildProcess {
  const child = spawn(process.execPath, [BIN, ...args, '--data-dir', directory.path], {
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  children.push(child);
  return child;
}

/** The URL that a server logs when it listens. */
async function urlOf(child: ChildProcess): Promise<string> {
  for await (const line of createInterface({ input: child.stderr! })) {
    const { url } = JSON.parse(line) as { url?: string };
    if (url !== undefined) return url;
  }
  throw new Error('it has ended without a URL');
}

const serverArgs = ['--port', '0', '--log-format', 'json'];

async function get<T>(url: string, token?: string): Promise<T> {
  const response = await fetch(
    url,
    token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } },
  );
  return (await response.json()) as T;
}

test('a click is in an open minute within seconds, and all agree on it', async () => {
  const load = (count: number) =>
    clickAgg(['loadgen', '-q', '--count', String(count), '--data-dir', directory.path]);
  const loaded = await load(1_000);
  expect(loaded.code, loaded.stderr).toBe(0);
  const run = start(['run', '-q', '--open-minutes']);
  const api = start(['serve', ...serverArgs]);
  const url = await urlOf(api);
  await load(4_000);
  const counted = async () => (await get<StatusAnswer>(`${url}/v1/status`)).ledger?.records;
  await expect.poll(counted, SOON).toBe(5_000);
  await expect.poll(async () => (await get<StatusAnswer>(`${url}/v1/status`)).lag, SOON).toBe(0);
  const query = ['query', '--json', '--group-by', 'country,device_type', '--data-dir', directory.path];
  const { stdout } = await clickAgg(query);
  const total = async () => (await get<SeriesAnswer>(`${url}/v1/series?last=24h&step=hour`)).total;
  const rows = JSON.parse(stdout) as { clicks: number }[];
  await expect.poll(total, SOON).toBe(rows.reduce((sum, { clicks }) => sum + clicks, 0));
  const { rows: answered, as_of } = await get<TotalsAnswer>(`${url}/v1/totals?group_by=country,device_type`);
  expect(answered).toEqual(rows);
  // Minutes that are not closed yet are among them.
  expect(Date.parse(as_of.newest!)).toBeGreaterThan(Date.parse(as_of.watermark!));

  const near = await clickAgg(['top', '--json', '--data-dir', directory.path]);
  const far = await clickAgg(['top', '--json', '--url', url]);
  const steady = ({ stdout: text }: { stdout: string }) => ({
    ...(JSON.parse(text) as object),
    // What changes from second to second.
    ...{ clicks_per_second: null, memory_bytes: null },
  });
  expect(steady(far)).toEqual(steady(near));
  expect(steady(far)).toMatchObject({ live: true, ledger: { records: 5000 } });

  const ended = once(run, 'close');
  run.kill('SIGTERM');
  expect((await ended)[0]).toBe(0);
  await expect.poll(async () => (await get<{ live: boolean }>(`${url}/v1/status`)).live, SOON).toBe(false);
  const atRest = await clickAgg(['top', '--url', url]);
  expect(atRest.stderr).toMatch(/^nothing is running at http:.*: showing the store, as of /);
  // Whoever looks must not stand in the way of the next run.
  const again = await clickAgg(['run', '-q', '--until-end', '--data-dir', directory.path]);
  expect(again.code, again.stderr).toBe(0);
  const stopped = once(api, 'close');
  api.kill('SIGTERM');
  expect((await stopped)[0]).toBe(0);
});

test('tokens are made for advertisers of the ads table, and open what is theirs', async () => {
  const env = { CLICK_AGG_TOKEN_KEY: KEY };
  const ad = {
    ...{ ad_id: 'ad-1', campaign_id: 'c-001', advertiser_id: 'blue', target_url: 'https://blue.example/' },
  };
  const imported = await clickAgg(['ads', 'import', '-', '--data-dir', directory.path], {
    input: `${JSON.stringify(ad)}\n`,
  });
  expect(imported.code, imported.stderr).toBe(0);
  expect((await clickAgg(['loadgen', '-q', '--count', '3000', '--data-dir', directory.path])).code).toBe(0);
  expect((await clickAgg(['run', '-q', '--until-end', '--data-dir', directory.path])).code).toBe(0);
  const api = start(['serve', ...serverArgs], env);
  const url = await urlOf(api);
  const token = async (...args: string[]) =>
    (await clickAgg(['ads', 'token', ...args], { env })).stdout.trim();
  const blue = await token('--advertiser', 'blue', '--expires', '1h');
  const admin = await token('--admin');
  const campaigns = async (shown: string) =>
    (await get<TotalsAnswer>(`${url}/v1/totals?group_by=campaign_id`, shown)).rows.map(
      (row) => row.campaign_id,
    );
  expect(await campaigns(blue)).toEqual(['c-001']);
  expect((await campaigns(admin)).length).toBeGreaterThan(1);
  const own = await clickAgg(['top', '--url', url], { env: { CLICK_AGG_TOKEN: blue } });
  expect([own.code, own.stderr]).toEqual([1, expect.stringContaining('its own campaigns only')]);
  const all = await clickAgg(['top', '--url', url, '--json'], { env: { CLICK_AGG_TOKEN: admin } });
  expect(JSON.parse(all.stdout)).toMatchObject({ live: false, ledger: { records: 3000 } });
  const none = await clickAgg(['top', '--url', url]);
  expect([none.code, none.stderr]).toEqual([1, expect.stringContaining('CLICK_AGG_TOKEN')]);
});

test('what is asked for wrongly is refused in a line', async () => {
  for (const [args, env, code, words] of [
    [['serve', '--host', '0.0.0.0'], {}, 2, 'without tokens everybody there would see everything'],
    [['serve'], { CLICK_AGG_TOKEN_KEY: 'short' }, 2, 'at least 32 characters'],
    [['serve', '--public-url', 'clicks.example'], {}, 2, 'must be a URL'],
    [['ads', 'token', '--admin'], {}, 2, 'a token needs a key'],
    [['ads', 'token'], { CLICK_AGG_TOKEN_KEY: KEY }, 2, '--advertiser ID or --admin'],
    [['top', '--url', 'nowhere'], {}, 2, 'not an http or https URL'],
    [['top', '--url', 'http://127.0.0.1:9'], {}, 1, 'does not answer'],
  ] as const) {
    const outcome = await clickAgg(args, { env, cwd: directory.path });
    expect([outcome.code, outcome.stderr], args.join(' ')).toEqual([code, expect.stringContaining(words)]);
    expect(outcome.stderr.trim().split('\n').length).toBeLessThanOrEqual(2);
  }
});
