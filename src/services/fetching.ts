// Brings programs that are missing: jars by Maven, Debian's packages, Python's, Go programs built here. What was built or
// downloaded stays in the user's cache folder, so that it is fetched once a machine.
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { $, which } from 'zx';
import { UserError } from '../errors.js';
import type { Say } from './part.js';
import { waitForLock } from './waiting-lock.js';

const run = $({ quiet: true, nothrow: true, stdio: ['ignore', 'pipe', 'pipe'] });

/** Where fetched programs stay. */
export function cacheFolder(): string {
  const folder = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'click-agg');
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** Whether a program is on the PATH. */
export async function isInstalled(program: string): Promise<boolean> {
  return (await which(program, { nothrow: true })) !== null;
}

/** Makes `name` in the cache by `fill`, which gets a folder to work in; it appears whole or not at all. */
async function cached(name: string, fill: (folder: string) => Promise<void>): Promise<string> {
  const path = join(cacheFolder(), name);
  if (existsSync(path)) return path;
  // A build takes all processors for minutes: two processes that want the same wait for the one that came first.
  const lock = await waitForLock(`${path}.lock`, `${name} is being fetched`);
  try {
    if (existsSync(path)) return path;
    const unfinished = `${path}.unfinished`;
    rmSync(unfinished, { recursive: true, force: true });
    mkdirSync(unfinished);
    await fill(unfinished);
    renameSync(unfinished, path);
  } finally {
    lock.release();
  }
  return path;
}

/** A folder in the cache that `fill` makes once a machine. */
export function madeOnce(name: string, fill: (folder: string) => Promise<void>): Promise<string> {
  return cached(name, fill);
}

/** A folder of jars with all that they need. Coordinates as `group:artifact:version`. */
export async function mavenJars(name: string, artifacts: readonly string[], say: Say): Promise<string> {
  return cached(name, async (work) => {
    await debianPackage('mvn', 'maven', say);
    say(`fetching ${name} by Maven`);
    await writeFile(join(work, 'pom.xml'), pomOf(artifacts));
    const { exitCode, stdout, stderr } =
      await run`mvn -q -B -f ${work}/pom.xml dependency:copy-dependencies -DoutputDirectory=${work}`;
    if (exitCode !== 0) throw unobtainable(`${name} by Maven`, stdout + stderr);
  });
}

function pomOf(artifacts: readonly string[]): string {
  const dependencies = artifacts.map((artifact) => {
    const [group, id, version] = artifact.split(':');
    return `<dependency><groupId>${group}</groupId><artifactId>${id}</artifactId><version>${version}</version></dependency>`;
  });
  return `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>click-agg</groupId><artifactId>services</artifactId><version>1</version>
<dependencies>${dependencies.join('\n')}</dependencies></project>\n`;
}

/** A folder with a Go program, built from the module proxy's sources. */
export async function goProgram(name: string, module: string, say: Say): Promise<string> {
  return cached(name, async (work) => {
    if (!(await isInstalled('go'))) {
      throw new UserError(`can't build ${name}: there is no go command here`, {
        hint: 'Install Go 1.24 or newer (Debian 12 has an older one), then try again.',
      });
    }
    say(`building ${name} with go install: minutes, once a machine`);
    const { exitCode, stdout, stderr } = await run({
      env: { ...process.env, GOBIN: work },
    })`go install ${module}`;
    if (exitCode !== 0) throw unobtainable(`${name} by go install`, stdout + stderr);
  });
}

/** A folder with a Python package, without the packages that it names. `requirement` as pip takes it: `NAME==VERSION`. */
export async function pythonPackage(name: string, requirement: string, say: Say): Promise<string> {
  return cached(name, async (work) => {
    await debianPackage('pip3', 'python3-pip', say);
    say(`fetching ${name} by pip`);
    const { exitCode, stdout, stderr } =
      await run`python3 -m pip install --quiet --no-deps --only-binary :all: --target ${work} ${requirement}`;
    if (exitCode !== 0) throw unobtainable(`${name} by pip`, stdout + stderr);
  });
}

/** Installs a Debian package if its program isn't on the PATH. */
export async function debianPackage(program: string, name: string, say: Say): Promise<void> {
  if (await isInstalled(program)) return;
  await installDebian(program, name, say);
}

/** Installs a Debian package. Its services are not started. */
export async function installDebian(program: string, name: string, say: Say): Promise<void> {
  const missing = `${program} is not installed`;
  if (!(await isInstalled('apt-get'))) {
    throw new UserError(`${missing}, and there is no apt-get here to install it`, {
      hint: `Install ${name} by your system's means, then try again.`,
    });
  }
  if (process.getuid?.() !== 0) {
    throw new UserError(`${missing}, and only root may install it`, {
      hint: `Run: sudo apt-get install ${name}`,
    });
  }
  say(`installing ${name} by apt-get`);
  // At run level 1 nothing that is installed is started by itself.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  const apt = (...args: string[]) => run({ env })`apt-get -o DPkg::Lock::Timeout=300 -y ${args}`;
  let outcome = await apt('install', '--no-install-recommends', name);
  if (outcome.exitCode !== 0) {
    await apt('update');
    outcome = await apt('install', '--no-install-recommends', name);
  }
  if (outcome.exitCode !== 0) throw unobtainable(`${name} by apt-get`, outcome.stdout + outcome.stderr);
}

/** One line of many: the first that speaks of an error, else the last. */
function unobtainable(what: string, output: string): UserError {
  const lines = output.split('\n').filter((line) => line.trim() !== '');
  const line = lines.find((each) => /^E:|error/i.test(each)) ?? lines.at(-1) ?? 'it said nothing';
  return new UserError(`could not fetch ${what}: ${line.trim()}`, {
    hint: 'Is the network there, or the registry? Try again, or install it by hand.',
  });
}
