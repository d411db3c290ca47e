// Light, dark, or as the system is set; remembered in this browser. Colours that a canvas needs are read from the style
// sheet, so that they are written down once.
import { useEffect, useState } from 'preact/hooks';
import { keep, kept } from './kept.js';

export const THEMES = ['system', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

const KEY = 'click-agg theme';
const wantsDark = matchMedia('(prefers-color-scheme: dark)');

/** The chosen theme, else the system's. */
function remembered(): Theme {
  const chosen = kept(KEY);
  return THEMES.find((theme) => theme === chosen) ?? 'system';
}

function apply(theme: Theme): boolean {
  const dark = theme === 'dark' || (theme === 'system' && wantsDark.matches);
  document.documentElement.dataset.theme = dark ? 'dark' : 'light';
  return dark;
}

/** Shows the remembered theme before anything is drawn. */
export function applyRemembered(): void {
  apply(remembered());
}

/** The theme, whether it is dark now, and how to choose another. */
export function useTheme(): { theme: Theme; dark: boolean; choose(theme: Theme): void } {
  const [theme, setTheme] = useState(remembered);
  const [dark, setDark] = useState(() => apply(theme));
  useEffect(() => {
    const show = (): void => setDark(apply(theme));
    show();
    wantsDark.addEventListener('change', show);
    return () => wantsDark.removeEventListener('change', show);
  }, [theme]);
  return {
    theme,
    dark,
    choose(chosen) {
      keep(KEY, chosen);
      setTheme(chosen);
    },
  };
}

/** Colours of a part of a chart, by its index; the rest is grey. */
export function partColour(index: number | undefined): string {
  return index === undefined ? 'var(--part-other)' : `var(--part-${index % 6})`;
}

/** The value of a colour as a canvas takes it. */
export function canvasColour(variable: string): string {
  const name = /^var\((--[a-z0-9-]+)\)$/.exec(variable)?.[1] ?? variable;
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}
