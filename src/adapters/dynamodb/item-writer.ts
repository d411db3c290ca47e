// Writes items so that each keeps its highest version: statements of PartiQL, 25 in a request, each with a condition of its
// own. DynamoDB has no statement that inserts or overwrites under a condition, so the likelier of the two is tried first
// (which one that is, every table's last batches tell), and the other for the items where that was wrong.
//
// A request is no transaction. What of it was throttled is sent again after a pause; what was carried out is done.
import {
  type AttributeValue,
  BatchExecuteStatementCommand,
  type BatchStatementError,
  type BatchStatementRequest,
  ConditionalCheckFailedException,
  PutItemCommand,
} from '@aws-sdk/client-dynamodb';
import { invariant } from '../../errors.js';
import type { Item } from './keys.js';
import { eachOf, slicesOf } from './parallel.js';
import type { Patience, Session } from './session.js';

/** DynamoDB's own limit. */
const STATEMENTS_MAX = 25;
const REQUESTS_AT_A_TIME = 16;
/** Larger values go in a request of their own. */
const STATEMENT_BYTES_MAX = 16 * 1024;
/** Deleted items stay so long, lest an older write that comes late bring them back; then DynamoDB removes them. */
export const TOMBSTONE_DAYS = 7;
const DAY_S = 86_400;

type Way = 'insert' | 'update';

/** An item on its way. */
interface Pending {
  item: Item;
  way: Way;
  /** The item was seen to be there: an update that fails finds a newer version. */
  exists: boolean;
}

export class ItemWriter {
  /** What the last batch of a table showed to be likelier. */
  readonly #likely = new Map<string, Way>();

  constructor(private readonly session: Session) {}

  /**
   * Writes items of one table, each once, with this version. `likely`: what is tried first as long as nothing is known.
   * Durable when it returns; on a UserError some may be written.
   */
  async write(
    table: string,
    items: readonly Item[],
    { version, likely }: { version: number; likely: Way },
  ): Promise<void> {
    if (!this.#likely.has(table)) this.#likely.set(table, likely);
    const isLarge = ({ x }: Item) => (x?.B?.length ?? 0) > STATEMENT_BYTES_MAX;
    const [large, small] = [items.filter(isLarge), items.filter((item) => !isLarge(item))];
    const tasks = [
      ...[...slicesOf(small, STATEMENTS_MAX)].map((batch) => () => this.#writeBatch(table, batch, version)),
      ...large.map((item) => () => this.#put(table, item, version)),
    ];
    await eachOf(tasks, REQUESTS_AT_A_TIME, (task) => task());
  }

  async #writeBatch(table: string, items: readonly Item[], version: number): Promise<void> {
    const way = this.#likely.get(table)!;
    const patience = this.session.patience();
    let wrong = 0;
    let pending: Pending[] = items.map((item) => ({ item, way, exists: false }));
    for (let first = true; pending.length > 0; first = false) {
      const errors = await this.#execute(table, pending, version);
      if (first) wrong = errors.filter((error) => isWrongWay(error)).length;
      pending = await leftOf(pending, errors, patience);
    }
    if (wrong > items.length / 2) this.#likely.set(table, way === 'insert' ? 'update' : 'insert');
  }

  async #execute(
    table: string,
    pending: readonly Pending[],
    version: number,
  ): Promise<(BatchStatementError | undefined)[]> {
    const Statements = pending.map(({ item, way }) => statementOf(table, item, { way, version }));
    const { Responses } = await this.session.ask((client) =>
      client.send(new BatchExecuteStatementCommand({ Statements })),
    );
    invariant(Responses?.length === pending.length, 'DynamoDB answers every statement of a batch');
    return Responses.map(({ Error: error }) => error);
  }

  async #put(table: string, item: Item, version: number): Promise<void> {
    const v = { N: String(version) };
    const command = new PutItemCommand({
      TableName: table,
      Item: { p: { S: item.p }, s: { S: item.s }, v, ...stateOf(item) },
      ConditionExpression: 'attribute_not_exists(v) OR v <= :v',
      ExpressionAttributeValues: { ':v': v },
    });
    await this.session.ask(async (client) => {
      try {
        await client.send(command);
      } catch (error) {
        // A newer version is there.
        if (!(error instanceof ConditionalCheckFailedException)) throw error;
      }
    });
  }
}

/** What is still to be done, after a pause if the service asked for one. UserError: it can't be done. */
async function leftOf(
  pending: readonly Pending[],
  errors: readonly (BatchStatementError | undefined)[],
  patience: Patience,
): Promise<Pending[]> {
  const left: Pending[] = [];
  let refused: BatchStatementError | undefined;
  for (const [index, one] of pending.entries()) {
    const error = errors[index];
    if (!error) continue;
    if (error.Code === 'DuplicateItem') left.push({ ...one, way: 'update', exists: true });
    else if (error.Code !== 'ConditionalCheckFailed') {
      refused = error;
      left.push(one);
    } else if (!one.exists) left.push({ ...one, way: 'insert' });
  }
  if (left.length < pending.length) patience.restart();
  if (refused)
    await patience.pauseAfter({ code: refused.Code ?? 'an error', message: refused.Message ?? '' });
  return left;
}

function isWrongWay(error: BatchStatementError | undefined): boolean {
  return error?.Code === 'DuplicateItem' || error?.Code === 'ConditionalCheckFailed';
}

/** The attributes beside key and version. */
function stateOf({ x }: Item): { x: AttributeValue } | { gone: AttributeValue } {
  if (x !== undefined) return { x };
  return { gone: { N: String(Math.floor(Date.now() / 1000) + TOMBSTONE_DAYS * DAY_S) } };
}

function statementOf(
  table: string,
  item: Item,
  { way, version }: { way: Way; version: number },
): BatchStatementRequest {
  const [[name, value]] = Object.entries(stateOf(item)) as [[string, AttributeValue]];
  const [p, s, v] = [{ S: item.p }, { S: item.s }, { N: String(version) }];
  if (way === 'insert') {
    return {
      Statement: `INSERT INTO "${table}" VALUE {'p': ?, 's': ?, 'v': ?, '${name}': ?}`,
      Parameters: [p, s, v, value],
    };
  }
  const other = name === 'x' ? 'gone' : 'x';
  return {
    Statement: `UPDATE "${table}" SET v = ? SET ${name} = ? REMOVE ${other} WHERE p = ? AND s = ? AND v <= ?`,
    Parameters: [v, value, p, s, v],
  };
}
