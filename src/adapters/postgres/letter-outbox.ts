// Dead letters in the order in which they came and went, for whoever passes them on. A letter that was taken back
// has left its table, and stands as two events among the withdrawn ones. The numbers are given under the writers'
// lock, so that none appears behind a greater one.
import type pg from 'pg';
import type { LetterEvent, LetterOutbox, LetterStream } from '../../core/ports/letters.js';
import { letterOf } from '../../core/stored-rows.js';
import { bytesOf, LETTER_COLUMNS } from './letters.js';
import type { Read } from './reader.js';
import { rowsOf } from './session.js';

/** As LETTER_COLUMNS: a withdrawn letter is a bot's, and has no bytes. */
const WITHDRAWN_COLUMNS = `partition, "offset", verdict, reason, event_time, NULL::bigint, click_id, ad_id,
  campaign_id, ip_address, NULL::bytea, NULL::bytea, NULL::bigint, NULL::bigint`;

const STREAM = `
  SELECT id, greatest(
      (SELECT coalesce(max(arrival), -1) FROM dead_letters),
      (SELECT coalesce(max(arrival), -1) FROM withdrawn_letters)
    ), published
  FROM letter_stream`;

const UP_TO = `
  SELECT max(sequence) FROM (
    (SELECT arrival AS sequence FROM dead_letters WHERE arrival > $1 ORDER BY 1 LIMIT $2)
    UNION ALL
    (SELECT letter_arrival FROM withdrawn_letters WHERE letter_arrival > $1 ORDER BY 1 LIMIT $2)
    UNION ALL (SELECT arrival FROM withdrawn_letters WHERE arrival > $1 ORDER BY 1 LIMIT $2)
    ORDER BY sequence LIMIT $2
  ) AS next`;

const EVENTS = `
  SELECT arrival AS sequence, false, ${LETTER_COLUMNS} FROM dead_letters WHERE arrival > $1 AND arrival <= $2
  UNION ALL SELECT letter_arrival, false, ${WITHDRAWN_COLUMNS} FROM withdrawn_letters
    WHERE letter_arrival > $1 AND letter_arrival <= $2
  UNION ALL SELECT arrival, true, ${WITHDRAWN_COLUMNS} FROM withdrawn_letters WHERE arrival > $1 AND arrival <= $2
  ORDER BY sequence`;

type Write = (work: (client: pg.ClientBase) => Promise<void>) => Promise<void>;

/** The outbox by these connections. */
export function createOutbox({ read }: { read: Read }, write: Write): LetterOutbox {
  return {
    letterStream: () => read(readStream),
    letterEvents: (after, limit) => read((client) => readEvents(client, after, limit)),
    markPublished: (sequence) =>
      write(async (client) => {
        await client.query('UPDATE letter_stream SET published = $1', [Math.trunc(sequence)]);
      }),
  };
}

async function readStream(client: pg.ClientBase): Promise<LetterStream> {
  const [[id, last, published] = []] = await rowsOf(client, STREAM);
  return { id: String(id), last: Number(last), published: Number(published) };
}

async function readEvents(client: pg.ClientBase, after: number, limit: number): Promise<LetterEvent[]> {
  const behind = Math.trunc(after);
  const [[upTo] = []] = await rowsOf(client, UP_TO, [behind, Math.max(1, Math.trunc(limit))]);
  if (upTo === null || upTo === undefined) return [];
  const rows = await rowsOf(client, EVENTS, [behind, upTo]);
  return rows.map(([sequence, withdrawn, ...letter]) => ({
    sequence: Number(sequence),
    withdrawn: withdrawn === true,
    letter: letterOf(letter, bytesOf),
  }));
}
