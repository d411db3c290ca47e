// The text forms of an IP address as one regular expression (RE2), for the lake's SQL.

const OCTET = '(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])';
const IPV4 = String.raw`(?:${OCTET}\.){3}${OCTET}`;
const GROUP = '[0-9A-Fa-f]{1,4}';
/** The last 32 bits: two groups or a dotted quad. */
const LAST_32 = `(?:${GROUP}:${GROUP}|${IPV4})`;

const upTo = (groups: number): string => `(?:(?:${GROUP}:){0,${groups - 1}}${GROUP})?`;

/** RFC 4291 by how many groups stand before `::`, which always stands for one group of zeros at least. */
const IPV6 = [
  `(?:${GROUP}:){6}${LAST_32}`,
  `::(?:${GROUP}:){5}${LAST_32}`,
  `${upTo(1)}::(?:${GROUP}:){4}${LAST_32}`,
  `${upTo(2)}::(?:${GROUP}:){3}${LAST_32}`,
  `${upTo(3)}::(?:${GROUP}:){2}${LAST_32}`,
  `${upTo(4)}::${GROUP}:${LAST_32}`,
  `${upTo(5)}::${LAST_32}`,
  `${upTo(6)}::${GROUP}`,
  `${upTo(7)}::`,
].join('|');

/** To be matched in full. No zones, no brackets, no leading zeros in the parts of a dotted quad. */
export const IP_ADDRESS_PATTERN = `${IPV4}|${IPV6}`;
