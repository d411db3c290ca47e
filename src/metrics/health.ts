// Whether a process is well, for those who restart it (/healthz) and those who route to it (/readyz). They are
// two questions: a broker that is gone makes a process useless for a while, and restarting it would not help.

/** `standby`: another process of the group counts, this one waits for its turn. */
export type Role = 'starting' | 'standby' | 'active' | 'stopping';

/** How far reading has come: the sum of positions, and of what is known to lie ahead. */
export interface ReadingProgress {
  position: number;
  lag: number;
}

/** Long enough for any answer; an orchestrator waits no longer than some seconds. */
const PROBE_WAIT_MS = 5_000;
/** Probes cost the broker and the store something: one answer serves for so long. */
const PROBE_KEEPS_MS = 2_000;
/** The loop ticks every second. */
const SILENT_AFTER_MS = 30_000;
/** Records lie ahead, the source answers, and for so long none was read. */
const STALLED_AFTER_MS = 300_000;

export interface Answer {
  ok: boolean;
  /** A word or a sentence for each thing that was looked at. */
  checks: Readonly<Record<string, string>>;
}

interface Probe {
  ask: () => Promise<unknown>;
  atMs: number;
  answer: Promise<string> | undefined;
}

const REACHABLE = 'reachable';

export class Health {
  #role: Role = 'starting';
  readonly #probes = new Map<string, Probe>();
  #tickAtMs: number | undefined;
  #progress: ReadingProgress | undefined;
  #movedAtMs = 0;

  constructor(private readonly nowMs: () => number = Date.now) {}

  get role(): Role {
    return this.#role;
  }

  /** What the process is doing now. Outside of `active` no tick is expected. */
  set role(role: Role) {
    this.#role = role;
    this.#tickAtMs = undefined;
    this.#progress = undefined;
  }

  /** Something to be reachable for readiness. A probe rejects with the reason. The same name replaces. */
  watch(name: string, ask: () => Promise<unknown>): void {
    this.#probes.set(name, { ask, atMs: -Infinity, answer: undefined });
  }

  /** It is not needed any more. */
  forget(name: string): void {
    this.#probes.delete(name);
  }

  /** The loop turns. */
  tick(progress: ReadingProgress): void {
    const nowMs = this.nowMs();
    this.#tickAtMs = nowMs;
    if (progress.position !== this.#progress?.position || progress.lag === 0) this.#movedAtMs = nowMs;
    this.#progress = progress;
  }

  /** /healthz: should it be left alone (ok) or be restarted? */
  async live(): Promise<Answer> {
    const loop = this.#loopTrouble();
    if (loop) return { ok: false, checks: { role: this.#role, loop } };
    const idleMs = this.nowMs() - this.#movedAtMs;
    if (this.#progress && this.#progress.lag > 0 && idleMs > STALLED_AFTER_MS) {
      // Nothing that a restart would mend, where the source or the store is gone.
      const probes = await this.#probed();
      if (Object.values(probes).every((answer) => answer === REACHABLE)) {
        const stalled = `${this.#progress.lag} records lie ahead, and for ${seconds(idleMs)} none was read`;
        return { ok: false, checks: { role: this.#role, loop: stalled } };
      }
    }
    return { ok: true, checks: { role: this.#role, loop: 'turns' } };
  }

  /** /readyz: is it at work, or at once if its turn comes? */
  async ready(): Promise<Answer> {
    const probes = await this.#probed();
    const inPlace = this.#role === 'active' || this.#role === 'standby';
    const loop = this.#loopTrouble();
    const ok = inPlace && !loop && Object.values(probes).every((answer) => answer === REACHABLE);
    return { ok, checks: { role: this.#role, ...(loop ? { loop } : {}), ...probes } };
  }

  #loopTrouble(): string | undefined {
    if (this.#tickAtMs === undefined) return undefined;
    const silentMs = this.nowMs() - this.#tickAtMs;
    return silentMs > SILENT_AFTER_MS ? `has not turned for ${seconds(silentMs)}` : undefined;
  }

  async #probed(): Promise<Record<string, string>> {
    const answers: Record<string, string> = {};
    for (const [name, probe] of this.#probes) {
      if (!probe.answer || this.nowMs() - probe.atMs > PROBE_KEEPS_MS) {
        probe.atMs = this.nowMs();
        probe.answer = answered(probe.ask);
      }
      answers[name] = await probe.answer;
    }
    return answers;
  }
}

async function answered(ask: () => Promise<unknown>): Promise<string> {
  let timer: NodeJS.Timeout | undefined;
  const timeUp = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(`no answer within ${seconds(PROBE_WAIT_MS)}`), PROBE_WAIT_MS);
    timer.unref();
  });
  try {
    return await Promise.race([ask().then(() => REACHABLE, reasonOf), timeUp]);
  } finally {
    clearTimeout(timer);
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1000)} s`;
}
