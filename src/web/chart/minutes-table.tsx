// The chart's numbers as a table, newest first: for readers of screens, for copying, for exactness.
import { count, day, timeOfDay } from '../format.js';
import type { ChartColumns } from './columns.js';

interface Props {
  columns: ChartColumns;
  title: string;
}

/** A row for each step. */
export function MinutesTable({ columns, title }: Props) {
  const { times, clicks, parts, stepMs, openFromMs } = columns;
  const split = parts.length > 1;
  const newestFirst = times.map((_, index) => index).reverse();
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    <section class="table-scroll" tabIndex={0} aria-label={title}>
      <table class="minutes">
        <caption class="unseen">{title}</caption>
        <thead>
          <tr>
            <th scope="col">Start, UTC</th>
            <th scope="col">Clicks</th>
            {split && parts.map(({ name }) => <th key={name}>{name}</th>)}
            <th scope="col">State</th>
          </tr>
        </thead>
        <tbody>
          {newestFirst.map((index) => {
            const open = openFromMs !== undefined && times[index]! + stepMs > openFromMs;
            return (
              <tr key={times[index]} class={open ? 'open' : undefined}>
                <th scope="row">
                  {day(times[index]!)}, {timeOfDay(times[index]!)}
                </th>
                <td>{count(clicks[index]!)}</td>
                {split && parts.map((part) => <td key={part.name}>{count(part.clicks[index] ?? 0)}</td>)}
                <td>{open ? 'open' : 'closed'}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </section>
  );
}
