// Makes what a store on a server needs before it can be written, and tells what about it is not as it should be.
import { EXIT, UsageError } from '../errors.js';
import { command } from '../options/command.js';
import { storeOption } from '../options/store.js';
import { isFile, type StoreServer, serverOf } from '../stores/kinds.js';

const initCommand = command({
  name: 'init',
  summary: 'make the keyspace, database, schema and tables that are missing',
  description:
    'Makes what is missing of a store on a server, so that a run can count into it with fewer rights. What is there ' +
    'stays as it is; settings of tables that differ from what the URL asks are changed. A Cassandra keyspace is made by ' +
    'this command only: `replication` in the URL says how many copies it keeps, `minutes_ttl` how long minutes stay.',
  options: storeOption,
  examples: [
    [
      'click-agg store init --store "cassandra://agg@db1,db2/clicks?replication=3&minutes_ttl=90d"',
      'a keyspace of three copies',
    ],
    ['click-agg store init --store postgres://agg@db1/clicks', 'the schema in a database'],
  ],
  async run({ options: { store }, terminal }) {
    const { server, name } = await onServer(store);
    const made = await init(server, store);
    if (terminal.wantsJson) await terminal.json({ store: name, made });
    else if (made.length > 0) {
      await terminal.table(
        ['part', 'state'],
        made.map(({ name: part, state }) => [part, state]),
      );
    } else await terminal.print(`${name} is ready\n`);
  },
});

const checkCommand = command({
  name: 'check',
  summary: 'tell what about the store is not as it should be',
  description:
    'Connects as a run would and changes nothing. Exits 1 if the store can’t be opened, or if something about it would ' +
    'lose commits, stop with one server or be slow.',
  options: storeOption,
  examples: [
    ['click-agg store check --store cassandra://agg@db1,db2/clicks', 'what differs, and why it matters'],
  ],
  async run({ options: { store }, terminal }) {
    const { server, name } = await onServer(store);
    await server.checkStore(store);
    const differences = (await server.storeDifferences?.(store)) ?? [];
    if (terminal.wantsJson) await terminal.json({ store: name, ok: differences.length === 0, differences });
    else if (differences.length === 0) await terminal.print(`${name} is as it should be\n`);
    else {
      await terminal.table(
        ['part', 'setting', 'is', 'should be', 'why'],
        differences.map(({ name: part, setting, is, shouldBe, why }) => [part, setting, is, shouldBe, why]),
      );
    }
    return differences.length === 0 ? EXIT.ok : EXIT.failure;
  },
});

export const storeCommand = command({
  name: 'store',
  summary: 'make and check a store on a server',
  options: {},
  examples: [
    ['click-agg store init --store cassandra://agg@db1/clicks', 'make what is missing'],
    ['click-agg store check --store cassandra://agg@db1/clicks', 'tell what would lose commits or be slow'],
  ],
  commands: [initCommand, checkCommand],
});

/** What it made, as far as the kind of store tells. */
async function init(server: StoreServer, store: string) {
  if (server.initStore) return await server.initStore(store);
  const opened = await server.openStore(store);
  await opened.close();
  return [];
}

async function onServer(store: string): Promise<{ server: StoreServer; name: string }> {
  if (isFile(store)) {
    throw new UsageError('--store: the DuckDB file in the data directory needs no making', {
      hint: 'Name a store on a server: --store cassandra://…, postgres://…',
    });
  }
  const server = await serverOf(store);
  return { server, name: server.storeName(store) };
}
