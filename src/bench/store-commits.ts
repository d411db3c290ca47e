// How fast a store takes what a run commits, and how fast it answers: totals over a month of many ads, in the order of
// time, then some of them written again, then questions about what is there. `node store-commits.js STORE FOLDER TOTALS
// FILL_MS`: `duckdb` or a URL; no new commit is begun after FILL_MS. Prints one JSON document.
import { mkdirSync } from 'node:fs';
import { DEFAULT_METHOD } from '../core/method.js';
import { methodHash } from '../core/method-hash.js';
import type { CellColumns, Commit } from '../core/ports/commit.js';
import { EVERYTHING, type StoreReader, type TotalsQuery } from '../core/ports/store.js';
import { UsageError } from '../errors.js';
import { isFile, serverOf } from '../stores/kinds.js';
import { openReader, openStore } from '../stores/open-store.js';
import { atRest } from './at-rest.js';

/** As much as a busy run commits in a second. */
const CELLS = 100_000;
const REWRITES = 5;
/** Of the time for filling, what writing again may take besides. */
const REWRITE_SHARE = 0.2;
const ADS = 100_000;
const ADS_OF_CAMPAIGN = 50;
const CAMPAIGNS_OF_ADVERTISER = 20;
const DAYS = 30;
const MINUTES = DAYS * 1440;
const COUNTRIES = ['DE', 'US', 'FR', 'GB', 'IT', 'ES', 'NL', 'PL', 'IN', 'BR'];
const DEVICES = ['mobile', 'desktop', 'tablet'];
const START_MS = Date.UTC(2026, 1, 1);
const MINUTE_MS = 60_000;
const DAY_MS = 1440 * MINUTE_MS;
/** So often each question is asked before it counts, and for so long at most: a server's compiler learns as it goes. */
const ASKED_BEFORE = 300;
const ASKED_BEFORE_MS = 5000;
/** How often each question is asked then, and for how long at most. A p99 of it leaves five answers out. */
const ASKED = 500;
const ASKED_MS = 10_000;
/** However long an answer takes. */
const ASKED_MIN = 3;

interface Made {
  minuteMs: number;
  dimension: readonly [string, string, string, string];
}

/** Cells in order of time, each once: a few ads have many clicks, most have few. */
function* cells(totals: number): Generator<Made> {
  let state = 1;
  const random = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 4_294_967_296;
  };
  let made = 0;
  for (let minute = 0; minute < MINUTES; minute++) {
    const until = Math.floor(((minute + 1) / MINUTES) * totals);
    const seen = new Set<number>();
    while (made < until) {
      const ad = Math.floor(ADS * random() ** 3);
      const country = Math.floor(COUNTRIES.length * random() ** 2);
      const device = Math.floor(DEVICES.length * random());
      const key = (ad * 16 + country) * 4 + device;
      if (seen.has(key)) continue;
      seen.add(key);
      made++;
      const campaign = campaignOf(ad);
      yield {
        minuteMs: START_MS + minute * MINUTE_MS,
        dimension: [`ad-${ad}`, campaign, COUNTRIES[country]!, DEVICES[device]!],
      };
    }
  }
}

function campaignOf(ad: number): string {
  return `campaign-${Math.floor(ad / ADS_OF_CAMPAIGN)}`;
}

function columnsOf(made: readonly Made[], { rewrite }: { rewrite: boolean }): CellColumns {
  const dimensions: (readonly [string, string, string, string])[] = [];
  const numbers = new Map<string, number>();
  const dimension = Int32Array.from(made, ({ dimension: texts }) => {
    const key = texts.join(' ');
    let number = numbers.get(key);
    if (number === undefined) {
      number = dimensions.push(texts) - 1;
      numbers.set(key, number);
    }
    return number;
  });
  return {
    count: made.length,
    minuteMs: Float64Array.from(made, ({ minuteMs }) => minuteMs),
    dimension,
    clicks: new Int32Array(made.length).fill(rewrite ? 2 : 1),
    rewrite: new Uint8Array(made.length).fill(rewrite ? 1 : 0),
    dimensions,
  };
}

function commitOf(columns: CellColumns, position: number): Commit {
  const event = { maxEventTimeMs: START_MS, rewindMaxEventTimeMs: START_MS };
  return {
    cells: columns,
    ...{ ledger: [], deadLetters: [], withdrawn: [], checkpoint: undefined, complete: false },
    positions: [{ partition: 0, position, rewindOffset: 0, ...event }],
  };
}

type Question = (n: number) => TotalsQuery;

