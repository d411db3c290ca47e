// Watches a living run: the dashboard on a terminal; tables once in a pipe, with --once, or from the store
// when nothing runs; a document with --json. With --url all of it comes from a server elsewhere.
import { UserError } from '../errors.js';
import { connectLive } from '../live/client.js';
import { command } from '../options/command.js';
import { duration, integer, type OptionSpec, onOff, optionalText } from '../options/option.js';
import { dataDirOption } from '../options/shared.js';
import { storeOption } from '../options/store.js';
import { type RemoteStore, remoteStore } from '../serve/remote.js';
import { openReader, type StorePlace } from '../stores/open-store.js';
import type { Terminal } from '../ui/terminal.js';
import { timeText } from '../ui/top/format.js';
import { printSnapshot, snapshotDocument } from '../ui/top/plain.js';
import {
  type ListRequest,
  type LiveReader,
  readAtRest,
  readLive,
  type Snapshot,
  VIEWS,
} from '../ui/top/snapshot.js';

const token: OptionSpec<string | undefined> = {
  ...optionalText({ flag: 'token', value: 'TOKEN', about: 'an administrator’s token for --url' }),
  secret: true,
  neverTyped: true,
};

const topOptions = {
  ...dataDirOption,
  ...storeOption,
  url: optionalText({
    flag: 'url',
    value: 'URL',
    about: 'watch what a `serve` or `dashboard` elsewhere answers for, instead of this machine’s run',
  }),
  token,
  interval: duration({
    flag: 'interval',
    default: '1s',
    minMs: 100,
    maxMs: 3_600_000,
    about: 'how often the dashboard is drawn anew',
  }),
  once: onOff({ flag: 'once', flagOnly: true, about: 'print tables once instead of the dashboard' }),
  limit: integer({
    flag: 'limit',
    default: '10',
    min: 1,
    max: 1000,
    about: 'rows of each list in tables and JSON',
  }),
};

export const topCommand = command({
  name: 'top',
  summary: 'watch a living run: speed, verdicts, watermarks, top ads',
  description:
    'On a terminal a dashboard; keys: tab or 1-4 switch the list, / filters it, p pauses, q quits. In a pipe, with ' +
    '--once or --json it prints the state once. Lists count billable clicks of the last 30 minutes of event time. ' +
    'When nothing runs, it shows the store.',
  options: topOptions,
  examples: [
    ['click-agg top', 'the dashboard'],
    ['click-agg top --once', 'the same as plain tables, once'],
    ['click-agg top --json | jq .ledger', 'how many records got which verdict'],
    ['click-agg top --url https://clicks.example.com', 'a run elsewhere, with CLICK_AGG_TOKEN set'],
  ],
  async run({ options, terminal, signal }) {
    const { interval: intervalMs } = options;
    const once = options.once || terminal.wantsJson || !terminal.interactive;
    const all: ListRequest = { views: VIEWS, filter: '', limit: options.limit };
    const watched = options.url === undefined ? here(options) : there(options.url, options.token);
    const run = await watched.living();
    if (!run) {
      const atRest = await watched.atRest(all);
      const asOf = atRest.asOfMs === undefined ? 'it is empty' : `as of ${timeText(atRest.asOfMs)}`;
      terminal.info(`nothing is running ${watched.where}: showing the store, ${asOf}`);
      return show(atRest, terminal);
    }
    const first = await readLive(run, once ? all : { ...all, views: ['ads'] });
    if (once) return show(first, terminal);
    const { showDashboard } = await import('../ui/top/show-dashboard.js');
    await showDashboard({
      stdout: process.stdout,
      stdin: process.stdin,
      signal,
      first,
      intervalMs,
      nowMs: Date.now,
      read: readerOf(watched, run),
    });
    return undefined;
  },
});

/** What is looked at: a run, as long as one lives, and the store that it leaves. */
interface Watched {
  /** `in ./click-agg-data` */
  readonly where: string;
  /** The living run; undefined: none lives. */
  living(): Promise<LiveReader | undefined>;
  atRest(request: ListRequest): Promise<Snapshot>;
}

function here(place: StorePlace): Watched {
  return {
    where: `in ${place.dataDir}`,
    living: () => connectLive(place.dataDir),
    async atRest(request) {
      const reader = await openReader(place);
      try {
        return await readAtRest(reader, request);
      } finally {
        await reader.close();
      }
    },
  };
}

function there(url: string, token: string | undefined): Watched {
  const remote = remoteStore(url, token);
  return {
    where: `at ${url}`,
    living: async () => ((await remote.status()) ? livingAt(remote) : undefined),
    atRest: (request) => readAtRest(remote, request),
  };
}

function livingAt({ status, query }: RemoteStore): LiveReader {
  return {
    query,
    async status() {
      const living = await status();
      if (!living) throw new UserError('the run has ended');
      return living;
    },
  };
}

/** Asks the run for as long as it answers; then any that came after it. Undefined: none lives. */
function readerOf(watched: Watched, first: LiveReader) {
  let run: LiveReader | undefined = first;
  return async (request: ListRequest): Promise<Snapshot | undefined> => {
    try {
      run ??= await watched.living();
      return run && (await readLive(run, request));
    } catch (error) {
      // Ended or not answering: ask anew the next time. Anything else is a bug, and ends the dashboard.
      if (!(error instanceof UserError)) throw error;
      run = undefined;
      return undefined;
    }
  };
}

async function show(snapshot: Snapshot, terminal: Terminal): Promise<undefined> {
  if (terminal.wantsJson) await terminal.json(snapshotDocument(snapshot));
  else await printSnapshot(terminal, snapshot);
  return undefined;
}
