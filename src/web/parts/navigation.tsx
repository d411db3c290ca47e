// Moving about without loading the page anew: the address is changed, and everything that depends on it follows.
import { type ComponentChildren, createContext } from 'preact';
import { useContext, useEffect, useState } from 'preact/hooks';
import { addressOf, type Place, placeOf } from '../place.js';

export interface Navigation {
  readonly place: Place;
  /** Goes there; `replace`: the step is none that the back button should undo. */
  go(place: Place, how?: 'push' | 'replace'): void;
}

export const NavigationContext = createContext<Navigation | undefined>(undefined);

/** Where we are and how to go elsewhere. */
export function useNavigation(): Navigation {
  return useContext(NavigationContext)!;
}

/** Keeps place and address together. */
export function useAddress(): Navigation {
  const [place, setPlace] = useState(() => placeOf(new URL(location.href)));
  useEffect(() => {
    const moved = (): void => setPlace(placeOf(new URL(location.href)));
    addEventListener('popstate', moved);
    return () => removeEventListener('popstate', moved);
  }, []);
  return {
    place,
    go(next, how = 'push') {
      const address = addressOf(next);
      if (how === 'push' && addressOf(place) !== address) history.pushState(null, '', address);
      else history.replaceState(null, '', address);
      const pageChanged =
        next.page?.value !== place.page?.value || next.page?.dimension !== place.page?.dimension;
      setPlace(next);
      if (pageChanged) scrollTo({ top: 0 });
    },
  };
}

interface LinkProps {
  to: Place;
  children: ComponentChildren;
  class?: string;
  title?: string;
}

/** A link that others can open in a new tab or copy, too. */
export function Link({ to, children, title, ...rest }: LinkProps) {
  const { go } = useNavigation();
  return (
    <a
      href={addressOf(to)}
      class={rest.class}
      title={title}
      onClick={(event) => {
        if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey || event.button !== 0) return;
        event.preventDefault();
        go(to);
      }}
    >
      {children}
    </a>
  );
}
