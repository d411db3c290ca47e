// The last reconciliation's report, kept in the data directory for whoever shows it.
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { UserError } from '../errors.js';
import type { Report } from './report.js';

/** Where `reconcile` keeps it. */
export function lastReportFile(dataDir: string): string {
  return join(dataDir, 'reports', 'last.json');
}

/** Puts it in the place of the one before, whole. Throws what the disk says. */
export async function keepReport(dataDir: string, report: Report): Promise<void> {
  const file = lastReportFile(dataDir);
  const proposal = `${file}.${process.pid}.new`;
  await mkdir(dirname(file), { recursive: true });
  try {
    await writeFile(proposal, `${JSON.stringify(report)}\n`);
    await rename(proposal, file);
  } finally {
    await rm(proposal, { force: true });
  }
}

/** The report in this file; undefined: there is none. UserError: it can't be read. */
export async function readReport(file: string): Promise<Report | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Report;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new UserError(`can't read the report ${file}: ${code ?? 'it is no JSON'}`, {
      hint: 'Write it again: click-agg reconcile.',
      cause: error,
    });
  }
}
