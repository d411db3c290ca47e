// Draws from any finite distribution in constant time: Walker's alias method, with the table built in
// linear time as in M. D. Vose, "A linear algorithm for generating random numbers with a given
// distribution", IEEE Transactions on Software Engineering 17(9), 1991. Ads by popularity, countries and
// devices by share all come from such a table.
import { invariant } from '../../errors.js';

export class AliasTable {
  readonly size: number;
  /** Of 2^32: how often slot `i` stands for itself; else it stands for `alias[i]`. */
  private readonly keep: Float64Array;
  private readonly alias: Int32Array;

  /** `weights` need not sum to 1; none may be negative, and one must be above zero. */
  constructor(weights: Float64Array) {
    const size = weights.length;
    let sum = 0;
    for (const weight of weights) {
      invariant(weight >= 0, 'weights are not negative');
      sum += weight;
    }
    invariant(sum > 0, 'some weight is above zero');
    this.size = size;
    this.keep = new Float64Array(size);
    this.alias = new Int32Array(size);
    this.build(weights, size / sum);
  }

  private build(weights: Float64Array, scale: number): void {
    const { keep, alias, size } = this;
    // One array, small slots stacked from the left and large ones from the right.
    const stack = new Int32Array(size);
    let smalls = 0;
    let larges = size;
    for (let i = 0; i < size; i++) {
      keep[i] = weights[i] * scale;
      alias[i] = i;
      if (keep[i] < 1) stack[smalls++] = i;
      else stack[--larges] = i;
    }
    while (smalls > 0 && larges < size) {
      const small = stack[--smalls];
      const large = stack[larges];
      alias[small] = large;
      keep[large] -= 1 - keep[small];
      if (keep[large] < 1) {
        larges++;
        stack[smalls++] = large;
      }
    }
    // What is left over differs from 1 by rounding only.
    while (smalls > 0) keep[stack[--smalls]] = 1;
    while (larges < size) keep[stack[larges++]] = 1;
    for (let i = 0; i < size; i++) keep[i] *= 4294967296;
  }

  /** Index drawn by two independent words of 32 random bits. */
  draw(slotWord: number, keepWord: number): number {
    const slot = Math.floor((slotWord >>> 0) * 2.3283064365386963e-10 * this.size);
    return keepWord >>> 0 < this.keep[slot] ? slot : this.alias[slot];
  }
}

/** Zipf's law: the weight of rank r (from 1) is r^-exponent; 0 makes all alike. */
export function zipfWeights(size: number, exponent: number): Float64Array {
  const weights = new Float64Array(size);
  // By exp and log, which every V8 computes alike to the last bit; its pow has changed over the years.
  for (let rank = 1; rank <= size; rank++) weights[rank - 1] = Math.exp(-exponent * Math.log(rank));
  return weights;
}
