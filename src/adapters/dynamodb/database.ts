// A database of rows on DynamoDB: a table for each table of totals, and one for everything else, the head among it. Reads
// are strongly consistent; every write has the condition that nothing newer is there.
import {
  BatchGetItemCommand,
  ConditionalCheckFailedException,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  type QueryCommandInput,
  ScanCommand,
} from '@aws-sdk/client-dynamodb';
import { invariant } from '../../errors.js';
import { type EntryKind, type Head, type RowDatabase, TOTALS_TABLES } from '../journaled/database.js';
import { ItemWriter } from './item-writer.js';
import {
  cellOf,
  entryPartition,
  itemOf,
  keyOf,
  partitionOf,
  placesOf,
  type StoredItem,
  textOf,
} from './keys.js';
import { eachOf, slicesOf } from './parallel.js';
import type { Session } from './session.js';
import { tableName } from './tables.js';

/** DynamoDB's own limit of keys in a request. */
const KEYS_MAX = 100;
/** What it did not look up it does not say why: too much was asked of it. */
const LEFT_OUT = { code: 'ThrottlingError', message: 'keys were left out of an answer' };
const READS_AT_A_TIME = 8;
const HEAD_KEY = { p: { S: 'head' }, s: { S: 'head' } };
/** Deleted rows have no value. */
const NOT_DELETED = 'attribute_exists(x)';
/** Kinds whose entries have a key that never was there. */
const NEW_KINDS: readonly EntryKind[] = ['journal', 'letter', 'event'];

/** The tables must be there. Closing it closes the session. */
export function rowDatabase(session: Session): RowDatabase {
  const { address } = session;
  return {
    name: address.name,
    tables: TOTALS_TABLES,
    ...headOf(session),
    ...totalsOf(session),
    ...entriesOf(session),
    async close() {
      session.close();
    },
  };
}

function headOf(session: Session): Pick<RowDatabase, 'readHead' | 'swapHead'> {
  const TableName = tableName(session.address, 'entries');
  const headIn = (item: StoredItem): Head => ({ revision: Number(item.v?.N), text: textOf(item.x) });
  return {
    async readHead() {
      const command = new GetItemCommand({ TableName, Key: HEAD_KEY, ConsistentRead: true });
      const { Item } = await session.ask((client) => client.send(command));
      return Item && headIn(Item);
    },
    async swapHead(expected, next) {
      const isNew = expected === 0;
      const command = new PutItemCommand({
        TableName,
        Item: { ...HEAD_KEY, v: { N: String(next.revision) }, x: { S: next.text } },
        ConditionExpression: isNew ? 'attribute_not_exists(p)' : 'v = :expected',
        ...(isNew ? {} : { ExpressionAttributeValues: { ':expected': { N: String(expected) } } }),
        ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
      });
      return await session.ask(async (client) => {
        try {
          await client.send(command);
          return true;
        } catch (error) {
          if (!(error instanceof ConditionalCheckFailedException)) throw error;
          // A try whose answer was lost may have made it.
          return error.Item !== undefined && headIn(error.Item).text === next.text;
        }
      });
    },
  };
}

function totalsOf(
  session: Session,
): Pick<RowDatabase, 'writeTotals' | 'readTotals' | 'clicksOf' | 'scanTotals'> {
  const { address } = session;
  const writer = new ItemWriter(session);
  return {
    async writeTotals(table, rows, version) {
      const items = rows.map((row) => itemOf(table, row));
      // A minute is written once as a rule, an hour again and again.
      const likely = table.grain === 'minute' ? 'insert' : 'update';
      await writer.write(tableName(address, table.name), items, { version, likely });
    },
    async *readTotals(table, partition, period) {
      const { from, to } = placesOf(period);
      if (from >= to) return;
      const pages = queryPages(session, {
        TableName: tableName(address, table.name),
        KeyConditionExpression: 'p = :p AND s BETWEEN :from AND :to',
        ExpressionAttributeValues: {
          ':p': { S: partitionOf(table, partition) },
          ':from': { S: from },
          ':to': { S: to },
        },
      });
      for await (const items of pages) yield items.map((item) => cellOf(table, item));
    },
    async clicksOf(table, rows) {
      const keys = rows.map((row) => keyOf(table, row));
      const found = await clicksByKey(session, tableName(address, table.name), keys);
      return keys.map((key) => found.get(nameOf(key)) ?? 0);
    },
    async *scanTotals(table, period) {
      const { from, to } = placesOf(period);
      if (from >= to) return;
      const command = (start: StoredItem | undefined) =>
        new ScanCommand({
          TableName: tableName(address, table.name),
          ConsistentRead: true,
          FilterExpression: `${NOT_DELETED} AND s BETWEEN :from AND :to`,
          ExpressionAttributeValues: { ':from': { S: from }, ':to': { S: to } },
          ExclusiveStartKey: start,
        });
      const pages = pagesOf((start) => session.ask((client) => client.send(command(start))));
      for await (const items of pages) yield items.map((item) => cellOf(table, item));
    },
  };
}

