// The keyspace and its tables: makes them, says what about them is not as it should be, and refuses those of other
// programs and versions. Nobody makes a keyspace in passing: how many copies it keeps is a decision.
import type { StoreDifference, StoreMade } from '../../core/ports/server.js';
import { UserError } from '../../errors.js';
import type { Address } from './address.js';
import type { Cluster, Row } from './cluster.js';
import { alterTable, createTable, FORMAT, type TableSpec, tableSpecs } from './tables.js';

/** As many copies as are usual, if there are so many nodes. */
const COPIES_USUAL = 3;
/** Older ones are mended by nobody any more. */
const RELEASE_MIN = 4;
const FORMAT_NAME = 'format';

interface Keyspace {
  /** Copies by data center; `` where all nodes are one. */
  copies: ReadonlyMap<string, number>;
  durable: boolean;
  tables: ReadonlyMap<string, Row>;
}

/** Makes what is missing. UserError: the keyspace belongs to something else, or to a newer program. */
export async function makeSchema(cluster: Cluster): Promise<StoreMade[]> {
  const { address } = cluster;
  await requireRelease(cluster);
  const before = await keyspaceOf(cluster);
  if (before) requireOurs(before, address);
  const made: StoreMade[] = [{ name: `keyspace ${address.keyspace}`, state: before ? 'there' : 'made' }];
  if (!before) await cluster.run(createKeyspace(cluster));
  // Before anything is changed: a newer program's tables are none of ours.
  if (before?.tables.has('register')) await requireFormat(cluster, 'none yet');
  const minutesTtlS = address.minutesTtlS ?? keptTtl(before);
  for (const spec of tableSpecs(minutesTtlS)) {
    const found = before?.tables.get(spec.name);
    const changed = found !== undefined && optionsDiffer(found, spec).length > 0;
    if (!found) await cluster.run(createTable(address.keyspace, spec));
    else if (changed) await cluster.run(alterTable(address.keyspace, spec));
    made.push({ name: spec.name, state: found ? (changed ? 'changed' : 'there') : 'made' });
  }
  // Last: what has a format is whole.
  await cluster.run(`INSERT INTO ${address.keyspace}.register (name, revision) VALUES (?, ?)`, [
    ...[FORMAT_NAME, FORMAT],
  ]);
  return made;
}

function createKeyspace({ address, datacenter, nodes }: Cluster): string {
  const { keyspace, replication = Math.min(COPIES_USUAL, nodes) } = address;
  const copies = typeof replication === 'number' ? { [datacenter]: replication } : replication;
  const pairs = Object.entries(copies).map(([name, count]) => `'${name.replaceAll("'", "''")}': ${count}`);
  return `CREATE KEYSPACE IF NOT EXISTS ${keyspace} WITH replication = {'class': 'NetworkTopologyStrategy', ${pairs.join(', ')}}`;
}

/** UserError: there is no such keyspace, its tables are not there or of another version, or it can't be read exactly. */
export async function requireSchema(cluster: Cluster): Promise<void> {
  const { address } = cluster;
  await requireRelease(cluster);
  const keyspace = await keyspaceOf(cluster);
  const hint = `Make it: click-agg store init --store cassandra://…/${address.keyspace}. Or check the name in --store.`;
  if (!keyspace) throw new UserError(`${address.name}: there is no such keyspace`, { hint });
  requireOurs(keyspace, address);
  const missing = tableSpecs(0).find(({ name }) => !keyspace.tables.has(name));
  if (missing) throw new UserError(`${address.name}: the table ${missing.name} is missing`, { hint });
  await requireFormat(cluster, 'missing');
  if (address.consistency === 'one' && copiesOf(keyspace) > 1) {
    throw new UserError(
      `${address.name} keeps ${copiesOf(keyspace)} copies: with consistency=one one would be read that is behind`,
      { hint: 'Leave consistency out, or give quorum.' },
    );
  }
}

/** What about the keyspace and its tables is not as `store init` makes it, or not safe. UserError as for `requireSchema`. */
export async function schemaDifferences(cluster: Cluster): Promise<StoreDifference[]> {
  await requireSchema(cluster);
  const { address } = cluster;
  const keyspace = (await keyspaceOf(cluster))!;
  const differences: StoreDifference[] = [];
  const copies = keyspace.copies.get(cluster.datacenter) ?? keyspace.copies.get('') ?? 0;
  const tell = (setting: string, is: string, shouldBe: string, why: string): void => {
    differences.push({ name: `keyspace ${address.keyspace}`, setting, is, shouldBe, why });
  };
  if (!keyspace.durable) tell('durable_writes', 'false', 'true', 'a node that dies forgets what it was told');
  if (copies < COPIES_USUAL) {
    const why = copies < 2 ? 'a disk that dies takes the totals with it' : 'one node down stops the store';
    tell(`copies in ${cluster.datacenter}`, String(copies), String(COPIES_USUAL), why);
  }
  const sync = await commitLogSync(cluster);
  if (copies < COPIES_USUAL && sync === 'periodic') {
    const why = 'a single node that dies has acknowledged commits that it has not on its disk yet';
    tell('commitlog_sync', sync, 'batch or group', why);
  }
  const wanted = tableSpecs(address.minutesTtlS ?? keptTtl(keyspace));
  for (const spec of wanted) differences.push(...optionsDiffer(keyspace.tables.get(spec.name)!, spec));
  return differences;
}

