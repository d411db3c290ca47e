// Group commit: clicks that come while a group is being written and synced form the next one. So a lone click waits for
// one write, and a thousand at a time for two, not for a thousand; nobody waits for a timer.
import type { LogWriter } from '../adapters/embedded/log-writer.js';
import { UserError } from '../errors.js';
import { ClickGroup } from './click-group.js';
import { type LoggedClick, SpoolFullError, SYNC_INTERVAL_MS, type SyncMode } from './click-log.js';

export interface GroupCommitOptions {
  log: LogWriter;
  sync: SyncMode;
  /** A group was written. */
  onTaken?: (records: number, bytes: number) => void;
  /** Everything below these offsets is durable. */
  onDurable?: (ends: ReadonlyMap<number, number>) => void;
}

export class GroupCommit {
  taken = 0;
  refused = 0;
  /** Why the last group was not written; undefined: it was. */
  trouble: string | undefined;
  readonly #log: LogWriter;
  readonly #sync: SyncMode;
  readonly #onTaken: (records: number, bytes: number) => void;
  readonly #onDurable: (ends: ReadonlyMap<number, number>) => void;
  #filling: ClickGroup;
  #spare: ClickGroup;
  #writing: Promise<void> | undefined;
  #syncTimer: NodeJS.Timeout | undefined;

  constructor({ log, sync, onTaken = () => {}, onDurable = () => {} }: GroupCommitOptions) {
    this.#log = log;
    this.#sync = sync;
    this.#onTaken = onTaken;
    this.#onDurable = onDurable;
    this.#filling = new ClickGroup(log.partitions);
    this.#spare = new ClickGroup(log.partitions);
  }

  /** Clicks that are not written yet, and their bytes. */
  get pending(): { records: number; bytes: number } {
    return { records: this.#filling.count, bytes: this.#filling.used };
  }

  append(click: LoggedClick): Promise<void> {
    const group = this.#filling;
    if (!group.add(click, Date.now())) {
      this.refused++;
      return Promise.reject(
        new SpoolFullError('clicks come faster than the disk takes them', 1, {
          hint: 'Use a faster disk, or --spool-sync interval.',
        }),
      );
    }
    this.#writing ??= this.#writeAll();
    return group.written();
  }

  /** Writes and syncs everything that was taken. */
  async finish(): Promise<void> {
    await this.#writing;
    clearTimeout(this.#syncTimer);
    await this.#flush();
  }

  async #writeAll(): Promise<void> {
    // All that arrive in this turn of the event loop are in the group: a sync costs as much CPU as several clicks.
    await new Promise((resolve) => setImmediate(resolve));
    let tell = (): void => {};
    while (this.#filling.count > 0) {
      const group = this.#filling;
      this.#filling = this.#spare;
      this.#spare = group;
      const writing = this.#write(group);
      // Only now are those told who wait for the group before: the disk writes while they are answered.
      tell();
      const error = await writing;
      tell = group.done(error);
    }
    tell();
    this.#writing = undefined;
  }

  /** Gives what went wrong. */
  async #write(group: ClickGroup): Promise<unknown> {
    const { count, used } = group;
    try {
      await this.#log.append(group.batch());
      this.#onTaken(count, used);
      if (this.#sync === 'always') await this.#flush();
      else this.#syncTimer ??= setTimeout(() => void this.#syncLater(), SYNC_INTERVAL_MS);
      this.trouble = undefined;
      this.taken += count;
      return undefined;
    } catch (error) {
      this.refused += count;
      return this.#refusal(error);
    }
  }

  async #flush(): Promise<void> {
    this.#onDurable(await this.#log.flush());
  }

  async #syncLater(): Promise<void> {
    this.#syncTimer = undefined;
    try {
      await this.#flush();
    } catch (error) {
      this.#refusal(error); // from here on the log refuses every click by itself
    }
  }

  /** What the disk refuses, as a word to whoever sent the click; a bug stays what it is. */
  #refusal(error: unknown): unknown {
    if (!(error instanceof UserError)) return error;
    this.trouble = error.message;
    const { hint } = error;
    return new SpoolFullError(error.message, 10, { ...(hint ? { hint } : {}), cause: error });
  }
}
