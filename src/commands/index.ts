// Every command, in the order in which help shows them: from clicks to totals to proof. Each is loaded when it is
// typed, since the packages that some of them need take longer to load than others take to run.
import type { Command, CommandEntry } from '../options/command.js';

/** All commands of the program. */
export const commandEntries: readonly CommandEntry[] = [
  { name: 'demo', load: async () => (await import('./demo.js')).demoCommand },
  { name: 'loadgen', load: async () => (await import('./loadgen.js')).loadgenCommand },
  { name: 'ingest', load: async () => (await import('./ingest.js')).ingestCommand },
  { name: 'run', load: async () => (await import('./run.js')).runCommand },
  { name: 'lake', load: async () => (await import('./lake.js')).lakeCommand },
  { name: 'top', load: async () => (await import('./top.js')).topCommand },
  { name: 'dashboard', load: async () => (await import('./dashboard.js')).dashboardCommand },
  { name: 'serve', load: async () => (await import('./serve.js')).serveCommand },
  { name: 'query', load: async () => (await import('./query.js')).queryCommand },
  { name: 'reconcile', load: async () => (await import('./reconcile.js')).reconcileCommand },
  { name: 'backfill', load: async () => (await import('./backfill.js')).backfillCommand },
  { name: 'explain', load: async () => (await import('./explain.js')).explainCommand },
  { name: 'copy-totals', load: async () => (await import('./copy-totals.js')).copyTotalsCommand },
  { name: 'dead-letters', load: async () => (await import('./dead-letters.js')).deadLettersCommand },
  { name: 'ads', load: async () => (await import('./ads.js')).adsCommand },
  { name: 'topics', load: async () => (await import('./topics.js')).topicsCommand },
  { name: 'store', load: async () => (await import('./store.js')).storeCommand },
  { name: 'method', load: async () => (await import('./method.js')).methodCommand },
  { name: 'completion', load: async () => (await import('./completion.js')).completionOf(loadCommands) },
];

/** All commands with their options, for what shows or checks them all: help, completion, a config file's keys. */
export async function loadCommands(): Promise<readonly Command[]> {
  return await Promise.all(commandEntries.map(({ load }) => load()));
}
