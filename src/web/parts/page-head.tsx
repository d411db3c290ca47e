// What this page is about: everything, or one campaign, ad or country.
import { useEffect } from 'preact/hooks';
import { DIMENSION_NAMES, nameOf } from '../format.js';
import { overviewOf, type Place } from '../place.js';
import { ChosenFilters, FilterBar } from './filter-bar.js';
import { Icon } from './icons.js';
import { Link, useNavigation } from './navigation.js';

/** The page's name for its heading and the browser's title. */
function titleOf({ page }: Place): string {
  return page ? nameOf(page.dimension, page.value) : 'Overview';
}

/** Heading, filters, and the way back. */
export function PageHead() {
  const { place } = useNavigation();
  const { page } = place;
  const title = titleOf(place);
  useEffect(() => {
    document.title = `${title} · click-agg`;
  }, [title]);
  return (
    <div class="page-head">
      <div class="page-title">
        {page && (
          <Link to={overviewOf(place)} class="back">
            <Icon name="back" />
            Overview
          </Link>
        )}
        <h1>
          {page && <span class="kind">{DIMENSION_NAMES[page.dimension].one}</span>}
          {title}
          {page && title !== page.value && <span class="code">{page.value}</span>}
        </h1>
      </div>
      <FilterBar />
      <ChosenFilters />
    </div>
  );
}
