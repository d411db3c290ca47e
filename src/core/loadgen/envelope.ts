// A record in an envelope as `kcat -J` writes it: one JSON object a line, key and payload as strings, members
// in kcat's order.
import { ascii, putBytes, putHex16, putInteger } from './put.js';

export const ENVELOPE_TOPIC = 'clicks';

export interface EnvelopeHead {
  partition: number;
  offset: number;
  appendTimeMs: number;
}

const PARTITION = ascii(`{"topic":"${ENVELOPE_TOPIC}","partition":`);
const OFFSET = ascii(',"offset":');
const TIME = ascii(',"tstype":"logappend","ts":');
const KEY = ascii(',"broker":0,"key":"');
const NO_KEY = ascii(',"broker":0,"key":null');
const PAYLOAD = ascii(',"payload":"');
const QUOTE = 34;
const BACKSLASH = 92;

/** Writes the envelope up to the payload's opening quote. An empty key stands for none. */
export function putEnvelopeHead(to: Uint8Array, at: number, head: EnvelopeHead, key: Uint8Array): number {
  let end = putInteger(to, putBytes(to, at, PARTITION), head.partition);
  end = putInteger(to, putBytes(to, end, OFFSET), head.offset);
  end = putInteger(to, putBytes(to, end, TIME), head.appendTimeMs);
  if (key.length === 0) {
    end = putBytes(to, end, NO_KEY);
  } else {
    end = putBytes(to, putBytes(to, end, KEY), key);
    to[end++] = QUOTE;
  }
  return putBytes(to, end, PAYLOAD);
}

/** Writes `from[0, length)`, valid UTF-8, as the payload, and closes the envelope. */
export function putPayload(to: Uint8Array, at: number, from: Uint8Array, length: number): number {
  let end = at;
  for (let i = 0; i < length; i++) {
    const byte = from[i];
    if (byte === QUOTE || byte === BACKSLASH) {
      to[end++] = BACKSLASH;
      to[end++] = byte;
    } else if (byte < 32) {
      to[end++] = BACKSLASH;
      to[end++] = 117;
      end = putHex16(to, end, byte);
    } else {
      to[end++] = byte;
    }
  }
  to[end++] = QUOTE;
  to[end++] = 125;
  return end;
}
