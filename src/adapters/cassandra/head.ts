// The register: one row that is set by a lightweight transaction, which the copies agree on among themselves.
//
// Reading it at the serial level ends what is under way and costs rounds among the copies, each with writes of its own. Who
// only reads need not: a swap is answered, and a serial read gives it, when a quorum of the copies has it as an ordinary
// row, and the quorum that is read has one copy in common with that.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Head, RowDatabase } from '../journaled/database.js';
import type { Cluster, Row, Statement } from './cluster.js';
import { isUnsure } from './server-errors.js';

const NAME = 'head';
/** After an answer that was lost it is tried again so soon, for as long as the register can be read. */
const STEP_MS = 100;
const ATTEMPTS_MAX = 100;

/** The register on a cluster. */
export function createHead(cluster: Cluster): Pick<RowDatabase, 'readHead' | 'glanceAtHead' | 'swapHead'> {
  const table = `${cluster.address.keyspace}.register`;
  const statement = { query: `SELECT revision, text FROM ${table} WHERE name = ?`, params: [NAME] };
  const headIn = (row: Row | undefined): Head | undefined => {
    // A row without a revision is one that somebody has begun by hand.
    if (!row?.revision) return undefined;
    return { revision: Number(row.revision), text: row.text as string };
  };
  const read = async (): Promise<Head | undefined> => headIn(await cluster.readRegister(statement));
  const swap = (expected: number, { revision, text }: Head): Statement =>
    expected === 0
      ? {
          query: `INSERT INTO ${table} (name, revision, text) VALUES (?, ?, ?) IF NOT EXISTS`,
          params: [NAME, revision, text],
        }
      : {
          query: `UPDATE ${table} SET revision = ?, text = ? WHERE name = ? IF revision = ?`,
          params: [revision, text, NAME, expected],
        };
  return {
    readHead: read,
    async glanceAtHead() {
      const { rows } = await cluster.page(statement, 1, undefined);
      return headIn(rows[0]);
    },
    async swapHead(expected, next) {
      for (let attempt = 1; ; attempt++) {
        try {
          return await cluster.tryOnce(swap(expected, next));
        } catch (error) {
          if (!isUnsure(error) || attempt === ATTEMPTS_MAX) throw cluster.explained(error);
        }
        // Reading it ends what is under way; it waits for nodes that are away.
        await sleep(STEP_MS);
        const now = await read();
        if (now?.text === next.text) return true;
        if ((now?.revision ?? 0) !== expected) return false;
      }
    },
  };
}
