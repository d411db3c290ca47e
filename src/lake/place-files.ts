// The step after a commit in a folder: its files go from staging to their place, and files that it replaced go away. The
// commit has happened by then, so this step may be cut off anywhere and is done again at the next start: it
// takes up whatever is left to do and does nothing twice.
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { syncDirectory } from '../adapters/embedded/layout.js';
import { commitName, stagedPath, stagingDir } from './layout.js';
import type { LakeCommit } from './manifest.js';

/**
 * Finishes `commit`. New files come in and replaced ones go out in one go without a wait in between, because a
 * reader that globs the folders instead of asking the manifest sees both for that moment.
 */
export async function placeFiles(lakeDir: string, commit: LakeCommit): Promise<void> {
  const moves = commit.add
    .map(({ path }) => ({ from: stagedPath(lakeDir, commit.commit, path), to: join(lakeDir, path) }))
    .filter(({ from }) => existsSync(from));
  const folders = new Set([
    ...moves.map(({ to }) => to),
    ...commit.remove.map((path) => join(lakeDir, path)),
  ]);
  const made = new Set<string>();
  for (const { to } of moves) {
    if (mkdirSync(dirname(to), { recursive: true }) !== undefined) made.add(dirname(to));
  }
  for (const { from, to } of moves) renameSync(from, to);
  for (const path of commit.remove) rmSync(join(lakeDir, path), { force: true });

  const touched = new Set([...folders].map((path) => dirname(path)).filter((folder) => existsSync(folder)));
  for (const folder of touched) await syncDirectory(folder);
  for (const day of new Set([...made].map((folder) => dirname(folder)))) await syncDirectory(day);
  if (made.size > 0) await syncDirectory(lakeDir);
  rmSync(join(stagingDir(lakeDir), commitName(commit.commit)), { recursive: true, force: true });
}
