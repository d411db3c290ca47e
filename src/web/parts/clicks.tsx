// The main part of every page: how many clicks there were, and by minute when; as a chart or as its table.
import type { SeriesAnswer } from '../../serve/api.js';
import { type ChartColumns, columnsOf, meanClosed, newestClosed } from '../chart/columns.js';
import { MinutesChart } from '../chart/minutes-chart.js';
import { MinutesTable } from '../chart/minutes-table.js';
import { useWatch } from '../feed/use-watch.js';
import {
  count,
  DIMENSION_NAMES,
  duration,
  ms,
  percent,
  span,
  timeOfDay,
  timeWithSeconds,
} from '../format.js';
import { DIMENSIONS, isFiltered, unfiltered } from '../place.js';
import { chartQuestion } from '../questions.js';
import { partColour } from '../theme.js';
import { Answered, Empty } from './card.js';
import { periodName } from './filter-bar.js';
import { Icon } from './icons.js';
import { useNavigation } from './navigation.js';

/** The card with the figures and the chart. */
export function Clicks({ dark }: { dark: boolean }) {
  const { place } = useNavigation();
  const watched = useWatch('series', chartQuestion(place));
  return (
    <section class="card clicks" aria-label="Clicks">
      <Answered watched={watched} lines={9}>
        {(answer) => <Shown answer={answer} dark={dark} />}
      </Answered>
    </section>
  );
}

function Shown({ answer, dark }: { answer: SeriesAnswer; dark: boolean }) {
  const { place } = useNavigation();
  const splitBy = DIMENSIONS.find((dimension) => dimension === place.splitBy);
  const columns = columnsOf(answer, splitBy);
  if (!columns) return <NothingYet />;
  const unit = answer.step === 'minute' ? 'minute' : 'hour';
  const title = `Clicks per ${unit}, ${periodName(place.period).toLowerCase()}`;
  return (
    <>
      <Figures columns={columns} answer={answer} unit={unit} />
      <div class="chart-head">
        <h2>
          Clicks per {unit}
          <span class="period">{span(columns.fromMs, columns.toMs)}</span>
        </h2>
        <Controls />
      </div>
      {columns.total === 0 ? (
        <NoneHere />
      ) : place.asTable ? (
        <MinutesTable columns={columns} title={title} />
      ) : (
        <MinutesChart columns={columns} dark={dark} title={title} />
      )}
      <Legend columns={columns} unit={unit} />
    </>
  );
}

interface FiguresProps {
  columns: ChartColumns;
  answer: SeriesAnswer;
  unit: string;
}

function Figures({ columns, answer, unit }: FiguresProps) {
  const { place } = useNavigation();
  const newest = newestClosed(columns);
  const mean = meanClosed(columns);
  const completeMs = ms(answer.as_of.complete_to);
  const watermarkMs = ms(answer.as_of.watermark);
  return (
    <dl class="figures">
      <div class="figure main-figure">
        <dt>Billable clicks</dt>
        <dd>
          <strong data-figure="total">{count(columns.total)}</strong>
          <span>{periodName(place.period).toLowerCase()}</span>
        </dd>
      </div>
      <div class="figure">
        <dt>Newest closed {unit}</dt>
        <dd>
          <strong>{newest ? count(newest.clicks) : '–'}</strong>
          <span>{newest ? `${timeOfDay(newest.startMs)} UTC` : `no ${unit} is closed yet`}</span>
        </dd>
      </div>
      <div class="figure">
        <dt>Mean per {unit}</dt>
        <dd>
          <strong>{mean === undefined ? '–' : count(mean)}</strong>
          <span>{trend(columns)}</span>
        </dd>
      </div>
      <div class="figure">
        <dt>Complete up to</dt>
        <dd>
          <strong>{completeMs === undefined ? '–' : timeWithSeconds(completeMs)}</strong>
          <span>{behindWatermark(watermarkMs, completeMs)}</span>
        </dd>
      </div>
    </dl>
  );
}

/** How the second half of the closed steps compares with the first. */
function trend(columns: ChartColumns): string {
  const { times, stepMs, openFromMs, clicks } = columns;
  const closed = clicks.filter(
    (_, index) => openFromMs === undefined || times[index]! + stepMs <= openFromMs,
  );
  const half = Math.floor(closed.length / 2);
  const sum = (some: readonly number[]): number => some.reduce((all, one) => all + one, 0);
  const [before, after] = [sum(closed.slice(0, half)), sum(closed.slice(closed.length - half))];
  if (half < 3 || before === 0) return 'of the closed ones';
  const change = (after - before) / before;
  if (Math.abs(change) < 0.005) return 'steady';
  return `${percent(Math.abs(change), 1)} ${change > 0 ? 'more' : 'less'} than the first half`;
}

function behindWatermark(watermarkMs: number | undefined, completeMs: number | undefined): string {
  if (watermarkMs === undefined || completeMs === undefined) return 'nothing was counted yet';
  const behind = watermarkMs - completeMs;
  return behind < 1_000 ? 'UTC, in all partitions' : `UTC, slowest ${duration(behind)} behind`;
}

function Controls() {
  const { place, go } = useNavigation();
  const offered = DIMENSIONS.filter((dimension) => dimension !== place.page?.dimension);
  return (
    <div class="chart-controls">
      <label class="select">
        <span>Split by</span>
        <select
          value={place.splitBy ?? ''}
          onChange={({ currentTarget: { value } }) =>
            go({ ...place, splitBy: DIMENSIONS.find((dimension) => dimension === value) }, 'replace')
          }
        >
          <option value="">nothing</option>
          {offered.map((dimension) => (
            <option key={dimension} value={dimension}>
              {DIMENSION_NAMES[dimension].one.toLowerCase()}
            </option>
          ))}
        </select>
        <Icon name="down" />
      </label>
      <button
        type="button"
        class="choice"
        aria-pressed={place.asTable}
        onClick={() => go({ ...place, asTable: !place.asTable }, 'replace')}
      >
        <Icon name="table" />
        <span>Table</span>
      </button>
    </div>
  );
}

function Legend({ columns, unit }: { columns: ChartColumns; unit: string }) {
  const { parts, openFromMs, toMs, total } = columns;
  return (
    <div class="legend">
      {parts.length > 1 && (
        <ul>
          {parts.map(({ name, colour, total: clicks }) => (
            <li key={name}>
              <i class="swatch" style={{ background: partColour(colour) }} />
              {name} <span class="share">{percent(clicks, total)}</span>
            </li>
          ))}
        </ul>
      )}
      {openFromMs !== undefined && openFromMs < toMs && (
        <p class="open-note">
          <i class="swatch hatched" />
          {unit === 'minute' ? 'Open minutes' : 'Open hours'}: their numbers may still grow
        </p>
      )}
    </div>
  );
}

function NoneHere() {
  const { place, go } = useNavigation();
  return (
    <Empty title="No clicks in this period">
      {isFiltered(place) ? (
        <>
          <p>Nothing that was counted matches the filters.</p>
          <button type="button" class="choice" onClick={() => go(unfiltered(place))}>
            Clear filters
          </button>
        </>
      ) : (
        <p>A longer period may have some.</p>
      )}
    </Empty>
  );
}

function NothingYet() {
  return (
    <Empty title="Nothing was counted yet">
      <p>
        As soon as <code>click-agg run</code> has counted a click, it is shown here by itself.
      </p>
    </Empty>
  );
}
