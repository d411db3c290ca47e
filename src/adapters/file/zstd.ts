// Unpacks zstd (RFC 8878) as a stream: frames, one or many, and skippable ones between. It is our own since the
// JavaScript decoders on npm hang on some damaged files, pass over others without a word, and slow down with the
// window, and Node has one only from 22.15 on. Whatever is wrong with the bytes, it ends, with a PackingError.
import { Xxh64 } from './xxh64.js';
import { BLOCK_BYTES_MAX, BlockDecoder, type History } from './zstd-block.js';
import { mustBe, PackingError } from './zstd-entropy.js';

const FRAME_MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC = 0x184d2a50;
const HEADER_BYTES_MAX = 18;
/** As much as zstd itself allows without being asked. */
const WINDOW_BYTES_MAX = 128 * 1_048_576;
/** Room behind the window, so that it isn't moved with every block. */
const ROOM_BYTES = 4 * 1_048_576;
/** So many packed bytes at once, which bounds how much comes out of them. */
const PUSH_BYTES_MAX = 65_536;
/** The block decoder may look beyond the block. */
const PAD_BYTES = 8;

/** Unpacked chunks of the packed ones. Throws a PackingError if they aren't sound or end too early. */
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

/** So many at once where the whole is unpacked: what comes out of them is bounded more closely. */
const WHOLE_PUSH_BYTES = 4_096;

/** Unpacks what is small and whole. Throws a PackingError if it isn't sound, or unpacks to more than `bytesMax`. */
export function unzstdWhole(packed: Uint8Array, bytesMax: number): Buffer {
  const frames = new ZstdFrames();
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for (let at = 0; at < packed.length; at += WHOLE_PUSH_BYTES) {
    const piece = frames.push(packed.subarray(at, at + WHOLE_PUSH_BYTES));
    bytes += piece.length;
    mustBe(bytes <= bytesMax, `it unpacks to more than ${bytesMax} bytes`);
    pieces.push(piece);
  }
  frames.end();
  return Buffer.concat(pieces, bytes);
}

type Part = 'header' | 'block header' | 'block' | 'checksum' | 'skippable';

