// A filter's menu: the values that there are, with their clicks, found by typing, chosen in any number.
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { useWatch } from '../feed/use-watch.js';
import { count, DIMENSION_NAMES, nameOf } from '../format.js';
import { COLUMN_OF, type Dimension, toggled, withValues } from '../place.js';
import { choicesQuestion } from '../questions.js';
import { Answered, Empty } from './card.js';
import { Icon } from './icons.js';
import { useNavigation } from './navigation.js';

const SHOWN_MAX = 100;

/** The button of a dimension, and its menu while it is open. */
export function ValueMenu({ dimension }: { dimension: Dimension }) {
  const { place } = useNavigation();
  const [open, setOpen] = useState(false);
  const id = useId();
  const frame = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const chosen = place.filters[dimension];
  useEffect(() => {
    if (!open) return undefined;
    const elsewhere = (event: Event): void => {
      if (event.target instanceof Node && !frame.current?.contains(event.target)) setOpen(false);
    };
    document.addEventListener('pointerdown', elsewhere);
    document.addEventListener('focusin', elsewhere);
    return () => {
      document.removeEventListener('pointerdown', elsewhere);
      document.removeEventListener('focusin', elsewhere);
    };
  }, [open]);
  const { one, many } = DIMENSION_NAMES[dimension];
  const [first] = chosen;
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: Escape closes the menu wherever in it the focus is
    <div
      class="menu-frame"
      ref={frame}
      onKeyDown={(event) => {
        if (event.key !== 'Escape' || !open) return;
        event.stopPropagation();
        setOpen(false);
        button.current?.focus();
      }}
    >
      <button
        type="button"
        ref={button}
        class={`choice ${chosen.length > 0 ? 'chosen' : ''}`}
        aria-expanded={open}
        aria-haspopup="dialog"
        aria-controls={id}
        data-filter={dimension}
        onClick={() => setOpen(!open)}
      >
        <span>
          {chosen.length === 0 && one}
          {chosen.length === 1 && nameOf(dimension, first!)}
          {chosen.length > 1 && `${chosen.length} ${many.toLowerCase()}`}
        </span>
        <Icon name="down" />
      </button>
      {open && <Choices id={id} dimension={dimension} />}
    </div>
  );
}

interface Choice {
  value: string;
  name: string;
  clicks: number | undefined;
}

function Choices({ id, dimension }: { id: string; dimension: Dimension }) {
  const { place, go } = useNavigation();
  const watched = useWatch('totals', choicesQuestion(place, dimension));
  const [typed, setTyped] = useState('');
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => input.current?.focus(), []);
  const chosen = place.filters[dimension];
  const { one, many } = DIMENSION_NAMES[dimension];
  const choose = (value: string): void => go(toggled(place, dimension, value), 'replace');
  return (
    <div class="menu" id={id} role="dialog" aria-label={`Filter by ${one.toLowerCase()}`}>
      <div class="menu-search">
        <Icon name="search" />
        <input
          ref={input}
          type="text"
          value={typed}
          placeholder={`Find ${many.toLowerCase()}`}
          aria-label={`Find ${many.toLowerCase()}`}
          autocomplete="off"
          spellcheck={false}
          onInput={(event) => setTyped(event.currentTarget.value)}
        />
      </div>
      <Answered watched={watched} lines={5}>
        {(answer) => {
          const known = answer.rows.map((row) => String(row[COLUMN_OF[dimension]]));
          const gone = chosen.filter((value) => !known.includes(value));
          const choices: Choice[] = [
            ...gone.map((value) => ({ value, name: nameOf(dimension, value), clicks: undefined })),
            ...answer.rows.map((row, index) => ({
              value: known[index]!,
              name: nameOf(dimension, known[index]!),
              clicks: Number(row.clicks),
            })),
          ];
          return <ChoiceList choices={choices} typed={typed} chosen={chosen} choose={choose} />;
        }}
      </Answered>
      <footer class="menu-foot">
        <button
          type="button"
          class="quiet"
          disabled={chosen.length === 0}
          onClick={() => go(withValues(place, dimension, []), 'replace')}
        >
          Clear
        </button>
      </footer>
    </div>
  );
}

interface ListProps {
  choices: readonly Choice[];
  typed: string;
  chosen: readonly string[];
  choose(value: string): void;
}

function ChoiceList({ choices, typed, chosen, choose }: ListProps) {
  const wanted = typed.trim().toLowerCase();
  const found = choices.filter(({ value, name }) => `${name} ${value}`.toLowerCase().includes(wanted));
  if (found.length === 0)
    return <Empty title={wanted === '' ? 'Nothing to choose yet' : 'None of that name'} />;
  return (
    <ul class="choices">
      {found.slice(0, SHOWN_MAX).map(({ value, name, clicks }) => (
        <li key={value}>
          <label>
            <input type="checkbox" checked={chosen.includes(value)} onChange={() => choose(value)} />
            <span class="choice-name">
              {name}
              {name !== value && <span class="code">{value}</span>}
            </span>
            <span class="number">{clicks === undefined ? '–' : count(clicks)}</span>
          </label>
        </li>
      ))}
      {found.length > SHOWN_MAX && (
        <li class="hint">{count(found.length - SHOWN_MAX)} more: type to find them</li>
      )}
    </ul>
  );
}
