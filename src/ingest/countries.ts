// Where a click is from: what a trusted proxy says, else what a local database knows about the address.
import type { IncomingHttpHeaders } from 'node:http';
import type { CountryResponse, Reader } from 'maxmind';
import { UserError } from '../errors.js';
import type { Caller } from './caller.js';

/** A code that ISO 3166 leaves to its users: nobody knows. */
export const UNKNOWN_COUNTRY = 'ZZ';
/** Said by CDNs where they don't know, or won't tell (Tor). */
const NO_COUNTRIES = new Set(['XX', 'T1', 'ZZ', 'A1', 'A2', 'O1', 'EU', 'AP']);
/** Lookups that are kept: an address asks several times in a row. */
const CACHED_MAX = 20_000;

export interface Countries {
  /** Two letters A to Z. */
  of(caller: Pick<Caller, 'address' | 'proxied'>, headers: IncomingHttpHeaders): string;
}

export interface CountryOptions {
  /** Header in which a trusted proxy names the country. */
  header: string | undefined;
  /** MaxMind database. */
  geoipFile: string | undefined;
}

/** UserError: the database can't be read. */
export async function openCountries({ header, geoipFile }: CountryOptions): Promise<Countries> {
  const name = header?.toLowerCase();
  const database = geoipFile === undefined ? undefined : await openDatabase(geoipFile);
  return {
    of({ address, proxied }, headers) {
      const said = name !== undefined && proxied ? headers[name] : undefined;
      return countryCode(said) ?? countryCode(found(database, address.text)) ?? UNKNOWN_COUNTRY;
    },
  };
}

async function openDatabase(file: string): Promise<Reader<CountryResponse>> {
  const { open } = await import('maxmind');
  try {
    return await open<CountryResponse>(file, { cache: { max: CACHED_MAX } });
  } catch (error) {
    throw new UserError(`can't read ${file} as a MaxMind database: ${(error as Error).message}`, {
      hint: 'Give --geoip a .mmdb file such as GeoLite2-Country.mmdb.',
      cause: error,
    });
  }
}

function found(database: Reader<CountryResponse> | undefined, address: string): string | undefined {
  const record = database?.get(address);
  return record?.country?.iso_code ?? record?.registered_country?.iso_code;
}

function countryCode(said: string | string[] | undefined): string | undefined {
  if (typeof said !== 'string' || !/^[A-Za-z]{2}$/.test(said)) return undefined;
  const code = said.toUpperCase();
  return NO_COUNTRIES.has(code) ? undefined : code;
}
