// Event times that clients send, read as the counting method reads them.
import { parseEpochMs, parseIsoTime } from '../core/event-time.js';

const TEXT_BYTES_MAX = 64;
const scratch = Buffer.alloc(TEXT_BYTES_MAX);

/** `event_time` as JSON, of a text in a URL (digits are epoch ms), with the instant; undefined if it is none. */
export function eventTimeOf(text: string): { json: string; ms: number } | undefined {
  if (text.length > TEXT_BYTES_MAX) return undefined;
  const length = scratch.write(text, 'utf8');
  const digits = /^\d+$/.test(text);
  const ms = digits ? parseEpochMs(scratch, 0, length) : parseIsoTime(scratch, 0, length);
  if (Number.isNaN(ms)) return undefined;
  return { json: digits ? text : `"${text}"`, ms };
}

let lastMs = Number.NaN;
let lastIso = '';

/** The instant as ISO 8601; clicks of one millisecond share the text. */
export function isoTime(ms: number): string {
  if (ms !== lastMs) {
    lastMs = ms;
    lastIso = new Date(ms).toISOString();
  }
  return lastIso;
}
