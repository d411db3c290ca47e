// Names of a lake's objects. As in a folder, what is not for readers begins with `_`, and nothing below it looks
// like an hour folder, so that neither a glob nor a pattern of a whole key takes it for one.
import { commitName } from './layout.js';

export class S3Layout {
  readonly #base: string;

  /** `prefix` without slashes at its ends. */
  constructor(prefix: string) {
    this.#base = prefix === '' ? '' : `${prefix}/`;
  }

  key(path: string): string {
    return `${this.#base}${path}`;
  }

  pathOf(key: string): string {
    return key.slice(this.#base.length);
  }

  /** Manifest entries, one a commit. */
  get commits(): string {
    return this.key('_commits/');
  }

  /** Files whose commit is to come, or happened so lately that they are not copied to their places yet. */
  get staging(): string {
    return this.key('_staging/');
  }

  /** Files that a compaction replaced, for those who began to read before it. */
  get removed(): string {
    return this.key('_removed/');
  }

  /** There while a reader waits for what the writer has read but not written. */
  get flushAsked(): string {
    return this.key('_flush-asked');
  }

  /** Says that this is a lake, and shows that the service puts an object only where there is none. */
  get mark(): string {
    return this.key('_lake.json');
  }

  /** Named by what is in it: two writers that make the same commit can't get in each other's way. */
  staged(commit: number, sha256: string): string {
    return `${this.staging}${commitName(commit)}/${sha256}.parquet`;
  }

  removedFile(path: string): string {
    return `${this.removed}${path.replaceAll('/', '__')}`;
  }
}
