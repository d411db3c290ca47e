// What of a store's tables differs from what `store init` makes, and why it matters. Nothing is changed.
import {
  DescribeContinuousBackupsCommand,
  DescribeTimeToLiveCommand,
  type DynamoDBClient,
  ListTablesCommand,
  type TableDescription,
} from '@aws-sdk/client-dynamodb';
import type { StoreDifference } from '../../core/ports/server.js';
import { UserError } from '../../errors.js';
import { nameOf } from './service-errors.js';
import type { Session } from './session.js';
import {
  BILLING_MODE,
  describe,
  EXPIRES,
  hasTables,
  KEY,
  keyOf,
  SCHEMA_VERSION,
  tableNames,
} from './tables.js';

/** What a service says that has no such operation, or lets this user not ask: what it would tell is not known then. */
const NOT_TOLD = [
  ...['AccessDeniedException', 'AccessDenied', 'UnknownOperationException', 'NotImplemented'],
  'ValidationException',
];
const TABLES_AT_ONCE = 100;

/** All that differs. UserError: there is no store at all, or one of another version or of something else. */
export async function tableDifferences(session: Session): Promise<StoreDifference[]> {
  const { name } = session.address;
  const isWhole = await hasTables(session);
  const names = tableNames(session.address);
  const tables = await Promise.all(names.map((table) => describe(session, table)));
  if (!tables.some((table) => table)) {
    throw new UserError(`${name}: its tables are not there`, {
      hint: 'Make them with `click-agg store init`, or check the region and the prefix in --store.',
    });
  }
  const found: StoreDifference[] = [];
  if (!isWhole) {
    const about = { name: 'schema', setting: 'version', is: 'none', shouldBe: String(SCHEMA_VERSION) };
    found.push({ ...about, why: '`store init` did not come to its end: run it again' });
  }
  for (const [index, table] of tables.entries()) {
    if (table) found.push(...ofTable(table), ...(await ofExpiry(session, names[index]!)));
    else found.push({ name: names[index]!, ...MISSING });
  }
  found.push(...(await ofBackups(session, tables)));
  for (const extra of await extraTables(session)) found.push({ name: extra, ...EXTRA });
  return found;
}
const MISSING = {
  ...{ setting: 'table', is: 'missing', shouldBe: 'there' },
  why: '`store init` makes it; what it held, `copy-totals` or a new run brings',
};
const EXTRA = {
  ...{ setting: 'table', is: 'there', shouldBe: 'absent' },
  why: 'no table of this version of click-agg',
};

function ofTable(table: TableDescription): StoreDifference[] {
  const { TableName = '', TableStatus = '', BillingModeSummary, ProvisionedThroughput } = table;
  const found: StoreDifference[] = [];
  const tell = (setting: string, [is, shouldBe]: readonly [string, string], why: string): void => {
    if (is !== shouldBe) found.push({ name: TableName, setting, is, shouldBe, why });
  };
  tell('key', [keyOf(table), KEY], 'it is of something else: choose another prefix');
  // One that is changed can be used meanwhile.
  if (TableStatus !== 'UPDATING') tell('status', [TableStatus, 'ACTIVE'], 'it can’t be used');
  if (BillingModeSummary?.BillingMode !== BILLING_MODE) {
    const { ReadCapacityUnits: reads, WriteCapacityUnits: writes } = ProvisionedThroughput ?? {};
    const is = `PROVISIONED, ${reads} read and ${writes} write units`;
    tell('billing mode', [is, BILLING_MODE], 'commits and questions that need more are slowed down');
  }
  const indexes = [...(table.GlobalSecondaryIndexes ?? []), ...(table.LocalSecondaryIndexes ?? [])];
  tell('indexes', [String(indexes.length), '0'], 'nobody reads them, and each is a write more for every row');
  return found;
}

async function ofExpiry(session: Session, TableName: string): Promise<StoreDifference[]> {
  const told = await session.ask((client) => client.send(new DescribeTimeToLiveCommand({ TableName })));
  const { TimeToLiveStatus: status = 'DISABLED', AttributeName } = told.TimeToLiveDescription ?? {};
  const is = status.startsWith('ENABL') ? `by ${AttributeName}` : 'off';
  const shouldBe = `by ${EXPIRES}`;
  if (is === shouldBe) return [];
  return [
    { name: TableName, setting: 'time to live', is, shouldBe, why: 'deleted rows stay, and are paid for' },
  ];
}

/** Nobody needs backups of what can be counted again; half a store brought back is none. */
async function ofBackups(
  session: Session,
  tables: readonly (TableDescription | undefined)[],
): Promise<StoreDifference[]> {
  const names = tables.flatMap((table) => table?.TableName ?? []);
  const kept = await Promise.all(names.map((TableName) => hasBackups(session, TableName)));
  if (!kept.includes(true)) return [];
  return names
    .filter((_, index) => kept[index] === false)
    .map((name) => ({
      ...{ name, setting: 'point-in-time recovery', is: 'off', shouldBe: 'on, as of other tables' },
      why: 'a restore would bring back a part of the store only',
    }));
}

/** What the service answers; undefined: it does not tell. */
async function ifTold<T>(
  session: Session,
  ask: (client: DynamoDBClient) => Promise<T>,
): Promise<T | undefined> {
  return await session.ask(async (client) => {
    try {
      return await ask(client);
    } catch (error) {
      if (NOT_TOLD.includes(nameOf(error))) return undefined;
      throw error;
    }
  });
}

/** undefined: it is not known. */
async function hasBackups(session: Session, TableName: string): Promise<boolean | undefined> {
  const told = await ifTold(session, (client) =>
    client.send(new DescribeContinuousBackupsCommand({ TableName })),
  );
  const recovery = told?.ContinuousBackupsDescription?.PointInTimeRecoveryDescription;
  return recovery && recovery.PointInTimeRecoveryStatus === 'ENABLED';
}

/** Tables whose names are like the store's, but none of its own; those of a store whose prefix is longer are not meant. */
async function extraTables(session: Session): Promise<string[]> {
  const { prefix } = session.address;
  const ours = tableNames(session.address);
  const found: string[] = [];
  let last: string | undefined = `${prefix}.`;
  while (last !== undefined) {
    const ExclusiveStartTableName: string = last;
    const told = await ifTold(session, (client) =>
      client.send(new ListTablesCommand({ ExclusiveStartTableName, Limit: TABLES_AT_ONCE })),
    );
    const names = told?.TableNames ?? [];
    // In the order of their names: behind the first other prefix there are no more.
    const some = names.filter((name) => name.startsWith(`${prefix}.`));
    found.push(...some.filter((name) => !name.slice(prefix.length + 1).includes('.')));
    last = some.length === names.length ? told?.LastEvaluatedTableName : undefined;
  }
  return found.filter((name) => !ours.includes(name));
}
