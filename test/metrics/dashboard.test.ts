// The dashboard and the table of metrics name what there is, and all of it.
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { startLakeMonitor } from '../../src/metrics/lake-monitor.js';
import { startRunMonitor } from '../../src/metrics/run-monitor.js';
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
async function shownBy(start: typeof startRunMonitor | typeof startLakeMonitor): Promise<string[]> {
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

test('every metric is in the table, and the table and the dashboard name no other', async () => {
  const shown = new Set([...(await shownBy(startRunMonitor)), ...(await shownBy(startLakeMonitor))]);
  expect(namesIn(docs('metrics.md'))).toEqual(shown);
  const drawn = namesIn(docs('grafana-dashboard.json'));
  expect([...drawn].filter((name) => !shown.has(name))).toEqual([]);
  expect(drawn.size).toBeGreaterThan(15);
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
