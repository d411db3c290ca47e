// Where the tables are: `dynamodb://REGION/PREFIX`, as the option --store takes it. Keys never stand in it: they come from
// where every AWS program finds them.
import { UsageError } from '../../errors.js';

export interface Address {
  /** For people: `dynamodb://eu-central-1/clicks`. */
  readonly name: string;
  readonly region: string;
  /** What the names of its tables begin with. */
  readonly prefix: string;
  /** Of another service than Amazon's: `http://127.0.0.1:8000`. */
  readonly endpoint: string | undefined;
}

const REGION = /^[a-z0-9-]{2,40}$/;
/** What Amazon allows in the name of a table, less what the longest of ours needs. */
const PREFIX = /^[A-Za-z0-9_.-]{1,200}$/;
const KNOWN = ['endpoint'];

/** Reads `dynamodb://eu-central-1/clicks?endpoint=http://127.0.0.1:8000`. UsageError: it is no such URL. */
export function parseAddress(text: string): Address {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.username || url?.password) {
    throw new UsageError('--store: a DynamoDB URL holds no keys', {
      hint: 'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, as for the aws command.',
    });
  }
  const region = url?.host ?? '';
  const prefix = url?.pathname.slice(1) ?? '';
  if (!url || !REGION.test(region) || !PREFIX.test(prefix)) {
    throw new UsageError('--store: not a DynamoDB URL', {
      hint: 'Write dynamodb://REGION/PREFIX; the prefix, with which the names of the tables begin, is letters, digits, _ . -',
    });
  }
  const unknown = [...url.searchParams.keys()].find((key) => !KNOWN.includes(key));
  if (unknown !== undefined) {
    throw new UsageError(`--store: a DynamoDB URL has no parameter ${unknown}`, {
      hint: `There is ${KNOWN.join(', ')}.`,
    });
  }
  const endpoint = endpointOf(url.searchParams.get('endpoint'));
  return { name: nameOf({ region, prefix, endpoint }), region, prefix, endpoint };
}

function endpointOf(text: string | null): string | undefined {
  if (text === null) return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password) {
    throw new UsageError('--store: endpoint= must be http://HOST:PORT or https://HOST:PORT');
  }
  return url.href.replace(/\/$/, '');
}

function nameOf({ region, prefix, endpoint }: Omit<Address, 'name'>): string {
  return `dynamodb://${region}/${prefix}${endpoint === undefined ? '' : `?endpoint=${endpoint}`}`;
}
