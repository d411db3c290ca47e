// Before a run: a folder for the shared servers. After it: they end, and the folder goes. A run that was killed could
// not do that: the next one ends what it left.
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { isAlive } from '../src/adapters/embedded/lock.js';
import { killService } from '../src/services/service.js';

const PREFIX = 'click-agg-services-';

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  for (const name of readdirSync(tmpdir())) {
    const [, pid] = /^click-agg-services-(\d+)-/.exec(name) ?? [];
    if (pid !== undefined && !isAlive(Number(pid))) await endAll(join(tmpdir(), name));
  }
  const folder = mkdtempSync(join(tmpdir(), `${PREFIX}${process.pid}-`));
  // PostgreSQL runs as another user, who must be able to reach its files.
  chmodSync(folder, 0o711);
  project.provide('servicesFolder', folder);
  return () => endAll(folder);
}

async function endAll(folder: string): Promise<void> {
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) await killService(join(folder, name));
  rmSync(folder, { recursive: true, force: true });
}
