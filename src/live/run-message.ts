// What a run says to those who watch it, after each commit and once a second: through Redis to any number of
// dashboards, through its local server to those on this machine. A message says what has changed; the state itself is
// always read from the store, so a message that is lost only delays.
import type { LiveStatus } from '../core/live-status.js';
import { BUCKET_MS } from '../core/method.js';
import type { Commit } from '../core/ports/commit.js';
import { decode, encode } from './wire.js';

/** Changed totals of one commit. */
export interface ChangeMessage {
  kind: 'change';
  /** Names the process: `sequence` counts its commits. */
  run: string;
  sequence: number;
  committedAtMs: number;
  /** The minutes that changed lie in `[fromMs, toMs)`; empty: none did. */
  fromMs: number;
  toMs: number;
  /** The changed cells, `clicks` absolute; absent: more than a message holds. */
  changed?: {
    dimensions: readonly (readonly [adId: string, campaignId: string, country: string, deviceType: string])[];
    cells: readonly (readonly [minuteMs: number, dimension: number, clicks: number])[];
  };
}

/** How the run is. */
export interface StatusMessage {
  kind: 'status';
  run: string;
  status: LiveStatus;
}

/** Messages were left out, since the one who listens was slow: anything may have changed. */
export interface MissedMessage {
  kind: 'missed';
}

export type RunMessage = ChangeMessage | StatusMessage | MissedMessage;

/** A message with more would cost those who listen more than looking themselves. */
export const CHANGED_CELLS_MAX = 2_000;

/** The message of a commit that was made. */
export function changeOf(commit: Commit, origin: { run: string; sequence: number }): ChangeMessage {
  const { count, minuteMs, dimension, clicks, dimensions } = commit.cells;
  let firstMs = Infinity;
  let lastMs = -Infinity;
  for (let i = 0; i < count; i++) {
    firstMs = Math.min(firstMs, minuteMs[i]!);
    lastMs = Math.max(lastMs, minuteMs[i]!);
  }
  const message: ChangeMessage = {
    kind: 'change',
    ...origin,
    committedAtMs: Date.now(),
    fromMs: count > 0 ? firstMs : 0,
    toMs: count > 0 ? lastMs + BUCKET_MS : 0,
  };
  if (count > CHANGED_CELLS_MAX) return message;
  const cells = Array.from({ length: count }, (_, i) => [minuteMs[i]!, dimension[i]!, clicks[i]!] as const);
  return { ...message, changed: { dimensions, cells } };
}

/** The message as one line of text. */
export function messageText(message: RunMessage): string {
  return encode(message);
}

/** The message of a text; undefined: it is none that this version knows. */
export function messageOf(text: string): RunMessage | undefined {
  let content: unknown;
  try {
    content = decode(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  const { kind, ...message } = (content ?? {}) as Record<string, unknown>;
  if (kind === 'missed') return { kind };
  if (typeof message.run !== 'string') return undefined;
  if (kind === 'status' && isStatus(message)) return { kind, ...message };
  if (kind === 'change' && isChange(message)) return { kind, ...message };
  return undefined;
}

function isStatus(message: object): message is Omit<StatusMessage, 'kind'> {
  const { status } = message as Partial<StatusMessage>;
  return (
    typeof status?.ledger === 'object' &&
    Array.isArray(status.partitions) &&
    typeof status.recordsPerSecond === 'number'
  );
}

function isChange(message: object): message is Omit<ChangeMessage, 'kind'> {
  const { fromMs, toMs, sequence, committedAtMs, changed } = message as Partial<ChangeMessage>;
  return (
    [fromMs, toMs, sequence, committedAtMs].every((number) => typeof number === 'number') &&
    (changed === undefined || (Array.isArray(changed.dimensions) && Array.isArray(changed.cells)))
  );
}
