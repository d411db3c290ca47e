// What an advertiser may see: its campaigns, by the ads table, remembered for a moment. Where the table can't be asked,
// nobody sees more than it said last, and that not for long.
import { UserError } from '../errors.js';
import type { Scope } from './answer.js';
import type { Viewer } from './tokens.js';

/** A campaign that changes hands is out of sight so soon. */
const FRESH_MS = 5_000;
/** So long the last answer serves while the table is gone. */
const STALE_MS = 300_000;
const ADVERTISERS_MAX = 10_000;

/** Campaign ids of an advertiser; UserError: the table can't be asked. */
export type CampaignsOf = (advertiserId: string) => Promise<readonly string[]>;

interface Remembered {
  atMs: number;
  campaigns: readonly string[] | undefined;
  asking: Promise<readonly string[]> | undefined;
}

export class Scopes {
  private readonly remembered = new Map<string, Remembered>();

  constructor(private readonly campaignsOf: CampaignsOf) {}

  /** UserError: it can't be known at the moment. */
  async of(viewer: Viewer): Promise<Scope> {
    if (viewer.role !== 'advertiser') return undefined;
    const { advertiserId } = viewer;
    const known = this.remembered.get(advertiserId) ?? {
      atMs: -Infinity,
      campaigns: undefined,
      asking: undefined,
    };
    this.remember(advertiserId, known);
    if (known.campaigns && Date.now() - known.atMs < FRESH_MS) return known.campaigns;
    known.asking ??= this.campaignsOf(advertiserId).finally(() => {
      known.asking = undefined;
    });
    try {
      known.campaigns = await known.asking;
      known.atMs = Date.now();
      return known.campaigns;
    } catch (error) {
      const usable = known.campaigns !== undefined && Date.now() - known.atMs < STALE_MS;
      if (!(error instanceof UserError) || !usable) throw error;
      return known.campaigns;
    }
  }

  /** The one that was asked for longest ago is forgotten. */
  private remember(advertiserId: string, known: Remembered): void {
    this.remembered.delete(advertiserId);
    this.remembered.set(advertiserId, known);
    if (this.remembered.size <= ADVERTISERS_MAX) return;
    const [oldest] = this.remembered.keys();
    this.remembered.delete(oldest!);
  }
}
