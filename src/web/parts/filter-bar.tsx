// Period, filters and how the chart is split: everything that changes what is shown.
import { DIMENSION_NAMES, nameOf } from '../format.js';
import { DIMENSIONS, isFiltered, PERIODS, type Period, toggled, unfiltered } from '../place.js';
import { Icon } from './icons.js';
import { useNavigation } from './navigation.js';
import { ValueMenu } from './value-menu.js';

const PERIOD_NAMES: Readonly<Record<Period, { short: string; long: string }>> = {
  '15m': { short: '15 min', long: 'Last 15 minutes' },
  '60m': { short: '1 h', long: 'Last hour' },
  '6h': { short: '6 h', long: 'Last 6 hours' },
  '24h': { short: '24 h', long: 'Last 24 hours' },
  '7d': { short: '7 days', long: 'Last 7 days' },
};

/** `last hour`, for sentences. */
export const periodName = (period: Period): string => PERIOD_NAMES[period].long;

/** Period and filters. */
export function FilterBar() {
  const { place } = useNavigation();
  const offered = DIMENSIONS.filter((dimension) => dimension !== place.page?.dimension);
  return (
    <div class="filter-bar">
      <PeriodChoice />
      <fieldset class="filters">
        <legend class="unseen">Filters</legend>
        {offered.map((dimension) => (
          <ValueMenu key={dimension} dimension={dimension} />
        ))}
      </fieldset>
    </div>
  );
}

function PeriodChoice() {
  const { place, go } = useNavigation();
  return (
    <fieldset class="segments">
      <legend class="unseen">Period</legend>
      {PERIODS.map((period) => (
        <label key={period} title={PERIOD_NAMES[period].long}>
          <input
            type="radio"
            name="period"
            value={period}
            checked={place.period === period}
            onChange={() => go({ ...place, period }, 'replace')}
          />
          <span>{PERIOD_NAMES[period].short}</span>
        </label>
      ))}
    </fieldset>
  );
}

/** What was chosen, each with a cross that takes it away. */
export function ChosenFilters() {
  const { place, go } = useNavigation();
  if (!isFiltered(place)) return null;
  return (
    <ul class="chips" aria-label="Chosen filters">
      {DIMENSIONS.flatMap((dimension) =>
        place.filters[dimension].map((value) => (
          <li key={`${dimension} ${value}`}>
            <button type="button" class="chip" onClick={() => go(toggled(place, dimension, value))}>
              <span class="unseen">Remove </span>
              <span class="chip-kind">{DIMENSION_NAMES[dimension].one} </span>
              {nameOf(dimension, value)}
              <Icon name="cross" />
            </button>
          </li>
        )),
      )}
      <li>
        <button type="button" class="quiet" onClick={() => go(unfiltered(place))}>
          Clear all
        </button>
      </li>
    </ul>
  );
}
