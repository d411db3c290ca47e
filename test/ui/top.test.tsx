// The dashboard in real Ink on a terminal of the test's own: what it shows, that it fits, that keys work.
import { EventEmitter } from 'node:events';
import { PassThrough } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import { render } from 'ink';
import { afterEach, describe, expect, test } from 'vitest';
import type { LiveStatus } from '../../src/core/live-status.js';
import { Dashboard } from '../../src/ui/top/dashboard.js';
import { layOut } from '../../src/ui/top/layout.js';
import { type ListRequest, type Snapshot, VIEWS } from '../../src/ui/top/snapshot.js';
import { sparkline } from '../../src/ui/top/sparkline.js';

const NOW_MS = Date.parse('2026-02-22T10:05:30Z');

function status(partitions: number): LiveStatus {
  return {
    pid: 1,
    startedAtMs: NOW_MS - 200_000,
    source: 'embedded log ./click-agg-data/log',
    methodHash: '4de2adcb38ced86a',
    records: 1_000_000,
    recordsPerSecond: 412_345,
    ledger: {
      records: 1000,
      billable: 800,
      double_click: 100,
      bot: 40,
      invalid_traffic: 10,
      duplicate: 30,
      too_late: 15,
      invalid: 5,
    },
    partitions: Array.from({ length: partitions }, (_, partition) => ({
      partition,
      position: 1000 * partition,
      end: 1000 * partition + partition,
      watermarkMs: NOW_MS - partition * 1000,
    })),
    rssBytes: 300 * 1_048_576,
    horizonClicks: 120_000,
    horizonBytes: 12_000_000,
    lastCommitAtMs: NOW_MS - 2000,
    lastCommitMs: 12,
  };
}

function snapshotOf({ views, filter, limit }: ListRequest, partitions = 6): Snapshot {
  const live = status(partitions);
  const rows = (view: string) =>
    Array.from({ length: 60 }, (_, index) => ({
      name: `${view}-${index}\u001b[2J`,
      clicks: 6000 - index,
      minutes: Array.from({ length: 30 }, (_minute, at) => at),
    }));
  return {
    live,
    methodHash: live.methodHash,
    asOfMs: NOW_MS,
    window: { fromMs: NOW_MS - 1_800_000, toMs: NOW_MS },
    ledger: live.ledger,
    partitions: live.partitions.map((row) => ({
      ...row,
      lag: row.end === undefined ? undefined : row.end - row.position,
    })),
    lists: Object.fromEntries(
      views.map((view) => [
        view,
        rows(view)
          .filter(({ name }) => name.includes(filter))
          .slice(0, limit),
      ]),
    ),
  };
}

class FakeScreen extends EventEmitter {
  readonly isTTY = true;
  frame = '';
  constructor(
    public columns: number,
    public rows: number,
  ) {
    super();
  }
  write(text: string): boolean {
    this.frame = text;
    return true;
  }
  /** Lines of the last frame, without colours. */
  get lines(): string[] {
    return stripVTControlCharacters(this.frame).replace(/\n$/, '').split('\n');
  }
}

function keyboard(isTTY: boolean) {
  const stream = new PassThrough();
  return Object.assign(stream, { isTTY, setRawMode: () => stream, ref: () => {}, unref: () => {} });
}

const apps: { unmount(): void }[] = [];
afterEach(() => {
  for (const app of apps.splice(0)) app.unmount();
});

interface Setting {
  columns?: number;
  rows?: number;
  partitions?: number;
  keys?: boolean;
  alive?: () => boolean;
}

function start({ columns = 80, rows = 24, partitions = 6, keys = true, alive = () => true }: Setting = {}) {
  const screen = new FakeScreen(columns, rows);
  const stdin = keyboard(keys);
  const requests: ListRequest[] = [];
  const read = async (request: ListRequest) => {
    requests.push(request);
    return alive() ? snapshotOf(request, partitions) : undefined;
  };
  const first = snapshotOf({ views: ['ads'], filter: '', limit: 5 }, partitions);
  const app = render(<Dashboard read={read} first={first} intervalMs={20} nowMs={() => NOW_MS} />, {
    stdout: screen as unknown as NodeJS.WriteStream,
    stdin: stdin as unknown as NodeJS.ReadStream,
    debug: true,
    exitOnCtrlC: false,
    patchConsole: false,
  });
  apps.push(app);
  return { screen, requests, app, press: (text: string) => stdin.write(text) };
}

/** Waits until the screen shows it, two seconds at most. */
async function shows(screen: FakeScreen, what: string | RegExp): Promise<void> {
  await expect.poll(() => screen.lines.join('\n'), { interval: 5 }).toMatch(what);
}

