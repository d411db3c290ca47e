// Who clicks: a user's country, device, browser and address are a function of the user's number, so that a
// million users need no memory and a redelivered click comes out the same.
import type { DeviceType } from '../method.js';
import { AliasTable } from './alias-table.js';
import type { LoadProfile } from './profile.js';
import { ascii, putHex16, putOctet } from './put.js';
import { hash32 } from './random.js';

const USER_AGENTS: Readonly<Record<DeviceType, readonly string[]>> = {
  mobile: [
    'Mozilla/5.0 (iPhone; CPU iPhone OS 18_3 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.3 Mobile/15E148 Safari/604.1',
    'Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/144.0.0.0 Mobile Safari/537.36',
    'Mozilla/5.0 (Android 15; Mobile; rv:147.0) Gecko/147.0 Firefox/147.0',
    'ShopApp/7.4 (Android)',
  ],
  desktop: [
    'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/144.0.0.0 Safari/537.36',
    'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.3 Safari/605.1.15',
    'Mozilla/5.0 (X11; Linux x86_64; rv:147.0) Gecko/20100101 Firefox/147.0',
  ],
  tablet: [
    'Mozilla/5.0 (iPad; CPU OS 18_3 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.3 Mobile/15E148 Safari/604.1',
    'Mozilla/5.0 (Linux; Android 14; SM-X910) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/144.0.0.0 Safari/537.36',
  ],
  tv: [
    'Mozilla/5.0 (SMART-TV; Linux; Tizen 8.0) AppleWebKit/537.36 (KHTML, like Gecko) Version/8.0 TV Safari/537.36',
  ],
  other: ['Mozilla/5.0 (compatible; reader)', 'curl/8.12.1'],
};

/** Users' addresses start 11-99, bots' 101-126: a user is never drawn into a bot's burst by chance. */
const USER_OCTETS = { first: 11, count: 89 };
const BOT_OCTETS = { first: 101, count: 26 };
const USER_IPV6 = ascii('2a02:');
const BOT_IPV6 = ascii('2a0e:');

/** Everything that a click tells of who made it, as bytes. */
export class People {
  private readonly countryTable: AliasTable;
  private readonly deviceTable: AliasTable;
  private readonly deviceCount: number;
  /** By country and device: `XX","device_type":"mobile"`. */
  private readonly places: readonly Uint8Array[];
  private readonly agents: readonly (readonly Uint8Array[])[];
  private readonly ipv6Below: number;

  constructor(profile: LoadProfile) {
    const { countries, devices } = profile;
    this.countryTable = new AliasTable(Float64Array.from(countries, ([, weight]) => weight));
    this.deviceTable = new AliasTable(Float64Array.from(devices, ([, weight]) => weight));
    this.deviceCount = devices.length;
    this.places = countries.flatMap(([country]) =>
      devices.map(([device]) => ascii(`${country}","device_type":"${device}"`)),
    );
    this.agents = devices.map(([device]) => USER_AGENTS[device].map(ascii));
    this.ipv6Below = profile.ipv6 * 4294967296;
  }

  /** 32 bits that stand for a user, or for a bot's burst when `burst` is not -1. */
  person(user: number, burst: number): number {
    return burst < 0 ? hash32(user ^ 0x3c6ef372) : hash32(burst ^ 0x1f83d9ab);
  }

  /** `XX","device_type":"mobile"` of a person. */
  place(person: number): Uint8Array {
    const country = this.countryTable.draw(hash32(person ^ 0x510e527f), hash32(person ^ 0x6a09e667));
    return this.places[country * this.deviceCount + this.device(person)]!;
  }

  userAgent(person: number): Uint8Array {
    const agents = this.agents[this.device(person)]!;
    return agents[(hash32(person ^ 0x27d4eb2f) >>> 0) % agents.length]!;
  }

  private device(person: number): number {
    return this.deviceTable.draw(hash32(person ^ 0x2545f491), hash32(person ^ 0x5be0cd19));
  }

  putIp(to: Uint8Array, at: number, person: number, isBot: boolean): number {
    if (hash32(person ^ 0x165667b1) >>> 0 < this.ipv6Below) return putIpv6(to, at, person, isBot);
    const { first, count } = isBot ? BOT_OCTETS : USER_OCTETS;
    let end = putOctet(to, at, first + ((person >>> 24) % count));
    to[end++] = 46;
    end = putOctet(to, end, (person >>> 16) & 255);
    to[end++] = 46;
    end = putOctet(to, end, (person >>> 8) & 255);
    to[end++] = 46;
    return putOctet(to, end, person & 255);
  }
}

function putIpv6(to: Uint8Array, at: number, person: number, isBot: boolean): number {
  const prefix = isBot ? BOT_IPV6 : USER_IPV6;
  to.set(prefix, at);
  const site = hash32(person ^ 0x2f0b4f1d);
  let end = putHex16(to, at + prefix.length, site >>> 16);
  to[end++] = 58;
  end = putHex16(to, end, site);
  to[end++] = 58;
  to[end++] = 58;
  end = putHex16(to, end, person >>> 16);
  to[end++] = 58;
  return putHex16(to, end, person);
}
