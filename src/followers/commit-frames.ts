// Commits as bytes of a file: each is a frame with its number, the epoch it was made under, and a checksum, so that
// what a crash left half written at a file's end is seen and cut off.
//
//   0 magic, 4 bytes of the payload, 8 CRC-32 of all that follows, 12 nothing, 16 number, 24 epoch, 32 the payload
import type { FileHandle } from 'node:fs/promises';
import { deserialize, serialize } from 'node:v8';
import { crc32 } from '../adapters/embedded/crc32.js';
import type { Method } from '../core/method.js';
import type { Commit } from '../core/ports/commit.js';

const MAGIC = 0x51_43_41_43; // "CACQ"
const HEADER_BYTES = 32;
/** A commit is far smaller: whoever reads a greater length reads no frame. */
const FRAME_BYTES_MAX = 1_073_741_824;

/** The store that a commit is made in first, as those that follow must know it. */
export interface Leading {
  /** Names it. */
  origin: string;
  /** By which method it counts what. */
  identity: { method: Method; sourceIdentity: string };
}

/** A commit as it waits. */
export interface QueuedCommit extends Leading {
  number: number;
  /** The epoch of the store's writer that made it. */
  epoch: number;
  commit: Commit;
}

/** Where a frame lies. */
export interface FramePlace {
  number: number;
  epoch: number;
  at: number;
  bytes: number;
}

/** The frame of a commit. Of arrays that are a part of a larger buffer only that part is taken. */
export function frameOf({ number, epoch, ...content }: QueuedCommit): Buffer {
  const payload = serialize(content);
  const frame = Buffer.allocUnsafe(HEADER_BYTES + payload.length);
  frame.writeUInt32LE(MAGIC, 0);
  frame.writeUInt32LE(payload.length, 4);
  frame.writeUInt32LE(0, 12);
  frame.writeDoubleLE(number, 16);
  frame.writeDoubleLE(epoch, 24);
  payload.copy(frame, HEADER_BYTES);
  frame.writeUInt32LE(crc32(frame, 12, frame.length), 8);
  return frame;
}

/** The commit of a whole frame. */
export function commitOfFrame(frame: Buffer): QueuedCommit {
  const content = deserialize(frame.subarray(HEADER_BYTES)) as Leading & { commit: Commit };
  return { number: frame.readDoubleLE(16), epoch: frame.readDoubleLE(24), ...content };
}

/** The whole frame at a place of a file; undefined: there is none. */
export async function readFrame(
  file: FileHandle,
  at: number,
): Promise<{ frame: Buffer; place: FramePlace } | undefined> {
  const header = Buffer.alloc(HEADER_BYTES);
  if (!(await filled(file, header, at)) || header.readUInt32LE(0) !== MAGIC) return undefined;
  const bytes = HEADER_BYTES + header.readUInt32LE(4);
  if (bytes > FRAME_BYTES_MAX || at + bytes > (await file.stat()).size) return undefined;
  const frame = Buffer.allocUnsafe(bytes);
  if (!(await filled(file, frame, at)) || frame.readUInt32LE(8) !== crc32(frame, 12, bytes)) return undefined;
  return { frame, place: { number: frame.readDoubleLE(16), epoch: frame.readDoubleLE(24), at, bytes } };
}

async function filled(file: FileHandle, into: Buffer, at: number): Promise<boolean> {
  let done = 0;
  while (done < into.length) {
    const { bytesRead } = await file.read(into, done, into.length - done, at + done);
    if (bytesRead === 0) return false;
    done += bytesRead;
  }
  return true;
}
