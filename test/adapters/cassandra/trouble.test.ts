// The keyspace and its tables, and what a person is told when a cluster, a keyspace or a right is missing.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseAddress } from '../../../src/adapters/cassandra/address.js';
import {
  checkStore,
  initStore,
  openStore,
  openStoreReader,
  storeName,
} from '../../../src/adapters/cassandra/store.js';
import { FORMAT } from '../../../src/adapters/cassandra/tables.js';
import { EVERYTHING } from '../../../src/core/ports/store.js';
import { UsageError, UserError } from '../../../src/errors.js';
import { clickAgg } from '../../cli/click-agg.js';
import { cell, commitOf } from '../../contract/commits.js';
import { cql, dropStore, keyspaceOf, newStoreUrl } from './shared-server.js';

let url: string;
let keyspace: string;
beforeEach(async () => {
  url = await newStoreUrl();
  keyspace = keyspaceOf(url);
});
afterEach(() => dropStore(url));

const withParameters = (parameters: Record<string, string>): string => {
  const address = new URL(url);
  for (const [name, value] of Object.entries(parameters)) address.searchParams.set(name, value);
  return address.href;
};

describe('the keyspace', () => {
  test('is made by store init alone, and checked by store check', async () => {
    await expect(openStore(url)).rejects.toThrow(/there is no such keyspace$/);
    await expect(openStoreReader(url)).rejects.toThrow(/there is no such keyspace$/);
    const store = withParameters({ minutes_ttl: '90d', replication: '1' });
    const init = await clickAgg(['store', 'init', '--store', store, '--json']);
    expect(init.code, init.stderr).toBe(0);
    const { made } = JSON.parse(init.stdout) as { made: { name: string; state: string }[] };
    expect(made.map(({ state }) => state)).not.toContain('there');
    const ttl = 'SELECT default_time_to_live AS ttl FROM system_schema.tables WHERE keyspace_name = ?';
    const one = `${ttl} AND table_name = ?`;
    expect(await cql(one, [keyspace, 'by_country'])).toMatchObject([{ ttl: 90 * 86_400 }]);
    expect(await cql(one, [keyspace, 'country_hours'])).toMatchObject([{ ttl: 0 }]);

    expect((await initStore(url)).every(({ state }) => state === 'there')).toBe(true);
    const changed = (await initStore(withParameters({ minutes_ttl: '0' }))).filter(
      ({ state }) => state === 'changed',
    );
    expect(changed.map(({ name }) => name)).toEqual(['by_ad', 'by_campaign', 'by_country']);

    await cql(`ALTER TABLE ${keyspace}.by_ad WITH gc_grace_seconds = 60`);
    const check = await clickAgg(['store', 'check', '--store', url]);
    expect(check.code).toBe(1);
    expect(check.stdout).toMatch(/by_ad .*gc_grace_seconds .*60 .*864000/);
    expect(check.stdout).toMatch(/copies in datacenter1 .*1 .*3/);
    expect(check.stdout).not.toContain('commitlog_sync');
  });

  test('of something else, of another version or half made is refused and left alone', async () => {
    const copies = `{'class': 'NetworkTopologyStrategy', 'datacenter1': 1}`;
    await cql(`CREATE KEYSPACE ${keyspace} WITH replication = ${copies}`);
    await expect(checkStore(url)).rejects.toThrow(/the table register is missing$/);
    await cql(`CREATE TABLE ${keyspace}.orders (id int PRIMARY KEY)`);
    await expect(initStore(url)).rejects.toThrow(/holds the tables of something else$/);
    await expect(openStore(url)).rejects.toThrow(/holds the tables of something else$/);
    await cql(`DROP TABLE ${keyspace}.orders`);
    await initStore(url);
    const format = (value: string) =>
      cql(`UPDATE ${keyspace}.register SET revision = ${value} WHERE name = 'format'`);
    await format(String(FORMAT + 1));
    const newer = new RegExp(`newer click-agg \\(schema version ${FORMAT + 1}\\)`);
    await expect(openStore(url)).rejects.toThrow(newer);
    await expect(initStore(url)).rejects.toThrow(newer);
    await cql(`DELETE FROM ${keyspace}.register WHERE name = 'format'`);
    await expect(openStoreReader(url)).rejects.toThrow(/not made to its end$/);
    await initStore(url);
    await (await openStore(url)).close();
  });

  test('of several copies is not read with consistency=one', async () => {
    await initStore(url);
    const one = withParameters({ consistency: 'one' });
    await checkStore(one);
    const copies = `{'class': 'NetworkTopologyStrategy', 'datacenter1': 3}`;
    await cql(`ALTER KEYSPACE ${keyspace} WITH replication = ${copies}`);
    await expect(checkStore(one)).rejects.toThrow(/keeps 3 copies: with consistency=one/);
  });

  test('can be read by who may only read, and who may not is told what to grant', async () => {
    await initStore(url);
    const store = await openStore(url);
    await store.commit(commitOf({ cells: [cell()] }));
    await store.close();
    const role = `r_${keyspace}`;
    await cql(`CREATE ROLE ${role} WITH LOGIN = true AND PASSWORD = 'reads'`);
    const address = new URL(url);
    [address.username, address.password] = [role, 'reads'];
    try {
      const refused = await openStore(address.href).catch((error: unknown) => error);
      expect(refused).toBeInstanceOf(UserError);
      expect((refused as UserError).message).toMatch(/has no SELECT permission/);
      expect((refused as UserError).hint).toContain(`GRANT SELECT ON KEYSPACE ${keyspace}`);
      await cql(`GRANT SELECT ON KEYSPACE ${keyspace} TO ${role}`);
      const reader = await openStoreReader(address.href, { allowScan: true });
      expect(await reader!.query(EVERYTHING)).toHaveLength(1);
      await reader!.close();
      const writer = await openStore(address.href);
      await expect(writer.takeOver()).rejects.toThrow(/has no MODIFY permission/);
      await writer.close();
    } finally {
      await cql(`DROP ROLE ${role}`);
    }
  });
});

