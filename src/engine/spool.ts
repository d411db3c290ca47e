// Standard input written to a file first, for when two readers need it (the stream and the lake).
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { UserError } from '../errors.js';

/**
 * Copies standard input to its end into `<dataDir>/spool/`, named by its contents: the same input is the same
 * file again. Returns the file's path. UserError: the disk won't have it.
 */
export async function spoolStandardInput(dataDir: string, signal: AbortSignal): Promise<string> {
  const directory = join(dataDir, 'spool');
  const proposal = join(directory, `${process.pid}.new`);
  const hash = createHash('sha256');
  const hashing = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      done(null, chunk);
    },
  });
  try {
    await mkdir(directory, { recursive: true });
    await pipeline(process.stdin, hashing, createWriteStream(proposal), { signal });
    const path = join(directory, `${hash.digest('hex').slice(0, 16)}.ndjson`);
    await rename(proposal, path);
    return path;
  } catch (error) {
    await rm(proposal, { force: true });
    const { code } = error as NodeJS.ErrnoException;
    throw new UserError(`can't keep standard input in ${directory}: ${code ?? String(error)}`, {
      hint: 'Check the disk and the permissions of --data-dir.',
      cause: error,
    });
  }
}
