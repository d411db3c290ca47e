// What one snapshot has and another one has not, row by row: what must be written to make the second the first.
import { LEDGER_COLUMNS } from '../../core/stored-rows.js';
import { DuckDBInstance, type DuckDBValue } from './node-api.js';
import { quoted, rowsOf } from './sql.js';

const MEMORY_LIMIT = '1GiB';
const KEY = 'minute, ad_id, campaign_id, country, device_type';

export interface SnapshotFiles {
  totalsFile: string;
  ledgerFile: string;
}

export interface SnapshotDifference {
  cells: number;
  /** minute (epoch ms), ad, campaign, country, device, clicks as they shall be (0: none), whether the other has the cell; in order. */
  cellRows(): AsyncGenerator<DuckDBValue[][]>;
  /** partition, minute, and what is to be added to each of LEDGER_COLUMNS. */
  ledgerRows(): Promise<DuckDBValue[][]>;
  close(): void;
}

/** Compares the snapshot `wanted` with the snapshot `found`; `folder`: for what memory does not hold. */
export async function compareSnapshots(
  wanted: SnapshotFiles,
  found: SnapshotFiles,
  folder: string,
): Promise<SnapshotDifference> {
  const instance = await DuckDBInstance.create(':memory:', {
    memory_limit: MEMORY_LIMIT,
    temp_directory: folder,
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
  });
  const connection = await instance.connect();
  const changed = `
    SELECT ${KEY}, coalesce(w.clicks, 0) AS clicks, f.clicks IS NOT NULL AS known
    FROM read_parquet(${quoted(wanted.totalsFile)}) AS w
      FULL JOIN read_parquet(${quoted(found.totalsFile)}) AS f USING (${KEY})
    WHERE w.clicks IS DISTINCT FROM f.clicks`;
  const differences = LEDGER_COLUMNS.map(
    (name) => `(coalesce(w.${name}, 0) - coalesce(f.${name}, 0))::BIGINT AS ${name}`,
  );
  const [counted] = await rowsOf(connection, `SELECT count(*) FROM (${changed})`);
  return {
    cells: Number(counted?.[0]),
    async *cellRows() {
      const result = await connection.stream(`${changed} ORDER BY ${KEY}`);
      for (;;) {
        const chunk = await result.fetchChunk();
        if (!chunk || chunk.rowCount === 0) return;
        yield chunk.getRows();
      }
    },
    ledgerRows: () =>
      rowsOf(
        connection,
        `SELECT * FROM (
           SELECT partition, minute, ${differences.join(', ')}
           FROM read_parquet(${quoted(wanted.ledgerFile)}) AS w
             FULL JOIN read_parquet(${quoted(found.ledgerFile)}) AS f USING (partition, minute)
         ) WHERE ${LEDGER_COLUMNS.map((name) => `${name} <> 0`).join(' OR ')} ORDER BY ALL`,
      ),
    close() {
      connection.closeSync();
      instance.closeSync();
    },
  };
}
