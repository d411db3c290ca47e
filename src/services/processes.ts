// The processes of this machine: who lives, whose child is whose, and which ports are free.
import { once } from 'node:events';
import { mkdir, stat, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { $ } from 'zx';

/** Below the ports that systems give to outgoing connections: one of those must not sit on ours while we are down. */
const PORT_MIN = 20_000;
const PORT_MAX = 32_000;
/** Longer than a server that is killed is usually down, or a test goes on. */
const RESERVED_MS = 600_000;

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

/**
 * A port of 127.0.0.1 where nobody listens now. It is not given to anybody else for a while: between this and the moment
 * at which a server has it another one that starts at the same time could take it, and so could others while it is down.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = PORT_MIN + Math.floor(Math.random() * (PORT_MAX - PORT_MIN));
    if ((await isFree(port)) && (await reserve(port))) return port;
  }
}

/** Reserves a port for whoever asks; false: somebody else has done so lately. */
async function reserve(port: number): Promise<boolean> {
  // Each user's own: what another one has made there can't be written.
  const folder = join(tmpdir(), `click-agg-ports-${process.getuid?.() ?? ''}`);
  const path = join(folder, String(port));
  await mkdir(folder, { recursive: true });
  try {
    await writeFile(path, '', { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const nowMs = Date.now();
  if (nowMs - (await stat(path)).mtimeMs < RESERVED_MS) return false;
  await utimes(path, nowMs / 1000, nowMs / 1000);
  return true;
}