function entriesOf(session: Session): Pick<RowDatabase, 'writeEntries' | 'readEntries'> {
  const TableName = tableName(session.address, 'entries');
  const writers = { insert: new ItemWriter(session), update: new ItemWriter(session) };
  return {
    async writeEntries(entries, version) {
      const isNew = (kind: EntryKind, value: unknown) => NEW_KINDS.includes(kind) && value !== undefined;
      for (const likely of ['insert', 'update'] as const) {
        const items = entries
          .filter(({ kind, value }) => isNew(kind, value) === (likely === 'insert'))
          .map(({ kind, partition, key, value }) => ({
            p: entryPartition(kind, partition),
            s: key,
            x: value && { B: value },
          }));
        await writers[likely].write(TableName, items, { version, likely });
      }
    },
    async readEntries(kind, partition, { after, through, descending, limit }) {
      const place = placeCondition(after, through);
      if (place === undefined) return [];
      const pages = queryPages(session, {
        TableName,
        KeyConditionExpression: `p = :p${place.condition}`,
        ExpressionAttributeValues: { ':p': { S: entryPartition(kind, partition) }, ...place.values },
        ScanIndexForward: !descending,
        // Deleted ones and `after` itself are among what it looks at.
        Limit: limit + 1,
      });
      const found: { key: string; value: Uint8Array }[] = [];
      for await (const items of pages) {
        for (const { s, x } of items) {
          const key = textOf(s);
          if (key === after) continue;
          invariant(x?.B, 'an entry is bytes');
          if (found.push({ key, value: x.B }) === limit) return found;
        }
      }
      return found;
    },
  };
}

/** DynamoDB takes one condition on the place: with both ends it holds the lower one too. undefined: nothing can lie there. */
function placeCondition(
  after: string | undefined,
  through: string | undefined,
): { condition: string; values: StoredItem } | undefined {
  if (after !== undefined && through !== undefined) {
    if (Buffer.compare(Buffer.from(after), Buffer.from(through)) >= 0) return undefined;
    return {
      condition: ' AND s BETWEEN :after AND :through',
      values: { ':after': { S: after }, ':through': { S: through } },
    };
  }
  if (after !== undefined) return { condition: ' AND s > :after', values: { ':after': { S: after } } };
  if (through !== undefined)
    return { condition: ' AND s <= :through', values: { ':through': { S: through } } };
  return { condition: '', values: {} };
}

function queryPages(
  session: Session,
  input: Omit<QueryCommandInput, 'ConsistentRead' | 'FilterExpression' | 'ExclusiveStartKey'>,
): AsyncGenerator<StoredItem[]> {
  const always = { ConsistentRead: true, FilterExpression: NOT_DELETED };
  return pagesOf((start) =>
    session.ask((client) => client.send(new QueryCommand({ ...input, ...always, ExclusiveStartKey: start }))),
  );
}

interface AnsweredPage {
  Items?: StoredItem[] | undefined;
  LastEvaluatedKey?: StoredItem | undefined;
}

/** Pages as the service cuts them; empty ones are left out. */
async function* pagesOf(
  read: (start: StoredItem | undefined) => Promise<AnsweredPage>,
): AsyncGenerator<StoredItem[]> {
  let start: StoredItem | undefined;
  do {
    const { Items, LastEvaluatedKey } = await read(start);
    start = LastEvaluatedKey;
    if (Items && Items.length > 0) yield Items;
  } while (start);
}

const nameOf = ({ p, s }: { p: string; s: string }): string => `${p}\n${s}`;

async function clicksByKey(
  session: Session,
  table: string,
  keys: readonly { p: string; s: string }[],
): Promise<Map<string, number>> {
  const clicks = new Map<string, number>();
  const distinct = [...new Map(keys.map((key) => [nameOf(key), key])).values()];
  await eachOf(slicesOf(distinct, KEYS_MAX), READS_AT_A_TIME, async (slice) => {
    const patience = session.patience();
    let asked: StoredItem[] = slice.map(({ p, s }) => ({ p: { S: p }, s: { S: s } }));
    while (asked.length > 0) {
      const RequestItems = { [table]: { Keys: asked, ConsistentRead: true } };
      const { Responses, UnprocessedKeys } = await session.ask((client) =>
        client.send(new BatchGetItemCommand({ RequestItems })),
      );
      for (const { p, s, x } of Responses?.[table] ?? []) {
        if (x?.N !== undefined) clicks.set(nameOf({ p: textOf(p), s: textOf(s) }), Number(x.N));
      }
      const left = UnprocessedKeys?.[table]?.Keys ?? [];
      if (left.length < asked.length) patience.restart();
      asked = left;
      if (asked.length > 0) await patience.pauseAfter(LEFT_OUT);
    }
  });
  return clicks;
}
