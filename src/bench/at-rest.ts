// Waits until a store has put away what was written to it: Cassandra goes on compacting for minutes after a month was
// filled in within one, and takes both processors for it. Other stores are asked at once.
import { setTimeout as sleep } from 'node:timers/promises';
import { parseAddress } from '../adapters/cassandra/address.js';
import { Cluster } from '../adapters/cassandra/cluster.js';

const POLL_MS = 1000;
/** So many looks in a row must find nothing. */
const QUIET_LOOKS = 5;
const WAIT_MS_MAX = 900_000;

/** Returns how long it took, ms; at most a quarter of an hour. */
export async function atRest(url: string): Promise<number> {
  if (!url.startsWith('cassandra://')) return 0;
  const startedMs = performance.now();
  const cluster = await Cluster.connect(parseAddress(url), { patient: false });
  try {
    for (let quiet = 0; quiet < QUIET_LOOKS && performance.now() - startedMs < WAIT_MS_MAX; ) {
      await sleep(POLL_MS);
      const tasks = await cluster.run('SELECT task_id FROM system_views.sstable_tasks');
      quiet = tasks.length === 0 ? quiet + 1 : 0;
    }
  } finally {
    await cluster.close();
  }
  return performance.now() - startedMs;
}
