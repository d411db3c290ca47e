// The live dashboard: asks for a snapshot every interval, draws it, and listens to keys.
import { Box, useApp, useInput, useStdin, useStdout } from 'ink';
import { useEffect, useRef, useState } from 'react';
import { type Layout, layOut } from './layout.js';
import { Footer, Header, type Mood, Partitions, TopList, Verdicts } from './panels.js';
import type { ListRequest, Snapshot } from './snapshot.js';
import { VIEWS, type View } from './snapshot.js';

/** Samples of clicks/s that are kept for the header's sparkline. */
const RATES_MAX = 60;

export interface DashboardProps {
  /** Reads a snapshot of the living run; undefined when none lives any more. Other errors end the dashboard. */
  read(request: ListRequest): Promise<Snapshot | undefined>;
  first: Snapshot;
  intervalMs: number;
  nowMs: () => number;
}

/** The whole screen; it ends by `q`, Ctrl-C, or Ink's unmount. */
export function Dashboard({ read, first, intervalMs, nowMs }: DashboardProps) {
  const [view, setView] = useState<View>('ads');
  const [filter, setFilter] = useState('');
  const [typing, setTyping] = useState(false);
  const [paused, setPaused] = useState(false);
  const size = useSize();
  const layout = layOut(size, view, first.partitions.length);
  const { snapshot, gone, rates } = useSnapshots({ read, first, intervalMs, paused, layout, filter });
  const keys = useKeys({ typing, filter, setView, setFilter, setTyping, setPaused });
  const status = snapshot.live;
  if (!status) return null;
  const mood: Mood = gone ? 'gone' : paused ? 'paused' : 'live';
  return (
    <Box flexDirection="column" width={size.columns}>
      <Header status={status} mood={mood} rates={rates} nowMs={nowMs()} />
      <Verdicts ledger={snapshot.ledger} />
      <Partitions partitions={snapshot.partitions} rows={layout.partitionRows} />
      <Box gap={2}>
        {layout.views.map((one) => (
          <TopList
            key={one}
            view={one}
            rows={snapshot.lists[one]}
            limit={layout.listRows}
            columns={layout.listColumns}
            sparklineColumns={layout.sparklineColumns}
            filter={filter}
          />
        ))}
      </Box>
      <Footer typing={typing} filter={filter} keys={keys} />
    </Box>
  );
}

/** The terminal's size, also after it was changed. */
function useSize(): { rows: number; columns: number } {
  const { stdout } = useStdout();
  const measured = () => ({ rows: stdout.rows || 24, columns: stdout.columns || 80 });
  const [size, setSize] = useState(measured);
  useEffect(() => {
    const onResize = () => setSize({ rows: stdout.rows || 24, columns: stdout.columns || 80 });
    stdout.on('resize', onResize);
    return () => {
      stdout.off('resize', onResize);
    };
  }, [stdout]);
  return size;
}

interface Watching {
  read: DashboardProps['read'];
  first: Snapshot;
  intervalMs: number;
  paused: boolean;
  layout: Layout;
  filter: string;
}

/** A new snapshot every interval, and at once when something else is asked for; one request at a time. */
function useSnapshots({ read, first, intervalMs, paused, layout, filter }: Watching) {
  const { exit } = useApp();
  const [snapshot, setSnapshot] = useState(first);
  const [gone, setGone] = useState(false);
  const [rates, setRates] = useState<number[]>([first.live?.recordsPerSecond ?? 0]);
  const asked = useRef<Promise<void>>(Promise.resolve());
  const views = layout.views.join();
  const limit = layout.listRows;
  const shown = useRef('');
  useEffect(() => {
    let over = false;
    let timer: NodeJS.Timeout | undefined;
    const request = { views: views.split(',') as View[], filter, limit };
    const key = JSON.stringify(request);
    // While paused only another list is read, and everything else stays as it was.
    if (paused && key === shown.current) return undefined;
    const once = async () => {
      const next = await read(request);
      if (over) return;
      shown.current = key;
      setGone(next === undefined);
      if (!next) return;
      setSnapshot((before) => (paused ? { ...before, lists: next.lists } : next));
      if (!paused) setRates((earlier) => [...earlier, next.live?.recordsPerSecond ?? 0].slice(-RATES_MAX));
    };
    const again = () => {
      if (over) return;
      asked.current = once().then(
        () => {
          if (!over && !paused) timer = setTimeout(again, intervalMs);
        },
        (error: Error) => exit(error),
      );
    };
    asked.current.then(again);
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, [paused, views, filter, limit, intervalMs, read, exit]);
  return { snapshot, gone, rates };
}

interface Controls {
  typing: boolean;
  filter: string;
  setView: (change: (view: View) => View) => void;
  setFilter: (change: (filter: string) => string) => void;
  setTyping: (typing: boolean) => void;
  setPaused: (change: (paused: boolean) => boolean) => void;
}

const FILTER_LENGTH_MAX = 60;

/** Listens to keys where standard input is a terminal; tells whether it is. */
function useKeys({ typing, setView, setFilter, setTyping, setPaused }: Controls): boolean {
  const { exit } = useApp();
  const { isRawModeSupported } = useStdin();
  // Keys can come faster than React renders: what was pressed last decides, not what was drawn last.
  const typingNow = useRef(typing);
  const type = (on: boolean) => {
    typingNow.current = on;
    setTyping(on);
  };
  const step = (by: number) =>
    setView((view) => VIEWS[(VIEWS.indexOf(view) + by + VIEWS.length) % VIEWS.length]!);
  const onLetter = (letter: string) => {
    if (typingNow.current) {
      if (letter === '\r') type(false);
      else if (letter >= ' ') setFilter((text) => `${text}${letter}`.slice(0, FILTER_LENGTH_MAX));
    } else if (letter === 'q') exit();
    else if (letter === '/') type(true);
    else if (letter === 'p' || letter === ' ') setPaused((paused) => !paused);
    else if (VIEWS[Number(letter) - 1]) setView(() => VIEWS[Number(letter) - 1]!);
  };
  useInput(
    (input, key) => {
      if (key.ctrl && input === 'c') exit();
      else if (key.escape) {
        setFilter(() => '');
        type(false);
      } else if (typingNow.current && (key.backspace || key.delete)) setFilter((text) => text.slice(0, -1));
      else if (key.return) onLetter('\r');
      else if (!typingNow.current && (key.rightArrow || (key.tab && !key.shift))) step(1);
      else if (!typingNow.current && (key.leftArrow || key.tab)) step(-1);
      // What is typed fast, or pasted, comes as one piece.
      else if (!key.ctrl && !key.meta) for (const letter of input) onLetter(letter);
    },
    { isActive: isRawModeSupported },
  );
  return isRawModeSupported;
}
