// click-agg with its totals in ClickHouse, as people type it: the same counts as in the file, to the byte.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { dropStore, newDatabaseUrl } from '../adapters/clickhouse/databases.js';
import { clickAgg, temporaryDirectory } from './click-agg.js';

const folder = temporaryDirectory();
let store: string;
beforeAll(async () => {
  store = await newDatabaseUrl();
});
afterAll(async () => {
  await dropStore(store);
  folder.remove();
});

async function succeed(args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await clickAgg([...args, '--data-dir', folder.path]);
  expect(code, stderr).toBe(0);
  return stdout;
}

test('counts, answers and reconciles as the file does', async () => {
  await succeed(['loadgen', '-n', '20000', '--seed', '6']);
  const missing = await clickAgg(['run', '--until-end', '--data-dir', folder.path, '--store', store]);
  expect(missing.code).toBe(1);
  expect(missing.stderr).toMatch(/: there is no such database\n {2}Make it with `click-agg store init`/);
  expect(await clickAgg(['store', 'init', '--store', store])).toMatchObject({ code: 0 });
  expect(await clickAgg(['store', 'check', '--store', store])).toMatchObject({ code: 0 });

  await succeed(['run', '--until-end', '--lake']);
  await succeed(['run', '--until-end', '--store', store]);
  for (const question of [
    ['query', '--json'],
    ['query', '--json', '--group-by', 'hour,country', '--country', 'IN,US', '--device', 'mobile'],
    ['query', '--json', '--group-by', 'campaign_id', '--top', '5'],
    ['query', '--json', '--ledger'],
    ['dead-letters', 'count', '--json'],
  ]) {
    const answer = await succeed([...question, '--store', store]);
    expect(answer).toBe(await succeed(question));
    expect(answer.length).toBeGreaterThan(50);
  }
  const report = JSON.parse(await succeed(['reconcile', '--json', '--store', store]));
  expect(report).toMatchObject({ agree: true, ledger: { records: 20_000 } });
});
