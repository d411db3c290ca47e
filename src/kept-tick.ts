// Keeps process.nextTick fast. V8 learns the shape of the entries of nextTick's queue, and forgets it when a full garbage
// collection finds none of them alive; from then on every call takes 200 ns in place of 40 (measured on Node 20, 22 and
// 24), and an HTTP request makes seven. Half of all processes met it within seconds. One entry that stays alive prevents it.
import { executionAsyncResource } from 'node:async_hooks';

export let keptEntry: object | undefined;

process.nextTick(() => {
  keptEntry = executionAsyncResource();
});
