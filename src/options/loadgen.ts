// The options of `loadgen`: how many clicks, when, by whom, and which share of them goes wrong in which way.
import { z } from 'zod';
import { DEVICE_TYPES, type DeviceType } from '../core/method.js';
import { clusterOptions, topicOption } from './kafka.js';
import {
  duration,
  integer,
  type OptionSpec,
  oneOf,
  optionalDuration,
  optionalInteger,
  optionalText,
  optionalTime,
  share,
} from './option.js';
import { dataDirOption, methodOptions } from './shared.js';

const AMOUNT = 'How many, and when';
const OUTPUT = 'Where to';
const KINDS = 'What goes wrong (shares of all records)';
const PEOPLE = 'Ads and people';

/** `US=40,DE=8,…` to pairs of name and weight. */
function weights<N extends string>(isName: (name: string) => name is N, example: string) {
  return z.string().transform((text, context): [N, number][] => {
    const pairs: [N, number][] = [];
    for (const part of text.split(',')) {
      const [name = '', amount = ''] = part.split('=').map((piece) => piece.trim());
      const weight = /^\d+(\.\d+)?$/.test(amount) ? Number(amount) : Number.NaN;
      if (isName(name) && weight >= 0) pairs.push([name, weight]);
      else {
        context.addIssue({ code: 'custom', message: `must be weights such as ${example}` });
        return z.NEVER;
      }
    }
    if (pairs.every(([, weight]) => weight === 0)) {
      context.addIssue({ code: 'custom', message: 'must hold a weight above 0' });
      return z.NEVER;
    }
    return pairs;
  });
}

const isCountry = (name: string): name is string => /^[A-Z]{2}$/.test(name);
const isDevice = (name: string): name is DeviceType => (DEVICE_TYPES as readonly string[]).includes(name);

const zipf: OptionSpec<number> = {
  flag: 'zipf',
  value: 'EXPONENT',
  group: PEOPLE,
  default: '1.05',
  about: 'exponent of the law by which ads are popular; 0 makes all alike',
  schema: z.string().transform((text, context) => {
    const exponent = /^\d+(\.\d+)?$/.test(text.trim()) ? Number(text) : Number.NaN;
    if (exponent <= 10) return exponent;
    context.addIssue({ code: 'custom', message: 'must be a number from 0 to 10' });
    return z.NEVER;
  }),
};

/** A share whose default depends on other options. */
function optionalShare(spec: { flag: string; about: string; group: string }): OptionSpec<number | undefined> {
  const { default: _, ...always } = share({ ...spec, default: '0' });
  return { ...always, schema: always.schema.optional() };
}

const amountOptions = {
  count: optionalInteger({
    flag: 'count',
    short: 'n',
    min: 0,
    group: AMOUNT,
    about: 'this many records, as fast as possible unless --rate is given',
  }),
  rate: optionalInteger({
    flag: 'rate',
    min: 1,
    group: AMOUNT,
    about: 'this many records a second of real time; event times follow the clock unless --start is given',
  }),
  duration: optionalDuration({
    flag: 'duration',
    group: AMOUNT,
    about: 'how long to go on with --rate; without it or --count, until stopped',
  }),
  start: optionalTime({
    flag: 'start',
    group: AMOUNT,
    about: "arrival time of the first click; default the log's end, or 2026-02-22T00:00Z",
  }),
  eventRate: optionalInteger({
    flag: 'event-rate',
    min: 1,
    group: AMOUNT,
    about: 'clicks per second of event time, as the mean of a day; default --rate, or 1000',
  }),
  dayNight: share({
    flag: 'day-night',
    group: AMOUNT,
    default: '1',
    about: 'how far the event rate follows the hour of the day: 0 is flat',
  }),
  seed: integer({
    flag: 'seed',
    group: AMOUNT,
    min: 0,
    max: Number.MAX_SAFE_INTEGER,
    default: '1',
    about: 'the same seed, --start and other options give the same bytes',
  }),
};

const outputOptions = {
  output: optionalText({
    flag: 'output',
    short: 'o',
    value: 'FILE|-',
    group: OUTPUT,
    about: 'write lines to a file (replaced) or standard output (-) instead of the embedded log',
  }),
  format: oneOf({
    flag: 'format',
    group: OUTPUT,
    choices: ['clicks', 'kcat'],
    default: 'clicks',
    about: 'with --output: bare clicks, or envelopes as kcat -J writes them',
  }),
  dataDir: { ...dataDirOption.dataDir, group: OUTPUT },
  partitions: optionalInteger({
    flag: 'partitions',
    min: 1,
    max: 1024,
    group: OUTPUT,
    about: 'partitions of the log, and those that late clicks are aimed at; default those of the log, or 6',
  }),
  truth: optionalText({
    flag: 'truth',
    value: 'FILE',
    group: OUTPUT,
    about: 'write what was put in of each kind as JSON',
  }),
};

