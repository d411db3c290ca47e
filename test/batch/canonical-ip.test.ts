// One spelling for every address, in SQL, as core spells it in bytes.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { IP_MACROS } from '../../src/batch/canonical-ip.js';
import { openSession, quote } from '../../src/batch/session.js';

/** Eight groups, zero ones often, IPv4-mapped ones and nothing but zeros now and then. */
const address = fc.oneof(
  fc.array(fc.oneof(fc.constant(0), fc.constantFrom(1, 0xab, 0xa0b, 0xffff), fc.nat(0xffff)), {
    minLength: 8,
    maxLength: 8,
  }),
  fc.tuple(fc.nat(0xffff), fc.nat(0xffff)).map(([high, low]) => [0, 0, 0, 0, 0, 0xffff, high, low]),
  fc.constant(new Array<number>(8).fill(0)),
);

interface Spelling {
  padTo: number;
  upper: boolean;
  quad: boolean;
  /** Which of the runs of zero groups becomes `::`, and how much of it is left out; -1: none. */
  run: number;
  shorterBy: number;
  asV4: boolean;
}

const spelling: fc.Arbitrary<Spelling> = fc.record({
  padTo: fc.constantFrom(1, 1, 2, 4),
  upper: fc.boolean(),
  quad: fc.boolean(),
  run: fc.integer({ min: -1, max: 3 }),
  shorterBy: fc.integer({ min: 0, max: 2 }),
  asV4: fc.boolean(),
});

function runsOfZeros(groups: readonly number[]): { start: number; length: number }[] {
  const runs: { start: number; length: number }[] = [];
  for (let i = 0; i < groups.length; i++) {
    if (groups[i] !== 0) continue;
    const start = i;
    while (groups[i + 1] === 0) i++;
    runs.push({ start, length: i - start + 1 });
  }
  return runs;
}

function quadOf(high: number, low: number): string {
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
}

/** The address as RFC 4291 lets one write it. */
function spelled(groups: readonly number[], how: Spelling): string {
  const mapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
  if (mapped && how.asV4) return quadOf(groups[6]!, groups[7]!);
  const head = how.quad ? groups.slice(0, 6) : groups;
  const tail = how.quad ? [quadOf(groups[6]!, groups[7]!)] : [];
  const words = head.map((group) => group.toString(16).padStart(how.padTo, '0'));
  const run = runsOfZeros(head)[how.run];
  const length = run ? Math.max(1, run.length - how.shorterBy) : 0;
  const text = run
    ? `${words.slice(0, run.start).join(':')}::${[...words.slice(run.start + length), ...tail].join(':')}`
    : [...words, ...tail].join(':');
  return how.upper ? text.toUpperCase() : text;
}

describe('an IP address in SQL', () => {
  test('has one canonical text and one key, however it is spelled, and shares the text with no other', async () => {
    const session = await openSession({ threads: 1 });
    try {
      await session.run(IP_MACROS);
      const addresses = fc.array(fc.tuple(address, fc.array(spelling, { minLength: 2, maxLength: 6 })), {
        minLength: 20,
        maxLength: 20,
      });
      await fc.assert(
        fc.asyncProperty(addresses, async (list) => {
          const rows = list.flatMap(([groups, spellings]) =>
            spellings.map((how) => `(${quote(groups.join(' '))}, ${quote(spelled(groups, how))})`),
          );
          const wrong = await session.rows(`
            WITH given(address, ip) AS (VALUES ${rows.join(', ')}),
              found AS (SELECT address, ip, canonical_ip(ip) AS canonical, ip_key(ip) AS key FROM given)
            SELECT 'two texts' AS what, string_agg(ip, ' ') AS ips FROM found GROUP BY address
              HAVING count(DISTINCT canonical) > 1 OR count(DISTINCT key) > 1
            UNION ALL
            SELECT 'two addresses', string_agg(ip, ' ') FROM found GROUP BY canonical
              HAVING count(DISTINCT address) > 1`);
          expect(wrong).toEqual([]);
        }),
        { numRuns: 200, endOnFailure: true },
      );
    } finally {
      await session.close();
    }
  });
});
