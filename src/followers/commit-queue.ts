// Commits on the disk, in order, for the stores that follow: written before the first store makes them, and kept until
// the last follower has them. A file holds consecutive numbers and is named after its first one; it is removed as a
// whole. So long as nothing tells what became of the newest commit, it is not given to anybody.
import { type FileHandle, open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf, ioError, makeFolder, syncDirectory } from '../adapters/embedded/layout.js';
import { invariant } from '../errors.js';
import { commitOfFrame, type FramePlace, frameOf, type QueuedCommit, readFrame } from './commit-frames.js';

/** A file that is longer gets no more commits. */
const FILE_BYTES_MAX = 32 * 1024 * 1024;
const FILE_NAME = /^(\d{20})\.commits$/;

interface QueueFile {
  path: string;
  /** Its frames, in order; their numbers are consecutive. */
  frames: FramePlace[];
  bytes: number;
}

export interface CommitQueueOptions {
  folder: string;
  /** More than this is not kept: the oldest files go, whoever still needs them. */
  bytesMax: number;
  fileBytesMax?: number;
}

export class CommitQueue {
  private readonly files: QueueFile[] = [];
  /** The newest file, open to write. */
  private handle: FileHandle | undefined;
  /** The newest commit, while nobody knows whether the store made it. */
  private inDoubt: FramePlace | undefined;

  private constructor(private readonly options: CommitQueueOptions) {}

  /** Opens the queue in a folder, making it. What a crash cut off is taken away. UserError: the disk won't have it. */
  static async open(options: CommitQueueOptions): Promise<CommitQueue> {
    const queue = new CommitQueue(options);
    try {
      await makeFolder(options.folder);
      const names = (await readdir(options.folder)).filter((name) => FILE_NAME.test(name)).sort();
      for (const name of names) await queue.readFile(join(options.folder, name));
    } catch (error) {
      throw ioError(error, options.folder, 'read');
    }
    queue.inDoubt = queue.newest;
    return queue;
  }

  private async readFile(path: string): Promise<void> {
    const handle = await open(path, 'r+');
    try {
      const frames: FramePlace[] = [];
      let at = 0;
      for (;;) {
        const found = await readFrame(handle, at);
        const expected = frames.length === 0 ? found?.place.number : frames.at(-1)!.number + 1;
        if (!found || found.place.number !== expected) break;
        frames.push(found.place);
        at += found.place.bytes;
      }
      await handle.truncate(at);
      if (frames.length > 0) this.files.push({ path, frames, bytes: at });
      else await rm(path);
    } finally {
      await handle.close();
    }
  }

  /** The newest commit that is here, whatever became of it. */
  get newest(): FramePlace | undefined {
    return this.files.at(-1)?.frames.at(-1);
  }

  /** The newest commit, if nobody knows yet whether it was made. */
  get doubtful(): FramePlace | undefined {
    return this.inDoubt;
  }

  get bytes(): number {
    return this.files.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Writes a commit that is about to be made; it is durable when this returns. UserError: the disk won't have it. */
  async append(queued: QueuedCommit): Promise<void> {
    invariant(!this.inDoubt, 'a commit is queued behind one whose fate is unknown');
    const frame = frameOf(queued);
    const { number, epoch } = queued;
    try {
      const file = await this.fileFor(number);
      const place = { number, epoch, at: file.bytes, bytes: frame.length };
      await this.handle!.write(frame, 0, frame.length, file.bytes);
      await this.handle!.datasync();
      file.frames.push(place);
      file.bytes += frame.length;
      this.inDoubt = place;
    } catch (error) {
      if (this.files.at(-1)?.frames.length === 0) this.files.pop();
      throw ioError(error, this.options.folder, 'write');
    }
  }

  /** The file that a commit goes to: the newest, or a new one where that is full or the numbers make a jump. */
  private async fileFor(number: number): Promise<QueueFile> {
    const { folder, fileBytesMax = FILE_BYTES_MAX } = this.options;
    const last = this.files.at(-1);
    const goesOn = last && last.bytes < fileBytesMax && last.frames.at(-1)?.number === number - 1;
    if (goesOn && this.handle) return last;
    await this.handle?.close();
    this.handle = undefined;
    if (goesOn) {
      this.handle = await open(last.path, 'r+');
      return last;
    }
    const path = join(folder, `${String(number).padStart(20, '0')}.commits`);
    const file = { path, frames: [], bytes: 0 };
    this.handle = await open(path, 'w');
    await syncDirectory(folder);
    this.files.push(file);
    return file;
  }

  /** The commit in doubt was made: it may be given. */
  made(): void {
    this.inDoubt = undefined;
  }

  /** The commit in doubt was not made: it is dropped. */
  async dropDoubtful(): Promise<void> {
    const place = this.inDoubt;
    const file = this.files.at(-1);
    if (!place || !file) return;
    await this.handle?.close();
    this.handle = undefined;
    file.frames.pop();
    file.bytes = place.at;
    if (file.frames.length === 0) {
      this.files.pop();
      await rm(file.path, { force: true });
    } else {
      const handle = await open(file.path, 'r+');
      await handle.truncate(place.at);
      await handle.sync();
      await handle.close();
    }
    this.inDoubt = undefined;
  }

  /** Whether the commit is here and was made. */
  has(number: number): boolean {
    return this.placeOf(number) !== undefined;
  }

  private placeOf(number: number): { file: QueueFile; place: FramePlace } | undefined {
    if (number === this.inDoubt?.number) return undefined;
    for (const file of this.files) {
      const first = file.frames[0];
      const place = first && file.frames[number - first.number];
      if (place) return { file, place };
    }
    return undefined;
  }

  /** A commit that was made; undefined: it is not here. */
  async read(number: number): Promise<QueuedCommit | undefined> {
    const found = this.placeOf(number);
    if (!found) return undefined;
    let handle: FileHandle | undefined;
    try {
      handle = await open(found.file.path, 'r');
      const frame = await readFrame(handle, found.place.at);
      return frame && commitOfFrame(frame.frame);
    } catch (error) {
      // It was taken away meanwhile, since too much waits.
      if (codeOf(error) === 'ENOENT') return undefined;
      throw ioError(error, found.file.path, 'read');
    } finally {
      await handle?.close();
    }
  }

  /**
   * Removes files that nobody needs any more, all commits of which are numbered up to `number`, and the oldest ones
   * where too much waits. Gives the number of the last commit that was lost by that; undefined: none.
   */
  async trim(number: number): Promise<number | undefined> {
    const { bytesMax, fileBytesMax = FILE_BYTES_MAX } = this.options;
    let lost: number | undefined;
    while (this.files.length > 0) {
      const [oldest] = this.files as [QueueFile];
      const last = oldest.frames.at(-1);
      const isNewest = this.files.length === 1;
      const isApplied = !last || last.number <= number;
      if (isNewest && (oldest.bytes < fileBytesMax || this.inDoubt)) break;
      if (!isApplied && this.bytes <= bytesMax) break;
      if (isNewest && !isApplied) break;
      if (!isApplied) lost = last.number;
      this.files.shift();
      if (isNewest) {
        await this.handle?.close();
        this.handle = undefined;
      }
      await rm(oldest.path, { force: true });
    }
    return lost;
  }

  async close(): Promise<void> {
    await this.handle?.close();
    this.handle = undefined;
  }
}
