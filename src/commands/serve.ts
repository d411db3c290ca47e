// The read API for customers' programs and dashboards.
import { once } from 'node:events';
import { watchServe } from '../metrics/watching.js';
import { adsOption } from '../options/ads.js';
import { command } from '../options/command.js';
import { metricsOptions } from '../options/metrics.js';
import type { OptionValues } from '../options/option.js';
import { proxyOption, serveOptions } from '../options/serve.js';
import { dataDirOption } from '../options/shared.js';
import { storeOption } from '../options/store.js';
import type { ServeSettings } from '../serve/start.js';
import type { Terminal } from '../ui/terminal.js';

export const serveCommand = command({
  name: 'serve',
  summary: 'answer questions about the totals over HTTP: JSON, CSV, and as they change',
  description:
    'GET /v1/totals, /v1/series, /v1/ledger, /v1/status and /v1/reconciliation, with ETags for those who ask again ' +
    'and again; /v1/live is a WebSocket that tells what changes; /openapi.json describes it all. Works with or ' +
    'without a living run. With CLICK_AGG_TOKEN_KEY everybody shows a token: `click-agg ads token` makes them.',
  options: {
    ...dataDirOption,
    ...storeOption,
    ...adsOption,
    ...serveOptions('8090'),
    ...proxyOption,
    ...metricsOptions,
  },
  examples: [
    ['click-agg serve', 'on http://127.0.0.1:8090, for this machine'],
    ["curl '127.0.0.1:8090/v1/totals?group_by=campaign_id&top=10'", 'the ten campaigns with most clicks'],
    [
      "curl '127.0.0.1:8090/v1/series?last=60m&by=country&top=5'",
      'an hour by minute, a line for each country',
    ],
    [
      'click-agg serve --host 0.0.0.0 --store postgres://agg@db/clicks --redis redis://cache',
      'for others, with CLICK_AGG_TOKEN_KEY set',
    ],
  ],
  run: ({ options, terminal, signal }) => serveUntil(signal, options, terminal, { web: false }),
});

/** Serves until the signal. */
export async function serveUntil(
  signal: AbortSignal,
  options: ServeSettings & OptionValues<typeof metricsOptions>,
  terminal: Terminal,
  { web }: { web: boolean },
): Promise<undefined> {
  // Its packages take longer to load than help takes to print.
  const { startReadApi } = await import('../serve/start.js');
  const monitor = await watchServe(options);
  const { url: metricsUrl, answered: onAnswer } = monitor;
  if (metricsUrl) terminal.info(`metrics on ${metricsUrl}/metrics`, { metrics_url: metricsUrl });
  try {
    const server = await startReadApi(options, { web, onAnswer, warn: (line) => terminal.warn(line) });
    monitor.watch('store', () => server.askStore());
    monitor.serves(() => server.figures());
    const { url } = server;
    terminal.info(web ? `dashboard on ${url}` : `read API on ${url}, described in ${url}/openapi.json`, {
      url,
    });
    if (!signal.aborted) await once(signal, 'abort');
    await server.close();
  } finally {
    await monitor.close();
  }
  return undefined;
}
