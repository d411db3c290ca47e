// The entry of nextTick's queue that is kept alive: V8 goes on using its shape through any number of full collections.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const SCRIPT = `
  import { executionAsyncResource } from 'node:async_hooks';
  import { keptEntry } from './dist/kept-tick.js';
  const turn = () => new Promise((resolve) => setTimeout(resolve));
  // Enough calls that V8 notes the shape.
  for (let i = 0; i < 1000; i++) process.nextTick(() => undefined);
  await turn();
  for (let i = 0; i < 5; i++) { gc(); await turn(); }
  const later = await new Promise((resolve) => process.nextTick(() => resolve(executionAsyncResource())));
  console.log(JSON.stringify([later !== keptEntry, %HaveSameMap(later, keptEntry)]));
`;

test('entries of nextTick have the shape of the one that is kept', async () => {
  const flags = ['--expose-gc', '--allow-natives-syntax', '--input-type=module', '--eval', SCRIPT];
  const { stdout } = await promisify(execFile)(process.execPath, flags);
  expect(JSON.parse(stdout)).toEqual([true, true]);
});
