// Puts the dashboard on a terminal until the person quits or the signal says so.
import { render } from 'ink';
import { Dashboard, type DashboardProps } from './dashboard.js';

export interface Screen extends DashboardProps {
  stdout: NodeJS.WriteStream;
  stdin: NodeJS.ReadStream;
  signal: AbortSignal;
}

/** Resolves when the dashboard was quit; rejects with what a read threw. */
export async function showDashboard({ stdout, stdin, signal, ...props }: Screen): Promise<void> {
  const app = render(<Dashboard {...props} />, { stdout, stdin, exitOnCtrlC: false, patchConsole: false });
  const stop = () => app.unmount();
  signal.addEventListener('abort', stop);
  try {
    await app.waitUntilExit();
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
