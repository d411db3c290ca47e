// An address is the whole state of a view: every place survives its address, and addresses that people mistype lead
// somewhere sensible.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  addressOf,
  DIMENSIONS,
  filtersOf,
  PERIODS,
  type Place,
  placeAbout,
  placeOf,
  toggled,
} from '../../src/web/place.js';

const at = (address: string): Place => placeOf(new URL(address, 'http://dashboard.example'));

const names = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 12, unit: 'grapheme' }), { maxLength: 3 });
const countries = fc.uniqueArray(fc.constantFrom('DE', 'US', 'FR', 'ZZ'), { maxLength: 3 });
const places: fc.Arbitrary<Place> = fc.record({
  page: fc.option(
    fc.record({
      dimension: fc.constantFrom('campaign', 'ad'),
      // A browser takes a path of dots for a step upwards, whatever it is escaped to.
      value: fc
        .string({ minLength: 1, maxLength: 12, unit: 'grapheme' })
        .filter((text) => !/^\.{1,2}$/.test(text)),
    }),
    { nil: undefined },
  ),
  filters: fc.record({ campaign: names, ad: names, country: countries, device: names }),
  period: fc.constantFrom(...PERIODS),
  splitBy: fc.constantFrom(undefined, 'country', 'device'),
  asTable: fc.boolean(),
});

test('every place survives its address, whatever the names in it', () => {
  fc.assert(
    fc.property(places, (place) => {
      expect(at(addressOf(place))).toEqual(place);
    }),
  );
});

test('an address that makes no sense is the overview without what it can’t mean', () => {
  const overview = at('/');
  expect(overview).toMatchObject({ page: undefined, period: '60m', splitBy: undefined, asTable: false });
  for (const address of ['/ads/', '/ads/%E0%A4%A', '/ads/a/b', '/nothing', '/?last=5y&split=colour&ad='])
    expect(at(address)).toEqual(overview);
  expect(at('/countries/de').page).toEqual({ dimension: 'country', value: 'DE' });
  expect(at('/campaigns/c-1?split=campaign').splitBy).toBeUndefined();
});

test('a page is about its value, whatever was filtered on that dimension before', () => {
  const filtered = toggled(toggled(at('/'), 'campaign', 'c-1'), 'country', 'DE');
  expect(filtersOf(filtered)).toEqual({ campaign: ['c-1'], country: ['DE'] });
  const page = placeAbout(filtered, 'campaign', 'c-2')!;
  expect(filtersOf(page)).toEqual({ campaign: ['c-2'], country: ['DE'] });
  expect(filtersOf(page, 'country')).toEqual({ campaign: ['c-2'] });
  expect(placeAbout(filtered, 'device', 'mobile')).toBeUndefined();
});

test('a value is chosen once, and choosing it again takes it away', () => {
  for (const dimension of DIMENSIONS) {
    const chosen = toggled(at('/'), dimension, 'x');
    expect(chosen.filters[dimension]).toEqual(['x']);
    expect(toggled(chosen, dimension, 'x')).toEqual(at('/'));
  }
});
