// Follows one partition of the log from segment to segment, also while another process writes it. It takes
// only whole frames whose checksums hold, and never passes over a record: where it can't go on for another
// reason than that the log ends there, it says so.
import { type FileHandle, open, stat } from 'node:fs/promises';
import { UserError } from '../../errors.js';
import { FRAME_BYTES_MAX, type FrameHeader, HEADER_BYTES, isWhole, readHeader } from './frame.js';
import type { FrameRecords } from './frame-records.js';
import { codeOf, ioError, listSegments, segmentPath } from './layout.js';
import { damagedError } from './partition-writer.js';
import { framePlaces, isDamage, wholeFrames } from './segment.js';

/** Records of one read of a partition lie in about so many bytes, so that partitions keep step. */
const READ_BYTES = 1_048_576;
/** Looking into the folder is dearer than at the file: one look in so many empty polls. */
const POLLS_PER_LISTING = 16;
const OPEN_ATTEMPTS_MAX = 10;

/** The memory that frames are read into, for all partitions of a source: a batch is read at a time. */
export class ReadBuffer {
  readonly bytes = Buffer.from(new ArrayBuffer(FRAME_BYTES_MAX));
  readonly view = new DataView(this.bytes.buffer);
}

/** The end of a partition as it was at one moment. */
interface End {
  base: number;
  bytes: number;
}

export interface ReaderStart {
  logDir: string;
  partition: number;
  /** First offset to read; undefined: the first there is. */
  position: number | undefined;
  /** Stop where the partition ends now. */
  untilEnd: boolean;
}

export class PartitionReader {
  readonly partition: number;
  readonly #logDir: string;
  readonly #end: End | undefined;
  readonly #bytesAtOpening: number;
  readonly #headerBytes = Buffer.from(new ArrayBuffer(HEADER_BYTES));
  readonly #headerView = new DataView(this.#headerBytes.buffer);
  #handle: FileHandle;
  #base: number;
  #at: number;
  /** Base offset that the frame at `#at` must have. */
  #frameOffset: number;
  #position: number;
  #next: FrameHeader | undefined;
  #bytesRead = 0;
  #emptyPolls = 0;
  #done = false;

  private constructor(start: ReaderStart, place: StartingPlace) {
    this.partition = start.partition;
    this.#logDir = start.logDir;
    this.#end = start.untilEnd ? place.end : undefined;
    this.#bytesAtOpening = place.bytesAhead;
    this.#handle = place.handle;
    this.#base = place.base;
    this.#at = place.at;
    this.#frameOffset = place.frameOffset;
    this.#position = place.position;
  }

  /** UserError: the position was deleted by retention or lies beyond the log's end. */
  static async open(start: ReaderStart): Promise<PartitionReader> {
    return new PartitionReader(start, await findStart(start));
  }

  /** The asked end was reached; nothing will come. */
  get done(): boolean {
    return this.#done;
  }

  /** Append time of the record that comes next, if `ready` found one. */
  get nextAppendMs(): number {
    return this.#next?.firstAppendMs ?? NaN;
  }

  /** Share of the partition, as it was at opening, that has been read: where there are no append times. */
  get shareRead(): number {
    return this.#bytesRead / Math.max(1, this.#bytesAtOpening);
  }

