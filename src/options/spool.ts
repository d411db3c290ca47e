// The options of the spool: the folder where clicks wait for Kafka.
import { SYNC_MODES } from '../spool/click-log.js';
import { byteSize, oneOf, optionalText } from './option.js';

const GROUP = 'Spool (clicks wait there for Kafka)';
/** With --brokers; `spoolSync` holds for the embedded log as well. */
export const spoolOptions = {
  spool: optionalText({
    flag: 'spool',
    group: GROUP,
    value: 'DIR',
    about:
      'folder of the spool, on a disk that outlives the process; default click-spool in the data directory',
  }),
  spoolLimit: byteSize({
    flag: 'spool-limit',
    group: GROUP,
    default: '1GiB',
    about: 'when so much waits for Kafka, clicks are answered with 503',
  }),
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
