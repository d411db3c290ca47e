// A run of the tests that was killed leaves its servers behind: the next run ends them before it begins.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { TestProject } from 'vitest/node';
import { isAlive } from '../../src/adapters/embedded/lock.js';
import { killService, serviceStatus, startService } from '../../src/services/service.js';
import { SERVICE_START_MS } from '../services.js';
import setup from '../services-setup.js';

test(
  'servers of a run that was killed end with the next one’s start',
  async () => {
    const { pid } = spawnSync('true');
    const left = mkdtempSync(join(tmpdir(), `click-agg-services-${pid}-`));
    const directory = join(left, 'redis-of-its-own');
    try {
      mkdirSync(directory);
      await startService('redis', { directory });
      const server = (await serviceStatus(directory))!;
      expect(server.answers).toBe(true);

      let folder = '';
      const project = {
        provide(_name: string, path: string) {
          folder = path;
        },
      };
      const endRun = await setup(project as unknown as TestProject);
      expect(existsSync(left)).toBe(false);
      await expect.poll(() => isAlive(server.pid!)).toBe(false);
      expect(existsSync(folder)).toBe(true);
      await endRun();
      expect(existsSync(folder)).toBe(false);
    } finally {
      if (existsSync(directory)) await killService(directory);
      rmSync(left, { recursive: true, force: true });
    }
  },
  SERVICE_START_MS,
);
