// The options of the spool: the folder where clicks wait for Kafka.
import { z } from 'zod';
import { SYNC_MODES } from '../spool/click-log.js';
import { type OptionSpec, oneOf, optionalText } from './option.js';

const GROUP = 'Spool (clicks wait there for Kafka)';
const UNIT_BYTES: Readonly<Record<string, number>> = {
  KiB: 1024,
  MiB: 1_048_576,
  GiB: 1_073_741_824,
  TiB: 1_099_511_627_776,
};
const LIMIT_MIN = 1_048_576;

const spoolLimit: OptionSpec<number> = {
  flag: 'spool-limit',
  group: GROUP,
  value: 'SIZE',
  default: '1GiB',
  about: 'when so much waits for Kafka, clicks are answered with 503',
  schema: z.string().transform((given, context) => {
    const [, amount, unit = ''] = /^(\d+(?:\.\d+)?)\s*(KiB|MiB|GiB|TiB)$/.exec(given.trim()) ?? [];
    const bytes = Math.round(Number(amount) * (UNIT_BYTES[unit] ?? Number.NaN));
    if (bytes >= LIMIT_MIN) return bytes;
    context.addIssue({ code: 'custom', message: 'must be a size of at least 1MiB, such as 512MiB or 1GiB' });
    return z.NEVER;
  }),
};

/** With --brokers; `spoolSync` holds for the embedded log as well. */
export const spoolOptions = {
  spool: optionalText({
    flag: 'spool',
    group: GROUP,
    value: 'DIR',
    about:
      'folder of the spool, on a disk that outlives the process; default click-spool in the data directory',
  }),
  spoolLimit,
  spoolSync: oneOf({
    flag: 'spool-sync',
    group: GROUP,
    choices: SYNC_MODES,
    default: 'always',
    about:
      'always: a click is answered when it is on the disk; interval: a power cut may cost the last 200 ms ' +
      '(a killed process costs nothing either way)',
  }),
};
