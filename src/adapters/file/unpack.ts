// Unpacks gzip and zstd, told by their first bytes, never by the file's name.
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { UserError } from '../../errors.js';
import { readError } from './raw-input.js';
import { unzstd } from './zstd.js';
import { PackingError } from './zstd-entropy.js';

export type Packing = 'none' | 'gzip' | 'zstd';
const CHUNK_BYTES = 1_048_576;
/** So many first bytes tell. */
export const PACKING_BYTES = 4;

/** How an input that begins with these bytes is packed. */
export function packingOf(head: Uint8Array): Packing {
  if (head[0] === 0x1f && head[1] === 0x8b) return 'gzip';
  if (head[0] === 0x28 && head[1] === 0xb5 && head[2] === 0x2f && head[3] === 0xfd) return 'zstd';
  // A skippable frame may come first (pzstd writes one).
  if ((head[0] & 0xf0) === 0x50 && head[1] === 0x2a && head[2] === 0x4d && head[3] === 0x18) return 'zstd';
  return 'none';
}

/** The unpacked bytes of `chunks`. UserError, naming `path`, if they are damaged or can't be read. */
export async function* unpacked(
  chunks: AsyncIterable<Uint8Array>,
  packing: Packing,
  path: string,
): AsyncGenerator<Uint8Array> {
  try {
    if (packing === 'gzip') yield* gunzip(chunks);
    else if (packing === 'zstd') yield* unzstd(chunks);
    else yield* chunks;
  } catch (error) {
    const isZlib = error instanceof Error && 'code' in error && String(error.code).startsWith('Z_');
    if (!isZlib && !(error instanceof PackingError)) throw readError(error, path);
    throw new UserError(`${path === '-' ? 'standard input' : path} is damaged ${packing}: ${error.message}`, {
      hint: `Get a sound copy (test it with ${packing} -t); what was counted so far stays, and it goes on from there.`,
      cause: error,
    });
  }
}

async function* gunzip(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const unzip = createGunzip({ chunkSize: CHUNK_BYTES });
  let bytes = 0;
  let bytesButZeros = 0;
  async function* counted() {
    for await (const chunk of chunks) {
      let end = chunk.length;
      while (end > 0 && chunk[end - 1] === 0) end--;
      if (end > 0) bytesButZeros = bytes + end;
      bytes += chunk.length;
      yield chunk;
    }
  }
  let failure: unknown;
  pipeline(counted, unzip, (error) => {
    failure = error;
  });
  for await (const chunk of unzip) yield chunk;
  if (failure) throw failure;
  // zlib stops at zeros, which pad archives; it must not drop what stands behind them.
  if (unzip.bytesWritten < bytesButZeros) throw new PackingError('it goes on behind its end');
}
