// IP addresses in one canonical form, 16 bytes as four big-endian words: RFC 4291 text forms in, IPv4 as
// IPv4-mapped IPv6, so that `::ffff:192.0.2.1` and `192.0.2.1` are the same address.

/** Reads an address from bytes [start, end) into `out[at..at+3]`; false if it is malformed. */
export function parseIp(
  bytes: Uint8Array,
  start: number,
  end: number,
  out: Uint32Array,
  at: number,
): boolean {
  const v4 = parseV4(bytes, start, end);
  if (v4 >= 0) {
    out[at] = 0;
    out[at + 1] = 0;
    out[at + 2] = 0xffff;
    out[at + 3] = v4;
    return true;
  }
  return parseV6(bytes, start, end, out, at);
}

/** Four decimal parts without leading zeros as an unsigned number, or -1. */
function parseV4(bytes: Uint8Array, start: number, end: number): number {
  if (end - start < 7 || end - start > 15) return -1;
  let value = 0;
  let part = 0;
  let length = 0;
  let parts = 1;
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!;
    if (byte === 46) {
      if (length === 0 || parts === 4) return -1;
      value = value * 256 + part;
      parts++;
      part = 0;
      length = 0;
      continue;
    }
    const digit = byte - 48;
    if (digit < 0 || digit > 9 || (length > 0 && part === 0)) return -1;
    part = part * 10 + digit;
    length++;
    if (part > 255) return -1;
  }
  return length === 0 || parts !== 4 ? -1 : value * 256 + part;
}

function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const lower = byte | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}

const groups = new Uint16Array(8);

function parseV6(bytes: Uint8Array, start: number, end: number, out: Uint32Array, at: number): boolean {
  if (end - start < 2 || end - start > 45) return false;
  let count = 0;
  let gap = -1;
  let i = start;
  if (bytes[i] === 58) {
    if (bytes[i + 1] !== 58) return false;
    gap = 0;
    i += 2;
  }
  while (i < end) {
    if (count === 8) return false;
    const groupStart = i;
    let value = 0;
    while (i < end && i - groupStart < 5) {
      const digit = hexDigit(bytes[i]!);
      if (digit < 0) break;
      value = value * 16 + digit;
      i++;
    }
    if (i < end && bytes[i] === 46) {
      const v4 = count <= 6 ? parseV4(bytes, groupStart, end) : -1;
      if (v4 < 0) return false;
      groups[count++] = Math.floor(v4 / 65_536);
      groups[count++] = v4 % 65_536;
      i = end;
      break;
    }
    if (i === groupStart || i - groupStart > 4) return false;
    groups[count++] = value;
    if (i === end) break;
    if (bytes[i] !== 58) return false;
    i++;
    if (i === end) return false;
    if (bytes[i] === 58) {
      if (gap >= 0) return false;
      gap = count;
      i++;
    }
  }
  if (gap < 0 ? count !== 8 : count > 7) return false;
  const shift = 8 - count;
  const word = (group: number): number => {
    if (gap < 0 || group < gap) return groups[group]!;
    return group < gap + shift ? 0 : groups[group - shift]!;
  };
  for (let w = 0; w < 4; w++) out[at + w] = word(2 * w) * 65_536 + word(2 * w + 1);
  return true;
}

/** The canonical text of an address (RFC 5952; IPv4-mapped as IPv4). */
export function formatIp(words: ArrayLike<number>, at: number): string {
  const [a, b, c, d] = [words[at]!, words[at + 1]!, words[at + 2]!, words[at + 3]!];
  if (a === 0 && b === 0 && c === 0xffff)
    return [d >>> 24, (d >>> 16) & 255, (d >>> 8) & 255, d & 255].join('.');
  const parts = [a, b, c, d].flatMap((word) => [word >>> 16, word & 0xffff]);
  // The longest run of two or more zero groups becomes `::`, the first of equals.
  let best = 0;
  let bestAt = -1;
  for (let i = 0; i < 8; i++) {
    let run = 0;
    while (i + run < 8 && parts[i + run] === 0) run++;
    if (run > 1 && run > best) {
      best = run;
      bestAt = i;
    }
  }
  const hex = parts.map((part) => part.toString(16));
  if (bestAt < 0) return hex.join(':');
  return `${hex.slice(0, bestAt).join(':')}::${hex.slice(bestAt + best).join(':')}`;
}
