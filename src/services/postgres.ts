// PostgreSQL. The server refuses to run as root: there it is the user `postgres`, whom Debian's package makes.
import { spawnSync } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, readdirSync, realpathSync } from 'node:fs';
import { rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import pg from 'pg';
import { $, which } from 'zx';
import { UserError } from '../errors.js';
import { installDebian } from './fetching.js';
import type { Part, Place } from './part.js';

const ANSWER_MS = 2_000;
const USER = 'postgres';
const PASSWORD = 'click-agg';
/** Where Debian keeps each major version's programs. */
const DEBIAN_VERSIONS = '/usr/lib/postgresql';

export const postgres: Part = {
  name: 'postgres',
  software: 'PostgreSQL',
  portNames: ['main'],
  // A fast stop: transactions that are under way are rolled back.
  stopSignal: 'SIGINT',
  async fetch(say) {
    const found = await programs();
    if (found) return found;
    await installDebian('PostgreSQL', 'postgresql', say);
    const installed = await programs();
    if (installed) return installed;
    throw new UserError(`PostgreSQL was installed, but there is no initdb in ${DEBIAN_VERSIONS}`);
  },
  async prepare(place) {
    if (existsSync(filesOf(place))) return;
    await initialize(place);
  },
  async launch(place) {
    const user = await runsAs();
    const settings = {
      port: String(place.ports.main),
      listen_addresses: '127.0.0.1',
      unix_socket_directories: filesOf(place),
      // Many test files share one server.
      max_connections: '200',
      ...place.settings,
    };
    const options = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    const args = ['-D', filesOf(place), ...options];
    return { file: join(place.program, 'postgres'), args, ...(user ? { user } : {}) };
  },
  address: (place) => ({
    url: `postgres://${USER}:${PASSWORD}@127.0.0.1:${place.ports.main}/postgres`,
  }),
  async answers(place) {
    const client = new pg.Client({
      ...{ host: '127.0.0.1', port: place.ports.main, user: USER, password: PASSWORD, database: 'postgres' },
      connectionTimeoutMillis: ANSWER_MS,
      query_timeout: ANSWER_MS,
    });
    // A server that goes away while we ask says so here as well; the promise below has it already.
    client.on('error', () => undefined);
    try {
      await client.connect();
      await client.query('SELECT 1');
      return true;
    } catch (error) {
      if (error instanceof Error) return false;
      throw error;
    } finally {
      // It waits for a server that is silent.
      client.end().catch(() => undefined);
    }
  },
};

const filesOf = (place: Place): string => join(place.directory, 'files');

/** The folder with initdb and postgres: on the PATH, or Debian's newest. */
async function programs(): Promise<string | undefined> {
  const onPath = await which('postgres', { nothrow: true });
  const versions = existsSync(DEBIAN_VERSIONS) ? readdirSync(DEBIAN_VERSIONS) : [];
  const newestFirst = versions.map(Number).sort((a, b) => b - a);
  const folders = [
    ...(onPath ? [dirname(onPath), dirname(realpathSync(onPath))] : []),
    ...newestFirst.map((version) => `${DEBIAN_VERSIONS}/${version}/bin`),
  ];
  return folders.find((folder) =>
    ['initdb', 'postgres'].every((program) => existsSync(join(folder, program))),
  );
}

/** Whom the server runs as where we are root. */
async function runsAs(): Promise<{ uid: number; gid: number } | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const ask = $({ quiet: true, nothrow: true });
  const [uid, gid] = [await ask`id -u ${USER}`, await ask`id -g ${USER}`];
  if (uid.exitCode !== 0 || gid.exitCode !== 0) {
    throw new UserError(`PostgreSQL refuses to run as root, and there is no user ${USER} here`, {
      hint: `Make one (useradd --system ${USER}), or run this as another user.`,
    });
  }
  return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
}

/** Makes the server's files beside their place and puts them there when they are whole. */
async function initialize(place: Place): Promise<void> {
  const user = await runsAs();
  const unfinished = `${filesOf(place)}.unfinished`;
  await rm(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished, { mode: 0o700 });
  const passwordFile = join(place.directory, 'password');
  await writeFile(passwordFile, PASSWORD);
  if (user) for (const path of [unfinished, passwordFile]) chownSync(path, user.uid, user.gid);
  const how = ['-U', USER, '-A', 'scram-sha-256', '--pwfile', passwordFile];
  const kind = ['-E', 'UTF8', '--locale=C', '--no-sync'];
  const args = ['-D', unfinished, ...how, ...kind];
  const { status, stderr } = spawnSync(join(place.program, 'initdb'), args, {
    ...{ cwd: unfinished, encoding: 'utf8', ...(user ?? {}) },
  });
  if (status !== 0) {
    throw new UserError(`initdb failed in ${place.directory}: ${(stderr ?? '').trim().split('\n').at(-1)}`, {
      hint: user ? `The user ${USER} must be able to reach that folder: choose another one with --dir.` : '',
    });
  }
  await rm(passwordFile);
  await rename(unfinished, filesOf(place));
}
