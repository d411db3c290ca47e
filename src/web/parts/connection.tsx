// How the numbers reach this page just now, and since when they haven't: a page that looks alive must be alive.
import { useEffect, useState } from 'preact/hooks';
import { POLL_EVERY_MS, type StatusAnswer } from '../../serve/api.js';
import type { Delivery, FeedState } from '../feed/feed.js';
import { duration, timeWithSeconds } from '../format.js';
import { Icon } from './icons.js';

const DELIVERY_TEXT: Readonly<Record<Delivery, { word: string; tone: string; title: string }>> = {
  connecting: { word: 'Connecting', tone: 'idle', title: 'The live connection is being opened' },
  live: { word: 'Live', tone: 'good', title: 'Every change is shown as it is committed (WebSocket)' },
  polling: {
    word: `Every ${POLL_EVERY_MS / 1_000} s`,
    tone: 'warn',
    title: 'The live connection is lost: the server is asked every 10 seconds until it is back',
  },
  offline: { word: 'Offline', tone: 'bad', title: 'The server does not answer' },
};

/** The word in the bar. */
export function Connection({ state }: { state: FeedState }) {
  const { word, tone, title } = DELIVERY_TEXT[state.delivery];
  const again = state.delivery === 'connecting' && state.heardAtMs !== undefined;
  return (
    <span class={`state ${tone}`} title={title} data-delivery={state.delivery} role="status">
      <i class="dot" />
      {again ? 'Reconnecting' : word}
    </span>
  );
}

/** What is wrong with the numbers as a whole, above all of them. */
export function Notices({ state, status }: { state: FeedState; status: StatusAnswer | undefined }) {
  const nowMs = useNow();
  const { delivery, heardAtMs } = state;
  if (delivery === 'offline') {
    return (
      <Notice tone="bad">
        <strong>No connection to the server.</strong>{' '}
        {heardAtMs === undefined
          ? 'Nothing can be shown until it answers.'
          : `These are the numbers of ${timeWithSeconds(heardAtMs)} UTC, ${duration(nowMs - heardAtMs)} ago.`}{' '}
        It is tried again by itself.
      </Notice>
    );
  }
  if (delivery === 'polling') {
    return (
      <Notice tone="warn">
        <strong>No live connection.</strong> Numbers are fetched every {POLL_EVERY_MS / 1_000} seconds until
        it is back.
      </Notice>
    );
  }
  if (status && !status.live && status.as_of.method_hash !== null) {
    return (
      <Notice tone="idle">
        <strong>No run is counting.</strong> These are the totals of its last commit
        {status.since_commit_ms === null ? '' : `, ${duration(status.since_commit_ms)} ago`}.
      </Notice>
    );
  }
  return null;
}

function Notice({ tone, children }: { tone: string; children: preact.ComponentChildren }) {
  return (
    <p class={`notice ${tone}`} role="status">
      <Icon name="alert" />
      <span>{children}</span>
    </p>
  );
}

/** The time, again every few seconds. */
function useNow(): number {
  const [nowMs, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 5_000);
    return () => clearInterval(timer);
  }, []);
  return nowMs;
}
