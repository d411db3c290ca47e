// Bills in exact decimals, and what a closed bill owes or is owed afterwards.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  adjustmentsFor,
  amountOf,
  billingLines,
  parsePrice,
  periodIdOf,
  priceListOf,
  sumOf,
  totalsByCurrency,
} from '../../src/batch/billing.js';
import type { ClosedPeriod } from '../../src/core/ports/books.js';

const priced = (text: string, name = 'prices.csv') =>
  priceListOf({ price: undefined, currency: 'EUR', file: { name, text } });

describe('money', () => {
  test('is the exact product, with the decimal places of the price', () => {
    expect(amountOf(3, '0.10')).toBe('0.30');
    expect(amountOf(9_007_199_254_740_991, '0.000000000001')).toBe('9007.199254740991');
    expect(amountOf(9_007_199_254_740_991, '999999999999.999999999999')).toBe(
      '9007199254740990999999990992.800745259009',
    );
    expect(amountOf(-7, '0.125')).toBe('-0.875');
    expect(amountOf(5, '2')).toBe('10');
    expect(sumOf(['0.1', '0.25', '-1'])).toBe('-0.65');
    expect(sumOf([])).toBe('0');
  });

  test('agrees with whole-number arithmetic for any price', () => {
    fc.assert(
      fc.property(fc.nat(999_999), fc.nat(999_999), fc.maxSafeNat(), (whole, fraction, clicks) => {
        const price = `${whole}.${String(fraction).padStart(6, '0')}`;
        const micros = (BigInt(whole) * 1_000_000n + BigInt(fraction)) * BigInt(clicks);
        const expected = `${micros / 1_000_000n}.${String(micros % 1_000_000n).padStart(6, '0')}`;
        expect(amountOf(clicks, price)).toBe(expected);
      }),
    );
  });

  test.each(['', '-1', '1e3', '0,10', '.5', '1.', '١', '1.2.3', '0.1234567890123'])(
    'refuses %j as a price',
    (text) => {
      expect(() => parsePrice(text, '--price')).toThrow('is no price');
    },
  );
});

describe('a price list', () => {
  test('is CSV with quotes, a header and currencies, or JSON with prices as strings', () => {
    const csv = priced('campaign_id,price,currency\r\n"a,""b""",0.10,USD\n\nc , 2 \n');
    expect([...csv.campaigns]).toEqual([
      ['a,"b"', { price: '0.10', currency: 'USD' }],
      ['c', { price: '2', currency: 'EUR' }],
    ]);
    expect([...priced('{"__proto__":"1.5"}', 'p.json').campaigns.keys()]).toEqual(['__proto__']);
    const list = priced('[{"campaign_id":"x","price":"0.1","currency":"CHF"}]', 'p.json');
    expect(list.campaigns.get('x')).toEqual({ price: '0.1', currency: 'CHF' });
  });

  test.each([
    ['a,1\na,2\n', 'p.csv', 'p.csv, line 2: campaign a has a price already'],
    ['a\n', 'p.csv', 'p.csv, line 1: not campaign_id,price[,currency]'],
    ['a,b\n', 'p.csv', '"b" is no price'],
    ['a,1,euro\n', 'p.csv', '"euro" is no currency'],
    ['{"a":0.1}', 'p.json', 'campaign_id and price must be strings'],
    ['{', 'p.json', 'p.json is no JSON'],
    ['null', 'p.json', 'must be a list or an object'],
  ])('says where %j is wrong', (text, name, line) => {
    expect(() => priced(text, name)).toThrow(line);
  });

  test('must have a price for every campaign, its own or the standard one', () => {
    const clicks = new Map([['a', 2]]);
    expect(() => billingLines(clicks, priced('b,1\n'))).toThrow('campaign a has no price');
    const standard = priceListOf({ price: '0.5', currency: 'EUR', file: undefined });
    expect(billingLines(clicks, standard)).toEqual([
      { campaignId: 'a', clicks: 2, pricePerClick: '0.5', amount: '1.0', currency: 'EUR' },
    ]);
  });

  test('is summed by currency', () => {
    const lines = [
      { clicks: 1, amount: '0.10', currency: 'USD' },
      { clicks: 2, amount: '0.2', currency: 'EUR' },
      { clicks: 3, amount: '0.25', currency: 'USD' },
    ];
    expect(totalsByCurrency(lines)).toEqual([
      { currency: 'EUR', clicks: 2, amount: '0.2' },
      { currency: 'USD', clicks: 4, amount: '0.35' },
    ]);
  });
});

describe('adjustments', () => {
  const period: ClosedPeriod = {
    periodId: periodIdOf({ fromMs: 0, toMs: 3_600_000 }),
    ...{ fromMs: 0, toMs: 3_600_000, closedAtMs: 5, methodHash: 'h' },
    lines: [
      { campaignId: 'a', clicks: 10, pricePerClick: '0.10', amount: '1.00', currency: 'EUR' },
      { campaignId: 'b', clicks: 4, pricePerClick: '0.20', amount: '0.80', currency: 'EUR' },
    ],
  };
  const prices = priceListOf({ price: '9', currency: 'USD', file: undefined });
  const late = { cause: 'late clicks', recordedAtMs: 7 };

  test('bring the invoice and those before to the present clicks, at the price of the invoice', () => {
    const now = new Map([
      ['a', 8],
      ['b', 4],
      ['c', 1],
    ]);
    const first = adjustmentsFor(period, [], now, prices, late);
    const common = { periodId: '1970-01-01T00:00Z/1970-01-01T01:00Z', ...late };
    expect(first).toEqual([
      { ...common, campaignId: 'a', clicks: -2, pricePerClick: '0.10', amount: '-0.20', currency: 'EUR' },
      { ...common, campaignId: 'c', clicks: 1, pricePerClick: '9', amount: '9', currency: 'USD' },
    ]);
    expect(adjustmentsFor(period, first, now, prices, late)).toEqual([]);
    // A campaign that came by adjustment keeps the price of it; one that is gone is credited wholly.
    const later = adjustmentsFor(
      period,
      first,
      new Map([
        ['a', 8],
        ['c', 3],
      ]),
      priced('c,1\n'),
      late,
    );
    expect(later).toMatchObject([
      { campaignId: 'b', clicks: -4, amount: '-0.80' },
      { campaignId: 'c', clicks: 2, pricePerClick: '9', amount: '18' },
    ]);
  });
});
