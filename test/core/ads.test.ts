// Pairs of ad and campaign by number: whoever numbered the records, and whatever was forgotten in between, a number stands
// for the texts of its record.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Ads } from '../../src/core/ads.js';
import type { DecodedBatch } from '../../src/core/decoded-batch.js';
import { createDecoder, type Decoder } from '../../src/core/decoder.js';
import { DEFAULT_METHOD } from '../../src/core/method.js';
import { rawBatchOf } from './raw-batch.js';

const SEED = Number(process.env.TEST_SEED ?? Math.floor(Math.random() * 2 ** 31));
const newDecoder = (): Decoder => createDecoder({ method: DEFAULT_METHOD, partitions: 1 });

type Pair = readonly [ad: string, campaign: string];

function batchOf(decoder: Decoder, pairs: readonly Pair[]): DecodedBatch {
  const records = pairs.map(([ad, campaign], offset) => {
    const click = {
      ...{ click_id: `c-${offset}`, event_time: 1_771_754_400_000, ad_id: ad, campaign_id: campaign },
      ...{ user_id: 'u', ip_address: '192.0.2.1', country: 'DE', device_type: 'tv' },
    };
    return { partition: 0, offset, value: Buffer.from(JSON.stringify(click)) };
  });
  return decoder.decode(rawBatchOf(records));
}

function numbersIn(ads: Ads, batch: DecodedBatch): number[] {
  return Array.from({ length: batch.count }, (_, i) => ads.indexOf(batch, i));
}

function textsOf(ads: Ads, numbers: readonly number[]): Pair[] {
  return numbers.map((number) => [ads.textOf(number).adId, ads.textOf(number).campaignId]);
}

// Few, so that they meet again; pairs whose texts are the same when put together, too.
const pair: fc.Arbitrary<Pair> = fc.constantFrom(
  ...(['a', 'ab', 'b', 'abc', 'é'] as const).flatMap((ad) =>
    (['c', 'bc', 'b', 'ab'] as const).map((campaign): Pair => [ad, campaign]),
  ),
);

test(`several decoders number them side by side (seed ${SEED})`, () => {
  const batches = fc.array(fc.record({ decoder: fc.nat(2), pairs: fc.array(pair, { maxLength: 30 }) }));
  fc.assert(
    fc.property(batches, (given) => {
      const decoders = [newDecoder(), newDecoder(), newDecoder()];
      const ads = new Ads();
      const known = new Map<string, number>();
      for (const { decoder, pairs } of given) {
        const numbers = numbersIn(ads, batchOf(decoders[decoder]!, pairs));
        expect(textsOf(ads, numbers)).toEqual(pairs);
        for (const [i, each] of pairs.entries()) {
          expect(numbers[i]).toBe(known.get(each.join('/')) ?? numbers[i]);
          known.set(each.join('/'), numbers[i]!);
        }
      }
    }),
    { seed: SEED },
  );
});

test('those that were forgotten are numbered anew, and the others stay', () => {
  const decoder = newDecoder();
  const ads = new Ads();
  const pairs = Array.from({ length: 10_000 }, (_, n): Pair => [`ad-${n}`, `c-${n % 7}`]);
  const before = numbersIn(ads, batchOf(decoder, pairs));
  expect(ads.shouldForget).toBe(true);
  const inUse = new Uint8Array(ads.count);
  for (const [n, number] of before.entries()) if (n % 3 === 0) inUse[number] = 1;
  ads.keep(inUse);
  // Others come first and take the numbers that became free.
  const others = pairs.map(([ad, campaign]): Pair => [`other-${ad}`, campaign]);
  expect(textsOf(ads, numbersIn(ads, batchOf(decoder, others)))).toEqual(others);
  const after = numbersIn(ads, batchOf(decoder, pairs));
  expect(textsOf(ads, after)).toEqual(pairs);
  expect(after.filter((_, n) => n % 3 === 0)).toEqual(before.filter((_, n) => n % 3 === 0));
});
