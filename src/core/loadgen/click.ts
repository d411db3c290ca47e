// A click while it is being made: a handful of numbers from which all its bytes follow. And its usual
// form, as nearly all producers write it: one line of JSON, fields in the contract's order, no spaces.
import { People } from './people.js';
import type { LoadProfile } from './profile.js';
import { ascii, IsoTimeWriter, putBytes, putInteger, putPadded, putUuid } from './put.js';
import { hash32 } from './random.js';

export interface Click {
  /** Rank of the ad in popularity, from 0. */
  ad: number;
  user: number;
  /** Number of the bot's burst that it belongs to, or -1. */
  burst: number;
  /** Which of MARKS it carries, or -1. */
  mark: number;
  /** Four random words: its click_id, and whatever else differs from click to click. */
  a: number;
  b: number;
  c: number;
  d: number;
  eventTimeMs: number;
}

/** A click to be filled in. */
export function newClick(): Click {
  return { ad: 0, user: 0, burst: -1, mark: -1, a: 0, b: 0, c: 0, d: 0, eventTimeMs: 0 };
}

/** What clicks are marked with as invalid traffic. */
export const MARKS = ['crawler (isbot 5.1.31)', 'data centre (networks.txt)', 'prefetch'];
const MARK_TEXTS = MARKS.map(ascii);

const REFERRERS = [
  'https://news.example/',
  'https://news.example/world/2026/02/',
  'https://www.search.example/?q=running+shoes',
  'https://video.example/watch?v=dQw4w9WgXcQ',
  'https://social.example/feed',
  'https://mail.example/inbox?folder=offers',
  'android-app://com.example.shop/',
  'https://weather.example/berlin',
].map(ascii);

const CLICK_ID = ascii('{"click_id":"');
const EVENT_TIME_TEXT = ascii('","event_time":"');
const EVENT_TIME_NUMBER = ascii('","event_time":');
const QUOTE = 34;
const AD_ID = ascii(',"ad_id":"ad-');
const CAMPAIGN_ID = ascii('","campaign_id":"c-');
const USER_ID = ascii('","user_id":"u-');
const IP_ADDRESS = ascii('","ip_address":"');
const COUNTRY = ascii('","country":"');
const USER_AGENT = ascii(',"user_agent":"');
const REFERRER = ascii(',"referrer":"');
const IMPRESSION_ID = ascii(',"impression_id":"');
const MARK = ascii(',"invalid_traffic":"');
const AD_PREFIX_BYTES = 3;

export class ClickWriter {
  /** Where the ad_id of the last click stands: the record's key. */
  adStart = 0;
  adEnd = 0;
  private readonly people: People;
  private readonly isoTime = new IsoTimeWriter();
  private readonly adDigits: number;
  private readonly campaignDigits: number;
  private readonly userDigits: number;
  private readonly campaigns: number;
  // Shares as 16-bit thresholds: two of them are decided by one random word.
  private readonly epochBelow: number;
  private readonly agentBelow: number;
  private readonly referrerBelow: number;
  private readonly impressionBelow: number;

  constructor(profile: LoadProfile) {
    this.people = new People(profile);
    this.adDigits = String(profile.ads).length;
    this.campaignDigits = String(profile.campaigns).length;
    this.userDigits = String(profile.users).length;
    this.campaigns = profile.campaigns;
    this.epochBelow = Math.round(profile.epochTimes * 65536);
    this.agentBelow = Math.round(profile.userAgents * 65536);
    this.referrerBelow = Math.round(profile.referrers * 65536);
    this.impressionBelow = Math.round(profile.impressions * 65536);
  }

  /** The text of an ad's id, the key of its clicks. */
  putAdId(to: Uint8Array, at: number, ad: number): number {
    to[at] = 97;
    to[at + 1] = 100;
    to[at + 2] = 45;
    return putPadded(to, at + AD_PREFIX_BYTES, ad + 1, this.adDigits);
  }

  /** Writes the click as JSON and returns the end. A click with the same numbers comes out the same. */
  put(to: Uint8Array, at: number, click: Click): number {
    const person = this.people.person(click.user, click.burst);
    let end = putUuid(to, putBytes(to, at, CLICK_ID), click.a, click.b, click.c, click.d);
    end = this.putEventTime(to, end, click);
    end = putBytes(to, end, AD_ID);
    this.adStart = end - AD_PREFIX_BYTES;
    end = putPadded(to, end, click.ad + 1, this.adDigits);
    this.adEnd = end;
    end = putBytes(to, end, CAMPAIGN_ID);
    end = putPadded(to, end, (click.ad % this.campaigns) + 1, this.campaignDigits);
    end = putPadded(to, putBytes(to, end, USER_ID), click.user + 1, this.userDigits);
    end = this.people.putIp(to, putBytes(to, end, IP_ADDRESS), person, click.burst >= 0);
    end = putBytes(to, putBytes(to, end, COUNTRY), this.people.place(person));
    end = this.putOptional(to, end, click, person);
    to[end++] = 125;
    return end;
  }

  private putEventTime(to: Uint8Array, at: number, click: Click): number {
    if ((click.a & 0xffff) < this.epochBelow)
      return putInteger(to, putBytes(to, at, EVENT_TIME_NUMBER), click.eventTimeMs);
    const end = this.isoTime.put(to, putBytes(to, at, EVENT_TIME_TEXT), click.eventTimeMs);
    to[end] = QUOTE;
    return end + 1;
  }

  private putOptional(to: Uint8Array, at: number, click: Click, person: number): number {
    let end = at;
    if (click.a >>> 16 < this.agentBelow) {
      end = putBytes(to, putBytes(to, end, USER_AGENT), this.people.userAgent(person));
      to[end++] = QUOTE;
    }
    if (click.d >>> 16 < this.referrerBelow) {
      const referrer = REFERRERS[(click.b >>> 16) % REFERRERS.length]!;
      end = putBytes(to, putBytes(to, end, REFERRER), referrer);
      to[end++] = QUOTE;
    }
    if ((click.d & 0xffff) < this.impressionBelow) {
      end = putBytes(to, end, IMPRESSION_ID);
      end = putUuid(to, end, hash32(click.d), hash32(click.c), hash32(click.b), hash32(click.a));
      to[end++] = QUOTE;
    }
    if (click.mark >= 0) {
      end = putBytes(to, putBytes(to, end, MARK), MARK_TEXTS[click.mark]!);
      to[end++] = QUOTE;
    }
    return end;
  }
}
