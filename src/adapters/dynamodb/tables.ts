// The tables of a store: what they are called, how they are made, and whether they are ours and of this version. What is
// written last says that all of them were made: a half-made store is completed by whoever opens it for writing next.
import { setTimeout as sleep } from 'node:timers/promises';
import {
  ConditionalCheckFailedException,
  CreateTableCommand,
  DescribeTableCommand,
  DescribeTimeToLiveCommand,
  type DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  ResourceInUseException,
  ResourceNotFoundException,
  type TableDescription,
  UpdateTimeToLiveCommand,
} from '@aws-sdk/client-dynamodb';
import type { StoreMade } from '../../core/ports/server.js';
import { UserError } from '../../errors.js';
import { TOTALS_TABLES, type TotalsTableName } from '../journaled/database.js';
import type { Address } from './address.js';
import { nameOf } from './service-errors.js';
import type { Session } from './session.js';

export const SCHEMA_VERSION = 1;
const SCHEMA_KEY = { p: { S: 'schema' }, s: { S: 'schema' } };
/** Amazon makes a table in seconds. */
const MADE_WAIT_MS = 180_000;
const MADE_STEP_MS = 250;

/** The name of a table: of one of the totals, or of everything else. */
export function tableName({ prefix }: Address, table: TotalsTableName | 'entries'): string {
  return `${prefix}.${table}`;
}

/** The names of all tables of a store. */
export function tableNames(address: Address): string[] {
  return [...TOTALS_TABLES.map(({ name }) => name), 'entries' as const].map((name) =>
    tableName(address, name),
  );
}

/** The keys of all tables, as `keyOf` says them. */
export const KEY = 'p HASH, s RANGE';
export const BILLING_MODE = 'PAY_PER_REQUEST';
/** The attribute by which DynamoDB removes deleted rows. */
export const EXPIRES = 'gone';

/** Makes what is missing. UserError: a right is missing, or what is there is not ours or of a newer program. */
export async function makeTables(session: Session): Promise<StoreMade[]> {
  const names = tableNames(session.address);
  if (await hasTables(session)) return names.map((name) => ({ name, state: 'there' }));
  const made = await Promise.all(names.map((name) => makeTable(session, name)));
  await session.ask(async (client) => {
    try {
      await client.send(
        new PutItemCommand({
          TableName: tableName(session.address, 'entries'),
          Item: { ...SCHEMA_KEY, x: { N: String(SCHEMA_VERSION) } },
          ConditionExpression: 'attribute_not_exists(p)',
        }),
      );
    } catch (error) {
      // Somebody else made them at the same time.
      if (!(error instanceof ConditionalCheckFailedException)) throw error;
    }
  });
  await hasTables(session);
  return made;
}

/** Whether all tables are there. UserError: they are of another version, or not ours. */
export async function hasTables(session: Session): Promise<boolean> {
  const { address } = session;
  const TableName = tableName(address, 'entries');
  const found = await session.ask(async (client) => {
    try {
      return await client.send(new GetItemCommand({ TableName, Key: SCHEMA_KEY, ConsistentRead: true }));
    } catch (error) {
      if (error instanceof ResourceNotFoundException) return undefined;
      // It has other keys.
      if (nameOf(error) === 'ValidationException') throw notOurs(address, TableName);
      throw error;
    }
  });
  const version = found?.Item?.x?.N;
  if (version === undefined) return false;
  if (version === String(SCHEMA_VERSION)) return true;
  const whose = Number(version) > SCHEMA_VERSION ? 'a newer' : 'an older';
  throw new UserError(`${address.name} was written by ${whose} click-agg (schema version ${version})`, {
    hint: 'Use that one, or another prefix in --store and `click-agg copy-totals`.',
  });
}

async function makeTable(session: Session, TableName: string): Promise<StoreMade> {
  const isNew = (await describe(session, TableName)) === undefined;
  if (isNew) await session.ask((client) => create(client, TableName));
  const untilMs = Date.now() + MADE_WAIT_MS;
  for (;;) {
    const table = await describe(session, TableName);
    if (table) requireOurKey(session, table);
    if (table?.TableStatus === 'ACTIVE') break;
    if (Date.now() > untilMs) {
      throw new UserError(`${session.address.name}: the table ${TableName} is not made yet`, {
        hint: 'Start again in a minute.',
      });
    }
    await sleep(MADE_STEP_MS);
  }
  await letExpire(session, TableName);
  return { name: TableName, state: isNew ? 'made' : 'there' };
}

/** What makes a table of ours. */
export function creation(TableName: string): CreateTableCommand {
  return new CreateTableCommand({
    TableName,
    BillingMode: BILLING_MODE,
    KeySchema: [
      { AttributeName: 'p', KeyType: 'HASH' },
      { AttributeName: 's', KeyType: 'RANGE' },
    ],
    AttributeDefinitions: [
      { AttributeName: 'p', AttributeType: 'S' },
      { AttributeName: 's', AttributeType: 'S' },
    ],
  });
}

async function create(client: DynamoDBClient, TableName: string): Promise<void> {
  try {
    await client.send(creation(TableName));
  } catch (error) {
    // Somebody else makes it at the same time.
    if (!(error instanceof ResourceInUseException)) throw error;
  }
}

/** A table; undefined: there is none. */
export async function describe(session: Session, TableName: string): Promise<TableDescription | undefined> {
  return await session.ask(async (client) => {
    try {
      return (await client.send(new DescribeTableCommand({ TableName }))).Table;
    } catch (error) {
      if (error instanceof ResourceNotFoundException) return undefined;
      throw error;
    }
  });
}

/** UserError: a table of this name is there, and it is another one. */
function requireOurKey({ address }: Session, table: TableDescription): void {
  if (keyOf(table) !== KEY) throw notOurs(address, table.TableName!);
}

/** `p HASH, s RANGE` */
export function keyOf({ KeySchema = [] }: TableDescription): string {
  return KeySchema.map(({ AttributeName, KeyType }) => `${AttributeName} ${KeyType}`).join(', ');
}

function notOurs({ name }: Address, table: string): UserError {
  return new UserError(`${name}: there is a table ${table} that is not click-agg's`, {
    hint: 'Choose another prefix in --store.',
  });
}

/** Deleted rows are forgotten by DynamoDB itself. */
async function letExpire(session: Session, TableName: string): Promise<void> {
  const does = async (client: DynamoDBClient): Promise<boolean> => {
    const told = await client.send(new DescribeTimeToLiveCommand({ TableName }));
    return told.TimeToLiveDescription?.TimeToLiveStatus?.startsWith('ENABL') ?? false;
  };
  const TimeToLiveSpecification = { AttributeName: EXPIRES, Enabled: true };
  await session.ask(async (client) => {
    if (await does(client)) return;
    try {
      await client.send(new UpdateTimeToLiveCommand({ TableName, TimeToLiveSpecification }));
    } catch (error) {
      // Somebody else told it at the same time.
      if (nameOf(error) !== 'ValidationException' || !(await does(client))) throw error;
    }
  });
}
