// Discloses the counting method as it is configured: what a click is worth here, in words and numbers, and
// the hash by which two parties, a store and a report can tell that they count alike.
import {
  FIELD_BYTES_MAX,
  INVALID_REASONS,
  type Method,
  RECORD_BYTES_MAX,
  type Verdict,
} from '../core/method.js';
import { methodHash } from '../core/method-hash.js';
import { command } from '../options/command.js';
import { camelCase } from '../options/names.js';
import { durationText, type OptionSpec } from '../options/option.js';
import { methodOf, methodOptions } from '../options/shared.js';

interface Rule {
  verdict: Verdict;
  when: string;
  goesTo: string;
}

/** The rules in the order in which they are tried, with the method's own numbers. */
export function rulesOf(method: Method): Rule[] {
  const skew = durationText(method.clockSkewMs);
  const late = durationText(method.allowedLatenessMs);
  const delay = durationText(method.watermarkDelayMs);
  const period = durationText(method.doubleClickMs);
  const window = durationText(method.botWindowMs);
  return [
    {
      verdict: 'invalid',
      when: `not JSON, a field missing, malformed or too long, or more than ${skew} ahead of its append time`,
      goesTo: 'dead letters',
    },
    {
      verdict: 'too_late',
      when: `its partition's watermark (greatest event time less ${delay}) is more than ${late} past its minute`,
      goesTo: 'dead letters; backfill bills it',
    },
    {
      verdict: 'duplicate',
      when: 'the same click_id and event_time at a smaller offset of the partition',
      goesTo: 'counted, not billed',
    },
    ...(method.invalidTraffic
      ? [
          {
            verdict: 'invalid_traffic' as const,
            when: 'its field invalid_traffic names a reason (a crawler, a data centre, a prefetch)',
            goesTo: 'dead letters',
          },
        ]
      : []),
    {
      verdict: 'double_click',
      when: `less than ${period} after the click that opened the period of its user_id and ad_id`,
      goesTo: 'counted, not billed',
    },
    {
      verdict: 'bot',
      when: `some ${window} that hold it hold more than ${method.botThreshold} clicks of its ip_address`,
      goesTo: 'dead letters',
    },
    { verdict: 'billable', when: 'else', goesTo: 'the total of its minute, ad, campaign, country, device' },
  ];
}

/** Options of the method with the value each has, as a person would type it. */
function parameters(method: Method): { spec: OptionSpec; value: string }[] {
  const values: Record<keyof typeof methodOptions, string> = {
    watermarkDelay: durationText(method.watermarkDelayMs),
    allowedLateness: durationText(method.allowedLatenessMs),
    doubleClick: durationText(method.doubleClickMs),
    botWindow: durationText(method.botWindowMs),
    botThreshold: String(method.botThreshold),
    clockSkew: durationText(method.clockSkewMs),
    invalidTraffic: method.invalidTraffic ? 'on' : 'off',
  };
  return Object.entries(methodOptions).map(([name, spec]) => ({
    spec,
    value: values[name as keyof typeof methodOptions],
  }));
}

export const methodCommand = command({
  name: 'method',
  summary: 'print the counting method: rules, windows, thresholds and their hash',
  description:
    'The hash stands in the store, the lake and every report too: where it is equal, clicks were counted alike. ' +
    'Give the same options, environment and config file as to run.',
  options: methodOptions,
  examples: [
    ['click-agg method', 'the method as it is configured here'],
    ['click-agg method --bot-threshold 50', 'and with another threshold: another hash'],
    ['click-agg method --json | jq -r .hash', 'only the hash, to compare with a partner'],
  ],
  async run({ options, terminal }) {
    const method = methodOf(options);
    const hash = methodHash(method);
    const rules = rulesOf(method);
    const knows = (name: string): boolean => name !== 'invalid_traffic' || method.invalidTraffic === true;
    if (terminal.wantsJson) {
      await terminal.json({
        version: method.version,
        hash,
        method,
        rules: rules.map(({ verdict, when, goesTo }) => ({ verdict, when, goes_to: goesTo })),
        options: Object.fromEntries(
          parameters(method).map(({ spec, value }) => [camelCase(spec.flag), value]),
        ),
        invalid_reasons: INVALID_REASONS.slice(1).filter(knows),
        limits: {
          record_bytes: RECORD_BYTES_MAX,
          field_bytes: Object.fromEntries(Object.entries(FIELD_BYTES_MAX).filter(([name]) => knows(name))),
        },
      });
      return;
    }
    await terminal.print(`Counting method, version ${method.version}, hash ${terminal.style.bold(hash)}\n\n`);
    await terminal.table(
      ['option', 'value', 'what it says'],
      parameters(method).map(({ spec, value }) => [`--${spec.flag}`, value, spec.about]),
    );
    await terminal.print('\nEvery record gets the first verdict that applies:\n');
    await terminal.table(
      ['verdict', 'when', 'goes to'],
      rules.map((rule) => [rule.verdict, rule.when, rule.goesTo]),
    );
    await terminal.print('\nThe rules in full: docs/counting-method.md\n');
  },
});
