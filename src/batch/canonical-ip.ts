// IP addresses in one canonical text, in SQL, so that equal addresses are equal strings. IPv4 has only one
// spelling. IPv6 has many; most texts are the shortest one already, and telling so is cheap: only the odd ones
// are rewritten. Only sound addresses come here (the lake has judged them).
//
// The canonical text of an address whose zero groups are all in one run has `::` for them; else all eight groups
// are written, the zero ones as nothing (`2001:db8::1::::5`). A text without capitals, dots and groups that begin
// with 0 can only be of the first kind, and is its own canonical text. IPv4-mapped addresses become IPv4.

/** SQL's only `let`: a macro would work its argument out anew wherever it names it. */
const letBe = (value: string, name: string, body: string): string =>
  `list_transform([${value}], lambda ${name}: ${body})[1]`;

/**
 * Macros, once a session:
 *
 * - `canonical_ip(text)`
 * - `ip_key(text)`: a hash that is equal for equal addresses, but also for some different ones. Much cheaper, and good
 *   enough to tell addresses that are busy from those that aren't. Of IPv6 it takes the first two groups and the
 *   last, which can be read from any text that begins with neither a colon nor a zero and has no dots: `::` stands
 *   for one zero group at least.
 */
export const IP_MACROS = `
CREATE OR REPLACE MACRO ip_is_odd(ip) AS contains(ip, ':') AND (contains(ip, ':0') OR contains(ip, '.')
  OR starts_with(ip, '0') OR starts_with(ip, '::ffff:') OR ip <> lower(ip));

-- 64:ff9b::192.0.2.33 to 64:ff9b::c000:221
CREATE OR REPLACE MACRO ip_quad_group(quad, part) AS to_hex(
  256 * CAST(split_part(quad, '.', part) AS INTEGER) + CAST(split_part(quad, '.', part + 1) AS INTEGER));
CREATE OR REPLACE MACRO ip_without_quad(ip) AS CASE WHEN contains(ip, '.')
  THEN ${letBe("split_part(ip, ':', -1)", 'quad', "left(ip, length(ip) - length(quad)) || ip_quad_group(quad, 1) || ':' || ip_quad_group(quad, 3)")}
  ELSE ip END;

-- ::1 to 0:0:0:0:0:0:0:1
CREATE OR REPLACE MACRO ip_with_ends(ip) AS
  CASE WHEN starts_with(ip, '::') THEN '0' ELSE '' END || ip || CASE WHEN ends_with(ip, '::') THEN '0' ELSE '' END;
CREATE OR REPLACE MACRO ip_in_full(ip) AS replace(ip, '::',
  ':' || repeat('0:', 8 - length(ip) + length(replace(ip, ':', ''))));

-- 0:0:0:0:0:0:00ab:1 to ['', '', '', '', '', '', 'ab', '1']
CREATE OR REPLACE MACRO ip_groups(ip) AS list_transform(string_split(ip, ':'), lambda word: ltrim(word, '0'));

-- Joins the zero groups to ::, if they are in one run: all of them, in the middle, at the start, at the end.
CREATE OR REPLACE MACRO ip_folded(bare, zeros) AS CASE
  WHEN zeros = 0 THEN bare
  WHEN zeros = 8 THEN '::'
  WHEN contains(bare, repeat(':', zeros + 1)) THEN replace(bare, repeat(':', zeros + 1), '::')
  WHEN starts_with(bare, repeat(':', zeros)) THEN '::' || substr(bare, zeros + 1)
  WHEN ends_with(bare, repeat(':', zeros)) THEN left(bare, length(bare) - zeros) || '::'
  ELSE bare END;
CREATE OR REPLACE MACRO ip_byte(word, place) AS CAST('0x0' || word AS INTEGER) // place % 256;
CREATE OR REPLACE MACRO ip_text(parts) AS CASE
  WHEN array_to_string(parts[1:6], ':') = ':::::ffff' THEN concat_ws('.', ip_byte(parts[7], 256),
    ip_byte(parts[7], 1), ip_byte(parts[8], 256), ip_byte(parts[8], 1))
  ELSE ip_folded(array_to_string(parts, ':'), len(list_filter(parts, lambda word: word = ''))) END;

CREATE OR REPLACE MACRO canonical_ip(ip) AS CASE WHEN ip_is_odd(ip) THEN
  ${letBe('lower(ip_without_quad(ip))', 'plain', letBe('ip_with_ends(plain)', 'ended', letBe('ip_groups(ip_in_full(ended))', 'parts', 'ip_text(parts)')))}
  ELSE ip END;

CREATE OR REPLACE MACRO ip_outer_groups(ip) AS hash(lower(split_part(ip, ':', 1)),
  lower(ltrim(split_part(ip, ':', 2), '0')), lower(ltrim(split_part(ip, ':', -1), '0')));
CREATE OR REPLACE MACRO ip_key_of_canonical(ip) AS
  CASE WHEN contains(ip, ':') THEN ip_outer_groups(ip) ELSE hash(ip) END;
CREATE OR REPLACE MACRO ip_key(ip) AS CASE
  WHEN NOT contains(ip, ':') THEN hash(ip)
  WHEN starts_with(ip, '::ffff:') AND contains(ip, '.') AND NOT contains(substr(ip, 8), ':')
    THEN hash(substr(ip, 8))
  WHEN starts_with(ip, ':') OR starts_with(ip, '0') OR contains(ip, '.')
    THEN ${letBe('canonical_ip(ip)', 'canonical', 'ip_key_of_canonical(canonical)')}
  ELSE ip_outer_groups(ip) END;
`;
