// Takes dead letters out into a file: NDJSON to be mended and sent again, Parquet to be looked into.
import { createWriteStream } from 'node:fs';
import { link, rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { letterLine } from '../adapters/ndjson/letter-lines.js';
import { writeLetterFile } from '../adapters/parquetjs/letter-file.js';
import type { DeadLetter } from '../core/ports/commit.js';
import { UsageError, UserError } from '../errors.js';
import { command } from '../options/command.js';
import type { Terminal } from '../ui/terminal.js';
import { allLetters, letterFilterOptions, verdictFilter } from './dead-letters-options.js';
import { letterPlaceOptions, openLetters } from './dead-letters-place.js';

export const exportCommand = command({
  name: 'export',
  summary: 'write dead letters into a Parquet or NDJSON file',
  description:
    'NDJSON: a line each, the record as it came under `click`; records that are no JSON object stand under ' +
    '`text`, or `base64` if they aren’t UTF-8. The file is what redrive reads. A file that exists is left alone.',
  arguments: [
    { name: 'file', about: 'FILE.ndjson, FILE.parquet, or - for NDJSON on standard output', required: true },
  ],
  options: { ...letterPlaceOptions, ...letterFilterOptions },
  examples: [
    ['click-agg dead-letters export bad.ndjson --verdict invalid', 'to mend them'],
    ['click-agg dead-letters export letters.parquet', 'all of them, for DuckDB or pandas'],
  ],
  async run({ options, args, terminal }) {
    const [file] = args;
    const format = formatOf(file);
    const reader = await openLetters(options);
    try {
      const { verdict, reason } = options;
      const letters = allLetters(reader, { verdict: verdictFilter(verdict), reason });
      const count =
        file === '-' ? await printLines(letters, terminal) : await writeWhole(file, format, letters);
      if (file === '-') return;
      if (terminal.wantsJson) await terminal.json({ file, letters: count });
      else await terminal.print(`${count} dead letters written to ${file}\n`);
    } finally {
      await reader.close();
    }
  },
});

function formatOf(file: string): 'parquet' | 'ndjson' {
  if (file === '-' || /\.(ndjson|jsonl)$/i.test(file)) return 'ndjson';
  if (/\.parquet$/i.test(file)) return 'parquet';
  throw new UsageError(`${file}: must end in .ndjson, .jsonl or .parquet`);
}

async function printLines(letters: AsyncIterable<DeadLetter>, terminal: Terminal): Promise<number> {
  let count = 0;
  for await (const letter of letters) {
    await terminal.print(`${letterLine(letter)}\n`);
    count++;
  }
  return count;
}

/** The file appears whole or not at all, and never in the place of another. */
async function writeWhole(
  file: string,
  format: 'parquet' | 'ndjson',
  letters: AsyncIterable<DeadLetter>,
): Promise<number> {
  const proposal = `${file}.${process.pid}.new`;
  try {
    const write = format === 'parquet' ? writeLetterFile : writeLines;
    const count = await write(proposal, letters);
    await link(proposal, file);
    return count;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined || error instanceof UserError) throw error;
    const exists = code === 'EEXIST';
    throw new UserError(exists ? `${file} exists already` : `can't write ${file}: ${code}`, {
      hint: exists ? 'Name another file, or remove it.' : 'Check the folder, its permissions and the disk.',
      cause: error,
    });
  } finally {
    await rm(proposal, { force: true });
  }
}

async function writeLines(path: string, letters: AsyncIterable<DeadLetter>): Promise<number> {
  let count = 0;
  const lines = async function* (): AsyncGenerator<string> {
    for await (const letter of letters) {
      count++;
      yield `${letterLine(letter)}\n`;
    }
  };
  await pipeline(Readable.from(lines()), createWriteStream(path, { flags: 'wx' }));
  return count;
}
