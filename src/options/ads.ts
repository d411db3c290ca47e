// Where the ads are: read by all that send people on, bill or show numbers to advertisers.
import { z } from 'zod';
import { duration, type OptionSpec } from './option.js';

const GROUP = 'Ads';

const ads: OptionSpec<string> = {
  flag: 'ads',
  group: GROUP,
  value: 'file|postgres://…',
  default: 'file',
  // A URL may hold a password.
  secret: true,
  about:
    'where the ads are: ads.json in the data directory, or PostgreSQL ' +
    '(postgres://user@host:port/database?schema=click_agg_ads; PGPASSWORD and the other PG* variables work)',
  choices: ['file', 'postgres://'],
  schema: z
    .string()
    .refine(
      (text) => /^(file$|postgres(ql)?:\/\/)/.test(text),
      'must be file or postgres://user@host:port/database',
    ),
};

export const adsOption = { ads };

/** For who looks targets up. */
export const adsTtlOption = {
  adsTtl: duration({
    flag: 'ads-ttl',
    group: GROUP,
    default: '10s',
    minMs: 100,
    maxMs: 3_600_000,
    about: 'how long a server keeps an ad in memory: so late it sees a change',
  }),
};
