// IP addresses in one canonical text, in SQL, so that equal addresses are equal strings. IPv4 has only one
// spelling. IPv6 has many; most texts are already the shortest one, and telling so is cheap: only the others
// are rewritten. Only sound addresses come here (the lake has judged them).

/**
 * Macros; `canonical_ip(text)` is the one to use.
 *
 * The canonical text of an address whose zero groups are all in one run has them as `::`, else all eight groups
 * are written out. A text without capitals, dots and groups that begin with 0 can only be of the first kind and
 * has its run in `::` already, so it is its own canonical text. IPv4-mapped addresses become IPv4.
 */
export const CANONICAL_IP_MACROS = `
CREATE OR REPLACE MACRO ip_is_odd(ip) AS contains(ip, ':') AND (contains(ip, ':0') OR contains(ip, '.')
  OR starts_with(ip, '0') OR starts_with(ip, '::ffff:') OR ip <> lower(ip));

CREATE OR REPLACE MACRO ip_group(quad, part) AS to_hex(
  256 * CAST(split_part(quad, '.', part) AS INTEGER) + CAST(split_part(quad, '.', part + 1) AS INTEGER));
CREATE OR REPLACE MACRO ip_without_quad(ip) AS CASE WHEN contains(ip, '.')
  THEN regexp_replace(ip, '[0-9.]+$', '') || ip_group(regexp_extract(ip, '[0-9.]+$'), 1)
    || ':' || ip_group(regexp_extract(ip, '[0-9.]+$'), 3)
  ELSE ip END;

CREATE OR REPLACE MACRO ip_with_ends(ip) AS
  CASE WHEN starts_with(ip, '::') THEN '0' ELSE '' END || ip || CASE WHEN ends_with(ip, '::') THEN '0' ELSE '' END;
CREATE OR REPLACE MACRO ip_colons(ip) AS length(ip) - length(replace(ip, ':', ''));
CREATE OR REPLACE MACRO ip_written_out(ip) AS replace(ip, '::', ':' || repeat('0:', 8 - ip_colons(ip)));
CREATE OR REPLACE MACRO ip_without_leading_zeros(ip) AS regexp_replace(ip, '\\b0+([0-9a-f])', '\\1', 'g');
CREATE OR REPLACE MACRO ip_eight_groups(ip) AS
  ip_without_leading_zeros(ip_written_out(ip_with_ends(lower(ip_without_quad(ip)))));

CREATE OR REPLACE MACRO ip_number(eight, part) AS CAST('0x' || split_part(eight, ':', part) AS INTEGER);
CREATE OR REPLACE MACRO ip_as_v4(eight) AS concat_ws('.', ip_number(eight, 7) // 256, ip_number(eight, 7) % 256,
  ip_number(eight, 8) // 256, ip_number(eight, 8) % 256);

CREATE OR REPLACE MACRO ip_folded(eight) AS regexp_replace(':' || eight || ':', ':(0:)+', '::');
CREATE OR REPLACE MACRO ip_unframed(folded) AS substr(folded,
  CASE WHEN starts_with(folded, '::') THEN 1 ELSE 2 END,
  length(folded) - CASE WHEN starts_with(folded, '::') THEN 0 ELSE 1 END
    - CASE WHEN ends_with(folded, '::') THEN 0 ELSE 1 END);
CREATE OR REPLACE MACRO ip_shortest(eight) AS CASE
  WHEN starts_with(eight, '0:0:0:0:0:ffff:') THEN ip_as_v4(eight)
  ELSE list_transform([ip_folded(eight)],
    lambda folded: CASE WHEN contains(folded, ':0:') THEN eight ELSE ip_unframed(folded) END)[1] END;

CREATE OR REPLACE MACRO canonical_ip(ip) AS CASE WHEN ip_is_odd(ip)
  THEN list_transform([ip_eight_groups(ip)], lambda eight: ip_shortest(eight))[1] ELSE ip END;
`;
