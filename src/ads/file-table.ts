// The ads table as a file of the data directory, for a laptop and a demo: all of it in memory, written as a whole, and
// read again when it has changed on disk, whoever changed it.
import { open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf, ioError, makeFolder, syncDirectory } from '../adapters/embedded/layout.js';
import { type Lock, livingHolder, takeLock } from '../adapters/embedded/lock.js';
import { UserError } from '../errors.js';
import type { Ad, AdsFilter, AdsTable, CampaignPrice, Upserted } from './ad.js';
import { AdBook, isWanted, upsertedOf } from './ad-book.js';
import { bookOf, fileTextOf } from './ads-file.js';

/** More are better off in PostgreSQL: the file is written as a whole. */
const ADS_MAX = 100_000;
const PAGE = 1_000;
/** Another process that writes takes milliseconds. */
const LOCK_WAIT_MS = 10_000;
const LOCK_STEP_MS = 20;

interface Content {
  /** Of the file that was read, so that a change is seen; undefined: there is none. */
  stamp: string | undefined;
  book: AdBook;
}

/** The table in `DATA/ads.json`; one that isn't there is empty. Nothing is read or made yet. */
export function openFileTable(dataDir: string): AdsTable {
  return new FileTable(join(dataDir, 'ads.json'));
}

class FileTable implements AdsTable {
  readonly description: string;
  private content: Content = { stamp: undefined, book: new AdBook() };

  constructor(private readonly path: string) {
    this.description = path;
  }

  async get(adIds: readonly string[]): Promise<Ad[]> {
    return found(await this.fresh(), adIds);
  }

  async *list(filter: AdsFilter = {}): AsyncGenerator<Ad[]> {
    const ads = (await this.fresh()).list().filter((ad) => isWanted(ad, filter));
    for (let from = 0; from < ads.length; from += PAGE) yield ads.slice(from, from + PAGE);
  }

  async upsert(ads: readonly Ad[]): Promise<Upserted> {
    await this.makeFolder();
    const lock = await this.lock();
    try {
      const book = await this.fresh();
      const adIds = [...new Set(ads.map(({ adId }) => adId))];
      const before = found(book, adIds);
      // Until it is written, nobody shall read it: the next one to read finds the file's stamp another.
      this.content = { stamp: undefined, book: new AdBook() };
      book.put(ads);
      if (book.size > ADS_MAX) {
        throw new UserError(`${this.path} would hold more than ${ADS_MAX} ads`, {
          hint: 'Keep them in PostgreSQL: --ads postgres://user@host:port/database.',
        });
      }
      const upserted = upsertedOf(before, found(book, adIds));
      if (upserted.written.length > 0) await this.write(fileTextOf(book));
      return upserted;
    } finally {
      lock.release();
    }
  }

  async campaignsOf(advertiserId: string): Promise<string[]> {
    return (await this.fresh()).campaignsOf(advertiserId);
  }

  async advertiserOf(campaignId: string): Promise<string | undefined> {
    return (await this.fresh()).advertiserOf(campaignId);
  }

  async prices(): Promise<CampaignPrice[]> {
    return (await this.fresh()).prices();
  }

  async close(): Promise<void> {}

  /** What the file says now. */
  private async fresh(): Promise<AdBook> {
    const stamp = await this.stamp();
    if (stamp !== this.content.stamp) this.content = { stamp, book: await this.read() };
    return this.content.book;
  }

  private async stamp(): Promise<string | undefined> {
    try {
      const { ino, mtimeNs, size } = await stat(this.path, { bigint: true });
      return `${ino}:${mtimeNs}:${size}`;
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined;
      throw ioError(error, this.path, 'read');
    }
  }

  private async read(): Promise<AdBook> {
    try {
      return bookOf(await readFile(this.path, 'utf8'), this.path);
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return new AdBook();
      throw ioError(error, this.path, 'read');
    }
  }

  private async makeFolder(): Promise<void> {
    try {
      await makeFolder(dirname(this.path));
    } catch (error) {
      throw ioError(error, this.path, 'write');
    }
  }

  private async lock(): Promise<Lock> {
    const file = `${this.path}.lock`;
    const untilMs = Date.now() + LOCK_WAIT_MS;
    while (livingHolder(file) !== undefined && Date.now() < untilMs) await sleep(LOCK_STEP_MS);
    return await takeLock(file, `${this.path} is written`);
  }

  /** In one step: a reader, and whoever comes after a crash, finds the old file or the new one. */
  private async write(text: string): Promise<void> {
    const proposal = `${this.path}.${process.pid}.new`;
    try {
      const handle = await open(proposal, 'w');
      try {
        await handle.writeFile(text);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(proposal, this.path);
      await syncDirectory(dirname(this.path));
    } catch (error) {
      throw ioError(error, this.path, 'write');
    } finally {
      await rm(proposal, { force: true });
    }
  }
}

function found(book: AdBook, adIds: readonly string[]): Ad[] {
  return adIds.flatMap((adId) => book.get(adId) ?? []);
}