describe('the dashboard', () => {
  test('shows speed, verdicts, partitions and the top ads', async () => {
    const { screen } = start();
    await shows(screen, 'ads-1');
    const text = screen.lines.join('\n');
    expect(text).toContain('LIVE');
    expect(text).toContain('412 k clicks/s');
    expect(text).toMatch(/billable 800 80\.0 %.*double_click 100 10\.0 %.*bot 40 4\.0 %/);
    expect(text).toMatch(/invalid_traffic 10 1\.0 %.*duplicate 30 3\.0 %/);
    expect(text).toMatch(/^5 +5,000 +5 +2026-02-22T10:05:25Z +5 s/m);
    expect(text).toMatch(/^ads-0\\x1b\[2J +6,000 .*▁.*█/m);
    expect(text).toContain('q quit');
  });

  test.each([
    [80, 24, 6],
    [120, 40, 6],
    [80, 24, 1],
    [80, 24, 64],
    [200, 60, 64],
    [40, 14, 6],
    [100, 12, 12],
  ])(
    'is lower than a terminal of %i x %i with %i partitions, and no wider',
    async (columns, rows, partitions) => {
      const { screen } = start({ columns, rows, partitions });
      await shows(screen, /ads-0/);
      expect(screen.lines.length).toBeLessThan(rows);
      for (const line of screen.lines) expect(line.length).toBeLessThanOrEqual(columns);
    },
  );

  test('shows two lists where there is room', async () => {
    const { screen } = start({ columns: 120, rows: 40 });
    await shows(screen, /ads-0.*campaigns-0/);
  });

  test('names those partitions that lag most where not all fit', async () => {
    const { screen } = start({ partitions: 64 });
    await shows(screen, /partition \(\d+ more\)/);
    await shows(screen, /^63 /m);
  });

  test('switches its list by keys', async () => {
    const { screen, press } = start();
    await shows(screen, 'ads-0');
    press('\t');
    await shows(screen, 'campaigns-0');
    press('3');
    await shows(screen, 'countries-0');
    press('\u001b[D');
    await shows(screen, 'campaigns-0');
  });

  test('filters by what is typed', async () => {
    const { screen, press } = start();
    await shows(screen, 'ads-0');
    press('/');
    await shows(screen, 'filter:');
    for (const letter of 'ads-5x') press(letter);
    await shows(screen, 'no name holds this');
    press('\u007f');
    await shows(screen, /^ads-55/m);
    expect(screen.lines.join('\n')).not.toContain('ads-0');
    press('\r');
    await shows(screen, 'q quit');
    press('\u001b');
    await shows(screen, 'ads-0');
  });

  test('takes keys that come as one piece one after the other', async () => {
    const { screen, press } = start();
    await shows(screen, 'ads-0');
    press('2/s-5\rp');
    await shows(screen, /PAUSED[\s\S]*^campaigns-55/m);
    press('p');
    await shows(screen, 'LIVE');
  });

  test('stands still while it is paused, but switches lists', async () => {
    const { screen, press, requests } = start();
    await shows(screen, 'ads-0');
    press('p');
    await shows(screen, 'PAUSED');
    const asked = requests.length;
    await new Promise((done) => setTimeout(done, 100));
    expect(requests.length - asked).toBeLessThanOrEqual(1);
    press('2');
    await shows(screen, 'campaigns-0');
    press('p');
    await shows(screen, 'LIVE');
  });

  test('says that the run ended, and goes on when another one lives', async () => {
    let alive = true;
    const { screen } = start({ alive: () => alive });
    await shows(screen, 'LIVE');
    alive = false;
    await shows(screen, 'RUN ENDED');
    alive = true;
    await shows(screen, 'LIVE');
  });

  test.each(['q', '\u0003'])('ends by the key %j', async (key) => {
    const { screen, press, app } = start();
    await shows(screen, 'ads-0');
    press(key);
    await app.waitUntilExit();
  });

  test('draws without keys where standard input is no terminal', async () => {
    const { screen } = start({ keys: false });
    await shows(screen, 'no keys');
  });

  test('follows the terminal when its size changes', async () => {
    const { screen } = start({ columns: 120, rows: 40 });
    await shows(screen, 'campaigns-0');
    screen.columns = 70;
    screen.rows = 16;
    screen.emit('resize');
    await expect.poll(() => screen.lines.length).toBeLessThan(16);
    expect(screen.lines.join('\n')).not.toContain('campaigns-0');
  });
});

test('the layout leaves a line free in every size from 12 rows on', () => {
  for (let rows = 12; rows < 90; rows++) {
    for (const partitions of [1, 3, 6, 12, 100]) {
      for (const view of VIEWS) {
        const layout = layOut({ rows, columns: 80 }, view, partitions);
        expect(9 + layout.partitionRows + layout.listRows).toBeLessThan(rows);
        expect(Math.min(layout.listRows, layout.partitionRows)).toBeGreaterThan(0);
      }
    }
  }
});

describe('a sparkline', () => {
  test.each([
    [[], 3, '   '],
    [[1, 8], 3, ' ▁█'],
    [[0, 0], 2, '  '],
    [[1, 2, 3, 4, 5, 6, 7, 8], 8, '▁▂▃▄▅▆▇█'],
    [[9, 1000, 1], 2, '█▁'],
    [[5], 0, ''],
  ])('of %j in %i columns is "%s"', (values, width, expected) => {
    // The first step of eight holds up to an eighth of the greatest.
    expect(sparkline(values, width)).toBe(expected);
  });
});
