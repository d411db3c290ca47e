// kafkajs's queue of requests as we mend it: what has to wait is sent, and an idle connection keeps no timer.
import { createRequire } from 'node:module';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { mendRequestQueue } from '../../src/adapters/kafka/request-queue.js';

interface Queue {
  push(request: unknown): void;
  fulfillRequest(answer: { correlationId: number; payload: unknown; size: number }): void;
  maybeThrottle(ms: number): void;
}

const require = createRequire(import.meta.url);
const nobody = () => undefined;

function queueOf(maxInFlightRequests: number | undefined): {
  queue: Queue;
  ask(id: number): void;
  sent: number[];
} {
  const RequestQueue = require('kafkajs/src/network/requestQueue/index.js') as new (options: object) => Queue;
  const logger = { debug: nobody, warn: nobody };
  const queue = new RequestQueue({
    ...{ maxInFlightRequests, requestTimeout: 1000, enforceRequestTimeout: false },
    ...{ clientId: 'test', broker: 'none:1', logger },
  });
  const sent: number[] = [];
  const ask = (correlationId: number): void =>
    queue.push({
      entry: { correlationId, resolve: nobody, reject: nobody },
      expectResponse: true,
      sendRequest: () => sent.push(correlationId),
    });
  return { queue, ask, sent };
}

beforeEach(() => {
  vi.useFakeTimers();
  mendRequestQueue();
});
afterEach(() => vi.useRealTimers());

test('a request that was answered leaves no timer behind', () => {
  const { queue, ask, sent } = queueOf(undefined);
  ask(1);
  queue.fulfillRequest({ correlationId: 1, payload: undefined, size: 0 });
  expect(sent).toEqual([1]);
  expect(vi.getTimerCount()).toBe(0);
});

test('what waits for an answer to another is sent when that comes', () => {
  const { queue, ask, sent } = queueOf(1);
  ask(1);
  ask(2);
  vi.advanceTimersByTime(1000);
  expect(sent).toEqual([1]);
  queue.fulfillRequest({ correlationId: 1, payload: undefined, size: 0 });
  expect(sent).toEqual([1, 2]);
  vi.advanceTimersByTime(1000);
  expect(vi.getTimerCount()).toBe(0);
});

test('what a broker holds back is sent when the time is over', () => {
  const { queue, ask, sent } = queueOf(undefined);
  queue.maybeThrottle(500);
  ask(1);
  vi.advanceTimersByTime(499);
  expect(sent).toEqual([]);
  vi.advanceTimersByTime(20);
  expect(sent).toEqual([1]);
  vi.advanceTimersByTime(1000);
  expect(vi.getTimerCount()).toBe(0);
});
