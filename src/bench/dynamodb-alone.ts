// DynamoDB taking rows as its own bulk writes bring them, without versions that are compared: what the store's rows are
// measured beside. `node dynamodb-alone.js ENDPOINT REGION ROWS`; prints one JSON document.
import { BatchWriteItemCommand, DynamoDBClient, waitUntilTableExists } from '@aws-sdk/client-dynamodb';
import { creation } from '../adapters/dynamodb/tables.js';

const [, , endpoint = '', region = '', count = ''] = process.argv;
const rows = Number(count);
const TableName = 'alone';
/** DynamoDB's own limit. */
const BATCH_ROWS = 25;
/** As many requests as the store has under way. */
const REQUESTS = 16;

const client = new DynamoDBClient({ endpoint, region });
await client.send(creation(TableName));
await waitUntilTableExists({ client, maxWaitTime: 60 }, { TableName });

/** A row as the store's table by ad has it. */
function request(row: number) {
  const place = `2026-02-01T${String(row % 24).padStart(2, '0')}:00|campaign-${row % 2000}|DE|mobile`;
  const Item = {
    ...{ p: { S: `ad-${row}|2026-02-01` }, s: { S: place } },
    ...{ v: { N: '1770000000000000' }, x: { N: '1' } },
  };
  return { PutRequest: { Item } };
}

let next = 0;
async function lane(): Promise<void> {
  while (next < rows) {
    const first = next;
    next += BATCH_ROWS;
    let items = Array.from({ length: Math.min(BATCH_ROWS, rows - first) }, (_, index) =>
      request(first + index),
    );
    while (items.length > 0) {
      const { UnprocessedItems } = await client.send(
        new BatchWriteItemCommand({ RequestItems: { [TableName]: items } }),
      );
      items = (UnprocessedItems?.[TableName] ?? []) as typeof items;
    }
  }
}

const startedMs = performance.now();
await Promise.all(Array.from({ length: REQUESTS }, lane));
const ms = performance.now() - startedMs;
client.destroy();
console.log(JSON.stringify({ rows, perSecond: Math.round((rows / ms) * 1000) }));
