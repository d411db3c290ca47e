// Popularity is Zipf's, and the chance behind it is fair.
import { describe, expect, test } from 'vitest';
import { AliasTable, zipfWeights } from '../../src/core/loadgen/alias-table.js';
import { Random } from '../../src/core/loadgen/random.js';
import { clickIn, loadProfile, makeLoad, NOTHING_WRONG } from './load.js';

const SEED = 2024;

function drawn(table: AliasTable, draws: number): Float64Array {
  const random = new Random(SEED, 1);
  const counts = new Float64Array(table.size);
  for (let i = 0; i < draws; i++) counts[table.draw(random.word(), random.word())]++;
  return counts;
}

/** Pearson's chi-squared statistic; for many degrees of freedom normal around them with variance twice them. */
function chiSquared(counts: Float64Array, shares: Float64Array): number {
  const draws = counts.reduce((sum, count) => sum + count, 0);
  return counts.reduce((sum, count, i) => sum + (count - shares[i]! * draws) ** 2 / (shares[i]! * draws), 0);
}

function sharesOf(weights: Float64Array): Float64Array {
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => weight / sum);
}

describe('the alias table', () => {
  test.each([0, 0.7, 1, 1.3])('draws by Zipf’s law of exponent %d', (exponent) => {
    const weights = zipfWeights(200, exponent);
    const chi = chiSquared(drawn(new AliasTable(weights), 1_000_000), sharesOf(weights));
    expect(Math.abs(chi - 199)).toBeLessThan(5 * Math.sqrt(2 * 199));
  });

  test('never draws what has no weight, and always what has all', () => {
    const counts = drawn(new AliasTable(Float64Array.from([0, 3, 0, 0, 1])), 100_000);
    expect([counts[0], counts[2], counts[3]]).toEqual([0, 0, 0]);
    expect(counts[1]! / 100_000).toBeCloseTo(0.75, 2);
    expect([...drawn(new AliasTable(Float64Array.from([5])), 10)]).toEqual([10]);
  });
});

describe('the random numbers', () => {
  test('fill their range evenly', () => {
    const random = new Random(SEED, 0);
    const counts = new Float64Array(1000);
    for (let i = 0; i < 1_000_000; i++) counts[random.below(1000)]++;
    const chi = chiSquared(counts, new Float64Array(1000).fill(0.001));
    expect(Math.abs(chi - 999)).toBeLessThan(5 * Math.sqrt(2 * 999));
  });

  test('differ by seed and by stream, up to the greatest', () => {
    const first = (seed: number, stream: number) => new Random(seed, stream).word();
    const words = [
      first(0, 0),
      first(1, 0),
      first(2 ** 32, 0),
      first(2 ** 53 - 1, 0),
      first(0, 1),
      first(0, 2 ** 40),
    ];
    expect(new Set(words).size).toBe(words.length);
  });
});

describe('ads', () => {
  test('are clicked on by Zipf’s law, and belong to one campaign each', () => {
    const profile = loadProfile({ shares: NOTHING_WRONG, bots: 0, ads: 1000, campaigns: 30, zipf: 1 });
    const clicks = makeLoad(profile, 50_000).records.map((record) => clickIn(record)!);
    const counts = new Map<string, number>();
    const campaigns = new Map<string, Set<unknown>>();
    for (const { ad_id: ad, campaign_id: campaign } of clicks as Record<string, string>[]) {
      counts.set(ad!, (counts.get(ad!) ?? 0) + 1);
      campaigns.set(ad!, (campaigns.get(ad!) ?? new Set()).add(campaign));
    }
    const sorted = [...counts.values()].sort((a, b) => b - a);
    // Rank 1 to rank 32 at exponent 1: a straight line of slope -1 on log-log paper.
    const slope = Math.log(sorted[31]! / sorted[0]!) / Math.log(32);
    expect(slope).toBeCloseTo(-1, 1);
    expect([...campaigns.values()].every((set) => set.size === 1)).toBe(true);
    expect(new Set([...campaigns.values()].map((set) => [...set][0])).size).toBe(30);
  });
});
