// The server as its options say: for `serve`, `dashboard` and, in the same process, `ingest --dashboard`.
import { fileURLToPath } from 'node:url';
import { lastReportFile } from '../batch/last-report.js';
import { networksOf } from '../ingest/networks.js';
import { openAdsTable } from '../stores/open-ads.js';
import { type ServeOptions, type ServeServer, startServe } from './server.js';

/** As `serveOptions`, --data-dir, --store, --ads and --trust-proxy give them. */
export interface ServeSettings {
  dataDir: string;
  store: string;
  ads: string;
  host: string;
  port: number;
  publicUrl: URL | undefined;
  trustProxy: readonly string[];
  requestsPerMinute: number;
  redis: string | undefined;
  liveChannel: string;
  reconciliation: string | undefined;
  tokenKey: readonly string[];
}

/** An advertiser waits no longer for the ads table. */
const TABLE_WAIT_MS = 5_000;

/** Where the build puts the web UI: dist/web. */
const WEB_DIR = fileURLToPath(new URL('../web', import.meta.url));

/** Starts it; `web`: with the web UI. UsageError and UserError as for `startServe`; the UI was not built. */
export async function startReadApi(
  settings: ServeSettings,
  {
    web,
    warn,
    onAnswer,
  }: Pick<ServeOptions, 'warn'> & Partial<Pick<ServeOptions, 'onAnswer'>> & { web: boolean },
): Promise<ServeServer> {
  const { trustProxy } = settings;
  const trustedProxies = trustProxy.length === 0 ? undefined : networksOf(trustProxy, '--trust-proxy');
  const { dataDir, ads, redis, liveChannel: channel, tokenKey: tokenKeys, reconciliation } = settings;
  // Without tokens nobody is an advertiser.
  const table =
    tokenKeys.length > 0 ? await openAdsTable({ dataDir, ads }, { answerWaitMs: TABLE_WAIT_MS }) : undefined;
  try {
    const server = await startServe({
      ...settings,
      store: { dataDir, store: settings.store },
      redis: redis === undefined ? undefined : { url: redis, channel },
      tokenKeys,
      campaignsOf: async (advertiserId) => (await table?.campaignsOf(advertiserId)) ?? [],
      reportFile: reconciliation ?? lastReportFile(dataDir),
      webDir: web ? WEB_DIR : undefined,
      ...{ trustedProxies, onAnswer, warn },
    });
    return {
      ...server,
      async close() {
        await server.close();
        await table?.close();
      },
    };
  } catch (error) {
    await table?.close();
    throw error;
  }
}
