// Targets in Redis, which all servers share. Whoever looked an ad up in the table leaves it there only if nothing is
// there yet; whoever changes the table overwrites. So a server that read the table a moment before a change can't put the
// old target over the new one.
import type { Target } from './ad.js';
import { parseTarget } from './checked-ad.js';

const KEY_PREFIX = 'click-agg:ad:';
/** Of an ad that doesn't exist. */
const UNKNOWN = '-';
/** Lives that end together would be asked for together. */
const JITTER = 0.1;

/** So much of a Redis connection; undefined: no answer. */
export interface KeyValues {
  get(key: string): Promise<string | null | undefined>;
  set(key: string, value: string, ttlMs: number): Promise<true | undefined>;
  setIfAbsent(key: string, value: string, ttlMs: number): Promise<boolean | undefined>;
  readonly answers: boolean;
}

/** How long an ad is kept, and that there is none of an id. */
export interface Lives {
  knownMs: number;
  unknownMs: number;
}

export class SharedTargets {
  constructor(
    private readonly values: KeyValues,
    private readonly lives: Lives,
  ) {}

  get answers(): boolean {
    return this.values.answers;
  }

  /** The target, null if it is known that there is none; undefined: nothing is known. */
  async get(adId: string): Promise<Target | null | undefined> {
    const text = await this.values.get(KEY_PREFIX + adId);
    if (text === null || text === undefined) return undefined;
    return text === UNKNOWN ? null : targetOf(adId, text);
  }

  /** Leaves what the table said. */
  async fill(adId: string, target: Target | undefined): Promise<void> {
    const ms = target === undefined ? this.lives.unknownMs : this.lives.knownMs;
    await this.values.setIfAbsent(KEY_PREFIX + adId, textOf(target), jittered(ms));
  }

  /** What the table says from now on. Redis did not take it: false. */
  async replace(targets: readonly Target[]): Promise<boolean> {
    const taken = await Promise.all(
      targets.map((target) =>
        this.values.set(KEY_PREFIX + target.adId, textOf(target), jittered(this.lives.knownMs)),
      ),
    );
    return taken.every((one) => one === true);
  }
}

/** A duration a little longer or shorter. */
export function jittered(ms: number): number {
  return ms * (1 + JITTER * (2 * Math.random() - 1));
}

function textOf(target: Target | undefined): string {
  if (target === undefined) return UNKNOWN;
  return JSON.stringify([target.campaignId, target.targetUrl, target.active]);
}

/** Redis is no table: what others may have written there is looked at like everything from outside. */
function targetOf(adId: string, text: string): Target | undefined {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  if (!Array.isArray(content)) return undefined;
  const [campaignId, targetUrl, active] = content as unknown[];
  if (typeof campaignId !== 'string' || typeof targetUrl !== 'string' || typeof active !== 'boolean') {
    return undefined;
  }
  const checked = parseTarget(targetUrl);
  return checked.ok ? { adId, campaignId, targetUrl: checked.value, active } : undefined;
}