/** How the node that is asked writes its commit log; undefined where it does not say. */
async function commitLogSync(cluster: Cluster): Promise<string | undefined> {
  try {
    const [row] = await cluster.run(`SELECT value FROM system_views.settings WHERE name = 'commitlog_sync'`);
    return row?.value as string | undefined;
  } catch (error) {
    // Not everybody may ask, and not every server of the kind has the table.
    if (error instanceof UserError || (error as { code?: unknown }).code === INVALID) return undefined;
    throw error;
  }
}
const INVALID = 0x2200;

async function keyspaceOf(cluster: Cluster): Promise<Keyspace | undefined> {
  const { keyspace } = cluster.address;
  const where = 'WHERE keyspace_name = ?';
  const [row] = await cluster.run(
    `SELECT replication, durable_writes FROM system_schema.keyspaces ${where}`,
    [keyspace],
  );
  if (!row) return undefined;
  const columns = 'table_name, compaction, default_time_to_live, gc_grace_seconds';
  const tables = await cluster.run(`SELECT ${columns} FROM system_schema.tables ${where}`, [keyspace]);
  return {
    copies: copiesByCenter(row.replication as Record<string, string>),
    durable: row.durable_writes as boolean,
    tables: new Map(tables.map((table) => [table.table_name as string, table])),
  };
}

function copiesByCenter({ class: _, ...replication }: Record<string, string>): Map<string, number> {
  return new Map(
    Object.entries(replication).map(([name, count]) => [
      name === 'replication_factor' ? '' : name,
      Number.parseInt(count, 10),
    ]),
  );
}

function copiesOf({ copies }: Keyspace): number {
  return [...copies.values()].reduce((sum, count) => sum + count, 0);
}

function requireOurs({ tables }: Keyspace, { name, keyspace }: Address): void {
  if (tables.size === 0 || tables.has('register')) return;
  throw new UserError(`${name}: the keyspace ${keyspace} holds the tables of something else`, {
    hint: 'Choose another one: --store cassandra://…/NAME.',
  });
}

async function requireFormat(cluster: Cluster, unknown: 'missing' | 'none yet'): Promise<void> {
  const { name, keyspace } = cluster.address;
  const query = `SELECT revision FROM ${keyspace}.register WHERE name = ?`;
  const [row] = await cluster.run(query, [FORMAT_NAME]);
  const format = row?.revision === null || row === undefined ? undefined : Number(row.revision);
  if (format === FORMAT) return;
  if (format === undefined) {
    if (unknown === 'none yet') return;
    throw new UserError(`${name} was not made to its end`, { hint: 'Run click-agg store init again.' });
  }
  const age = format > FORMAT ? 'a newer' : 'an older';
  throw new UserError(`${name} was made by ${age} click-agg (schema version ${format})`, {
    hint: `Use ${age === 'a newer' ? 'a newer click-agg' : 'an older click-agg'}, or another keyspace.`,
  });
}

async function requireRelease(cluster: Cluster): Promise<void> {
  const [row] = await cluster.run('SELECT release_version FROM system.local');
  const release = row!.release_version as string;
  if (Number.parseInt(release, 10) >= RELEASE_MIN) return;
  throw new UserError(`${cluster.address.name} is Cassandra ${release}: too old`, {
    hint: `Use version ${RELEASE_MIN} or later.`,
  });
}

/** How long minutes are kept now, seconds. */
function keptTtl(keyspace: Keyspace | undefined): number {
  return (keyspace?.tables.get('by_ad')?.default_time_to_live as number | undefined) ?? 0;
}

function optionsDiffer(found: Row, { name, options }: TableSpec): StoreDifference[] {
  const differ = (setting: string, is: unknown, shouldBe: unknown, why: string): StoreDifference[] =>
    is === shouldBe ? [] : [{ name, setting, is: String(is), shouldBe: String(shouldBe), why }];
  const compaction = found.compaction as Record<string, string>;
  const { default_time_to_live: ttl, gc_grace_seconds: grace } = options;
  return [
    ...Object.entries(options.compaction).flatMap(([setting, value]) => {
      // Cassandra shows the class with its package.
      const is = setting === 'class' ? compaction.class?.split('.').at(-1) : compaction[setting];
      return differ(`compaction ${setting}`, is, value, 'reads look into more files than they need');
    }),
    ...differ('default_time_to_live', found.default_time_to_live, ttl, 'old minutes stay, or go too early'),
    ...differ('gc_grace_seconds', found.gc_grace_seconds, grace, 'a deletion is forgotten too early'),
  ];
}
