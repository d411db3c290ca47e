// Options of the ingest server: whom it listens to, whom it believes, whom it keeps out.
import { z } from 'zod';
import { duration, integer, type OptionSpec, onOff, optionalText, text, texts } from './option.js';

const SERVER = 'Server';
const CLICK = 'What it finds out about a click';
const DEFENCE = 'Keeping bad people out';

/** A secret that is kept out of the command line, where others see it; several with commas between them. */
export function secretList(
  flag: string,
  about: string,
  charactersMin: number,
): OptionSpec<readonly string[]> {
  return {
    flag,
    group: DEFENCE,
    value: 'TEXT,…',
    about,
    secret: true,
    neverTyped: true,
    schema: z
      .string()
      .optional()
      .transform((given, context) => {
        const keys = (given ?? '')
          .split(',')
          .map((key) => key.trim())
          .filter((key) => key !== '');
        if (keys.every((key) => key.length >= charactersMin)) return keys;
        context.addIssue({ code: 'custom', message: `must have at least ${charactersMin} characters` });
        return z.NEVER;
      }) as z.ZodType<readonly string[]>,
  };
}

/** The keys of click URLs: also wanted by whoever makes such URLs. */
export const signingOption = {
  signingKey: secretList(
    'signing-key',
    'click URLs must be signed with this key (the first of several signs, all are accepted)',
    16,
  ),
};

export const ingestOptions = {
  host: text({
    flag: 'host',
    group: SERVER,
    value: 'HOST',
    default: '127.0.0.1',
    about: 'listen on this address; 0.0.0.0 lets other machines in',
  }),
  port: integer({
    flag: 'port',
    group: SERVER,
    value: 'PORT',
    default: '8080',
    min: 0,
    max: 65_535,
    about: 'and on this port; 0: any free one, which is logged',
  }),
  trustProxy: texts({
    flag: 'trust-proxy',
    group: SERVER,
    value: 'CIDR',
    about:
      'believe X-Forwarded-For and -Proto, and --country-header, from proxies in this network (10.0.0.0/8)',
  }),
  countryHeader: optionalText({
    flag: 'country-header',
    group: CLICK,
    value: 'NAME',
    about: 'header in which a trusted proxy names the country, such as CF-IPCountry',
  }),
  geoip: optionalText({
    flag: 'geoip',
    group: CLICK,
    value: 'FILE',
    about: 'MaxMind database (.mmdb) that knows the countries of addresses, where no header names one',
  }),
  pseudonymise: onOff({
    flag: 'pseudonymise',
    group: CLICK,
    about:
      'keep ip_address and user_id only as keyed hashes; no total changes. Needs CLICK_AGG_PSEUDONYM_KEY',
  }),
  pseudonymKey: secretList('pseudonym-key', 'the key of --pseudonymise', 16),
  markSeen: onOff({
    flag: 'mark-seen',
    group: CLICK,
    about: 'mark repeated clicks of a user on an ad as seen, by --redis; no verdict changes',
  }),
  ...signingOption,
  apiKey: secretList(
    'api-key',
    'who sends POST /v1/clicks with this key (Authorization: Bearer) is believed about addresses',
    16,
  ),
  datacenterNetworks: texts({
    flag: 'datacenter-networks',
    group: DEFENCE,
    value: 'FILE',
    about: 'networks, one CIDR a line, whose clicks are marked as invalid traffic',
  }),
  rateLimit: integer({
    flag: 'rate-limit',
    group: DEFENCE,
    value: 'N',
    default: '0',
    min: 0,
    max: 1_000_000_000,
    about: 'refuse more requests than this per address (IPv6: per /64) in --rate-window; 0: no limit',
  }),
  rateWindow: duration({
    flag: 'rate-window',
    group: DEFENCE,
    default: '1m',
    minMs: 1000,
    maxMs: 86_400_000,
    about: 'period of --rate-limit',
  }),
  bodyLimit: integer({
    flag: 'body-limit',
    group: DEFENCE,
    value: 'BYTES',
    default: '1048576',
    min: 1024,
    max: 67_108_864,
    about: 'longest body of a POST',
  }),
  batchLimit: integer({
    flag: 'batch-limit',
    group: DEFENCE,
    value: 'N',
    default: '1000',
    min: 1,
    max: 100_000,
    about: 'most clicks in a POST',
  }),
  headerLimit: integer({
    flag: 'header-limit',
    group: DEFENCE,
    value: 'BYTES',
    default: '16384',
    min: 2048,
    max: 1_048_576,
    about: 'longest head of a request: its URL and all headers',
  }),
  urlLimit: integer({
    flag: 'url-limit',
    group: DEFENCE,
    value: 'BYTES',
    default: '4096',
    min: 256,
    max: 65_536,
    about: 'longest URL',
  }),
  connectionLimit: integer({
    flag: 'connection-limit',
    group: DEFENCE,
    value: 'N',
    default: '10000',
    min: 1,
    max: 1_000_000,
    about: 'most connections at a time',
  }),
};
