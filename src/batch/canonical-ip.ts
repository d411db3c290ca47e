// IP addresses in one canonical text, in SQL, so that equal addresses are equal strings. IPv4 has only one
// spelling. IPv6 has many; most texts are the shortest one already, and telling so is cheap: only the odd ones
// are rewritten. Only sound addresses come here (the lake has judged them).
//
// The canonical text of an address whose zero groups are all in one run has `::` for them; else all eight groups
// are written, the zero ones as nothing (`2001:db8::1::::5`). A text without capitals, dots and groups that begin
// with 0 can only be of the first kind, and is its own canonical text. IPv4-mapped addresses become IPv4.
//
// It goes in steps, a subquery each, and not by nested macros: a macro works its argument out anew wherever it
// names it, and a lambda (the other `let` that SQL has) compiles its regular expressions for each vector.

/** Macros that `withCanonicalIp` needs, once a session. */
export const CANONICAL_IP_MACROS = `
CREATE OR REPLACE MACRO ip_is_odd(ip) AS contains(ip, ':') AND (contains(ip, ':0') OR contains(ip, '.')
  OR starts_with(ip, '0') OR starts_with(ip, '::ffff:') OR ip <> lower(ip));
CREATE OR REPLACE MACRO ip_is_special(ip) AS contains(ip, ':')
  AND (starts_with(ip, ':') OR starts_with(ip, '0') OR contains(ip, '.'));
CREATE OR REPLACE MACRO ip_outer_groups(ip) AS CASE WHEN contains(ip, ':') THEN lower(concat_ws(':',
    split_part(ip, ':', 1), ltrim(split_part(ip, ':', 2), '0'), ltrim(split_part(ip, ':', -1), '0')))
  ELSE ip END;
CREATE OR REPLACE MACRO ip_quad_group(quad, part) AS to_hex(
  256 * CAST(split_part(quad, '.', part) AS INTEGER) + CAST(split_part(quad, '.', part + 1) AS INTEGER));
CREATE OR REPLACE MACRO ip_without_quad(ip) AS CASE WHEN contains(ip, '.')
  THEN regexp_replace(ip, '[0-9.]+$', '') || ip_quad_group(regexp_extract(ip, '[0-9.]+$'), 1)
    || ':' || ip_quad_group(regexp_extract(ip, '[0-9.]+$'), 3)
  ELSE ip END;
CREATE OR REPLACE MACRO ip_group(ip, part) AS ltrim(split_part(ip, ':', part), '0');
CREATE OR REPLACE MACRO ip_byte(ip, part, byte) AS CAST('0x0' || split_part(ip, ':', part) AS INTEGER) // byte % 256;
`;

const GROUPS = [1, 2, 3, 4, 5, 6, 7, 8].map((part) => `ip_group(ip_full, ${part})`).join(', ');

/** Joins the zero groups to `::`, if they are in one run: in the middle, at the start, at the end. */
const FOLDED = `CASE
  WHEN ip_zeros = 0 THEN ip_bare
  WHEN contains(ip_bare, repeat(':', ip_zeros + 1)) THEN replace(ip_bare, repeat(':', ip_zeros + 1), '::')
  WHEN starts_with(ip_bare, repeat(':', ip_zeros)) THEN '::' || substr(ip_bare, ip_zeros + 1)
  WHEN ends_with(ip_bare, repeat(':', ip_zeros)) THEN left(ip_bare, length(ip_bare) - ip_zeros) || '::'
  ELSE ip_bare END`;

/** The rows of a table expression with a column `ip_canonical` in addition to its `ip_address`. */
export function withCanonicalIp(rows: string): string {
  return rewritten(rows, 'ip_is_odd(ip_address)');
}

/**
 * The rows with a column `ip_key`: equal for equal addresses, but also for some different ones. Much cheaper, and
 * good enough to tell addresses that are busy from those that aren't.
 *
 * Of IPv6 it holds the first two groups and the last, which can be read from any text that doesn't begin with a
 * zero group or end with a dotted quad: `::` stands for one zero group at least.
 */
export function withIpKey(rows: string): string {
  return `(SELECT *, ip_outer_groups(ip_canonical) AS ip_key FROM ${rewritten(rows, 'ip_is_special(ip_address)')})`;
}

function rewritten(rows: string, which: string): string {
  const bytes = [
    [7, 256],
    [7, 1],
    [8, 256],
    [8, 1],
  ].map(([part, byte]) => `ip_byte(ip_bare, ${part}, ${byte})`);
  return `(
    SELECT *, CASE WHEN ip_bare IS NULL THEN ip_address
        WHEN starts_with(ip_bare, ':::::ffff:') THEN concat_ws('.', ${bytes.join(', ')})
        ELSE ${FOLDED} END AS ip_canonical
    FROM (SELECT *, 15 - length(regexp_replace(ip_bare, '[0-9a-f]+', 'x', 'g')) AS ip_zeros
    FROM (SELECT *, CASE WHEN ip_full IS NOT NULL THEN concat_ws(':', ${GROUPS}) END AS ip_bare
    FROM (SELECT *, replace(ip_ended, '::',
        ':' || repeat('0:', 8 - length(ip_ended) + length(replace(ip_ended, ':', '')))) AS ip_full
    FROM (SELECT *, CASE WHEN starts_with(ip_plain, '::') THEN '0' ELSE '' END || ip_plain
        || CASE WHEN ends_with(ip_plain, '::') THEN '0' ELSE '' END AS ip_ended
    FROM (SELECT *, CASE WHEN ${which} THEN lower(ip_without_quad(ip_address)) END AS ip_plain
    FROM ${rows}))))))`;
}
