// The frame of every part of the page, and what stands in it while there is nothing to show.
import type { ComponentChildren } from 'preact';
import type { Watched } from '../feed/use-watch.js';
import { Icon } from './icons.js';

interface CardProps {
  title: string;
  /** At the right of the title. */
  aside?: ComponentChildren;
  class?: string;
  children: ComponentChildren;
}

/** A titled part of the page. */
export function Card({ title, aside, children, ...rest }: CardProps) {
  const id = `card-${title.toLowerCase().replace(/[^a-z]+/g, '-')}`;
  return (
    <section class={`card ${rest.class ?? ''}`} aria-labelledby={id}>
      <header class="card-head">
        <h2 id={id}>{title}</h2>
        {aside}
      </header>
      {children}
    </section>
  );
}

interface AnsweredProps<Answer> {
  watched: Watched<Answer>;
  /** How many lines of the skeleton stand for what is to come. */
  lines: number;
  children: (answer: Answer) => ComponentChildren;
}

/** What an answer is shown as, or why there is none. */
export function Answered<Answer>({ watched, lines, children }: AnsweredProps<Answer>) {
  const { answer, error, outdated } = watched;
  if (answer === undefined && error) return <Trouble message={error.message} />;
  if (answer === undefined) return <Skeleton lines={lines} />;
  return (
    <div class={outdated ? 'outdated' : undefined} aria-busy={outdated}>
      {error && <Trouble message={error.message} />}
      {children(answer)}
    </div>
  );
}

function Trouble({ message }: { message: string }) {
  return (
    <p class="trouble" role="alert">
      <Icon name="alert" /> {message}
    </p>
  );
}

function Skeleton({ lines }: { lines: number }) {
  return (
    <div class="skeleton" aria-busy="true">
      <span class="unseen">Loading</span>
      {Array(lines).fill(<i />)}
    </div>
  );
}

/** Says that there is nothing, and what could be done. */
export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <strong>{title}</strong>
      {children}
    </div>
  );
}
