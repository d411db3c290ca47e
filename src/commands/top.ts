// Watches a living run: the dashboard on a terminal; tables once in a pipe, with --once, or from the store
// when nothing runs; a document with --json.
import { UserError } from '../errors.js';
import { connectLive, type LiveStore } from '../live/client.js';
import { command } from '../options/command.js';
import { duration, integer, onOff } from '../options/option.js';
import { dataDirOption } from '../options/shared.js';
import { storeOption } from '../options/store.js';
import { openReader, type StorePlace } from '../stores/open-store.js';
import type { Terminal } from '../ui/terminal.js';
import { timeText } from '../ui/top/format.js';
import { printSnapshot, snapshotDocument } from '../ui/top/plain.js';
import { type ListRequest, readAtRest, readLive, type Snapshot, VIEWS } from '../ui/top/snapshot.js';

const topOptions = {
  ...dataDirOption,
  ...storeOption,
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
  ],
  async run({ options, terminal, signal }) {
    const { dataDir, interval: intervalMs } = options;
    const once = options.once || terminal.wantsJson || !terminal.interactive;
    const all: ListRequest = { views: VIEWS, filter: '', limit: options.limit };
    const run = await connectLive(dataDir);
    if (!run) return showAtRest(options, all, terminal);
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
      read: readerOf(dataDir, run),
    });
    return undefined;
  },
});

/** Asks the run for as long as it answers; then any that came after it. Undefined: none lives. */
function readerOf(dataDir: string, first: LiveStore) {
  let run: LiveStore | undefined = first;
  return async (request: ListRequest): Promise<Snapshot | undefined> => {
    try {
      run ??= await connectLive(dataDir);
      return run && (await readLive(run, request));
    } catch (error) {
      // Ended or not answering: ask anew the next time. Anything else is a bug, and ends the dashboard.
      if (!(error instanceof UserError)) throw error;
      run = undefined;
      return undefined;
    }
  };
}

async function showAtRest(place: StorePlace, request: ListRequest, terminal: Terminal): Promise<undefined> {
  const reader = await openReader(place);
  try {
    const snapshot = await readAtRest(reader, request);
    const asOf = snapshot.asOfMs === undefined ? 'it is empty' : `as of ${timeText(snapshot.asOfMs)}`;
    terminal.info(`nothing is running in ${place.dataDir}: showing the store, ${asOf}`);
    await show(snapshot, terminal);
  } finally {
    await reader.close();
  }
  return undefined;
}

async function show(snapshot: Snapshot, terminal: Terminal): Promise<undefined> {
  if (terminal.wantsJson) await terminal.json(snapshotDocument(snapshot));
  else await printSnapshot(terminal, snapshot);
  return undefined;
}
