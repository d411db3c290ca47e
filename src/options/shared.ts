// Options that more than one command takes, declared once.
import { METHOD_VERSION, type Method, withInvalidTraffic } from '../core/method.js';
import { methodHash } from '../core/method-hash.js';
import {
  duration,
  integer,
  type OptionValues,
  oneOf,
  onOff,
  optionalOneOf,
  optionalText,
  optionalTime,
  text,
} from './option.js';

/** Every command has these. */
export const globalOptions = {
  json: onOff({ flag: 'json', about: 'print the result as JSON on standard output' }),
  quiet: onOff({ flag: 'quiet', short: 'q', about: 'log nothing but warnings and errors' }),
  logFormat: oneOf({
    flag: 'log-format',
    choices: ['text', 'json'],
    default: 'text',
    about: 'log lines on standard error: for people, or one JSON object a line',
  }),
  noColor: onOff({ flag: 'no-color', about: 'no colours (NO_COLOR does the same)' }),
  config: optionalText({
    flag: 'config',
    value: 'FILE',
    about: 'read options from this JSON file (else ./click-agg.json if there is one)',
  }),
};

export const dataDirOption = {
  dataDir: text({
    flag: 'data-dir',
    value: 'DIR',
    default: './click-agg-data',
    about: 'where the embedded log, the store and the lake are',
  }),
};

const METHOD_GROUP = 'Counting method (what two parties must agree on)';

/** The counting method's parameters; `methodOf` turns them into a Method. */
export const methodOptions = {
  watermarkDelay: duration({
    flag: 'watermark-delay',
    group: METHOD_GROUP,
    default: '3m',
    about: "how far a partition's watermark trails its greatest event time",
  }),
  allowedLateness: duration({
    flag: 'allowed-lateness',
    group: METHOD_GROUP,
    default: '10m',
    about: 'how long after its minute closed a late click still counts',
  }),
  doubleClick: duration({
    flag: 'double-click',
    group: METHOD_GROUP,
    default: '60s',
    minMs: 1,
    maxMs: 86_400_000,
    about: 'period per user and ad in which only the first click counts',
  }),
  botWindow: duration({
    flag: 'bot-window',
    group: METHOD_GROUP,
    default: '60s',
    minMs: 1,
    maxMs: 86_400_000,
    about: 'sliding window per IP address',
  }),
  botThreshold: integer({
    flag: 'bot-threshold',
    group: METHOD_GROUP,
    default: '30',
    min: 1,
    max: 1_000_000,
    about: 'more clicks than this in one window are a bot’s',
  }),
  clockSkew: duration({
    flag: 'clock-skew',
    group: METHOD_GROUP,
    default: '5m',
    about: 'how far an event time may be ahead of the append time',
  }),
  invalidTraffic: optionalOneOf({
    flag: 'invalid-traffic',
    group: METHOD_GROUP,
    choices: ['on', 'off'],
    about:
      'whether clicks marked as invalid traffic get that verdict; else as the store was counted, and on in a new one',
  }),
};

/** The counting method that these options configure, of a store that was counted by `stored` (undefined: a new one). */
export function methodOf(options: OptionValues<typeof methodOptions>, stored?: Method): Method {
  const asBefore = stored === undefined || stored.invalidTraffic === true;
  const method = {
    version: METHOD_VERSION,
    watermarkDelayMs: options.watermarkDelay,
    allowedLatenessMs: options.allowedLateness,
    doubleClickMs: options.doubleClick,
    botWindowMs: options.botWindow,
    botThreshold: options.botThreshold,
    clockSkewMs: options.clockSkew,
  };
  const { invalidTraffic } = options;
  return withInvalidTraffic(method, invalidTraffic === undefined ? asBefore : invalidTraffic === 'on');
}

/** What a lake is marked with: whether it goes on by version 1 of the method is as it was begun, unless told. */
export function methodHashesOf(options: OptionValues<typeof methodOptions>): {
  methodHash: string;
  methodHashBefore: string | undefined;
} {
  const method = methodOf(options);
  const isTold = options.invalidTraffic !== undefined;
  return {
    methodHash: methodHash(method),
    methodHashBefore: isTold ? undefined : methodHash(withInvalidTraffic(method, false)),
  };
}

/** A period of event time, `[from, to)`. */
export const periodOptions = {
  from: optionalTime({
    flag: 'from',
    about: 'start of the period, inclusive (UTC unless an offset is given)',
  }),
  to: optionalTime({ flag: 'to', about: 'end of the period, exclusive' }),
};

/** Where records come from instead of the embedded log. */
export const inputOptions = {
  input: optionalText({
    flag: 'input',
    group: 'Input',
    short: 'i',
    value: 'FILE|-',
    about: 'read NDJSON from a file or standard input (-) instead of the embedded log; gzip and zstd too',
  }),
  partitions: integer({
    flag: 'partitions',
    group: 'Input',
    default: '6',
    min: 1,
    max: 1024,
    about: 'partitions of the embedded log when it is made, and of bare lines of --input',
  }),
  append: onOff({
    flag: 'append',
    group: 'Input',
    about: '--input is more of the log that this data directory has already counted',
  }),
};
