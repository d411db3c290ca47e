// How the chart looks, in uPlot's words. uPlot (MIT, 50 kB) since it redraws a day of minutes in a millisecond or two,
// has no dependencies, and takes a content security policy without inline styles.
import uPlot from 'uplot';
import { day, shortCount, timeOfDay } from '../format.js';
import { canvasColour, partColour } from '../theme.js';
import type { ChartColumns } from './columns.js';
import { stackOf } from './columns.js';

const FONT_AXIS = '12px "Inter Variable", system-ui, sans-serif';
const AXIS_HEIGHT = 30;
/** Bars while each has room for a gap beside it; a silhouette above. */
const BARS_MAX = 200;
const DAY_SECONDS = 86_400;

/** Columns as uPlot wants them: seconds, then an upper edge for each part, the topmost first, so that lower ones cover it. */
export function drawnColumns(columns: ChartColumns): uPlot.AlignedData {
  const times = columns.times.map((ms) => ms / 1_000);
  const edges = stackOf(columns).reverse();
  return [times, ...edges] as uPlot.AlignedData;
}

export interface DrawOptions {
  columns: ChartColumns;
  width: number;
  height: number;
  /** The present columns, asked at each drawing. */
  now(): ChartColumns;
  /** The cursor is over a step, or over none. */
  pointed(index: number | undefined): void;
}

/** A chart's options; another number of parts or another theme needs a new chart. */
export function drawOptions({ columns, width, height, now, pointed }: DrawOptions): uPlot.Options {
  const { parts, times } = columns;
  return {
    width,
    height,
    // At the right as much as the last label needs.
    padding: [12, null, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
    scales: {
      x: { range: () => [now().fromMs / 1_000, now().toMs / 1_000] },
      y: { range: (_chart, _least, greatest) => [0, niceTop(greatest)] },
    },
    axes: [timeAxis(), countAxis()],
    series: [
      {},
      ...[...parts].reverse().map(({ colour }) => partSeries(colour, times.length, parts.length === 1)),
    ],
    hooks: {
      drawAxes: [(chart) => shadeOpen(chart, now())],
      draw: [(chart) => veilOpen(chart, now())],
      setCursor: [({ cursor }) => pointed(cursor.idx ?? undefined)],
    },
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1_000), 'Etc/UTC'),
  };
}

/** Some air above the greatest; a flat line of nothing has a scale too. */
function niceTop(greatest: number | null): number {
  return greatest === null || greatest <= 0 ? 4 : Math.max(4, greatest * 1.08);
}

function partSeries(colour: number | undefined, steps: number, alone: boolean): uPlot.Series {
  const bars = uPlot.paths.bars!({ size: [0.82, 100], align: 1, radius: steps <= 80 ? 0.12 : 0 });
  const silhouette = uPlot.paths.stepped!({ align: 1 });
  const ink = (): string => canvasColour(partColour(colour));
  if (steps <= BARS_MAX) return { fill: ink, width: 0, points: { show: false }, paths: bars };
  // A day as one solid block would be all that is seen of the page: where nothing lies behind it, it is translucent.
  const fill = alone ? (): string => `${ink()}40` : ink;
  return { fill, stroke: ink, width: alone ? 1.25 : 0, points: { show: false }, paths: silhouette };
}

function timeAxis(): uPlot.Axis {
  return {
    stroke: () => canvasColour('--ink-3'),
    font: FONT_AXIS,
    size: AXIS_HEIGHT,
    gap: 8,
    space: 76,
    grid: { show: false },
    ticks: { show: false },
    // A day's first label says which day.
    values: (_chart, splits) =>
      splits.map((seconds) =>
        seconds % DAY_SECONDS === 0 ? day(seconds * 1_000) : timeOfDay(seconds * 1_000),
      ),
  };
}

function countAxis(): uPlot.Axis {
  return {
    stroke: () => canvasColour('--ink-3'),
    font: FONT_AXIS,
    size: 48,
    gap: 8,
    space: 44,
    grid: { stroke: () => canvasColour('--grid'), width: 1 },
    ticks: { show: false },
    // Clicks are whole.
    incrs: [1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500].concat(
      [1e3, 1e4, 1e5, 1e6, 1e7, 1e8].flatMap((power) => [power, 2 * power, 2.5 * power, 5 * power]),
    ),
    values: (_chart, splits) => splits.map(shortCount),
  };
}

interface Band {
  left: number;
  top: number;
  width: number;
  height: number;
}

/** Where the open steps are, in the canvas's pixels. */
function openBand(chart: uPlot, { openFromMs, fromMs }: ChartColumns): Band | undefined {
  if (openFromMs === undefined) return undefined;
  const left = chart.valToPos(Math.max(openFromMs, fromMs) / 1_000, 'x', true);
  const { left: plotLeft, top, width, height } = chart.bbox;
  const right = plotLeft + width;
  return left >= right ? undefined : { left, top, width: right - left, height };
}

/** Hatches the ground of the open steps. */
function shadeOpen(chart: uPlot, columns: ChartColumns): void {
  const band = openBand(chart, columns);
  if (!band) return;
  const { ctx } = chart;
  const gap = 7 * devicePixelRatio;
  ctx.save();
  ctx.beginPath();
  ctx.rect(band.left, band.top, band.width, band.height);
  ctx.clip();
  ctx.strokeStyle = canvasColour('--hatch');
  ctx.lineWidth = devicePixelRatio;
  ctx.beginPath();
  for (let x = band.left - band.height; x < band.left + band.width; x += gap) {
    ctx.moveTo(x, band.top + band.height);
    ctx.lineTo(x + band.height, band.top);
  }
  ctx.stroke();
  ctx.restore();
}

/** Makes what stands on the open steps paler, and draws the line where they begin. */
function veilOpen(chart: uPlot, columns: ChartColumns): void {
  const band = openBand(chart, columns);
  if (!band) return;
  const { ctx } = chart;
  ctx.save();
  ctx.globalAlpha = 0.5;
  ctx.fillStyle = canvasColour('--surface');
  ctx.fillRect(band.left, band.top, band.width, band.height);
  ctx.globalAlpha = 1;
  ctx.strokeStyle = canvasColour('--ink-3');
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([3 * devicePixelRatio, 3 * devicePixelRatio]);
  ctx.beginPath();
  ctx.moveTo(band.left, band.top);
  ctx.lineTo(band.left, band.top + band.height);
  ctx.stroke();
  ctx.restore();
}
