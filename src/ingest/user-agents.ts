// What a user agent says of itself: which kind of device, and whether it is a known crawler. Both libraries try
// hundreds of patterns (about 100 µs), so answers are kept by user agent: a few thousand make nearly all clicks.
//
// ua-parser-js 1 (MIT; version 2 is AGPL): of 913 user agents it names the device of all, as do bowser 908 and
// node-device-detector 912, the latter in 39 ms each. isbot is the list of crawlers that the field uses.
import type { IncomingHttpHeaders } from 'node:http';
import { createRequire } from 'node:module';
import { isbot } from 'isbot';
import { LRUCache } from 'lru-cache';
import UAParser from 'ua-parser-js';
import type { DeviceType } from '../core/method.js';

/** Of all browsers of a large site; an entry is about 400 bytes. */
const CACHED_MAX = 20_000;
/** What follows names no device any more. ua-parser-js reads no further either. */
const READ_MAX = 500;

export interface UserAgentFacts {
  readonly device: DeviceType;
  readonly crawler: boolean;
}

/** `crawler (isbot 5.2.3)`: the mark names the list, since lists change. */
export const CRAWLER_MARK = `crawler (isbot ${versionOf('isbot')})`;

function versionOf(name: string): string {
  const require = createRequire(import.meta.url);
  return (require(`${name}/package.json`) as { version: string }).version;
}

/** Tells about user agents; keeps what it found out. */
export function userAgentReader(): (userAgent: string) => UserAgentFacts {
  const known = new LRUCache<string, UserAgentFacts>({ max: CACHED_MAX });
  return (userAgent) => {
    const read = userAgent.length > READ_MAX ? userAgent.slice(0, READ_MAX) : userAgent;
    let facts = known.get(read);
    if (!facts) {
      facts = { device: deviceOf(read), crawler: isbot(read) };
      known.set(read, facts);
    }
    return facts;
  };
}

function deviceOf(userAgent: string): DeviceType {
  if (userAgent === '') return 'other';
  const { device, os } = new UAParser(userAgent).getResult();
  switch (device.type) {
    case 'mobile':
    case 'tablet':
      return device.type;
    case 'smarttv':
    case 'console':
      return 'tv';
    case undefined:
      // The library leaves desktops unnamed, and everything that is no browser too.
      return os.name === undefined ? 'other' : 'desktop';
    default:
      return 'other';
  }
}

/** Client hints, which say more than a frozen user agent: the kind of device, or undefined where they don't tell. */
export function deviceOfHints(headers: IncomingHttpHeaders): DeviceType | undefined {
  const formFactors = headers['sec-ch-ua-form-factors'];
  if (formFactors !== undefined) {
    const said = String(formFactors);
    if (said.includes('"Tablet"')) return 'tablet';
    if (said.includes('"Mobile"')) return 'mobile';
    if (said.includes('"Desktop"')) return 'desktop';
    if (/"(EInk|Watch|XR|Automotive)"/.test(said)) return 'other';
  }
  const mobile = headers['sec-ch-ua-mobile'];
  if (mobile === '?1') return 'mobile';
  // Nobody calls an Android that is no phone a desktop.
  return mobile === '?0' && headers['sec-ch-ua-platform'] === '"Android"' ? 'tablet' : undefined;
}
