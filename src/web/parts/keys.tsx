// Keys that save the way with the pointer, and the dialog that tells of them. Letters do nothing while something is typed,
// and can be switched off: who speaks to a browser, or has a tremor, presses some that were not meant (WCAG 2.1.4).
import { useEffect, useRef, useState } from 'preact/hooks';
import { keep, kept } from '../kept.js';
import { DIMENSIONS, overviewOf, PERIODS, unfiltered } from '../place.js';
import type { Navigation } from './navigation.js';

/** Of the chart while it has the focus, so they are in nobody's way. */
const ARROWS = '← →';

const KEYS: readonly (readonly [keys: string, does: string])[] = [
  ['/', 'open the first filter'],
  ['[ and ]', 'shorter or longer period'],
  ['s', 'split the chart by the next dimension'],
  ['t', 'chart or table'],
  ['x', 'clear all filters'],
  ['o', 'back to the overview'],
  ['d', 'next theme'],
  [ARROWS, 'on the chart: read one value after the other'],
  ['?', 'this list'],
];

const KEPT_AS = 'click-agg keys';

interface Acts {
  navigation: Navigation;
  nextTheme(): void;
  showKeys(): void;
}

export interface KeySwitch {
  readonly on: boolean;
  turn(on: boolean): void;
}

/** Listens for the keys while they are switched on. */
export function useKeys(acts: Acts): KeySwitch {
  const [on, setOn] = useState(() => kept(KEPT_AS) !== 'off');
  const now = useRef(acts);
  now.current = acts;
  useEffect(() => {
    if (!on) return undefined;
    const pressed = (event: KeyboardEvent): void => {
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
      if (act(event.key, now.current)) event.preventDefault();
    };
    addEventListener('keydown', pressed);
    return () => removeEventListener('keydown', pressed);
  }, [on]);
  return {
    on,
    turn(wanted) {
      keep(KEPT_AS, wanted ? 'on' : 'off');
      setOn(wanted);
    },
  };
}

function isTyping(target: EventTarget | null): boolean {
  if (target instanceof HTMLInputElement) return target.type === 'text' || target.type === 'password';
  return (
    target instanceof HTMLSelectElement || (target instanceof Element && target.closest('dialog') !== null)
  );
}

/** Whether the key meant something. */
function act(key: string, { navigation: { place, go }, nextTheme, showKeys }: Acts): boolean {
  const period = PERIODS.indexOf(place.period);
  switch (key) {
    case '/':
      document.querySelector<HTMLElement>('[data-filter]')?.click();
      return true;
    case '[':
      go({ ...place, period: PERIODS[Math.max(0, period - 1)]! }, 'replace');
      return true;
    case ']':
      go({ ...place, period: PERIODS[Math.min(PERIODS.length - 1, period + 1)]! }, 'replace');
      return true;
    case 's': {
      const offered = [undefined, ...DIMENSIONS.filter((dimension) => dimension !== place.page?.dimension)];
      go({ ...place, splitBy: offered[(offered.indexOf(place.splitBy) + 1) % offered.length] }, 'replace');
      return true;
    }
    case 't':
      go({ ...place, asTable: !place.asTable }, 'replace');
      return true;
    case 'x':
      go(unfiltered(place));
      return true;
    case 'o':
      go(overviewOf(place));
      return true;
    case 'd':
      nextTheme();
      return true;
    case '?':
      showKeys();
      return true;
    default:
      return false;
  }
}

interface DialogProps {
  open: boolean;
  close(): void;
  keys: KeySwitch;
}

/** The list of keys, and their switch. */
export function KeysDialog({ open, close, keys: { on, turn } }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (open) dialog.current?.showModal();
    else dialog.current?.close();
  }, [open]);
  return (
    <dialog ref={dialog} class="keys" aria-labelledby="keys-title" onClose={close}>
      <h2 id="keys-title">Keyboard</h2>
      <label class="switch">
        <input type="checkbox" checked={on} onChange={({ currentTarget }) => turn(currentTarget.checked)} />
        Use single-key shortcuts
      </label>
      <dl>
        {KEYS.map(([keys, does]) => (
          <div key={keys} class={on || keys === ARROWS ? undefined : 'off'}>
            <dt>
              <kbd>{keys}</kbd>
            </dt>
            <dd>{does}</dd>
          </div>
        ))}
      </dl>
      <form method="dialog">
        <button type="submit" class="choice">
          Close
        </button>
      </form>
    </dialog>
  );
}
