// A hold on the head, for what has to look at very many rows of one commit: as long as it is renewed, writers wait. It is
// no lock: whoever waited in vain goes on, and then the holder finds the head moved.
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RowDatabase } from './database.js';
import { type KnownHead, readHead, swapHead } from './head.js';

const RENEWAL_MS = 3_000;
/** A hold that was not renewed for so long is nobody's any more. */
const LIFE_MS = 15_000;
const LOOK_STEP_MS = 50;

export class Hold {
  private renewal: Promise<void> = Promise.resolve();
  private readonly timer: NodeJS.Timeout;

  private constructor(
    private readonly database: RowDatabase,
    private head: KnownHead | undefined,
  ) {
    this.timer = setInterval(() => {
      this.renewal = this.renewal.then(() => this.renew());
    }, RENEWAL_MS);
    this.timer.unref();
  }

  /** Holds the head, with nothing pending; undefined: it moved. */
  static async take(database: RowDatabase, head: KnownHead): Promise<Hold | undefined> {
    const held = await swapHead(database, head, { ...head.state, hold: randomBytes(8).toString('hex') });
    return held && new Hold(database, held);
  }

  /** Renews it no more; gives the head, or undefined where it moved and others may have written. */
  async end(): Promise<KnownHead | undefined> {
    clearInterval(this.timer);
    await this.renewal;
    return this.head;
  }

  /** Lets writers go on. False: they have not waited to the end. */
  async release(): Promise<boolean> {
    const head = await this.end();
    return head !== undefined && (await freed(this.database, head)) !== undefined;
  }

  private async renew(): Promise<void> {
    if (!this.head) return;
    const [renewed] = await Promise.allSettled([swapHead(this.database, this.head, this.head.state)]);
    // What can't be renewed now may be the next time; if it can't, the release finds out.
    if (renewed.status === 'fulfilled') this.head = renewed.value;
  }
}

/** The head without a hold; undefined: it moved. */
async function freed(database: RowDatabase, head: KnownHead): Promise<KnownHead | undefined> {
  return await swapHead(database, head, { ...head.state, hold: undefined });
}

/** Waits until nobody holds the head; gives it as it is then, or undefined where it moved and must be looked at again. */
export async function unheld(database: RowDatabase, head: KnownHead): Promise<KnownHead | undefined> {
  if (head.state.hold === undefined) return head;
  for (let waited = 0; waited < LIFE_MS; waited += LOOK_STEP_MS) {
    await sleep(LOOK_STEP_MS);
    const now = await readHead(database);
    if (now?.revision !== head.revision) return undefined;
  }
  return await freed(database, head);
}
