// Every command, in the order in which help shows them: from clicks to totals to proof.
import type { Command } from '../options/command.js';
import { backfillCommand } from './backfill.js';
import { completionOf } from './completion.js';
import { deadLettersCommand } from './dead-letters.js';
import { demoCommand } from './demo.js';
import { explainCommand } from './explain.js';
import { lakeCommand } from './lake.js';
import { loadgenCommand } from './loadgen.js';
import { methodCommand } from './method.js';
import { queryCommand } from './query.js';
import { reconcileCommand } from './reconcile.js';
import { runCommand } from './run.js';
import { topCommand } from './top.js';
import { topicsCommand } from './topics.js';

/** All commands of the program. */
export const commands: readonly Command[] = [
  demoCommand,
  loadgenCommand,
  runCommand,
  lakeCommand,
  topCommand,
  queryCommand,
  reconcileCommand,
  backfillCommand,
  explainCommand,
  deadLettersCommand,
  topicsCommand,
  methodCommand,
  completionOf(() => commands),
];
