// The feed for components: a question in, the newest answer out.
import { createContext } from 'preact';
import { useContext, useEffect, useRef, useState } from 'preact/hooks';
import type { ErrorAnswer, Watchable, WatchKind } from '../../serve/api.js';
import { requestPath } from '../questions.js';
import type { Feed } from './feed.js';

export const FeedContext = createContext<Feed | undefined>(undefined);

export interface Watched<Answer> {
  /** The newest; while a changed question waits for its first, that of the question before. */
  readonly answer: Answer | undefined;
  readonly error: ErrorAnswer['error'] | undefined;
  /** The answer is still that of the question before. */
  readonly outdated: boolean;
}

/** Watches a question; undefined: none. */
export function useWatch<Kind extends WatchKind>(
  kind: Kind,
  question: Watchable[Kind]['question'] | undefined,
): Watched<Watchable[Kind]['answer']> {
  type Answer = Watchable[Kind]['answer'];
  const feed = useContext(FeedContext);
  const path = question && requestPath(kind, question);
  const [state, setState] = useState<Watched<Answer> & { path: string | undefined }>({
    answer: undefined,
    error: undefined,
    outdated: false,
    path: undefined,
  });
  // The path says all that the question says, and two equal ones are the same text.
  const asked = useRef(question);
  asked.current = question;
  useEffect(() => {
    if (!feed || path === undefined || asked.current === undefined) return undefined;
    return feed.watch(kind, asked.current, {
      answered: (answer) => setState({ answer: answer as Answer, error: undefined, outdated: false, path }),
      failed: (error) => setState((before) => ({ ...before, error, path })),
    });
  }, [feed, kind, path]);
  return { ...state, outdated: state.answer !== undefined && state.path !== path };
}
