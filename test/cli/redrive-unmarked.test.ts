// The record by which a wrongly marked click is billed.
import { expect, test } from 'vitest';
import { unmarked, unmarkedId } from '../../src/commands/redrive-unmarked.js';

const textOf = (json: string): string => Buffer.from(unmarked(Buffer.from(json))).toString();

test('loses its mark and gets an id of its own; all else stays to the byte', () => {
  const id = unmarkedId('c-1');
  expect(id).toMatch(/^unmarked-[0-9a-f]{32}$/);
  expect(
    textOf(
      '{ "click_id":"c-1", "event_time" : 1000,"invalid_traffic":"crawler","n":12345678901234567890,"x":{"invalid_traffic":"kept"} }',
    ),
  ).toBe(
    `{"click_id":"${id}","event_time" : 1000,"n":12345678901234567890,"x":{"invalid_traffic":"kept"},"unmarks":"c-1"}`,
  );
});

test('reads escaped names, and an id is the same whoever makes it and another for another click', () => {
  expect(textOf('{"click\\u005fid":"\\u0063-1","invalid\\u005ftraffic":"x"}')).toBe(
    `{"click_id":"${unmarkedId('c-1')}","unmarks":"c-1"}`,
  );
  expect(unmarkedId('c-2')).not.toBe(unmarkedId('c-1'));
});
