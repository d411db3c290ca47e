// `click-agg top` without a terminal: the same snapshot as tables once, or as one JSON document.
import type { Terminal } from '../terminal.js';
import { behindText, SHOWN_VERDICTS, shareText, timeText } from './format.js';
import { greatestWatermark, type Snapshot, VIEW_COLUMN, VIEWS } from './snapshot.js';
import { sparkline } from './sparkline.js';

const SPARKLINE_COLUMNS = 30;

/** Prints verdicts, partitions and all lists as tables. */
export async function printSnapshot(terminal: Terminal, snapshot: Snapshot): Promise<void> {
  const { ledger, partitions, live, window } = snapshot;
  if (live) await terminal.print(`${Math.round(live.recordsPerSecond)} clicks/s from ${live.source}\n\n`);
  await terminal.table(
    ['verdict', 'clicks', 'share'],
    [
      ...SHOWN_VERDICTS.map((verdict) => [
        verdict,
        ledger[verdict],
        shareText(ledger[verdict], ledger.records),
      ]),
      ['records', ledger.records, shareText(ledger.records, ledger.records)],
    ],
  );
  const greatest = greatestWatermark(partitions);
  await terminal.print('\n');
  await terminal.table(
    ['partition', 'position', 'lag', 'watermark', 'behind'],
    partitions.map((row) => [
      String(row.partition),
      row.position,
      row.lag ?? '-',
      timeText(row.watermarkMs),
      behindText(row, greatest),
    ]),
  );
  if (!window) return;
  await terminal.print(`\nBillable clicks from ${timeText(window.fromMs)} to ${timeText(window.toMs)}\n`);
  for (const view of VIEWS) {
    await terminal.table(
      [VIEW_COLUMN[view], 'clicks', 'by minute'],
      (snapshot.lists[view] ?? []).map((row) => [
        row.name,
        row.clicks,
        sparkline(row.minutes, SPARKLINE_COLUMNS),
      ]),
    );
    await terminal.print('\n');
  }
}

/** The snapshot as the document that `--json` prints. */
export function snapshotDocument(snapshot: Snapshot): unknown {
  const { live, ledger, partitions, lists, window } = snapshot;
  return {
    live: live !== undefined,
    as_of: isoTime(snapshot.asOfMs),
    clicks_per_second: live?.recordsPerSecond ?? null,
    source: live?.source ?? null,
    method_hash: snapshot.methodHash ?? null,
    memory_bytes: live?.rssBytes ?? null,
    clicks_in_memory: live?.horizonClicks ?? null,
    ledger,
    partitions: partitions.map(({ partition, position, lag, watermarkMs }) => ({
      partition,
      position,
      lag: lag ?? null,
      watermark: isoTime(watermarkMs),
    })),
    window: window ? { from: isoTime(window.fromMs), to: isoTime(window.toMs) } : null,
    top: Object.fromEntries(
      VIEWS.map((view) => [
        view,
        (lists[view] ?? []).map(({ name, clicks, minutes }) => ({
          [VIEW_COLUMN[view]]: name,
          clicks,
          minutes,
        })),
      ]),
    ),
  };
}

function isoTime(ms: number | undefined): string | null {
  return ms === undefined || !Number.isFinite(ms) ? null : timeText(ms);
}
