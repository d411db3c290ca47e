// The read API of a server elsewhere, asked as the store and the run of this machine are: for `top --url`.
import type { LiveStatus } from '../core/live-status.js';
import type { Standing } from '../core/ports/commit.js';
import type { StoreReader, TotalsQuery, TotalsRow } from '../core/ports/store.js';
import { UsageError, UserError } from '../errors.js';
import type { ErrorAnswer, StatusAnswer, TotalsAnswer } from './api.js';

/** A server that says nothing for so long is not there. */
const ANSWER_WAIT_MS = 10_000;
/** Rows of one answer: top asks for much less. */
const ROWS_MAX = 100_000;

export interface RemoteStore extends Pick<StoreReader, 'query' | 'ledger'> {
  standing(): Promise<Pick<Standing, 'positions' | 'method' | 'methodHash'>>;
  /** The living run; undefined: none lives. */
  status(): Promise<LiveStatus | undefined>;
}

/** Asks the server at this URL. UsageError: it is none. */
export function remoteStore(url: string, token: string | undefined): RemoteStore {
  const base = URL.canParse(url) ? new URL(url) : undefined;
  if (!base || !/^https?:$/.test(base.protocol)) {
    throw new UsageError(`--url ${url}: not an http or https URL`, {
      hint: 'Such as http://127.0.0.1:8090.',
    });
  }
  const get = <T>(path: string): Promise<T> => ask<T>(new URL(path, base), token);
  const status = async (): Promise<StatusAnswer & { ledger: NonNullable<StatusAnswer['ledger']> }> => {
    const answer = await get<StatusAnswer>('/v1/status');
    const { ledger } = answer;
    if (ledger) return { ...answer, ledger };
    if (answer.partitions) throw new UserError(`no totals at ${base.origin} yet`);
    throw new UserError(`${base.origin} shows this token its own campaigns only`, {
      hint: 'top is about the whole run: it needs the token of an administrator.',
    });
  };
  return {
    async status() {
      const answer = await status();
      return answer.run ? liveStatus(answer, answer.ledger) : undefined;
    },
    async standing() {
      const { partitions, as_of } = await status();
      const positions = (partitions ?? []).map(({ partition, position, watermark }) => ({
        ...{ partition, position, rewindOffset: position, rewindMaxEventTimeMs: -Infinity },
        // Of a method without a delay, so that it is the watermark.
        maxEventTimeMs: watermark === null ? -Infinity : Date.parse(watermark),
      }));
      return { positions, method: undefined, methodHash: as_of.method_hash ?? undefined };
    },
    ledger: async () => (await status()).ledger,
    query: async (query) =>
      (await get<TotalsAnswer>(`/v1/totals?${parametersOf(query)}`)).rows as TotalsRow[],
  };
}

async function ask<T>(url: URL, token: string | undefined): Promise<T> {
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  let response: Response;
  let content: unknown;
  try {
    response = await fetch(url, { headers, redirect: 'error', signal: AbortSignal.timeout(ANSWER_WAIT_MS) });
    content = await response.json();
  } catch (error) {
    const { message, cause } = error as Error & { cause?: { code?: string; message?: string } };
    throw new UserError(`${url.origin} does not answer: ${cause?.code ?? cause?.message ?? message}`, {
      hint: 'Check --url, and that `click-agg serve` or `dashboard` runs there.',
      cause: error,
    });
  }
  if (response.ok) return content as T;
  const words = (content as Partial<ErrorAnswer>).error?.message ?? `status ${response.status}`;
  throw new UserError(`${url.origin}: ${words}`, {
    ...(response.status === 401 ? { hint: 'Put a token into CLICK_AGG_TOKEN.' } : {}),
  });
}

function parametersOf(query: TotalsQuery): URLSearchParams {
  const { fromMs, toMs, adIds, campaignIds, countries, deviceTypes, groupBy, limit, top } = query;
  const parameters = new URLSearchParams();
  const time = (name: string, ms: number | undefined): void => {
    if (ms !== undefined) parameters.set(name, new Date(ms).toISOString());
  };
  const list = (name: string, values: readonly string[]): void => {
    for (const value of values) parameters.append(name, value.replaceAll(',', '\\,'));
  };
  time('from', fromMs);
  time('to', toMs);
  list('ad', adIds);
  list('campaign', campaignIds);
  list('country', countries);
  list('device', deviceTypes);
  list('group_by', groupBy);
  parameters.set(top ? 'top' : 'limit', String(Math.min(limit ?? ROWS_MAX, ROWS_MAX)));
  return parameters;
}

function liveStatus({ run, partitions, as_of }: StatusAnswer, ledger: LiveStatus['ledger']): LiveStatus {
  const { last_commit_at, last_commit_ms } = run!;
  return {
    pid: 0,
    startedAtMs: Date.parse(run!.started_at),
    source: run!.log,
    methodHash: as_of.method_hash ?? '',
    records: run!.records,
    recordsPerSecond: run!.records_per_second,
    ledger,
    partitions: (partitions ?? []).map(({ partition, position, lag, watermark }) => ({
      ...{ partition, position },
      end: lag === null ? undefined : position + lag,
      watermarkMs: watermark === null ? undefined : Date.parse(watermark),
    })),
    rssBytes: run!.memory_bytes,
    horizonClicks: run!.clicks_in_memory,
    horizonBytes: run!.clicks_in_memory_bytes,
    lastCommitAtMs: last_commit_at === null ? undefined : Date.parse(last_commit_at),
    lastCommitMs: last_commit_ms ?? undefined,
  };
}
