// Where a long-running command can be watched over HTTP.
import { optionalInteger, text } from './option.js';

const GROUP = 'Watching it';

export const metricsOptions = {
  metricsPort: optionalInteger({
    flag: 'metrics-port',
    group: GROUP,
    value: 'PORT',
    min: 0,
    max: 65_535,
    about:
      'serve /metrics for Prometheus, /healthz and /readyz on this port; 0: any free one, which is logged',
  }),
  metricsHost: text({
    flag: 'metrics-host',
    group: GROUP,
    value: 'HOST',
    default: '127.0.0.1',
    about: 'on this address; 0.0.0.0 lets other machines ask: there is no password',
  }),
};
