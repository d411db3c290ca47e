// The course of a row of a list: a line as wide as a word. The numbers are beside it and on the row's own page.
import type { SeriesAnswer } from '../../serve/api.js';

const WIDTH = 96;
const HEIGHT = 22;

/** The line, from zero to the greatest. */
export function Sparkline({ clicks }: { clicks: SeriesAnswer['series'][number]['clicks'] }) {
  const greatest = Math.max(1, ...clicks);
  const last = Math.max(1, clicks.length - 1);
  const points = clicks.map((each, index) => {
    const x = (index / last) * WIDTH;
    const y = HEIGHT - 1 - (each / greatest) * (HEIGHT - 3);
    return `${x.toFixed(1)} ${y.toFixed(1)}`;
  });
  if (points.length < 2)
    return <svg class="sparkline" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} aria-hidden="true" />;
  const line = `M${points.join('L')}`;
  return (
    <svg class="sparkline" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
      <path class="sparkline-area" d={`${line}L${WIDTH} ${HEIGHT}L0 ${HEIGHT}Z`} />
      <path class="sparkline-line" d={line} vector-effect="non-scaling-stroke" />
    </svg>
  );
}
