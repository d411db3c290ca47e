// Options of the read API and the dashboard: where they listen, and who may see what.
import { z } from 'zod';
import { secretList } from './ingest.js';
import { duration, integer, type OptionSpec, onOff, optionalText, text, texts } from './option.js';
import { channelOption, redisOption } from './redis.js';

const SERVER = 'Server';
const VIEWERS = 'Who may see what';

/** As src/serve/tokens.ts wants it. */
const KEY_CHARACTERS_MIN = 32;

/** The keys of tokens: also wanted by whoever makes tokens. */
export const tokenKeyOption = {
  tokenKey: {
    ...secretList(
      'token-key',
      'keys of the tokens (the first signs, all are accepted); without one everybody on this machine sees everything, and nobody else connects',
      KEY_CHARACTERS_MIN,
    ),
    group: VIEWERS,
  },
};

const publicUrl: OptionSpec<URL | undefined> = {
  flag: 'public-url',
  group: SERVER,
  value: 'URL',
  about: 'where browsers find this server, if a proxy stands before it: https://clicks.example.com',
  schema: z
    .string()
    .optional()
    .transform((given, context) => {
      if (given === undefined) return undefined;
      const url = URL.canParse(given) ? new URL(given) : undefined;
      if (url && /^https?:$/.test(url.protocol) && url.pathname === '/') return url;
      context.addIssue({
        code: 'custom',
        message: 'must be a URL without a path such as https://clicks.example.com',
      });
      return z.NEVER;
    }) as z.ZodType<URL | undefined>,
};

/** What `serve` and `dashboard` take besides where things are. */
export function serveOptions(port: string) {
  return {
    host: text({
      flag: 'host',
      group: SERVER,
      value: 'HOST',
      default: '127.0.0.1',
      about: 'listen on this address; any but this machine’s own needs CLICK_AGG_TOKEN_KEY',
    }),
    port: integer({
      flag: 'port',
      group: SERVER,
      value: 'PORT',
      default: port,
      min: 0,
      max: 65_535,
      about: 'listen on this port; 0: any free one, which is logged',
    }),
    publicUrl,
    requestsPerMinute: integer({
      flag: 'requests-per-minute',
      group: SERVER,
      default: '1200',
      min: 1,
      max: 10_000_000,
      about: 'requests a minute from one advertiser or, for others, one address',
    }),
    redis: redisOption(
      'hear of each commit through this Redis, which `run --redis` tells (redis://user@host:port)',
    ),
    ...channelOption,
    reconciliation: optionalText({
      flag: 'reconciliation',
      value: 'FILE',
      about:
        'the report to show, as `reconcile --report FILE.json` wrote it; else the last one of the data directory',
    }),
    ...tokenKeyOption,
  };
}

/** Of servers that have no other use for it; `ingest` has its own. */
export const proxyOption = {
  trustProxy: texts({
    flag: 'trust-proxy',
    group: SERVER,
    value: 'CIDR',
    about: 'believe X-Forwarded-For of proxies in this network: --requests-per-minute is then by browser',
  }),
};

const { host, port, redis: _, ...rest } = serveOptions('8091');

/** For a server that has the dashboard beside its own work, in the same process. */
export const dashboardBesideOptions = {
  dashboard: onOff({
    flag: 'dashboard',
    about: 'serve the web dashboard, too, as `click-agg dashboard` does',
  }),
  dashboardHost: { ...host, flag: 'dashboard-host' },
  dashboardPort: { ...port, flag: 'dashboard-port' },
  ...rest,
};

/** How long a token is good. */
export const expiresOption = {
  expires: duration({
    flag: 'expires',
    default: '30d',
    minMs: 1_000,
    maxMs: 3_660 * 86_400_000,
    about: 'the token ends after so long',
  }),
};