  /** Whether a frame seems to be there to read. */
  async ready(): Promise<boolean> {
    while (!this.#next && !this.#done) {
      const header = await this.#peek();
      if (header) {
        this.#next = header;
        this.#emptyPolls = 0;
      } else if (this.#end?.base === this.#base) {
        await this.#failIfDamaged();
        this.#done = true;
      } else if (!(await this.#nextSegment())) {
        return false;
      }
    }
    return this.#next !== undefined;
  }

  /**
   * Reads the frames that come next into `records`, so many bytes or as many as `buffer` holds; none if the frame that
   * `ready` saw isn't whole yet.
   */
  async read(buffer: ReadBuffer, records: FrameRecords, bytes = READ_BYTES): Promise<void> {
    records.clear(this.partition);
    const wanted = Math.min(Math.max(this.#next?.frameBytes ?? 0, bytes), buffer.bytes.length);
    const length = await readFully(
      this.#handle,
      buffer.bytes,
      this.#end && this.#base === this.#end.base ? Math.min(wanted, this.#end.bytes - this.#at) : wanted,
      this.#at,
    );
    let from = 0;
    for (;;) {
      const header = readHeader(buffer.view, from);
      const fits = header && from + header.frameBytes <= length && records.fits(header.count);
      if (!fits || header.baseOffset !== this.#frameOffset) break;
      if (!isWhole(buffer.bytes, buffer.view, from, length, header)) break;
      records.add(buffer.view, from, header, this.#position);
      from += header.frameBytes;
      this.#frameOffset += header.count;
    }
    this.#next = undefined;
    this.#at += from;
    this.#bytesRead += from;
    this.#position = Math.max(this.#position, this.#frameOffset);
    if (from === 0 && !(await this.#failIfCutOff()) && this.#end?.base === this.#base) this.#done = true;
  }

  close(): Promise<void> {
    return this.#handle.close();
  }

  /** The header of the next frame if that lies wholly in the file (its checksum isn't looked at yet). */
  async #peek(): Promise<FrameHeader | undefined> {
    const length = await readFully(this.#handle, this.#headerBytes, HEADER_BYTES, this.#at);
    if (length < HEADER_BYTES) return undefined;
    const header = readHeader(this.#headerView, 0);
    if (!header || header.baseOffset !== this.#frameOffset) return undefined;
    const frameEnd = this.#at + header.frameBytes;
    if (this.#end?.base === this.#base && frameEnd > this.#end.bytes) return undefined;
    return frameEnd <= (await this.#handle.stat()).size ? header : undefined;
  }

  /** Goes on to the segment that begins where this one ends, if it is there. */
  async #nextSegment(): Promise<boolean> {
    if (this.#frameOffset > this.#base) {
      const handle = await tryOpen(segmentPath(this.#logDir, this.partition, this.#frameOffset));
      if (handle) {
        await this.#handle.close();
        this.#handle = handle;
        this.#base = this.#frameOffset;
        this.#at = 0;
        return true;
      }
    }
    if (this.#end || this.#emptyPolls++ % POLLS_PER_LISTING === 0) return this.#failIfCutOff();
    return false;
  }

  /**
   * Fails if later segments exist although this one has no next frame. True: it has one by now, try again.
   * A segment's last frame is whole before the next segment is made, so the order of looking matters.
   */
  async #failIfCutOff(): Promise<boolean> {
    const bases = await listSegments(this.#logDir, this.partition);
    if (!bases.some((base) => base > this.#frameOffset)) {
      await this.#failIfDamaged();
      return false;
    }
    if (bases.includes(this.#frameOffset) && this.#frameOffset > this.#base) return true;
    if (await this.#hasWholeFrame()) return true;
    if (bases[0] > this.#frameOffset) throw deletedError(this.partition, this.#frameOffset, bases[0]);
    throw damagedError(segmentPath(this.#logDir, this.partition, this.#base), this.#frameOffset);
  }

  async #failIfDamaged(): Promise<void> {
    if (!(await isDamage(this.#handle, this.#at)) || (await this.#hasWholeFrame())) return;
    throw damagedError(segmentPath(this.#logDir, this.partition, this.#base), this.#frameOffset);
  }

  #hasWholeFrame(): Promise<boolean> {
    return hasWholeFrame(this.#handle, this.#at, this.#frameOffset);
  }
}

interface StartingPlace {
  handle: FileHandle;
  base: number;
  at: number;
  frameOffset: number;
  position: number;
  end: End;
  bytesAhead: number;
}

async function findStart(start: ReaderStart): Promise<StartingPlace> {
  const { logDir, partition } = start;
  for (let attempt = 0; attempt < OPEN_ATTEMPTS_MAX; attempt++) {
    const bases = await listSegments(logDir, partition);
    if (bases.length === 0) break;
    const position = start.position ?? bases[0];
    if (position < bases[0]) throw deletedError(partition, position, bases[0]);
    const base = bases.findLast((candidate) => candidate <= position) ?? bases[0];
    const handle = await tryOpen(segmentPath(logDir, partition, base));
    if (!handle) continue; // retention was faster: look again
    try {
      const place = await findFrame(handle, {
        logDir,
        partition,
        base,
        position,
        isLast: base === bases.at(-1),
      });
      const sizes = await Promise.all(bases.map((each) => bytesOf(segmentPath(logDir, partition, each))));
      const bytesAhead = sizes.slice(bases.indexOf(base)).reduce((sum, size) => sum + size, -place.at);
      const end = { base: bases[bases.length - 1], bytes: sizes[sizes.length - 1] };
      return { handle, base, position, end, bytesAhead, ...place };
    } catch (error) {
      await handle.close();
      throw error;
    }
  }
  throw new UserError(`partition ${partition} of the log ${logDir} has no segment`, {
    hint: 'The log is incomplete: restore it from a copy, or use another data directory.',
  });
}

interface Sought {
  logDir: string;
  partition: number;
  base: number;
  position: number;
  isLast: boolean;
}

async function findFrame(handle: FileHandle, sought: Sought): Promise<{ at: number; frameOffset: number }> {
  let at = 0;
  let frameOffset = sought.base;
  if (sought.position === frameOffset) return { at, frameOffset };
  for await (const frame of framePlaces(handle, 0, sought.base)) {
    at = frame.at;
    frameOffset = frame.header.baseOffset;
    if (frameOffset + frame.header.count > sought.position) {
      if (await hasWholeFrame(handle, at, frameOffset)) return { at, frameOffset };
      break;
    }
    at += frame.header.frameBytes;
    frameOffset += frame.header.count;
  }
  if (frameOffset === sought.position) return { at, frameOffset };
  if (!sought.isLast || (await isDamage(handle, at))) {
    throw damagedError(segmentPath(sought.logDir, sought.partition, sought.base), frameOffset);
  }
  throw new UserError(
    `partition ${sought.partition} of the log ends at offset ${frameOffset}, but ${sought.position} was asked for`,
    {
      hint: 'This is another log than the one that was read before, or its end was lost: count it anew in a new --data-dir.',
    },
  );
}

/** The error for records that retention has deleted before they were read. */
export function deletedError(partition: number, asked: number, first: number): UserError {
  return new UserError(
    `partition ${partition} of the log begins at offset ${first} now, but ${asked} was asked for: the records between were deleted by retention`,
    {
      hint: 'If a lake has them, give it to run: --archive DIR|s3://…; else count anew in a new --data-dir. Keep the log longer next time.',
    },
  );
}

async function hasWholeFrame(handle: FileHandle, at: number, frameOffset: number): Promise<boolean> {
  const { done } = await wholeFrames(handle, at, frameOffset).next();
  return !done;
}

async function tryOpen(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw ioError(error, path, 'read');
  }
}

async function bytesOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return 0;
    throw ioError(error, path, 'read');
  }
}

/** Reads up to `length` bytes at `at` of the file to the beginning of `bytes`; fewer only at its end. */
async function readFully(handle: FileHandle, bytes: Buffer, length: number, at: number): Promise<number> {
  let done = 0;
  while (done < length) {
    const { bytesRead } = await handle.read(bytes, done, length - done, at + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return done;
}
