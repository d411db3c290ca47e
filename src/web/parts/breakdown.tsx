// The values of a dimension, most clicks first: each with its course, clicks and share, a link to its page, and a
// button that makes it a filter.
import { useState } from 'preact/hooks';
import type { Series, SeriesAnswer } from '../../serve/api.js';
import { useWatch } from '../feed/use-watch.js';
import { count, DIMENSION_NAMES, ms, nameOf, percent } from '../format.js';
import { type Dimension, placeAbout, toggled } from '../place.js';
import { listQuestion, ROWS_LONG, ROWS_SHORT } from '../questions.js';
import { Answered, Card, Empty } from './card.js';
import { Icon } from './icons.js';
import { Link, useNavigation } from './navigation.js';
import { Sparkline } from './sparkline.js';

/** The card of one dimension; opened, it shows more rows. */
export function Breakdown({ dimension }: { dimension: Dimension }) {
  const { place } = useNavigation();
  const [open, setOpen] = useState(false);
  const watched = useWatch('series', listQuestion(place, dimension, open ? ROWS_LONG : ROWS_SHORT));
  const { many } = DIMENSION_NAMES[dimension];
  const others = watched.answer?.other?.total ?? 0;
  const more = open || others > 0;
  return (
    <Card
      title={many}
      class="breakdown"
      aside={
        more && (
          <button type="button" class="quiet" aria-expanded={open} onClick={() => setOpen(!open)}>
            {open ? 'Show fewer' : 'Show more'}
          </button>
        )
      }
    >
      <Answered watched={watched} lines={ROWS_SHORT}>
        {(answer) => <Rows answer={answer} dimension={dimension} />}
      </Answered>
    </Card>
  );
}

function Rows({ answer, dimension }: { answer: SeriesAnswer; dimension: Dimension }) {
  const { series, other, total } = answer;
  if (series.length === 0) return <Empty title="No clicks here" />;
  const { one } = DIMENSION_NAMES[dimension];
  const closed = closedSteps(answer);
  return (
    <table class="rows">
      <thead class="unseen">
        <tr>
          <th scope="col">{one}</th>
          <th scope="col">Course</th>
          <th scope="col">Clicks</th>
          <th scope="col">Share</th>
          <th scope="col">Filter</th>
        </tr>
      </thead>
      <tbody>
        {series.map((each) => (
          <Row
            key={each.name}
            series={each}
            dimension={dimension}
            total={total}
            greatest={series[0]!.total}
            closed={closed}
          />
        ))}
        {other && other.total > 0 && (
          <tr class="rest">
            <th scope="row">All others</th>
            <td class="course">
              <Sparkline clicks={other.clicks.slice(0, closed)} />
            </td>
            <td class="number">{count(other.total)}</td>
            <td class="share">{percent(other.total, total)}</td>
            <td />
          </tr>
        )}
      </tbody>
    </table>
  );
}

interface RowProps {
  series: Series;
  dimension: Dimension;
  total: number;
  greatest: number;
  /** Steps that are over. */
  closed: number | undefined;
}

/** How many steps are over: the others would look like a fall. */
function closedSteps({ as_of, from, step_ms: stepMs }: SeriesAnswer): number | undefined {
  const [fromMs, completeMs] = [ms(from), ms(as_of.complete_to)];
  if (fromMs === undefined || completeMs === undefined) return undefined;
  return Math.max(0, Math.floor((completeMs - fromMs) / stepMs));
}

function Row({ series, dimension, total, greatest, closed }: RowProps) {
  const { place, go } = useNavigation();
  const value = series.name ?? '';
  const name = nameOf(dimension, value);
  const page = placeAbout(place, dimension, value);
  const chosen = place.filters[dimension].includes(value);
  return (
    <tr>
      <th scope="row">
        <i class="length" style={{ width: `${(100 * series.total) / Math.max(1, greatest)}%` }} />
        {page ? <Link to={page}>{name}</Link> : <span>{name}</span>}
        {name !== value && <span class="code">{value}</span>}
      </th>
      <td class="course">
        <Sparkline clicks={series.clicks.slice(0, closed)} />
      </td>
      <td class="number">{count(series.total)}</td>
      <td class="share">{percent(series.total, total)}</td>
      <td class="act">
        <button
          type="button"
          class="icon-button"
          aria-pressed={chosen}
          aria-label={`Only ${name}`}
          title={chosen ? `No longer only ${name}` : `Only ${name}`}
          onClick={() => go(toggled(place, dimension, value))}
        >
          <Icon name={chosen ? 'cross' : 'filter'} />
        </button>
      </td>
    </tr>
  );
}
