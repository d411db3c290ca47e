// Numbers for the pairs (ad_id, campaign_id) of one decoder's records: who has seen a number need not look at the texts
// again, which lie in the cache of the processor that decoded them.
import { Ads } from './ads.js';
import type { DecodedBatch } from './decoded-batch.js';

/** So many pairs are told apart; then numbering begins anew. */
const NUMBERS_MAX = 1_000_000;

/** An engine gets batches of one thread only, so this tells all numberings that it meets apart. */
let numberings = 0;

export class AdNumbers {
  private numbering = ++numberings;
  private ads = new Ads();

  /** To be called before the records of a batch are numbered. */
  begin(batch: DecodedBatch): void {
    if (this.ads.count > NUMBERS_MAX) {
      this.ads = new Ads();
      this.numbering = ++numberings;
    }
    batch.numbering = this.numbering;
  }

  /** Numbers record `i`, which must be sound. */
  put(batch: DecodedBatch, i: number): void {
    batch.adNumber[i] = this.ads.find(batch, i);
  }
}
