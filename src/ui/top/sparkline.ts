// A row of small bars: the shape of the last minutes in the width of a word.

const BARS = '▁▂▃▄▅▆▇█';

/**
 * One bar a value, the last `width` values, the newest at the right; fewer values leave the left blank.
 * Bars are scaled to the greatest value; what is 0 is blank, what is more than 0 never is.
 */
export function sparkline(values: readonly number[], width: number): string {
  if (width <= 0) return '';
  const shown = values.slice(-width);
  const greatest = Math.max(...shown, 0);
  const bars = shown.map((value) => {
    if (!(value > 0)) return ' ';
    return BARS[Math.ceil((value / greatest) * BARS.length) - 1];
  });
  return bars.join('').padStart(width);
}
