// Dead letters in the order in which they came and went, for whoever passes them on. A letter that was taken back
// has left its table, and stands as two events among the withdrawn ones.
import type { LetterEvent, LetterOutbox, LetterStream } from '../../core/ports/letters.js';
import { letterOf } from '../../core/stored-rows.js';
import type { StoreFile } from './file.js';
import type { FreshLetters } from './fresh-letters.js';
import { bytesOf, READ_COLUMNS } from './letters.js';
import type { DuckDBConnection } from './node-api.js';
import { numberOf, rowsOf } from './sql.js';

/** As READ_COLUMNS: a withdrawn letter is a bot's, and has no bytes. */
const WITHDRAWN_COLUMNS = `partition, "offset", verdict, reason, event_time, NULL, click_id, ad_id, campaign_id,
  ip_address, NULL, NULL, NULL, NULL`;

type Transact = <T>(work: (connection: DuckDBConnection) => Promise<T>) => Promise<T>;

/** The outbox of an open file, of whose last letters some are at hand. */
export function createOutbox(file: StoreFile, transact: Transact, fresh: FreshLetters): LetterOutbox {
  return {
    letterStream: () => file.read(readStream),
    letterEvents: async (after, limit) =>
      fresh.behind(after, limit) ?? (await file.read((connection) => readEvents(connection, after, limit))),
    markPublished: (sequence) =>
      transact(async (connection) => {
        await connection.run(`DELETE FROM meta WHERE name = 'published_letters'`);
        await connection.run(`INSERT INTO meta VALUES ('published_letters', '${Math.trunc(sequence)}')`);
      }),
  };
}

/** The number of the next event. */
export async function nextArrival(connection: DuckDBConnection): Promise<number> {
  return await numberOf(
    connection,
    `SELECT coalesce(max(arrival), -1) + 1
     FROM (SELECT arrival FROM dead_letters UNION ALL SELECT arrival FROM withdrawn_letters)`,
  );
}

async function readStream(connection: DuckDBConnection): Promise<LetterStream> {
  const sql = `SELECT name, value FROM meta WHERE name IN ('store_id', 'published_letters')`;
  const meta = new Map((await rowsOf(connection, sql)).map(([name, value]) => [String(name), String(value)]));
  return {
    id: meta.get('store_id') ?? '',
    last: (await nextArrival(connection)) - 1,
    published: Number(meta.get('published_letters') ?? -1),
  };
}

async function readEvents(
  connection: DuckDBConnection,
  after: number,
  limit: number,
): Promise<LetterEvent[]> {
  const behind = Math.trunc(after);
  // The values are large: they are read only for the events that are given.
  const [bound] = await rowsOf(
    connection,
    `SELECT max(sequence)::DOUBLE FROM (
       SELECT arrival AS sequence FROM dead_letters WHERE arrival > ${behind}
       UNION ALL SELECT letter_arrival FROM withdrawn_letters WHERE letter_arrival > ${behind}
       UNION ALL SELECT arrival FROM withdrawn_letters WHERE arrival > ${behind}
       ORDER BY sequence LIMIT ${Math.max(1, Math.trunc(limit))}
     )`,
  );
  if (typeof bound?.[0] !== 'number') return [];
  const upTo = Math.trunc(bound[0]);
  const rows = await rowsOf(
    connection,
    `SELECT arrival AS sequence, false, ${READ_COLUMNS} FROM dead_letters
       WHERE arrival > ${behind} AND arrival <= ${upTo}
     UNION ALL SELECT letter_arrival, false, ${WITHDRAWN_COLUMNS} FROM withdrawn_letters
       WHERE letter_arrival > ${behind} AND letter_arrival <= ${upTo}
     UNION ALL SELECT arrival, true, ${WITHDRAWN_COLUMNS} FROM withdrawn_letters
       WHERE arrival > ${behind} AND arrival <= ${upTo}
     ORDER BY sequence`,
  );
  return rows.map(([sequence, withdrawn, ...letter]) => ({
    sequence: Number(sequence),
    withdrawn: withdrawn === true,
    letter: letterOf(letter, bytesOf),
  }));
}
