// Lines of a file for the baselines, as fast as strings allow: large chunks, split at once.
import { createReadStream } from 'node:fs';

const CHUNK_BYTES = 4 * 1024 * 1024;

/** Arrays of whole lines, a chunk at a time. */
export async function* linesOf(path: string): AsyncGenerator<string[]> {
  let rest = '';
  for await (const chunk of createReadStream(path, { encoding: 'utf8', highWaterMark: CHUNK_BYTES })) {
    const lines = (rest + (chunk as string)).split('\n');
    rest = lines.pop()!;
    yield lines;
  }
  if (rest !== '') yield [rest];
}
