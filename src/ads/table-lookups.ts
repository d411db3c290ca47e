// Questions to the ads table, gathered: while one is on its way, those that come wait together for the next. So a
// thousand misses of a moment are a query or two, and a table that doesn't answer is asked once a second, by one.
import { within } from '../pause.js';
import type { AdsTable, Target } from './ad.js';
import { TargetsUnavailableError } from './targets.js';

const QUERIES_AT_ONCE = 2;
const ADS_PER_QUERY = 1_000;
/** More ads that wait than this are too many: the table is drowning. */
const WAITING_MAX = 20_000;
const SILENCE_MS = 1_000;

interface Waiting {
  resolve: (target: Target | undefined) => void;
  reject: (error: Error) => void;
}

export class TableLookups {
  private readonly waiting = new Map<string, Waiting>();
  private underWay = 0;
  private silentUntilMs = 0;
  private failure: unknown;
  queries = 0;

  constructor(
    private readonly table: Pick<AdsTable, 'get' | 'description'>,
    private readonly options: { tableWaitMs: number; onChange?: ((line: string) => void) | undefined },
  ) {}

  get answers(): boolean {
    return this.failure === undefined;
  }

  /** The caller asks for an ad once at a time. TargetsUnavailableError: no answer. */
  async get(adId: string): Promise<Target | undefined> {
    const isSilent = this.failure !== undefined && performance.now() < this.silentUntilMs;
    if (isSilent || this.waiting.size >= WAITING_MAX) {
      throw new TargetsUnavailableError({ cause: this.failure });
    }
    return await new Promise((resolve, reject) => {
      this.waiting.set(adId, { resolve, reject });
      if (this.underWay < QUERIES_AT_ONCE) void this.ask();
    });
  }

  /** Asks for all that wait, until nobody does. */
  private async ask(): Promise<void> {
    this.underWay++;
    // Those of this turn of the event loop come along.
    await Promise.resolve();
    while (this.waiting.size > 0) {
      const group = [...this.waiting].slice(0, ADS_PER_QUERY);
      for (const [adId] of group) this.waiting.delete(adId);
      await this.query(group);
    }
    this.underWay--;
  }

  private async query(group: readonly (readonly [string, Waiting])[]): Promise<void> {
    // Of those who come after a failure one asks.
    if (this.failure !== undefined) this.silentUntilMs = performance.now() + SILENCE_MS;
    this.queries++;
    try {
      const ads = await within(this.options.tableWaitMs, this.table.get(group.map(([adId]) => adId)));
      if (this.failure !== undefined) this.options.onChange?.(`${this.table.description} answers again`);
      this.failure = undefined;
      const found = new Map(ads.map((ad) => [ad.adId, ad]));
      for (const [adId, { resolve }] of group) resolve(found.get(adId));
    } catch (error) {
      if (this.failure === undefined) this.options.onChange?.(this.lineOf(error));
      this.failure = error;
      this.silentUntilMs = performance.now() + SILENCE_MS;
      for (const [, { reject }] of group) reject(new TargetsUnavailableError({ cause: error }));
    }
  }

  private lineOf(error: unknown): string {
    const why = error instanceof Error ? error.message : String(error);
    return `no answer from the ads table (${why}): ads that were clicked before go on`;
  }
}
