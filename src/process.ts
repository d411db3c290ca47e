// The process around the program: its exit code, and its end. A process that has done its work ends, also where a driver
// has forgotten something: cassandra-driver that is shut down while it looks for a node again may open connections and
// timers afterwards, which nobody can close any more.
import { main } from './cli.js';

/** Whatever is on its way to its end has come there by then. */
const WAIT_MS = 5_000;

/** Runs what was typed (`argv` without node and script), and ends the process with its exit code. */
export async function runProcess(argv: readonly string[]): Promise<void> {
  process.exitCode = await main(argv);
  const timer = setTimeout(() => {
    if (process.stdout.writableLength > 0 || process.stderr.writableLength > 0) {
      timer.refresh(); // somebody reads slowly
      return;
    }
    process.stderr.write('warning: a connection was still open at the end, and is cut off\n');
    process.exit();
  }, WAIT_MS);
  timer.unref();
}
