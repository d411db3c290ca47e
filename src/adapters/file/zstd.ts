// Unpacks zstd: frames, one or many, and skippable ones between. fzstd unpacks a frame; here frames are told
// apart, so that each one's checksum is verified and any number of small ones takes no more room than one.
import { Decompress } from 'fzstd';
import { Xxh64 } from './xxh64.js';

const FRAME_MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC = 0x184d2a50;
/** fzstd gets at most so many bytes of a frame at once, which bounds what it gives back. */
const PUSH_BYTES_MAX = 262_144;
const HEADER_BYTES_MAX = 18;
const WINDOW_BYTES_MAX = 128 * 1_048_576;

/** Packed bytes aren't sound; the message says in what way. */
export class PackingError extends Error {}

/** Unpacked chunks of the packed ones. Throws PackingError. */
export async function* unzstd(packed: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const frames = new ZstdFrames();
  for await (const chunk of packed) {
    for (let at = 0; at < chunk.length; at += PUSH_BYTES_MAX) {
      const unpacked = frames.push(chunk.subarray(at, at + PUSH_BYTES_MAX));
      if (unpacked.length > 0) yield unpacked;
    }
  }
  frames.end();
}

type Part = 'header' | 'block header' | 'block' | 'checksum' | 'skippable';

class ZstdFrames {
  #part: Part = 'header';
  /** A header that isn't whole yet. */
  #partial = Buffer.alloc(0);
  /** Bytes of the block or skippable frame that are still to come. */
  #left = 0;
  #isLastBlock = false;
  #hasChecksum = false;
  #decompress = new Decompress();
  #hash = new Xxh64();
  #unpacked: Uint8Array[] = [];

  push(chunk: Uint8Array): Uint8Array {
    let rest = chunk;
    while (rest.length > 0) {
      if (this.#part === 'block' || this.#part === 'skippable') rest = this.#pass(rest);
      else rest = this.#gather(rest);
    }
    const unpacked = this.#unpacked.length === 1 ? this.#unpacked[0] : Buffer.concat(this.#unpacked);
    this.#unpacked = [];
    return unpacked;
  }

  end(): void {
    if (this.#part !== 'header' || this.#partial.length > 0) throw new PackingError('it ends within a frame');
  }

  /** Passes bytes of a block on, or over those of a skippable frame. */
  #pass(bytes: Uint8Array): Uint8Array {
    const taken = Math.min(this.#left, bytes.length);
    this.#left -= taken;
    if (this.#part === 'block') this.#feed(bytes.subarray(0, taken));
    if (this.#left === 0) this.#partEnd();
    return bytes.subarray(taken);
  }

  /** Adds bytes to a header or checksum, a few at a time, and takes it once it is whole. */
  #gather(bytes: Uint8Array): Uint8Array {
    const before = this.#partial.length;
    const gathered = Buffer.concat([this.#partial, bytes.subarray(0, HEADER_BYTES_MAX)]);
    const length = this.#headerLength(gathered);
    if (length === undefined || gathered.length < length) {
      this.#partial = gathered;
      return bytes.subarray(gathered.length - before);
    }
    this.#partial = Buffer.alloc(0);
    this.#take(gathered.subarray(0, length));
    return bytes.subarray(length - before);
  }

  /** Length of the header or checksum that begins so; undefined if more must be seen first. */
  #headerLength(bytes: Buffer): number | undefined {
    if (this.#part === 'block header') return 3;
    if (this.#part === 'checksum') return 4;
    if (bytes.length < 4) return undefined;
    const magic = bytes.readUInt32LE(0);
    if ((magic & 0xfffffff0) >>> 0 === SKIPPABLE_MAGIC) return 8;
    if (magic !== FRAME_MAGIC) throw new PackingError('what follows is not a zstd frame');
    if (bytes.length < 5) return undefined;
    const descriptor = bytes[4];
    const isSingleSegment = (descriptor & 0x20) !== 0;
    const contentSizeBytes = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6];
    return 5 + (isSingleSegment ? 0 : 1) + [0, 1, 2, 4][descriptor & 3] + contentSizeBytes;
  }

  #take(header: Buffer): void {
    if (this.#part === 'checksum') {
      this.#feed(header);
      this.#endFrame();
      if (header.readUInt32LE(0) !== this.#hash.digestLow()) throw new PackingError('a checksum is wrong');
    } else if (this.#part === 'block header') {
      const bits = header.readUIntLE(0, 3);
      const isRepeat = ((bits >> 1) & 3) === 1; // one byte stands for many
      this.#isLastBlock = (bits & 1) !== 0;
      this.#left = isRepeat ? 1 : bits >> 3;
      this.#part = 'block';
      this.#feed(header);
      if (this.#left === 0) this.#partEnd();
    } else if (header.readUInt32LE(0) === FRAME_MAGIC) {
      this.#beginFrame(header);
    } else {
      this.#left = header.readUInt32LE(4);
      this.#part = this.#left > 0 ? 'skippable' : 'header';
    }
  }

  #beginFrame(header: Buffer): void {
    if (windowBytesOf(header) > WINDOW_BYTES_MAX) {
      throw new PackingError('it needs more than 128 MiB of memory; unpack it with: zstd -d --long=31');
    }
    this.#hasChecksum = (header[4] & 4) !== 0;
    this.#hash = new Xxh64();
    this.#decompress = new Decompress((unpacked) => {
      if (unpacked.length > 0) this.#unpacked.push(unpacked.slice());
    });
    this.#feed(header);
    this.#part = 'block header';
  }

  #partEnd(): void {
    if (this.#part === 'skippable') this.#part = 'header';
    else if (!this.#isLastBlock) this.#part = 'block header';
    else if (this.#hasChecksum) this.#part = 'checksum';
    else this.#endFrame();
  }

  #endFrame(): void {
    this.#feed(new Uint8Array(0), true);
    this.#part = 'header';
  }

  #feed(bytes: Uint8Array, isEnd = false): void {
    const before = this.#unpacked.length;
    try {
      this.#decompress.push(bytes, isEnd);
    } catch (error) {
      throw new PackingError(error instanceof Error ? error.message : String(error), { cause: error });
    }
    if (this.#hasChecksum) {
      for (let i = before; i < this.#unpacked.length; i++) this.#hash.update(this.#unpacked[i]);
    }
  }
}

/** How much of what was unpacked must be held to unpack more. */
function windowBytesOf(header: Buffer): number {
  const descriptor = header[4];
  if ((descriptor & 0x20) === 0) {
    const base = 2 ** (10 + (header[5] >> 3));
    return base + (base / 8) * (header[5] & 7);
  }
  const sizeBytes = [1, 2, 4, 8][descriptor >> 6];
  const sizeAt = header.length - sizeBytes;
  if (sizeBytes === 8) return Number(header.readBigUInt64LE(sizeAt));
  return header.readUIntLE(sizeAt, sizeBytes) + (sizeBytes === 2 ? 256 : 0);
}
