// What the subcommands of `dead-letters` share: filters, and how a record is named.
import type { DeadLetter } from '../core/ports/commit.js';
import type { DeadLetterFilter, StoreReader } from '../core/ports/store.js';
import { oneOf, optionalText } from '../options/option.js';

const VERDICT_CHOICES = ['all', 'invalid', 'too_late', 'invalid_traffic', 'bot'] as const;

export const letterFilterOptions = {
  verdict: oneOf({
    flag: 'verdict',
    choices: VERDICT_CHOICES,
    default: 'all',
    about: 'only letters with this verdict',
  }),
  reason: optionalText({
    flag: 'reason',
    value: 'REASON',
    about: 'only letters with this reason, as count shows it',
  }),
};

/** The filter of a `--verdict`: undefined for all. */
export function verdictFilter(verdict: (typeof VERDICT_CHOICES)[number]): string | undefined {
  return verdict === 'all' ? undefined : verdict;
}

/** `3:1042` as a place; undefined if it is none. */
export function placeOf(text: string): { partition: number; offset: number } | undefined {
  const match = /^(\d{1,10}):(\d{1,16})$/.exec(text.trim());
  if (!match) return undefined;
  const [partition, offset] = [Number(match[1]), Number(match[2])];
  return Number.isSafeInteger(offset) && partition <= 0x7fff_ffff ? { partition, offset } : undefined;
}

/** Letters are read in pages of about so many bytes. */
const PAGE_BYTES = 16 * 1_048_576;
const PAGE_LETTERS_FIRST = 200;
const PAGE_LETTERS_MAX = 10_000;

/** All letters that a filter lets through, in the order of (partition, offset), a bounded number in memory. */
export async function* allLetters(
  reader: Pick<StoreReader, 'deadLetters'>,
  filter: Pick<DeadLetterFilter, 'verdict' | 'reason'>,
): AsyncGenerator<DeadLetter> {
  let after = { partition: -1, offset: -1 };
  let limit = PAGE_LETTERS_FIRST;
  for (;;) {
    const page = await reader.deadLetters({ ...filter, at: [], after, limit });
    yield* page;
    const last = page.at(-1);
    if (!last || page.length < limit) return;
    after = { partition: last.partition, offset: last.offset };
    const bytes = page.reduce((sum, { value }) => sum + (value?.length ?? 0), 0);
    limit = Math.max(1, Math.min(PAGE_LETTERS_MAX, Math.floor((page.length * PAGE_BYTES) / (bytes + 1))));
  }
}

/** A letter's place as text: `3:1042`. */
export function keyOf({ partition, offset }: { partition: number; offset: number }): string {
  return `${partition}:${offset}`;
}