class ZstdFrames {
  #part: Part = 'header';
  /** A header that isn't whole yet. */
  #partial = Buffer.alloc(0);
  /** The block, as far as it has come. */
  readonly #block = new Uint8Array(BLOCK_BYTES_MAX + PAD_BYTES);
  #blockBytes = 0;
  #blockType = 0;
  /** What a block of one repeated byte unpacks to. */
  #repeats = 0;
  #isLastBlock = false;
  /** Bytes of the block or skippable frame that are still to come. */
  #left = 0;
  #hasChecksum = false;
  #contentBytes = -1;
  #frameBytes = 0;
  #hash = new Xxh64();
  readonly #decoder = new BlockDecoder();
  readonly #history: History = {
    bytes: new Uint8Array(0),
    start: 0,
    end: 0,
    windowBytes: 0,
    blockBytesMax: 0,
  };
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
    mustBe(this.#part === 'header' && this.#partial.length === 0, 'it ends within a frame');
  }

  /** Takes bytes of a block, or passes over those of a skippable frame. */
  #pass(bytes: Uint8Array): Uint8Array {
    const taken = Math.min(this.#left, bytes.length);
    this.#left -= taken;
    if (this.#part === 'block') {
      this.#block.set(bytes.subarray(0, taken), this.#blockBytes);
      this.#blockBytes += taken;
    }
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
    mustBe(magic === FRAME_MAGIC, 'what follows is not a zstd frame');
    if (bytes.length < 5) return undefined;
    const isSingleSegment = (bytes[4] & 0x20) !== 0;
    const sizeBytes = [isSingleSegment ? 1 : 0, 2, 4, 8][bytes[4] >> 6];
    return 5 + (isSingleSegment ? 0 : 1) + [0, 1, 2, 4][bytes[4] & 3] + sizeBytes;
  }

  #take(header: Buffer): void {
    if (this.#part === 'checksum') {
      mustBe(header.readUInt32LE(0) === this.#hash.digestLow(), 'a checksum is wrong');
      this.#part = 'header';
    } else if (this.#part === 'block header') {
      this.#beginBlock(header.readUIntLE(0, 3));
    } else if (header.readUInt32LE(0) === FRAME_MAGIC) {
      this.#beginFrame(header);
    } else {
      this.#left = header.readUInt32LE(4);
      this.#part = this.#left > 0 ? 'skippable' : 'header';
    }
  }

  #beginFrame(header: Buffer): void {
    const descriptor = header[4];
    mustBe((descriptor & 8) === 0, 'a reserved bit is set');
    mustBe((descriptor & 3) === 0, 'it needs a dictionary; unpack it with: zstd -d -D DICTIONARY');
    const { windowBytes, contentBytes } = sizesOf(header);
    if (windowBytes > WINDOW_BYTES_MAX) {
      throw new PackingError('it needs more than 128 MiB of memory; unpack it with: zstd -d --long=31');
    }
    this.#hasChecksum = (descriptor & 4) !== 0;
    this.#hash = new Xxh64();
    this.#contentBytes = contentBytes;
    this.#frameBytes = 0;
    this.#decoder.clear();
    const history = this.#history;
    if (history.bytes.length < windowBytes + ROOM_BYTES)
      history.bytes = new Uint8Array(windowBytes + ROOM_BYTES);
    history.start = 0;
    history.end = 0;
    history.windowBytes = windowBytes;
    history.blockBytesMax = Math.min(windowBytes, BLOCK_BYTES_MAX);
    this.#part = 'block header';
  }

  #beginBlock(header: number): void {
    this.#isLastBlock = (header & 1) !== 0;
    this.#blockType = (header >> 1) & 3;
    const size = header >> 3;
    mustBe(this.#blockType < 3, 'a block of an unknown type');
    mustBe(size <= this.#history.blockBytesMax, 'a block is too long');
    this.#repeats = size;
    this.#left = this.#blockType === 1 ? 1 : size;
    this.#blockBytes = 0;
    this.#part = 'block';
    if (this.#left === 0) this.#partEnd();
  }

  #partEnd(): void {
    if (this.#part === 'skippable') {
      this.#part = 'header';
      return;
    }
    this.#unpackBlock();
    if (!this.#isLastBlock) {
      this.#part = 'block header';
      return;
    }
    mustBe(
      this.#contentBytes < 0 || this.#contentBytes === this.#frameBytes,
      'a frame has not its stated length',
    );
    this.#part = this.#hasChecksum ? 'checksum' : 'header';
  }

  #unpackBlock(): void {
    const history = this.#history;
    if (history.end + BLOCK_BYTES_MAX > history.bytes.length) {
      const kept = Math.min(history.windowBytes, history.end);
      history.bytes.copyWithin(0, history.end - kept, history.end);
      history.end = kept;
    }
    const start = history.end;
    if (this.#blockType === 2) {
      this.#block.fill(0, this.#blockBytes, this.#blockBytes + PAD_BYTES);
      this.#decoder.decode(this.#block, this.#blockBytes, history);
    } else {
      if (this.#blockType === 1) history.bytes.fill(this.#block[0], start, start + this.#repeats);
      else history.bytes.set(this.#block.subarray(0, this.#blockBytes), start);
      history.end = start + this.#repeats;
    }
    const unpacked = history.bytes.slice(start, history.end);
    if (this.#hasChecksum) this.#hash.update(unpacked);
    this.#frameBytes += unpacked.length;
    if (unpacked.length > 0) this.#unpacked.push(unpacked);
  }
}

/** How far back a frame's repeats may reach, and its length, or -1 if that isn't told. */
function sizesOf(header: Buffer): { windowBytes: number; contentBytes: number } {
  const descriptor = header[4];
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const sizeBytes = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6];
  const sizeAt = header.length - sizeBytes;
  let contentBytes = -1;
  if (sizeBytes === 8) contentBytes = Number(header.readBigUInt64LE(sizeAt));
  else if (sizeBytes > 0) contentBytes = header.readUIntLE(sizeAt, sizeBytes) + (sizeBytes === 2 ? 256 : 0);
  if (isSingleSegment) return { windowBytes: contentBytes, contentBytes };
  const base = 2 ** (10 + (header[5] >> 3));
  return { windowBytes: base + (base / 8) * (header[5] & 7), contentBytes };
}
