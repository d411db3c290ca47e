// Bills what came too late: recomputes a closed period from the lake with its too-late clicks admitted, and
// replaces its totals in the store.
import { type Backfill, backfill } from '../batch/backfill.js';
import { periodIdOf } from '../batch/billing.js';
import { adjustmentJson, isoSecond } from '../batch/report.js';
import { UsageError } from '../errors.js';
import { adsOption } from '../options/ads.js';
import { priceOptions, wholeMinutes } from '../options/batch.js';
import { command } from '../options/command.js';
import { lakeOptions, lakePlaceOf } from '../options/lake.js';
import { onOff } from '../options/option.js';
import { dataDirOption, periodOptions } from '../options/shared.js';
import { storeOption } from '../options/store.js';
import { requireStoreMethod, storeMethodOptions } from '../options/store-method.js';
import { openBooks, openReader } from '../stores/open-store.js';
import { printAdjustments } from '../ui/reconcile-output.js';
import type { Terminal } from '../ui/terminal.js';
import { pricesOf } from './prices.js';

/** A table for people has so many campaigns, those that change most; --json has them all. */
const CAMPAIGNS_SHOWN = 10;
/** From the snapshot to the replacement. */
const STEPS = 7;

export const backfillCommand = command({
  name: 'backfill',
  summary: 'bill the too-late clicks of a closed period',
  description:
    'Recomputes a closed period from the lake as if its too-late clicks had been in time, and replaces its totals ' +
    'and ledger in the store in one transaction, with a revision that says what changed by campaign. Run again, it ' +
    'changes nothing. Periods that were invoiced (reconcile --close) get adjustment lines instead of new invoices.',
  options: {
    ...dataDirOption,
    ...storeOption,
    ...lakeOptions,
    ...periodOptions,
    dryRun: onOff({ flag: 'dry-run', flagOnly: true, about: 'only tell what would change' }),
    ...priceOptions,
    ...adsOption,
    ...storeMethodOptions,
  },
  examples: [
    ['click-agg backfill --from 2026-02-22 --to 2026-02-23', 'one day'],
    ['click-agg backfill --from 2026-02-22 --to 2026-02-23 --dry-run --price 0.10', 'what it would change'],
  ],
  async run({ options, terminal, signal }) {
    const period = wholeMinutes(options);
    if (!period || options.from === undefined || options.to === undefined) {
      throw new UsageError('backfill needs --from and --to');
    }
    const prices = await pricesOf(options);
    const progress = terminal.progress('backfill', STEPS);
    let steps = 0;
    let done: Backfill;
    try {
      done = await backfill({
        // The clicks of closed periods are asked for by campaign, of all campaigns.
        openStore: () => openReader(options, { allowScan: true }),
        openBooks: () => openBooks(options),
        lake: lakePlaceOf(options),
        dryRun: options.dryRun,
        nowMs: Date.now(),
        checkMethod: (method) => requireStoreMethod(options, method),
        onStep: (step) => progress.update(Math.min(steps++, STEPS), step),
        onWait: (line) => terminal.info(line),
        ...{ period, prices, signal },
      });
    } finally {
      progress.stop();
    }
    if (terminal.wantsJson) await terminal.json(backfillJson(done, options.dryRun));
    else await printBackfill(terminal, done, options.dryRun);
    return undefined;
  },
});

function backfillJson({ period, revision, ...done }: Backfill, dryRun: boolean): unknown {
  return {
    changed: done.changed,
    dry_run: dryRun,
    period: { from: isoSecond(period.fromMs), to: isoSecond(period.toMs) },
    method_hash: done.methodHash,
    revision: revision?.revision ?? null,
    too_late_admitted: revision?.tooLateAdmitted ?? 0,
    cells: done.cells,
    ledger_before: done.before,
    ledger_after: done.after,
    campaigns: (revision?.adjustments ?? []).map(({ campaignId, clicks, amount, currency }) => ({
      campaign_id: campaignId,
      clicks,
      amount: amount ?? null,
      currency: currency ?? null,
    })),
    adjustments: done.adjustments.map(adjustmentJson),
  };
}

function signed(clicks: number): string {
  return clicks > 0 ? `+${clicks}` : String(clicks);
}

async function printBackfill(terminal: Terminal, done: Backfill, dryRun: boolean): Promise<void> {
  const { revision, before, after, adjustments } = done;
  const name = periodIdOf(done.period);
  if (revision) {
    const would = dryRun ? 'would become' : 'is';
    await terminal.print(
      `Backfill of ${name} ${would} revision ${revision.revision}: ${revision.tooLateAdmitted} too-late clicks ` +
        `admitted, ${done.cells} cells changed.\n\n`,
    );
    await terminal.table(
      ['ledger of the period', 'before', 'after'],
      (['too_late', 'duplicate', 'invalid_traffic', 'double_click', 'bot', 'billable'] as const).map(
        (kind) => [kind.replace('_', ' '), before[kind], after[kind]],
      ),
    );
    if (revision.adjustments.length > 0) {
      const changes = [...revision.adjustments].sort((a, b) => Math.abs(b.clicks) - Math.abs(a.clicks));
      const shown = changes.slice(0, CAMPAIGNS_SHOWN);
      const all = shown.length === changes.length;
      await terminal.print(
        all
          ? '\nBy campaign\n'
          : `\nThe ${shown.length} of ${changes.length} campaigns that change most (--json: all)\n`,
      );
      await terminal.table(
        ['campaign', 'clicks', 'amount', 'currency'],
        shown.map(({ campaignId, clicks, amount, currency }) => [
          ...[campaignId, signed(clicks)],
          ...[amount ?? '-', currency ?? '-'],
        ]),
      );
    }
  } else {
    await terminal.print(
      `Nothing to change in ${name}: it has no too-late clicks that were not admitted already.\n`,
    );
  }
  if (adjustments.length > 0) {
    await terminal.print('\nAdjustments to closed periods\n');
    await printAdjustments(terminal, adjustments.map(adjustmentJson));
  }
  if (dryRun) await terminal.print('\nThis was a dry run: nothing was written.\n');
}
