// A trouble that lasts is told after a moment and then now and again, not at every attempt; one that passes at once,
// as when a coordinator moves, is not worth a line.
const FIRST_MS = 3000;
const AGAIN_MS = 30_000;

export class RepeatedWarning {
  #sinceMs: number | undefined;
  #saidAtMs: number | undefined;

  constructor(
    private readonly warn: (line: string) => void,
    private readonly nowMs: () => number = () => performance.now(),
  ) {}

  /** To be called at every attempt that failed. */
  say(line: string): void {
    const nowMs = this.nowMs();
    this.#sinceMs ??= nowMs;
    if (nowMs - this.#sinceMs < FIRST_MS) return;
    if (this.#saidAtMs !== undefined && nowMs - this.#saidAtMs < AGAIN_MS) return;
    this.#saidAtMs = nowMs;
    this.warn(line);
  }

  /** The trouble is over; returns whether it was told of. */
  over(): boolean {
    const told = this.#saidAtMs !== undefined;
    this.#sinceMs = this.#saidAtMs = undefined;
    return told;
  }
}
