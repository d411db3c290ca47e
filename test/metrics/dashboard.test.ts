// The dashboard and the table of metrics name what there is, and all of it.
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { Health } from '../../src/metrics/health.js';
import { startIngestMonitor } from '../../src/metrics/ingest-monitor.js';
import { startLakeMonitor } from '../../src/metrics/lake-monitor.js';
import { startRunMonitor } from '../../src/metrics/run-monitor.js';
import { startServeMonitor } from '../../src/metrics/serve-monitor.js';
import type { Monitor } from '../../src/metrics/watching.js';
import { parseExposition } from './exposition.js';

const DOCS = resolve(import.meta.dirname, '../../docs');
const docs = (name: string): string => readFileSync(join(DOCS, name), 'utf8');

interface Panel {
  id: number;
  type: string;
  title: string;
  gridPos: { x: number; y: number; w: number; h: number };
  targets?: { expr: string }[];
}

/** Names of ours that a monitor shows. */
async function shownBy(
  start: (place: { host: string; port: number }) => Promise<Monitor>,
): Promise<string[]> {
  const monitor = await start({ host: '127.0.0.1', port: 0 });
  try {
    const families = parseExposition(await (await fetch(`${monitor.url}/metrics`)).text());
    return [...families.keys()].filter((name) => name.startsWith('click_agg_'));
  } finally {
    await monitor.close();
  }
}

function namesIn(text: string): Set<string> {
  return new Set(
    [...text.matchAll(/\bclick_agg_[a-z_]+/g)].map(([name]) => name.replace(/_(bucket|count)$/, '')),
  );
}

/** Names in the first column of a page's table of metrics, which leaves out what all of them begin with. */
function shortNamesIn(page: string, beginning: string): Set<string> {
  const [, table = ''] = docs(page).split('| metric | what it tells |');
  const rows = table.split('\n').filter((line) => line.startsWith('| `'));
  const names = rows.flatMap((row) =>
    [...row.split(' | ')[0]!.matchAll(/`([a-z_]+)/g)].map(([, name]) => name!),
  );
  return new Set(['click_agg_info', ...names.map((name) => beginning + name)]);
}

test('every metric is in a table, and the tables and the dashboard name no other', async () => {
  const ofIngest = await shownBy((place) => startIngestMonitor(place, new Health()));
  const ofServe = await shownBy(startServeMonitor);
  const shown = new Set([...(await shownBy(startRunMonitor)), ...(await shownBy(startLakeMonitor))]);
  expect(namesIn(docs('metrics.md'))).toEqual(shown);
  expect(shortNamesIn('ingest.md', 'click_agg_ingest_')).toEqual(new Set(ofIngest));
  expect(shortNamesIn('serve.md', 'click_agg_serve_')).toEqual(new Set(ofServe));
  for (const name of [...ofIngest, ...ofServe]) shown.add(name);
  const drawn = namesIn(docs('grafana-dashboard.json'));
  expect([...drawn].filter((name) => !shown.has(name))).toEqual([]);
  expect(drawn.size).toBeGreaterThan(35);
  for (const name of shown) if (/_follower_/.test(name)) expect(drawn).toContain(name);
});

test('the dashboard can be imported: its panels have places of their own, queries and one data source', () => {
  const dashboard = JSON.parse(docs('grafana-dashboard.json')) as {
    id: null;
    uid: string;
    title: string;
    schemaVersion: number;
    panels: Panel[];
    templating: { list: { name: string; type: string }[] };
  };
  const { panels } = dashboard;
  expect(dashboard).toMatchObject({ id: null, uid: 'click-agg', title: 'click-agg' });
  expect(dashboard.schemaVersion).toBeGreaterThan(30);
  expect(dashboard.templating.list.map(({ type }) => type)).toEqual(['datasource', 'query']);
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  const taken = new Map<string, string>();
  for (const { title, type, targets, gridPos } of panels) {
    if (type !== 'row')
      expect(
        targets?.every(({ expr }) => expr.includes('click_agg_') || /process_|nodejs_/.test(expr)),
        title,
      ).toBe(true);
    expect(gridPos.x + gridPos.w, title).toBeLessThanOrEqual(24);
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
        expect(taken.get(`${x},${y}`), `${title} overlaps`).toBeUndefined();
        taken.set(`${x},${y}`, title);
      }
    }
  }
});
