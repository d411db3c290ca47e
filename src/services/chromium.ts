// A real browser, for tests of the web dashboard and its pictures: the headless shell of Debian's Chromium, or the
// Chromium or Chrome that is installed. It is no server, so it is only fetched; whoever wants it starts it.
import { which } from 'zx';
import { installDebian } from './fetching.js';
import type { Say } from './part.js';

/** The shell first: it is Chromium without windows, and needs half of the packages. */
const PROGRAMS = ['chromium-headless-shell', 'chromium', 'chromium-browser', 'google-chrome'];

/** The browser's executable, installed if there is none. */
export async function fetchChromium(say: Say): Promise<string> {
  const found = await installed();
  if (found !== undefined) return found;
  await installDebian('chromium', 'chromium-headless-shell', say);
  return (await installed()) ?? PROGRAMS[0]!;
}

async function installed(): Promise<string | undefined> {
  for (const program of PROGRAMS) {
    const path = await which(program, { nothrow: true });
    if (path !== null) return path;
  }
  return undefined;
}
