// The small edition of `npm run tour`: the whole way with real servers, and nothing that is not as it must be.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { wholeWay } from '../../src/tour/whole-way.js';
import { dropStore, inSchema } from '../adapters/postgres/shared-server.js';
import { SERVICE_START_MS, service } from '../services.js';

test(
  'from the click to the invoice everything is counted, judged, kept apart and billed as it must be',
  async () => {
    const [kafka, postgres, redis] = [
      await service('kafka'),
      await service('postgres'),
      await service('redis'),
    ];
    const directory = mkdtempSync(join(tmpdir(), 'click-agg-tour-'));
    const name = `tour${process.pid}`;
    const lines: string[] = [];
    try {
      const checks = await wholeWay({
        servers: { brokers: kafka.brokers, postgres: postgres.url, redis: redis.url },
        ...{ directory, name, visitors: 300 },
        signal: new AbortController().signal,
        say: (line) => lines.push(line),
      });
      expect(
        checks.filter(({ ok }) => !ok),
        lines.join('\n'),
      ).toEqual([]);
      expect(checks.length).toBeGreaterThanOrEqual(15);
    } finally {
      rmSync(directory, { recursive: true, force: true });
      for (const what of ['store', 'ads']) await dropStore(inSchema(postgres.url, `${name}_${what}`));
    }
  },
  SERVICE_START_MS,
);
