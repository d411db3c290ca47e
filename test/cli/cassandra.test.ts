// click-agg with its totals in Cassandra, as people type it: the same counts as in the file, to the byte; questions that no
// table is made for are refused; and a table that says something else than the totals is found.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { cql, dropStore, keyspaceOf, newStoreUrl } from '../adapters/cassandra/shared-server.js';
import { clickAgg, temporaryDirectory } from './click-agg.js';

const folder = temporaryDirectory();
let store: string;
beforeAll(async () => {
  store = await newStoreUrl();
});
afterAll(async () => {
  await dropStore(store);
  folder.remove();
});

const run = (...args: string[]) => clickAgg([...args, '--data-dir', folder.path]);

async function succeed(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(...args);
  expect(code, stderr).toBe(0);
  return stdout;
}

test('counts, answers and reconciles as the file does', async () => {
  await succeed('loadgen', '-n', '5000', '--seed', '6', '--ads', '50');
  expect(await clickAgg(['store', 'init', '--store', store])).toMatchObject({ code: 0 });
  await succeed('run', '--until-end', '--lake');
  await succeed('run', '--until-end', '--store', store);

  for (const question of [
    ['query', '--json', '--ad', 'ad-01,ad-02'],
    ['query', '--json', '--group-by', 'hour,country', '--country', 'IN,US', '--device', 'mobile'],
    ['query', '--json', '--ledger'],
    ['dead-letters', 'count', '--json'],
  ]) {
    const answer = await succeed(...question, '--store', store);
    expect(answer).toBe(await succeed(...question));
    expect(answer.length).toBeGreaterThan(50);
  }
  const everything = ['query', '--json', '--group-by', 'device_type'];
  const refused = await run(...everything, '--store', store);
  expect(refused).toMatchObject({ code: 2, stdout: '' });
  expect(refused.stderr).toContain('--allow-scan');
  expect(await succeed(...everything, '--store', store, '--allow-scan')).toBe(await succeed(...everything));

  expect(JSON.parse(await succeed('reconcile', '--json', '--store', store))).toMatchObject({
    ...{ agree: true, ledger: { records: 5000 }, copies: { tables: 8, differing: 0 } },
  });
  const table = `${keyspaceOf(store)}.country_days`;
  const [row] = await cql(`SELECT * FROM ${table} LIMIT 1`);
  const { clicks, ...key } = row!;
  const names = Object.keys(key).filter((name) => name !== 'version');
  const where = names.map((name) => `${name} = ?`).join(' AND ');
  // By the clock of now, and so later than every version.
  await cql(`UPDATE ${table} SET clicks = ? WHERE ${where}`, [
    Number(clicks) + 1,
    ...names.map((name) => key[name]),
  ]);
  const found = await run('reconcile', '--store', store);
  expect(found.code).toBe(1);
  expect(found.stdout).toContain("1 rows of the store's other tables differ from its totals");
});
