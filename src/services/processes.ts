// The processes of this machine: who lives, whose child is whose, and which ports are free.
import { once } from 'node:events';
import { createServer } from 'node:net';
import { $ } from 'zx';

/** Below the ports that systems give to outgoing connections: one of those must not sit on ours while we are down. */
const PORT_MIN = 20_000;
const PORT_MAX = 32_000;

interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
}

async function allProcesses(): Promise<Process[]> {
  const { stdout } = await $({ quiet: true })`ps -A -ww -o pid=,ppid=,args=`;
  return stdout.split('\n').flatMap((line) => {
    const [, pid, parent, command] = /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line) ?? [];
    return command === undefined ? [] : [{ pid: Number(pid), parent: Number(parent), command }];
  });
}

/** Whether a process lives and its command line holds `mark`: a pid that is used again is not taken for it. */
export async function lives(pid: number, mark: string): Promise<boolean> {
  const { stdout } = await $({ quiet: true, nothrow: true })`ps -ww -o args= -p ${pid}`;
  return stdout.includes(mark);
}

/** Sends a signal to a process and all that come from it. */
export async function signalFamily(pid: number, signal: NodeJS.Signals): Promise<void> {
  const processes = await allProcesses();
  const family = [pid];
  for (const member of family) {
    for (const one of processes) if (one.parent === member) family.push(one.pid);
  }
  for (const member of family) signalOne(member, signal);
}

/** Sends a signal; one that has ended by itself meanwhile needs none. */
export function signalOne(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Whether nobody listens on this port of 127.0.0.1. */
export async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen({ port, host: '127.0.0.1', exclusive: true });
    await once(server, 'listening');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EADDRINUSE' || code === 'EACCES') return false;
    throw error;
  }
  server.close();
  await once(server, 'close');
  return true;
}

/** A port of 127.0.0.1 where nobody listens now. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = PORT_MIN + Math.floor(Math.random() * (PORT_MAX - PORT_MIN));
    if (await isFree(port)) return port;
  }
}
