// Countries: what a trusted proxy says, then what a database knows, else ZZ.
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseAddress } from '../../src/ingest/address.js';
import { openCountries } from '../../src/ingest/countries.js';
import { temporaryDirectory } from '../cli/click-agg.js';

/** Made by countries-mmdb.py. */
const DATABASE = join(import.meta.dirname, 'countries.mmdb');

const from = (address: string, proxied = false) => ({ address: parseAddress(address)!, proxied });

test('a database knows addresses, IPv4 in every spelling', async () => {
  const countries = await openCountries({ header: undefined, geoipFile: DATABASE });
  expect(countries.of(from('192.0.2.1'), {})).toBe('DE');
  expect(countries.of(from('::ffff:192.0.2.1'), {})).toBe('DE');
  expect(countries.of(from('192.0.2.200'), {})).toBe('FR');
  expect(countries.of(from('2001:db8:2::5'), {})).toBe('BR');
  expect(countries.of(from('198.51.100.1'), {})).toBe('ZZ');
  expect(countries.of(from('127.0.0.1'), {})).toBe('ZZ');
});

test('a header counts from proxies alone, and before the database', async () => {
  const countries = await openCountries({ header: 'CF-IPCountry', geoipFile: DATABASE });
  const headers = (country: string) => ({ 'cf-ipcountry': country });
  expect(countries.of(from('192.0.2.1', true), headers('jp'))).toBe('JP');
  expect(countries.of(from('192.0.2.1', false), headers('JP'))).toBe('DE');
  for (const unknown of ['XX', 'T1', '', 'Japan', 'J', 'ÄÖ']) {
    expect(countries.of(from('192.0.2.1', true), headers(unknown)), unknown).toBe('DE');
  }
  const alone = await openCountries({ header: 'CF-IPCountry', geoipFile: undefined });
  expect(alone.of(from('192.0.2.1', true), headers('XX'))).toBe('ZZ');
});

test('what is no database is refused in a line', async () => {
  const directory = temporaryDirectory();
  const missing = openCountries({ header: undefined, geoipFile: join(directory.path, 'none.mmdb') });
  await expect(missing).rejects.toThrow(/^can't read .*none\.mmdb as a MaxMind database: /);
  const none = openCountries({ header: undefined, geoipFile: import.meta.filename });
  await expect(none).rejects.toThrow(/countries\.test\.ts as a MaxMind database: /);
  directory.remove();
});
