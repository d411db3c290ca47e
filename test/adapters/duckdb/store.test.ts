// The DuckDB store: the contract of stores, sudden death, and what a person is told when the file can't be used.
import { fork } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openStore, openStoreReader } from '../../../src/adapters/duckdb/store.js';
import { EVERYTHING } from '../../../src/core/ports/store.js';
import { cell, commitOf, ledgerChange, START_MS } from '../../contract/commits.js';
import { describeOutbox } from '../../contract/outbox-contract.js';
import { describeStore } from '../../contract/store-contract.js';
import { killWriters } from '../../contract/store-kills.js';

const DIST_STORE = resolve(import.meta.dirname, '../../../dist/adapters/duckdb/store.js');

describeOutbox('The DuckDB store', (directory) => openStore(join(directory, 'store.duckdb')));

describeStore('DuckDB', { open: (directory) => openStore(join(directory, 'store.duckdb')) });

describe('the DuckDB file', () => {
  let directory: string;
  let path: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'click-agg-duckdb-'));
    path = join(directory, 'store.duckdb');
  });
  afterEach(() => {
    chmodSync(directory, 0o700);
    rmSync(directory, { recursive: true, force: true });
  });

  test('a writer that is killed at any moment leaves whole commits', async () => {
    await killWriters({
      module: DIST_STORE,
      exported: 'openStore',
      path,
      kills: 12,
      seed: 3,
      open: openStore,
    });
  });

  test('is read by several readers, and not while a writer has it', async () => {
    const store = await openStore(path);
    await store.commit(commitOf({ cells: [cell()] }));
    await store.close();
    const readers = [await openStoreReader(path), await openStoreReader(path)];
    for (const reader of readers) expect(await reader.query(EVERYTHING)).toHaveLength(1);
    for (const reader of readers) await reader.close();
  });

  test('that another process is writing is refused in one line with its pid', async () => {
    const script = join(directory, 'hold.mjs');
    writeFileSync(
      script,
      `import { openStore } from ${JSON.stringify(DIST_STORE)};
       await openStore(process.argv[2]); process.send('open'); setInterval(() => {}, 1000);`,
    );
    const holder = fork(script, [path]);
    try {
      await new Promise((done) => holder.once('message', done));
      await expect(openStore(path)).rejects.toThrow(`in use by another process (pid ${holder.pid})`);
      setTimeout(() => holder.kill('SIGKILL'), 300);
      // A reader waits for the writer to let go.
      const reader = await openStoreReader(path);
      await reader.close();
    } finally {
      holder.kill('SIGKILL');
    }
  });

  test('of a newer version is refused', async () => {
    await (await openStore(path)).close();
    await alter(path, `UPDATE meta SET value = '5' WHERE name = 'schema_version'`);
    await expect(openStore(path)).rejects.toThrow(/newer click-agg \(store version 5\)/);
    await expect(openStoreReader(path)).rejects.toThrow(/newer click-agg/);
  });

  test('of an older version is brought up to date by who writes it', async () => {
    const before = await openStore(path);
    await before.commit(commitOf({ ledger: [ledgerChange(0, START_MS, { billable: 5, bot: 2 })] }));
    await before.close();
    await alter(
      path,
      `DROP TABLE withdrawn_letters; DELETE FROM meta WHERE name IN ('store_id', 'commits');
       ALTER TABLE ledger DROP COLUMN invalid_traffic;
       UPDATE meta SET value = '1' WHERE name = 'schema_version'`,
    );
    await expect(openStoreReader(path)).rejects.toThrow(/older click-agg \(store version 1\)/);
    const store = await openStore(path);
    const { id } = await store.letterStream();
    await store.commit(
      commitOf({ ledger: [ledgerChange(0, START_MS, { billable: 1, invalid_traffic: 3 })] }),
    );
    await store.close();
    const again = await openStore(path);
    expect(await again.letterStream()).toEqual({ id, last: -1, published: -1 });
    expect(id).toMatch(/^[0-9a-f-]{36}$/);
    expect((await again.standing()).commits).toBe(1);
    expect(await again.ledger()).toMatchObject({ records: 11, bot: 2, invalid_traffic: 3, billable: 6 });
    await again.close();
  });

  test('of something else is refused and left alone', async () => {
    await alter(path, 'CREATE TABLE mine (x INTEGER)');
    await expect(openStore(path)).rejects.toThrow(/a DuckDB file of something else/);
  });

  test('that is no database, is missing or has no directory is refused in one line', async () => {
    writeFileSync(path, 'not a database, but long enough to have a header of some kind'.repeat(400));
    await expect(openStore(path)).rejects.toThrow(/damaged or no store/);
    await expect(openStoreReader(join(directory, 'none.duckdb'))).rejects.toThrow(/no such file/);
    await expect(openStore(join(directory, 'a', 'b'))).rejects.toThrow(/no such file/);
    await expect(openStore(directory)).rejects.toMatchObject({ name: 'UserError' });
  });
});

async function alter(path: string, sql: string): Promise<void> {
  const instance = await DuckDBInstance.create(path);
  const connection = await instance.connect();
  await connection.run(sql);
  connection.closeSync();
  instance.closeSync();
}
