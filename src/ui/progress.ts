// A progress bar that tells how far, how fast and how long yet. On a terminal it is one line that redraws
// itself; in a log it is a line every few seconds, so that a build server shows life without noise.
import { cut, visible } from './escape.js';
import type { ProgressBar } from './terminal.js';

const REDRAW_MS = 100;
const LINE_EVERY_MS = 5_000;
const BAR_WIDTH = 24;

export interface ProgressSurface {
  /** A terminal: the line can be drawn over. */
  readonly interactive: boolean;
  readonly columns: () => number;
  /** Shows the line in place of the one before; '' removes it. Only called when interactive. */
  readonly draw: (line: string) => void;
  /** Writes a line that stays. */
  readonly log: (line: string) => void;
  readonly nowMs: () => number;
}

/** A bar that shows nothing: `--quiet`. */
export const silentBar: ProgressBar = { update: () => {}, stop: () => {} };

/** A bar on the surface; the caller makes sure that one draws at a time. */
export function progressBar(surface: ProgressSurface, label: string, total: number | undefined): ProgressBar {
  const startedMs = surface.nowMs();
  let shownMs = surface.interactive ? -Infinity : startedMs;
  const everyMs = surface.interactive ? REDRAW_MS : LINE_EVERY_MS;
  return {
    update(done, note) {
      const nowMs = surface.nowMs();
      if (nowMs - shownMs < everyMs) return;
      shownMs = nowMs;
      const line = progressLine({
        label,
        done,
        total,
        note,
        elapsedMs: nowMs - startedMs,
        bar: surface.interactive,
      });
      if (surface.interactive) surface.draw(cut(line, surface.columns() - 1));
      else surface.log(line);
    },
    stop() {
      if (surface.interactive) surface.draw('');
    },
  };
}

interface ProgressState {
  label: string;
  done: number;
  total: number | undefined;
  note: string | undefined;
  elapsedMs: number;
  bar: boolean;
}

/** `label [#####-----] 45 %  1.35 M of 3 M  410 k/s  4 s left  note` */
export function progressLine({ label, done, total, note, elapsedMs, bar }: ProgressState): string {
  const share = total ? Math.min(1, done / total) : undefined;
  const perSecond = elapsedMs > 0 ? (done * 1000) / elapsedMs : 0;
  const parts = [visible(label)];
  if (share !== undefined && bar) {
    const filled = Math.round(share * BAR_WIDTH);
    parts.push(`[${'#'.repeat(filled)}${'-'.repeat(BAR_WIDTH - filled)}]`);
  }
  if (share !== undefined) parts.push(`${Math.floor(share * 100)} %`);
  parts.push(total ? `${compact(done)} of ${compact(total)}` : compact(done));
  if (perSecond > 0) parts.push(`${compact(perSecond)}/s`);
  if (total && perSecond > 0 && done < total)
    parts.push(`${duration(((total - done) / perSecond) * 1000)} left`);
  if (note) parts.push(visible(note));
  return parts.join('  ');
}

/** Three digits that matter: `950`, `1.35 M`, `410 k`. */
export function compact(value: number): string {
  const units: readonly (readonly [number, string])[] = [
    [1e12, ' T'],
    [1e9, ' G'],
    [1e6, ' M'],
    [1e3, ' k'],
  ];
  // From where three digits would round up to the next unit.
  const unit = units.find(([size]) => Math.abs(value) >= size * 0.9995);
  if (!unit) return String(Math.round(value));
  return `${Number((value / unit[0]).toPrecision(3))}${unit[1]}`;
}

/** `450 ms`, `4 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`. */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const s = Math.round(ms / 1000);
  if (s < 60) return `${s} s`;
  if (s < 3600) return two(Math.floor(s / 60), 'min', s % 60, 's');
  if (s < 86_400) return two(Math.floor(s / 3600), 'h', Math.floor((s % 3600) / 60), 'min');
  return two(Math.floor(s / 86_400), 'd', Math.floor((s % 86_400) / 3600), 'h');
}

function two(big: number, bigUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${big} ${bigUnit}` : `${big} ${bigUnit} ${small} ${smallUnit}`;
}
