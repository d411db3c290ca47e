// What every store must keep of its dead letters for whoever passes them on: every event once, in order, whatever
// was withdrawn meanwhile and however often the store was opened again.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { DeadLetter } from '../../src/core/ports/commit.js';
import type { LetterEvent, LetterOutbox } from '../../src/core/ports/letters.js';
import type { Store } from '../../src/core/ports/store.js';
import { commitOf, deadLetter, START_MS } from './commits.js';

type Outbox = Store & LetterOutbox;

/** The contract's tests for one kind of store; `open` opens the one that lives at a directory. */
export function describeOutbox(name: string, open: (directory: string) => Promise<Outbox>): void {
  describe(`${name} keeps the order of dead letters`, () => {
    let directory: string;
    let store: Outbox;
    beforeEach(async () => {
      directory = mkdtempSync(join(tmpdir(), 'click-agg-outbox-'));
      store = await open(directory);
    });
    afterEach(async () => {
      await store.close();
      rmSync(directory, { recursive: true, force: true });
    });
    const reopen = async (): Promise<void> => {
      await store.close();
      store = await open(directory);
    };
    const everything = () => store.letterEvents(-1, 1000);

    test('events come in the order of commits, and a withdrawn letter stands in its old place', async () => {
      await store.commit(commitOf({ deadLetters: [letter(1), bot(2), letter(3)] }));
      await store.commit(commitOf({ deadLetters: [bot(4)], withdrawn: [at(2)] }));
      await reopen();
      await store.commit(commitOf({ deadLetters: [bot(2)], withdrawn: [at(4)] }));
      const events = await everything();
      expect(events.map(nameOf)).toEqual(['1', '2', '3', '-2', '4', '-4', '2']);
      const sequences = events.map(({ sequence }) => sequence);
      expect(sequences).toEqual([...sequences].sort((a, b) => a - b));
      expect(new Set(sequences).size).toBe(events.length);
      expect(await store.letterStream()).toMatchObject({ last: sequences.at(-1), published: -1 });
      const left = await store.deadLetters({ verdict: undefined, reason: undefined, at: [], limit: 10 });
      expect(left.map(({ offset }) => offset).sort()).toEqual([1, 2, 3]);
    });

    test('letters are as they were written, those of withdrawn ones too', async () => {
      const letters = [{ ...letter(1), key: Uint8Array.of(0, 255) }, bot(2)];
      await store.commit(commitOf({ deadLetters: letters }));
      await store.commit(commitOf({ withdrawn: [at(2)] }));
      const [first, second, third] = await everything();
      expect([first?.letter, second?.letter, third?.letter]).toEqual([...letters, letters[1]]);
    });

    test('they are given in pages, and none is left out between two', async () => {
      for (let i = 0; i < 10; i++) {
        const withdrawn = i === 0 ? [] : [at(3 * i - 1)];
        await store.commit(commitOf({ deadLetters: [letter(3 * i), bot(3 * i + 2)], withdrawn }));
      }
      const all = await everything();
      expect(all).toHaveLength(29);
      const paged: LetterEvent[] = [];
      for (let after = -1; ; after = paged.at(-1)!.sequence) {
        const page = await store.letterEvents(after, 4);
        paged.push(...page);
        if (page.length === 0) break;
        expect(page.length).toBeLessThanOrEqual(4);
      }
      expect(paged).toEqual(all);
    });

    test('its name and the mark of what was published last', async () => {
      const { id } = await store.letterStream();
      expect(id).not.toBe('');
      await store.markPublished(7);
      await store.markPublished(9);
      await reopen();
      expect(await store.letterStream()).toEqual({ id, last: -1, published: 9 });
    });
  });
}

/** `3`, or `-3` where it is withdrawn. */
function nameOf({ withdrawn, letter: { offset } }: LetterEvent): string {
  return `${withdrawn ? '-' : ''}${offset}`;
}

function at(offset: number): { partition: number; offset: number } {
  return { partition: 0, offset };
}

function letter(offset: number): DeadLetter {
  const value = Buffer.from(`value ${offset}`);
  return { ...deadLetter(at(offset)), value: new Uint8Array(value), valueBytes: value.length };
}

function bot(offset: number): DeadLetter {
  return {
    ...{
      ...at(offset),
      verdict: 'bot',
      reason: 'many clicks',
      eventTimeMs: START_MS,
      appendTimeMs: undefined,
    },
    ...{ clickId: `c-${offset}`, adId: 'ad', campaignId: 'campaign', ipAddress: '192.0.2.1' },
    ...{ key: undefined, value: undefined, valueBytes: undefined },
  };
}
