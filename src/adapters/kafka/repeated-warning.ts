// A trouble that lasts is told when it begins and then now and again, not at every attempt.
const AGAIN_MS = 30_000;

export class RepeatedWarning {
  #saidAtMs: number | undefined;

  constructor(
    private readonly warn: (line: string) => void,
    private readonly nowMs: () => number = () => performance.now(),
  ) {}

  /** Says the line unless something was said a moment ago. */
  say(line: string): void {
    const nowMs = this.nowMs();
    if (this.#saidAtMs !== undefined && nowMs - this.#saidAtMs < AGAIN_MS) return;
    this.#saidAtMs = nowMs;
    this.warn(line);
  }

  /** The trouble is over; returns whether it was told of. */
  over(): boolean {
    const told = this.#saidAtMs !== undefined;
    this.#saidAtMs = undefined;
    return told;
  }
}
