// When a process counts as alive and as ready, by a clock that the test turns; and counters that never fall.
import { Registry } from 'prom-client';
import { describe, expect, test } from 'vitest';
import { TotalCounter } from '../../src/metrics/counter.js';
import { Health } from '../../src/metrics/health.js';

function healthAt() {
  const clock = { ms: 0 };
  return { clock, health: new Health(() => clock.ms) };
}

describe('a process', () => {
  test('is alive while it starts and stands by, and ready only when it would be of use', async () => {
    const { health } = healthAt();
    expect([(await health.live()).ok, (await health.ready()).ok]).toEqual([true, false]);
    health.role = 'standby';
    expect([(await health.live()).ok, (await health.ready()).ok]).toEqual([true, true]);
    health.role = 'stopping';
    expect([(await health.live()).ok, (await health.ready()).ok]).toEqual([true, false]);
  });

  test('whose loop is silent is neither', async () => {
    const { health, clock } = healthAt();
    health.role = 'active';
    health.tick({ position: 1, lag: 0 });
    clock.ms = 29_000;
    expect((await health.live()).ok).toBe(true);
    clock.ms = 31_000;
    expect(await health.live()).toEqual({
      ok: false,
      checks: { role: 'active', loop: 'has not turned for 31 s' },
    });
    expect((await health.ready()).ok).toBe(false);
    health.role = 'standby';
    expect((await health.live()).ok).toBe(true);
  });

  test('that reads nothing though there is something is to be restarted, unless its source is gone', async () => {
    const { health, clock } = healthAt();
    let gone = false;
    health.watch('source', async () => {
      if (gone) throw new Error('no broker answers');
    });
    health.role = 'active';
    const tickFor = async (ms: number, position: number) => {
      for (const untilMs = clock.ms + ms; clock.ms < untilMs; clock.ms += 1000)
        health.tick({ position, lag: 5 });
      return await health.live();
    };
    expect((await tickFor(290_000, 7)).ok).toBe(true);
    expect(await tickFor(20_000, 7)).toMatchObject({
      ok: false,
      checks: { loop: expect.stringContaining('5 records lie ahead') },
    });
    gone = true;
    clock.ms += 3_000;
    expect((await tickFor(10_000, 7)).ok).toBe(true);
    expect(await health.ready()).toEqual({
      ok: false,
      checks: { role: 'active', source: 'no broker answers' },
    });
    gone = false;
    expect((await tickFor(10_000, 8)).ok).toBe(true);
  });
});

test('a counter holds what fell until it has risen again', async () => {
  const registry = new Registry();
  const counter = new TotalCounter(registry, { name: 'x_total', help: 'x', labelNames: ['verdict'] });
  const shown = async () =>
    (await registry.getSingleMetric('x_total')!.get()).values.map(({ value }) => value);
  counter.raiseTo(5, { verdict: 'billable' });
  counter.raiseTo(3, { verdict: 'billable' });
  expect(await shown()).toEqual([5]);
  counter.raiseTo(8, { verdict: 'billable' });
  counter.add(2, { verdict: 'bot' });
  expect(await shown()).toEqual([8, 2]);
});
