// Tells what one click is worth and why, from the lake.
import { type ExplainedRecord, explain } from '../batch/explain.js';
import { openLakeNow } from '../batch/lake-access.js';
import { withSession } from '../batch/reconcile.js';
import { isoOrNull } from '../batch/report.js';
import { DEFAULT_METHOD, type Method } from '../core/method.js';
import { methodHash } from '../core/method-hash.js';
import type { Revision } from '../core/ports/books.js';
import { command } from '../options/command.js';
import { lakeOptions, lakePlaceOf } from '../options/lake.js';
import { dataDirOption } from '../options/shared.js';
import { storeOption } from '../options/store.js';
import { methodWith, requireStoreMethod, storeMethodOptions } from '../options/store-method.js';
import { openReaderIfAny, type StorePlace } from '../stores/open-store.js';
import type { Terminal } from '../ui/terminal.js';

export const explainCommand = command({
  name: 'explain',
  summary: "tell one click's verdict and why",
  description:
    'Finds all records of a click id in the lake, redeliveries and malformed ones too, and says what decided about ' +
    'each. By the method that the store was counted by, else by the options.',
  arguments: [{ name: 'CLICK_ID', about: 'the click_id as it stands in the record', required: true }],
  options: { ...dataDirOption, ...storeOption, ...lakeOptions, ...storeMethodOptions },
  examples: [
    ['click-agg explain 0192f3a1-7c1e-7d0a-b8f1-2f6f6f0c9e11', 'why it was billed, or not'],
    ['click-agg explain click-7 --json', 'with all the numbers'],
  ],
  async run({ options, args, terminal, signal }) {
    const clickId = args[0]!;
    const store = await readStore(options);
    if (store.method) requireStoreMethod(options, store.method);
    const method = store.method ?? methodWith(options, DEFAULT_METHOD);
    const lake = await openLakeNow(lakePlaceOf(options));
    try {
      const { files, positions } = lake;
      const records = await withSession(signal, (session) =>
        explain(session, { clickId, files, positions, method, revisions: store.revisions }),
      );
      if (terminal.wantsJson) await terminal.json(explanationJson(clickId, method, records));
      else await printExplanation(terminal, records, method);
    } finally {
      lake.release();
    }
    return undefined;
  },
});

/** The method and the backfills of the store; no method where nothing was counted yet. */
async function readStore(place: StorePlace): Promise<{ method: Method | undefined; revisions: Revision[] }> {
  const reader = await openReaderIfAny(place);
  if (!reader) return { method: undefined, revisions: [] };
  try {
    return { method: (await reader.state()).method, revisions: await reader.revisions() };
  } finally {
    await reader.close();
  }
}

function timeOf(ms: number | undefined): string | null {
  return ms === undefined ? null : isoOrNull(ms);
}

function explanationJson(clickId: string, method: Method, records: readonly ExplainedRecord[]): unknown {
  return {
    click_id: clickId,
    method: { ...method, hash: methodHash(method) },
    records: records.map((record) => ({
      partition: record.partition,
      offset: record.offset,
      append_time: timeOf(record.appendTimeMs),
      event_time: timeOf(record.eventTimeMs),
      ...Object.fromEntries(Object.entries(record.fields).map(([name, value]) => [name, value ?? null])),
      verdict: record.verdict,
      why: record.why,
      facts: record.facts,
    })),
  };
}

async function printExplanation(
  terminal: Terminal,
  records: readonly ExplainedRecord[],
  method: Method,
): Promise<void> {
  const { style } = terminal;
  for (const record of records) {
    const good = record.verdict === 'billable';
    const verdict = (good ? style.green : style.yellow)(record.verdict.replace('_', ' '));
    await terminal.print(
      `Record at offset ${record.offset} of partition ${record.partition}: ${style.bold(verdict)}\n`,
    );
    await terminal.table(
      ['what', 'value'],
      [
        ['event time', timeOf(record.eventTimeMs) ?? '-'],
        ['append time', timeOf(record.appendTimeMs) ?? '-'],
        ...Object.entries(record.fields).flatMap(([name, value]) =>
          value === undefined ? [] : [[name, value]],
        ),
        ['why', record.why],
        ...Object.entries(record.facts).map(([name, value]) => [name, String(value)]),
      ],
    );
    await terminal.print('\n');
  }
  await terminal.print(`By method ${methodHash(method)} (click-agg method).\n`);
}
