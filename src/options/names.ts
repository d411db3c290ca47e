// How one option is spelt in each of its three places, and what a mistyped name was probably meant to be.
import type { OptionSpec } from './option.js';

/** `watermark-delay` to `watermarkDelay`, the key in a config file. */
export function camelCase(kebab: string): string {
  return kebab.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** `CLICK_AGG_WATERMARK_DELAY`. */
export function environmentName(spec: OptionSpec): string {
  return `CLICK_AGG_${spec.flag.replaceAll('-', '_').toUpperCase()}`;
}

/** A switch takes no value: it is on or off. */
export function isSwitch(spec: OptionSpec): boolean {
  return spec.value === undefined;
}

/** The candidate that differs least from `name`, if it differs by a third of the letters at most. */
export function nearest(name: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(name.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** Letters to insert, delete or replace to get from one word to the other (Levenshtein). */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const replace = row[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1);
      next[j] = Math.min(replace, row[j]! + 1, next[j - 1]! + 1);
    }
    row = next;
  }
  return row[to.length]!;
}