const kindOptions = {
  disorder: share({
    flag: 'disorder',
    group: KINDS,
    default: '0.1',
    about: 'clicks that reach the log behind younger ones',
  }),
  disorderBy: duration({
    flag: 'disorder-by',
    group: KINDS,
    default: '2m',
    about: 'by at most this much',
  }),
  late: share({
    flag: 'late',
    group: KINDS,
    default: '0.01',
    about: 'clicks of closed minutes, within the allowed lateness',
  }),
  tooLate: share({
    flag: 'too-late',
    group: KINDS,
    default: '0.002',
    about: 'clicks beyond the allowed lateness',
  }),
  duplicates: share({
    flag: 'duplicates',
    group: KINDS,
    default: '0.01',
    about: 'redeliveries: an earlier record again, byte for byte',
  }),
  doubleClicks: share({
    flag: 'double-clicks',
    group: KINDS,
    default: '0.02',
    about: 'same user and ad again within the double-click period',
  }),
  bots: share({
    flag: 'bots',
    group: KINDS,
    default: '0.02',
    about: 'clicks in bursts from one IP address over many ads',
  }),
  invalidTrafficShare: share({
    flag: 'invalid-traffic-share',
    group: KINDS,
    default: '0.01',
    about: 'clicks marked as invalid traffic: crawlers, data centres, prefetches',
  }),
  malformed: share({
    flag: 'malformed',
    group: KINDS,
    default: '0.002',
    about: 'invalid records: no JSON, fields missing, wrong, too long and more',
  }),
  future: optionalShare({
    flag: 'future',
    group: KINDS,
    about:
      'clocks that run ahead by more than the skew; default 0.0005, but 0 where records get no append time of their own',
  }),
  unusual: share({
    flag: 'unusual',
    group: KINDS,
    default: '0.005',
    about: 'sound clicks in rare forms: other order, escapes, unknown fields',
  }),
};

const peopleOptions = {
  ads: integer({
    flag: 'ads',
    group: PEOPLE,
    min: 1,
    max: 10_000_000,
    default: '10000',
    about: 'ads that are clicked on',
  }),
  campaigns: integer({
    flag: 'campaigns',
    group: PEOPLE,
    min: 1,
    max: 10_000_000,
    default: '200',
    about: 'campaigns that the ads belong to',
  }),
  users: integer({
    flag: 'users',
    group: PEOPLE,
    min: 1,
    max: 2_000_000_000,
    default: '500000',
    about: 'people who click; with few of them some look like bots',
  }),
  zipf,
  countries: {
    flag: 'countries',
    value: 'WEIGHTS',
    group: PEOPLE,
    default: 'US=34,IN=14,DE=9,GB=8,BR=8,FR=6,JP=6,MX=4,CA=4,ES=3,PL=2,NG=2',
    about: 'countries by weight',
    schema: weights(isCountry, 'US=40,DE=8'),
  },
  devices: {
    flag: 'devices',
    value: 'WEIGHTS',
    group: PEOPLE,
    default: 'mobile=61,desktop=31,tablet=5,tv=2,other=1',
    about: 'device types by weight',
    schema: weights(isDevice, 'mobile=60,desktop=40'),
  },
  ipv6: share({ flag: 'ipv6', group: PEOPLE, default: '0.15', about: 'people with an IPv6 address' }),
  epochTimes: share({
    flag: 'epoch-times',
    group: PEOPLE,
    default: '0.1',
    about: 'clicks with event_time in epoch ms instead of ISO 8601',
  }),
  userAgents: share({
    flag: 'user-agents',
    group: PEOPLE,
    default: '0.2',
    about: 'clicks with a user_agent',
  }),
  referrers: share({ flag: 'referrers', group: PEOPLE, default: '0.15', about: 'clicks with a referrer' }),
  impressions: share({
    flag: 'impressions',
    group: PEOPLE,
    default: '0.1',
    about: 'clicks with an impression_id',
  }),
};

export const loadgenOptions = {
  ...amountOptions,
  ...outputOptions,
  ...kindOptions,
  ...peopleOptions,
  ...clusterOptions,
  ...topicOption,
  ...methodOptions,
};
