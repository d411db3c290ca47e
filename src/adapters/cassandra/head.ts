// The register: one row that is set by a lightweight transaction, which the copies agree on among themselves.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Head, RowDatabase } from '../journaled/database.js';
import type { Cluster, Statement } from './cluster.js';
import { isUnsure } from './server-errors.js';

const NAME = 'head';
/** After an answer that was lost it is tried again so soon, for as long as the register can be read. */
const STEP_MS = 100;
const ATTEMPTS_MAX = 100;

/** The register on a cluster. */
export function createHead(cluster: Cluster): Pick<RowDatabase, 'readHead' | 'swapHead'> {
  const table = `${cluster.address.keyspace}.register`;
  const read = async (): Promise<Head | undefined> => {
    const query = `SELECT revision, text FROM ${table} WHERE name = ?`;
    const row = await cluster.readRegister({ query, params: [NAME] });
    // A row without a revision is one that somebody has begun by hand.
    if (!row?.revision) return undefined;
    return { revision: Number(row.revision), text: row.text as string };
  };
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
