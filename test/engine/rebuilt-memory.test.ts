// A partition that nobody knew of brings a click older than memory: memory is rebuilt, and whatever else happens
// meanwhile, what was read up to then is counted once.
import { afterAll, expect, test } from 'vitest';
import { openStore } from '../../src/adapters/duckdb/store.js';
import { createDecoder } from '../../src/core/decoder.js';
import { DEFAULT_METHOD } from '../../src/core/method.js';
import type { DecodedInput } from '../../src/engine/decoded-input.js';
import { RecentBatches } from '../../src/engine/recent-batches.js';
import { createRunLoop, type RunLoop } from '../../src/engine/run-loop.js';
import { temporaryDirectory } from '../cli/click-agg.js';
import { rawBatchOf } from '../core/raw-batch.js';
import type { OracleRecord } from '../oracle.js';

const folder = temporaryDirectory();
afterAll(() => folder.remove());

const BEGIN_MS = Date.parse('2026-02-22T10:00:00Z');
const MINUTE_MS = 60_000;
/** Much more than the horizon. */
const MINUTES = 120;

test('while memory is to be rebuilt nothing is committed, so that nothing is counted twice', async () => {
  const known = Array.from({ length: MINUTES }, (_, minute) => click(0, minute, minute));
  // It has a turn of its own, as after partitions were added: the engine does not wait for it.
  const forgotten = click(1, 0, 1);
  const store = await openStore(`${folder.path}/store.duckdb`);
  let loop: RunLoop | undefined;
  let looks = 0;
  let written: Promise<void> | undefined;
  let seen!: () => void;
  const looked = new Promise<void>((resolve) => {
    seen = resolve;
  });
  try {
    await store.takeOver();
    await store.begin({ method: DEFAULT_METHOD, sourceIdentity: 'a test' });
    const warnings: string[] = [];
    loop = await createRunLoop({
      input: inputOf([known, [forgotten]]),
      store: {
        ...store,
        // The first look is the start's, the second one that of the rebuild. Amid it somebody wants all to be written,
        // which takes longer than the look.
        async ledger(...period) {
          if (++looks === 2) written = loop!.commitAll();
          return await store.ledger(...period);
        },
        async state() {
          const state = await store.state();
          if (looks === 2) seen();
          return state;
        },
        async commit(commit) {
          if (looks === 2) await looked;
          await store.commit(commit);
        },
      },
      method: DEFAULT_METHOD,
      untilEnd: true,
      // Nothing is committed before the trouble.
      commitEveryMs: 3_600_000,
      idleAfterMs: 3_600_000,
      openMinutes: false,
      signal: new AbortController().signal,
      onStatus: () => undefined,
      onCommit: () => undefined,
      warn: (line) => warnings.push(line),
    });
    await loop.run();
    await written;
    expect(warnings).toEqual([expect.stringContaining('record 1:0 is older than the clicks in memory')]);
    expect(await store.ledger()).toMatchObject({ records: MINUTES + 1, billable: MINUTES + 1 });
    const { positions } = await store.state();
    expect(positions.map(({ partition, position }) => [partition, position])).toEqual([
      [0, MINUTES],
      [1, 1],
    ]);
  } finally {
    await store.close();
  }
});

function click(partition: number, offset: number, minute: number): OracleRecord {
  const value = {
    ...{ click_id: `c-${partition}-${offset}`, user_id: `u-${partition}-${offset}`, ad_id: 'ad-1' },
    ...{ event_time: BEGIN_MS + minute * MINUTE_MS, campaign_id: 'c-1', ip_address: '192.0.2.1' },
    ...{ country: 'DE', device_type: 'mobile' },
  };
  return { partition, offset, value: Buffer.from(JSON.stringify(value)) };
}

/** A log of one partition, as far as the engine is told, that is read in these batches. */
function inputOf(batches: readonly OracleRecord[][]): DecodedInput {
  const decoder = createDecoder({ method: DEFAULT_METHOD, partitions: 2 });
  const none = async (): Promise<Map<number, number>> => new Map();
  return {
    ...{ partitionCount: 1, seekable: true, description: 'a test', shared: false },
    ...{ file: undefined, logIdentity: 'a test' },
    recent: new RecentBatches(0),
    matches: async (identities) => identities.map(() => false),
    putBehind: async () => undefined,
    active: async () => true,
    report: () => undefined,
    async *read({ positions }) {
      for (const records of batches) {
        const due = records.filter(({ partition, offset }) => offset >= (positions.get(partition) ?? 0));
        if (due.length > 0) yield decoder.decode(rawBatchOf(due));
      }
    },
    ends: none,
    starts: none,
    close: async () => undefined,
  };
}