describe('a person is told in one line', () => {
  test('what is wrong with the cluster, and never the password', async () => {
    await initStore(url);
    const wrong: [change: (address: URL) => void, line: RegExp][] = [
      [(address) => Object.assign(address, { password: 'wrong-secret' }), /refuses the user or the password/],
      [
        (address) => Object.assign(address, { username: '', password: '' }),
        /refuses the user or the password/,
      ],
      [(address) => Object.assign(address, { port: '1' }), /no Cassandra node answers/],
      [(address) => Object.assign(address, { pathname: '/nowhere' }), /no such keyspace/],
      [(address) => address.searchParams.set('datacenter', 'elsewhere'), /no such data center.*datacenter1/],
    ];
    for (const [change, line] of wrong) {
      const address = new URL(url);
      const { password } = address;
      change(address);
      const failure: unknown = await openStoreReader(address.href).catch((error: unknown) => error);
      expect(failure, String(line)).toBeInstanceOf(UserError);
      const { message, hint } = failure as UserError;
      expect(message).toMatch(line);
      expect(message).not.toContain('\n');
      expect(`${message} ${hint}`).not.toContain('wrong-secret');
      expect(`${message} ${hint}`).not.toContain(`:${password}@`);
    }
  });
});

describe('an address', () => {
  test('names nodes, a keyspace and what differs from the usual', () => {
    expect(storeName('cassandra://me:secret@db1,db2:9043/clicks')).toBe('cassandra://me@db1,db2:9043/clicks');
    expect(parseAddress('cassandra://db1,db2/clicks?replication=dc1:3,dc2:2&minutes_ttl=36h')).toMatchObject({
      contactPoints: ['db1:9042', 'db2:9042'],
      replication: { dc1: 3, dc2: 2 },
      minutesTtlS: 129_600,
      consistency: 'local_quorum',
      datacenter: undefined,
      tls: undefined,
    });
    expect(storeName('cassandra://[::1]/clicks')).toBe('cassandra://[::1]:9042/clicks');
  });

  test.each([
    'cassandra://host',
    'cassandra:///clicks',
    'cassandra://host/Clicks',
    'cassandra://host/a"; drop',
    'cassandra://me:50%@host/clicks',
    'cassandra://host:1,other:2/clicks',
    'cassandra://host,/clicks',
    'cassandra://host/clicks?consistency=any',
    'cassandra://host/clicks?datacenter=',
    'cassandra://host/clicks?replication=0',
    'cassandra://host/clicks?minutes_ttl=9000d',
    'cassandra://host/clicks?tls=yes',
    'cassandra://host/clicks?tls=true&ca=/nowhere.pem',
    'cassandra://host/clicks?minute_ttl=9d',
  ])('%s is refused before anything is connected', (text) => {
    expect(() => parseAddress(text)).toThrow(UsageError);
  });
});
