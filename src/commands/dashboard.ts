// The dashboard for browsers: the read API with the web UI on it.
import { adsOption } from '../options/ads.js';
import { command } from '../options/command.js';
import { metricsOptions } from '../options/metrics.js';
import { proxyOption, serveOptions } from '../options/serve.js';
import { dataDirOption } from '../options/shared.js';
import { storeOption } from '../options/store.js';
import { serveUntil } from './serve.js';

export const dashboardCommand = command({
  name: 'dashboard',
  summary: 'watch clicks arrive in a browser: charts that move, filters, verdicts, bills',
  description:
    'The web UI, on the read API of `serve`. Browsers hear of changes over a WebSocket, and ask every ten seconds ' +
    'where that does not come through. With CLICK_AGG_TOKEN_KEY an advertiser sees its own campaigns and nothing else. ' +
    'For clicks that show within seconds, count with `run --open-minutes`.',
  options: {
    ...dataDirOption,
    ...storeOption,
    ...adsOption,
    ...serveOptions('8091'),
    ...proxyOption,
    ...metricsOptions,
  },
  examples: [
    ['click-agg dashboard', 'on http://127.0.0.1:8091, for this machine'],
    [
      'click-agg dashboard --host 0.0.0.0 --public-url https://clicks.example.com --redis redis://cache',
      'for advertisers, behind a proxy, with CLICK_AGG_TOKEN_KEY set',
    ],
  ],
  run: ({ options, terminal, signal }) => serveUntil(signal, options, terminal, { web: true }),
});
