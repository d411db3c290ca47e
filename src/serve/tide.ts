// How far the store has come: what every answer says beside its numbers, and where a moving period ends.
import { BUCKET_MS } from '../core/method.js';
import { EVERYTHING } from '../core/ports/store.js';
import { QuestionRefused } from '../errors.js';
import type { AsOf } from './api.js';
import type { TotalsReader } from './store-source.js';

export interface Tide {
  /** Greatest watermark of the partitions, epoch ms; undefined: no sound record yet. */
  watermarkMs: number | undefined;
  /** Least watermark of those that have records. */
  completeToMs: number | undefined;
  /** End of the newest minute with clicks. */
  newestMs: number | undefined;
  methodHash: string | undefined;
  partitions: readonly { partition: number; position: number; watermarkMs: number | undefined }[];
}

export const NO_TIDE: Tide = {
  watermarkMs: undefined,
  completeToMs: undefined,
  newestMs: undefined,
  methodHash: undefined,
  partitions: [],
};

/** Minutes before the watermark in which the newest clicks usually are; then hours. */
const NEAR_MS = 10 * BUCKET_MS;
const FAR_MS = 30 * 86_400_000;

/** Where the store stands now. */
export async function readTide(reader: TotalsReader): Promise<Tide> {
  const { positions, method, methodHash } = await reader.standing();
  const delayMs = method?.watermarkDelayMs ?? 0;
  const partitions = positions.map(({ partition, position, maxEventTimeMs }) => ({
    partition,
    position,
    watermarkMs: Number.isFinite(maxEventTimeMs) ? maxEventTimeMs - delayMs : undefined,
  }));
  const watermarks = partitions.flatMap(({ watermarkMs }) => watermarkMs ?? []);
  if (watermarks.length === 0) return { ...NO_TIDE, methodHash, partitions };
  const watermarkMs = watermarks.reduce((a, b) => Math.max(a, b));
  const completeToMs = watermarks.reduce((a, b) => Math.min(a, b));
  const newestMs = (await newestFrom(reader, watermarkMs)) ?? Math.ceil(watermarkMs / BUCKET_MS) * BUCKET_MS;
  return { watermarkMs, completeToMs, newestMs, methodHash, partitions };
}

/** End of the newest minute, or hour, with clicks: near the watermark or behind it. */
async function newestFrom(reader: TotalsReader, watermarkMs: number): Promise<number | undefined> {
  for (const [groupBy, backMs, lengthMs] of [
    ['minute', NEAR_MS, BUCKET_MS],
    ['hour', FAR_MS, 60 * BUCKET_MS],
  ] as const) {
    const question = { ...EVERYTHING, fromMs: watermarkMs - backMs, groupBy: [groupBy] };
    const [answer] = await Promise.allSettled([reader.query(question)]);
    // A store that answers no question about everything: the watermark says nearly the same.
    if (answer.status === 'rejected' && answer.reason instanceof QuestionRefused) return undefined;
    if (answer.status === 'rejected') throw answer.reason;
    const newest = answer.value.at(-1);
    if (newest) return Date.parse(String(newest[groupBy])) + lengthMs;
  }
  return undefined;
}

/** As an answer says it. */
export function asOf({ watermarkMs, completeToMs, newestMs, methodHash }: Tide): AsOf {
  return {
    watermark: isoOrNull(watermarkMs),
    complete_to: isoOrNull(completeToMs),
    newest: isoOrNull(newestMs),
    method_hash: methodHash ?? null,
  };
}

/** `2026-02-22T10:00:00Z`, or null where there is none. */
export function isoOrNull(ms: number | undefined): string | null {
  return ms === undefined || !Number.isFinite(ms) ? null : `${new Date(ms).toISOString().slice(0, 19)}Z`;
}
