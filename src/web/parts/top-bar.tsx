// The bar that is always there: the name, how the numbers come, the theme, and who is looking.
import type { SessionAnswer } from '../../serve/api.js';
import type { FeedState } from '../feed/feed.js';
import { overviewOf } from '../place.js';
import { THEMES, type Theme } from '../theme.js';
import { Connection } from './connection.js';
import { Icon, type IconName, Mark } from './icons.js';
import { Link, useNavigation } from './navigation.js';

interface Props {
  state: FeedState;
  session: SessionAnswer;
  theme: Theme;
  chooseTheme(theme: Theme): void;
  showKeys(): void;
  signOut(): void;
}

const THEME_ICONS: Readonly<Record<Theme, IconName>> = { system: 'system', light: 'sun', dark: 'moon' };

/** The bar. */
export function TopBar({ state, session, theme, chooseTheme, showKeys, signOut }: Props) {
  const { place } = useNavigation();
  const next = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length]!;
  return (
    <header class="top-bar">
      <div class="top-bar-inner">
        <Link to={overviewOf(place)} class="brand">
          <Mark />
          <span>click-agg</span>
        </Link>
        <div class="top-bar-end">
          <Connection state={state} />
          <button
            type="button"
            class="icon-button keys-button"
            aria-label="Keyboard shortcuts"
            title="Keyboard shortcuts (?)"
            onClick={showKeys}
          >
            <Icon name="keyboard" />
          </button>
          <button
            type="button"
            class="icon-button"
            aria-label={`Theme: ${theme}. Change to ${next}`}
            title={`Theme: ${theme}`}
            onClick={() => chooseTheme(next)}
          >
            <Icon name={THEME_ICONS[theme]} />
          </button>
          {session.role !== 'open' && <Viewer session={session} signOut={signOut} />}
        </div>
      </div>
    </header>
  );
}

function Viewer({ session, signOut }: { session: SessionAnswer; signOut(): void }) {
  return (
    <>
      <span
        class="viewer"
        title={session.role === 'admin' ? 'Sees all campaigns' : 'Sees own campaigns only'}
      >
        {session.advertiser_id ?? session.role}
      </span>
      <button type="button" class="icon-button" aria-label="Sign out" title="Sign out" onClick={signOut}>
        <Icon name="out" />
      </button>
    </>
  );
}
