// The page as a whole: first who is looking, then the feed, then the parts.
import { useEffect, useState } from 'preact/hooks';
import type { SessionAnswer } from '../serve/api.js';
import { Feed, type FeedState } from './feed/feed.js';
import { currentViewer, signOut, type Viewer } from './feed/session.js';
import { FeedContext } from './feed/use-watch.js';
import { Breakdown } from './parts/breakdown.js';
import { Clicks } from './parts/clicks.js';
import { Notices } from './parts/connection.js';
import { KeysDialog, useKeys } from './parts/keys.js';
import { NavigationContext, useAddress, useNavigation } from './parts/navigation.js';
import { PageHead } from './parts/page-head.js';
import { Reconciliation } from './parts/reconciliation.js';
import { SignIn } from './parts/sign-in.js';
import { Stream, useStatus } from './parts/stream.js';
import { TopBar } from './parts/top-bar.js';
import { Verdicts } from './parts/verdicts.js';
import { DIMENSIONS } from './place.js';
import { THEMES, useTheme } from './theme.js';

const ASK_AGAIN_MS = 3_000;

type Shown = Exclude<Viewer, { kind: 'unreachable' }> | { readonly kind: 'asking'; readonly tries: number };

/** Asks who is looking, and shows the dashboard or the form that asks for a token. */
export function App() {
  const [viewer, setViewer] = useState<Shown>({ kind: 'asking', tries: 0 });
  useEffect(() => {
    if (viewer.kind !== 'asking') return undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    void currentViewer().then((found) => {
      if (found.kind !== 'unreachable') setViewer(found);
      else timer = setTimeout(() => setViewer({ kind: 'asking', tries: viewer.tries + 1 }), ASK_AGAIN_MS);
    });
    return () => clearTimeout(timer);
  }, [viewer]);
  if (viewer.kind === 'asking') return <Waiting tries={viewer.tries} />;
  const signedIn = (session: SessionAnswer): void => setViewer({ kind: 'here', session });
  if (viewer.kind === 'signed out') return <SignIn reason={viewer.reason} signedIn={signedIn} />;
  return (
    <Dashboard session={viewer.session} signedOut={(reason) => setViewer({ kind: 'signed out', reason })} />
  );
}

function Waiting({ tries }: { tries: number }) {
  return (
    <main class="waiting" aria-busy="true">
      <p role="status">{tries === 0 ? '' : 'The server does not answer. It is asked again by itself.'}</p>
    </main>
  );
}

interface DashboardProps {
  session: SessionAnswer;
  signedOut(reason: string | undefined): void;
}

function Dashboard({ session, signedOut }: DashboardProps) {
  const [state, setState] = useState<FeedState>({ delivery: 'connecting', heardAtMs: undefined });
  const [feed, setFeed] = useState<Feed | undefined>(undefined);
  const [keysShown, showKeys] = useState(false);
  const { theme, dark, choose } = useTheme();
  const navigation = useAddress();
  // biome-ignore lint/correctness/useExhaustiveDependencies: another viewer needs a new feed, nothing else does
  useEffect(() => {
    const made = new Feed({
      socketUrl: `${location.protocol === 'https:' ? 'wss:' : 'ws:'}//${location.host}/v1/live`,
      changed: setState,
      signedOut: () => signedOut('Your token is no longer valid. Sign in again.'),
    });
    setFeed(made);
    return () => made.close();
  }, [session]);
  const keys = useKeys({
    navigation,
    nextTheme: () => choose(THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length]!),
    showKeys: () => showKeys(true),
  });
  return (
    <NavigationContext.Provider value={navigation}>
      <FeedContext.Provider value={feed}>
        <a class="skip" href="#content">
          Skip to the numbers
        </a>
        <TopBar
          state={state}
          session={session}
          theme={theme}
          chooseTheme={choose}
          showKeys={() => showKeys(true)}
          signOut={() => void signOut().then(() => signedOut(undefined))}
        />
        <Content state={state} dark={dark} seesAll={session.role !== 'advertiser'} />
        <KeysDialog open={keysShown} close={() => showKeys(false)} keys={keys} />
      </FeedContext.Provider>
    </NavigationContext.Provider>
  );
}

interface ContentProps {
  state: FeedState;
  dark: boolean;
  /** The ledger counts the records of all advertisers: for one of them there is none. */
  seesAll: boolean;
}

function Content({ state, dark, seesAll }: ContentProps) {
  const { place } = useNavigation();
  const status = useStatus();
  const listed = DIMENSIONS.filter((dimension) => dimension !== place.page?.dimension);
  return (
    <main id="content" tabIndex={-1} class={state.delivery === 'offline' ? 'stale' : undefined}>
      <Notices state={state} status={status.answer} />
      <PageHead />
      <div class="columns">
        <div class="column">
          <Clicks dark={dark} />
          <div class="breakdowns">
            {listed.map((dimension) => (
              <Breakdown key={dimension} dimension={dimension} />
            ))}
          </div>
        </div>
        <div class="column side">
          {seesAll && <Verdicts />}
          <Stream watched={status} />
          <Reconciliation />
        </div>
      </div>
    </main>
  );
}
