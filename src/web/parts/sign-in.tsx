// Asks for a token where the server wants one.
import { useState } from 'preact/hooks';
import type { SessionAnswer } from '../../serve/api.js';
import { signIn } from '../feed/session.js';
import { Icon, Mark } from './icons.js';

interface Props {
  /** Why we are here, if it isn't the first time. */
  reason: string | undefined;
  signedIn(session: SessionAnswer): void;
}

/** The form. */
export function SignIn({ reason, signedIn }: Props) {
  const [token, setToken] = useState('');
  const [trouble, setTrouble] = useState(reason);
  const [busy, setBusy] = useState(false);
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    const outcome = await signIn(token.trim());
    setBusy(false);
    if (typeof outcome === 'string') setTrouble(outcome);
    else signedIn(outcome);
  };
  return (
    <main class="sign-in">
      <form class="card" onSubmit={submit}>
        <div class="brand">
          <Mark />
          <span>click-agg</span>
        </div>
        <h1>Sign in</h1>
        <p class="hint">
          With the token that you were given. It is kept in a cookie of this browser until it expires.
        </p>
        <label class="field">
          <span>Token</span>
          <input
            type="password"
            name="token"
            value={token}
            autocomplete="current-password"
            spellcheck={false}
            required
            aria-describedby={trouble === undefined ? undefined : 'sign-in-trouble'}
            onInput={(event) => setToken(event.currentTarget.value)}
          />
        </label>
        {trouble !== undefined && (
          <p class="trouble" id="sign-in-trouble" role="alert">
            <Icon name="alert" /> {trouble}
          </p>
        )}
        <button type="submit" class="main-button" disabled={busy || token.trim() === ''}>
          {busy ? 'Signing in …' : 'Sign in'}
        </button>
      </form>
    </main>
  );
}
