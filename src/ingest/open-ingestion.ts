// Puts together what the routes work with, from files and keys. Everything is read and checked before the first
// request: a database of countries that can't be read is found at the start, not by a click.
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { UserError } from '../errors.js';
import { openCountries } from './countries.js';
import type { Ingestion } from './ingestion.js';
import { type DatacenterNetworks, senderMarks } from './invalid-traffic.js';
import { networksOfLines } from './networks.js';
import { pseudonymsOf } from './pseudonyms.js';
import { newTally } from './tally.js';
import { userAgentReader } from './user-agents.js';

/** A mark has 128 bytes at most: `data centre (…)`. */
const LIST_NAME_MAX = 100;

export interface IngestionSpec
  extends Pick<
    Ingestion,
    'log' | 'targets' | 'seen' | 'signingKeys' | 'apiKeys' | 'batchLimit' | 'clockSkewMs' | 'warn'
  > {
  countryHeader: string | undefined;
  geoipFile: string | undefined;
  datacenterFiles: readonly string[];
  /** Absent: nothing is pseudonymised. */
  pseudonymKey: string | undefined;
}

/** UserError: a file can't be read. */
export async function openIngestion(spec: IngestionSpec): Promise<Ingestion> {
  const { countryHeader, geoipFile, datacenterFiles, pseudonymKey, ...rest } = spec;
  return {
    ...rest,
    countries: await openCountries({ header: countryHeader, geoipFile }),
    userAgents: userAgentReader(),
    marks: senderMarks(await Promise.all(datacenterFiles.map(readNetworks))),
    pseudonyms: pseudonymKey === undefined ? undefined : pseudonymsOf(pseudonymKey),
    tally: newTally(),
  };
}

async function readNetworks(file: string): Promise<DatacenterNetworks> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw new UserError(`can't read the networks in ${file}: ${(error as Error).message}`, { cause: error });
  }
  const name = clippedName(basename(file));
  return { name, networks: networksOfLines(text, file) };
}

function clippedName(name: string): string {
  return Buffer.byteLength(name) <= LIST_NAME_MAX ? name : `${name.slice(0, LIST_NAME_MAX / 4)}…`;
}
