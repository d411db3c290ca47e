// Ports for servers that start at the same time, in this process and in others.
import { expect, test } from 'vitest';
import { freePort } from '../../src/services/processes.js';

/** Of the ports that there are, drawn at random, some would be drawn twice. */
const MANY = 400;

test('no port is given to two who ask', async () => {
  const ports = await Promise.all(Array.from({ length: MANY }, () => freePort()));
  expect(new Set(ports).size).toBe(MANY);
});
