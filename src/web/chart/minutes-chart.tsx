// Clicks by minute as a chart that moves: redrawn with every answer, with a reading of the step under the pointer, or
// under the cursor that arrow keys move.
import { useEffect, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { count, day, span, timeOfDay } from '../format.js';
import { partColour } from '../theme.js';
import type { ChartColumns } from './columns.js';
import { drawnColumns, drawOptions } from './draw.js';

interface Props {
  columns: ChartColumns;
  /** Colours come from the style sheet: another theme is another drawing. */
  dark: boolean;
  /** What is shown, for those who don't see it. */
  title: string;
}

const HEIGHT = 300;
const HEIGHT_NARROW = 220;
const NARROW = 560;
/** Where a cursor shows nothing. */
const NOWHERE = { left: -10, top: -10 };

/** The chart, with its reading and its keys. */
export function MinutesChart({ columns, dark, title }: Props) {
  const frame = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | undefined>(undefined);
  const present = useRef(columns);
  present.current = columns;
  const [pointed, setPointed] = useState<number | undefined>(undefined);
  const shape = `${dark} ${columns.times.length} ${columns.parts.map(({ colour }) => colour).join()}`;

  // biome-ignore lint/correctness/useExhaustiveDependencies: another shape needs a new chart
  useEffect(() => {
    const element = frame.current!;
    const made = new uPlot(
      drawOptions({
        columns: present.current,
        ...sizeOf(element),
        now: () => present.current,
        pointed: setPointed,
      }),
      drawnColumns(present.current),
      element,
    );
    chart.current = made;
    const watching = new ResizeObserver(() => made.setSize(sizeOf(element)));
    watching.observe(element);
    return () => {
      watching.disconnect();
      made.destroy();
      chart.current = undefined;
    };
  }, [shape]);

  useEffect(() => chart.current?.setData(drawnColumns(columns)), [columns]);

  const pressed = (event: KeyboardEvent): void => {
    if (chart.current && moveBy(event.key, chart.current, columns, pointed)) event.preventDefault();
  };

  return (
    <div
      class="chart"
      role="slider"
      tabIndex={0}
      aria-label={`${title}. Arrow keys read one value after the other.`}
      aria-valuemin={0}
      aria-valuemax={Math.max(0, columns.times.length - 1)}
      aria-valuenow={pointed ?? Math.max(0, columns.times.length - 1)}
      aria-valuetext={reading(columns, pointed)}
      onKeyDown={pressed}
      onBlur={() => chart.current?.setCursor(NOWHERE)}
    >
      <div class="chart-frame" ref={frame} />
      {pointed !== undefined && columns.times[pointed] !== undefined && (
        <Reading columns={columns} index={pointed} chart={chart.current} />
      )}
    </div>
  );
}

/** Moves the cursor as a key says; false: the key says nothing of it. */
function moveBy(key: string, chart: uPlot, columns: ChartColumns, pointed: number | undefined): boolean {
  const last = columns.times.length - 1;
  const at = pointed ?? last + 1;
  const steps: Record<string, number> = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: last };
  if (key === 'Escape') chart.setCursor(NOWHERE);
  const next = steps[key];
  if (next === undefined || last < 0) return false;
  const middle = columns.times[Math.min(last, Math.max(0, next))]! + columns.stepMs / 2;
  chart.setCursor({ left: chart.valToPos(middle / 1_000, 'x'), top: 0 });
  return true;
}

function sizeOf(element: HTMLElement): { width: number; height: number } {
  const width = Math.max(200, element.clientWidth);
  return { width, height: width < NARROW ? HEIGHT_NARROW : HEIGHT };
}

/** Whether a step's clicks may still become more. */
function isOpen({ openFromMs, times, stepMs }: ChartColumns, index: number): boolean {
  return openFromMs !== undefined && times[index]! + stepMs > openFromMs;
}

/** A step in words. */
function reading(columns: ChartColumns, index: number | undefined): string {
  if (index === undefined || columns.times[index] === undefined)
    return `${count(columns.total)} clicks, ${span(columns.fromMs, columns.toMs)}`;
  const parts = columns.parts.map(({ name, clicks }) => `${name} ${count(clicks[index] ?? 0)}`);
  const open = isOpen(columns, index) ? ', still open' : '';
  return `${timeOfDay(columns.times[index]!)}: ${count(columns.clicks[index]!)} clicks${open}. ${
    parts.length > 1 ? parts.join(', ') : ''
  }`;
}

function Reading({
  columns,
  index,
  chart,
}: {
  columns: ChartColumns;
  index: number;
  chart: uPlot | undefined;
}) {
  const startMs = columns.times[index]!;
  const left = chart
    ? chart.valToPos((startMs + columns.stepMs / 2) / 1_000, 'x') + chart.bbox.left / devicePixelRatio
    : 0;
  const toTheLeft = chart !== undefined && left > chart.width / 2;
  return (
    <div class={`reading ${toTheLeft ? 'to-left' : ''}`} style={{ left: `${left}px` }} aria-hidden="true">
      <div class="reading-time">
        {day(startMs)}, {timeOfDay(startMs)}
        {columns.stepMs > 60_000 && ` – ${timeOfDay(startMs + columns.stepMs)}`}
      </div>
      <div class="reading-sum">
        {count(columns.clicks[index]!)} {columns.clicks[index] === 1 ? 'click' : 'clicks'}
      </div>
      {columns.parts.length > 1 && (
        <dl>
          {columns.parts.map((part) => (
            <div key={part.name}>
              <dt>
                <i class="swatch" style={{ background: partColour(part.colour) }} />
                {part.name}
              </dt>
              <dd>{count(part.clicks[index] ?? 0)}</dd>
            </div>
          ))}
        </dl>
      )}
      {isOpen(columns, index) && <div class="reading-open">Still open: may grow</div>}
    </div>
  );
}