/** Each question about the first `days` days by its name; `n` asks for another ad, campaign or country each time. */
function questionsOver(days: number): Readonly<Record<string, Question>> {
  const endMs = START_MS + days * DAY_MS;
  const lastDays = (count: number) => ({ fromMs: endMs - Math.min(count, days) * DAY_MS, toMs: endMs });
  return {
    'one ad, a day by minute': (n) => {
      const fromMs = START_MS + (n % days) * DAY_MS;
      return {
        ...EVERYTHING,
        fromMs,
        toMs: fromMs + DAY_MS,
        adIds: [`ad-${(n * 37) % 1000}`],
        groupBy: ['minute'],
      };
    },
    'a campaign, a week by hour': (n) => ({
      ...{ ...EVERYTHING, ...lastDays(7), campaignIds: [campaignOf((n * 50) % 5000)], groupBy: ['hour'] },
    }),
    'a country, today by device': (n) => ({
      ...{
        ...EVERYTHING,
        ...lastDays(1),
        countries: [COUNTRIES[n % COUNTRIES.length]!],
        groupBy: ['device_type'],
      },
    }),
    'country + device over an advertiser’s ads': (n) => ({
      ...{ ...EVERYTHING, ...lastDays(DAYS), groupBy: ['day'] },
      ...{ countries: [COUNTRIES[n % 5]!], deviceTypes: ['mobile'] },
      campaignIds: Array.from(
        { length: CAMPAIGNS_OF_ADVERTISER },
        (_, at) => `campaign-${(n % 20) * CAMPAIGNS_OF_ADVERTISER + at}`,
      ),
    }),
    'a device over everything': () => ({ ...EVERYTHING, deviceTypes: ['tablet'], groupBy: ['day'] }),
  };
}

/** Answers to up to `count` questions from the `first` on, as long as `ms` have not passed; 'refused' by the first. */
async function ask(
  reader: StoreReader,
  question: Question,
  { first, count, ms }: { first: number; count: number; ms: number },
): Promise<'refused' | { took: number[]; rows: number }> {
  const took: number[] = [];
  const startedMs = performance.now();
  let rows = 0;
  while (took.length < count && (took.length < ASKED_MIN || performance.now() - startedMs < ms)) {
    const askedMs = performance.now();
    const [answer] = await Promise.allSettled([reader.query(question(first + took.length))]);
    if (answer.status === 'rejected' && answer.reason instanceof UsageError) return 'refused';
    if (answer.status === 'rejected') throw answer.reason;
    rows += answer.value.length;
    took.push(performance.now() - askedMs);
  }
  return { took, rows };
}

/** p50 and p99 in ms; 'refused' where the store says that it is not made for the question. */
async function askAll(reader: StoreReader, question: Question): Promise<unknown> {
  await ask(reader, question, { first: 0, count: ASKED_BEFORE, ms: ASKED_BEFORE_MS });
  const asked = await ask(reader, question, { first: ASKED_BEFORE, count: ASKED, ms: ASKED_MS });
  if (asked === 'refused') return asked;
  const took = asked.took.sort((a, b) => a - b);
  const at = (share: number): number => took[Math.min(took.length - 1, Math.floor(took.length * share))]!;
  return { p50: at(0.5), p99: at(0.99), rows: asked.rows / took.length };
}

const [url, folder, total, limit] = process.argv.slice(2) as [string, string, string, string];
const totals = Number(total);
const fillMs = Number(limit);
const place = { dataDir: folder, store: url };
if (isFile(url)) mkdirSync(folder, { recursive: true });
else {
  // Where whoever counts may not make the tables in passing.
  const server: object = await serverOf(url);
  if ('initStore' in server && typeof server.initStore === 'function') await server.initStore(url);
}
const store = await openStore(place);
await store.takeOver();
await store.begin({ method: DEFAULT_METHOD, sourceIdentity: methodHash(DEFAULT_METHOD) });

let position = 0;

async function write(made: readonly Made[], rewrite: boolean): Promise<number> {
  const commit = commitOf(columnsOf(made, { rewrite }), ++position);
  const startedMs = performance.now();
  await store.commit(commit);
  return performance.now() - startedMs;
}

const fresh = { count: 0, ms: 0 };
let batch: Made[] = [];
const last: Made[][] = [];
for (const one of cells(totals)) {
  batch.push(one);
  if (batch.length < CELLS && fresh.count + batch.length < totals) continue;
  fresh.ms += await write(batch, false);
  fresh.count += batch.length;
  process.stderr.write(`${fresh.count} of ${totals} totals\n`);
  last.push(batch);
  if (last.length > REWRITES) last.shift();
  batch = [];
  if (fresh.ms >= fillMs) break;
}
const again = { count: 0, ms: 0 };
for (const made of last) {
  again.ms += await write(made, true);
  again.count += made.length;
  if (again.ms >= fillMs * REWRITE_SHARE) break;
}
await store.close();
process.stderr.write('waiting until it is at rest …\n');
const restedMs = await atRest(url);
process.stderr.write('asking …\n');

const endMs = last.at(-1)!.at(-1)!.minuteMs + MINUTE_MS;
const days = Math.max(1, Math.floor((endMs - START_MS) / DAY_MS));
const reader = await openReader(place);
const answers: Record<string, unknown> = {};
for (const [name, question] of Object.entries(questionsOver(days)))
  answers[name] = await askAll(reader, question);
await reader.close();
const rate = ({ count, ms }: { count: number; ms: number }): number => Math.round((count * 1000) / ms);
const rates = { written: rate(fresh), rewritten: rate(again) };
process.stdout.write(`${JSON.stringify({ totals: fresh.count, days, ...rates, restedMs, answers })}\n`);
