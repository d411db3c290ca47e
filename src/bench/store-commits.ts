// How fast a store takes what a run commits: changed totals a second, new ones and ones that were written before.
// `node store-commits.js PLACE`: a folder for DuckDB, or a postgres:// URL. Prints one JSON document.

import { mkdirSync } from 'node:fs';
import { DEFAULT_METHOD } from '../core/method.js';
import { methodHash } from '../core/method-hash.js';
import type { CellColumns, Commit } from '../core/ports.js';
import { openStore } from '../stores/open-store.js';

/** As much as a busy run commits in a second. */
const CELLS = 100_000;
const COMMITS = 10;
const ADS = 20_000;
const COUNTRIES = ['DE', 'US', 'FR', 'GB', 'IT', 'ES', 'NL', 'PL'];
const DEVICES = ['mobile', 'desktop', 'tablet'];
const START_MS = Date.UTC(2026, 1, 22);
const MINUTE_MS = 60_000;

/** Cells of ten minutes: `round` 0 and 1 are of other minutes, `clicks` tells writings apart. */
function cellsOf(round: number, clicks: number): CellColumns {
  const dimensions: [string, string, string, string][] = [];
  const perMinute = CELLS / 10;
  for (let i = 0; i < perMinute; i++) {
    const ad = (i * 7919 + round * 31) % ADS;
    const [country, device] = [COUNTRIES[i % COUNTRIES.length]!, DEVICES[i % DEVICES.length]!];
    dimensions.push([`ad-${ad}`, `campaign-${ad % 500}`, country, device]);
  }
  return {
    count: CELLS,
    minuteMs: Float64Array.from(
      { length: CELLS },
      (_, i) => START_MS + (round * 10 + Math.floor(i / perMinute)) * MINUTE_MS,
    ),
    dimension: Int32Array.from({ length: CELLS }, (_, i) => i % perMinute),
    clicks: new Int32Array(CELLS).fill(clicks),
    rewrite: new Uint8Array(CELLS).fill(clicks > 1 ? 1 : 0),
    dimensions,
  };
}

function commitOf(round: number, clicks: number): Commit {
  const position = round + COMMITS * clicks;
  const event = { maxEventTimeMs: START_MS, rewindMaxEventTimeMs: START_MS };
  return {
    cells: cellsOf(round, clicks),
    ledger: [],
    deadLetters: [],
    withdrawn: [],
    positions: [{ partition: 0, position, rewindOffset: 0, ...event }],
    checkpoint: undefined,
    complete: false,
  };
}

const place = process.argv[2]!;
const isServer = place.startsWith('postgres');
if (!isServer) mkdirSync(place, { recursive: true });
const store = await openStore({ dataDir: place, store: isServer ? place : 'duckdb' });
await store.begin({ method: DEFAULT_METHOD, sourceIdentity: methodHash(DEFAULT_METHOD) });

/** Changed totals a second over all commits. */
async function rate(clicks: number): Promise<number> {
  let ms = 0;
  for (let round = 0; round < COMMITS; round++) {
    const commit = commitOf(round, clicks);
    const startedMs = performance.now();
    await store.commit(commit);
    ms += performance.now() - startedMs;
  }
  return Math.round((CELLS * COMMITS * 1000) / ms);
}

const written = await rate(1);
const rewritten = await rate(2);
await store.close();
process.stdout.write(`${JSON.stringify({ written, rewritten })}\n`);
