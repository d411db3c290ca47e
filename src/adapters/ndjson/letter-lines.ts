// Dead letters as NDJSON, to be mended with any editor or script and read again. A record that is a JSON object
// stands as it is under `click`; other text under `text`, other bytes under `base64`.
import type { DeadLetter } from '../../core/ports/commit.js';

/** What is sent again: bytes, and the dead letter they are the mended form of, if they are one's. */
export interface MendedRecord {
  value: Uint8Array;
  letter: { partition: number; offset: number } | undefined;
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The bytes as text; undefined if they aren't UTF-8. */
export function textOf(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

/** What is known of a letter beside its bytes, as fields of JSON. */
export function letterFields(letter: DeadLetter): Record<string, string | number | null> {
  return {
    partition: letter.partition,
    offset: letter.offset,
    verdict: letter.verdict,
    reason: letter.reason,
    event_time: timeText(letter.eventTimeMs),
    append_time: timeText(letter.appendTimeMs),
    click_id: letter.clickId ?? null,
    ad_id: letter.adId ?? null,
    campaign_id: letter.campaignId ?? null,
    ip_address: letter.ipAddress ?? null,
    value_bytes: letter.valueBytes ?? null,
    redriven_at: timeText(letter.redrivenAtMs),
  };
}

/** `2026-02-22T10:00:00.123Z`, or null. */
function timeText(ms: number | undefined): string | null {
  return ms === undefined ? null : new Date(ms).toISOString();
}

/** The value as fields of JSON: `text`, or `base64` where it isn't UTF-8; none where it isn't kept. */
export function valueFields(value: Uint8Array | undefined): { text?: string; base64?: string } {
  if (!value) return {};
  const text = textOf(value);
  return text === undefined ? { base64: Buffer.from(value).toString('base64') } : { text };
}

/** The letter as a line, without its end. */
export function letterLine(letter: DeadLetter): string {
  const fields = JSON.stringify(letterFields(letter)).slice(0, -1);
  const text = letter.value && textOf(letter.value);
  if (text !== undefined && isObject(text)) return `${fields},"click":${onOneLine(text)}}`;
  const value = JSON.stringify(valueFields(letter.value)).slice(1, -1);
  return value === '' ? `${fields}}` : `${fields},${value}}`;
}

function isObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value);
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}

/** JSON text without line breaks: raw ones can only stand between its tokens. */
export function onOneLine(text: string): string {
  return text.replace(/[\r\n]/g, ' ');
}

/**
 * Reads a line: a letter as `letterLine` wrote it and somebody mended it, or a bare click. A string says what is
 * wrong with the line. `mayLack`: a letter whose bytes are kept elsewhere may come without them, and has none then.
 */
export function mendedRecord(line: string, mayLack = false): MendedRecord | string {
  let content: unknown;
  try {
    content = JSON.parse(line);
  } catch (error) {
    if (error instanceof SyntaxError) return `is not JSON (${error.message})`;
    throw error;
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content))
    return 'is not a JSON object';
  const letter = content as Record<string, unknown>;
  const { partition, offset, verdict } = letter;
  if (typeof verdict !== 'string' || !isPlace(partition) || !isPlace(offset))
    return { value: Buffer.from(line.trim()), letter: undefined };
  const value = sentValue(letter) ?? (mayLack ? new Uint8Array() : 'has no click, text or base64 to send');
  return typeof value === 'string' ? value : { value, letter: { partition, offset } };
}

function isPlace(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function sentValue({ click, text, base64 }: Record<string, unknown>): Uint8Array | undefined {
  if (typeof click === 'object' && click !== null) return Buffer.from(JSON.stringify(click));
  if (typeof text === 'string') return Buffer.from(text);
  if (typeof base64 === 'string') return Buffer.from(base64, 'base64');
  return undefined;
}
