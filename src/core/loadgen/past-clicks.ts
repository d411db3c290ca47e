// Clicks that were put in a while ago, to be redelivered or clicked twice: a ring that forgets the oldest.
import type { Click } from './click.js';
import type { Random } from './random.js';

const WORDS = 8;

export class PastClicks {
  private readonly words: Int32Array;
  private readonly eventTimeMs: Float64Array;
  private written = 0;

  constructor(private readonly capacity: number) {
    this.words = new Int32Array(capacity * WORDS);
    this.eventTimeMs = new Float64Array(capacity);
  }

  add(click: Click): void {
    const slot = this.written++ % this.capacity;
    const { words } = this;
    const at = slot * WORDS;
    words[at] = click.ad;
    words[at + 1] = click.user;
    words[at + 2] = click.burst;
    words[at + 3] = click.a;
    words[at + 4] = click.b;
    words[at + 5] = click.c;
    words[at + 6] = click.d;
    words[at + 7] = click.mark;
    this.eventTimeMs[slot] = click.eventTimeMs;
  }

  /** Copies a random one of the newest `among` clicks into `click`; false if there is none yet. */
  recall(click: Click, random: Random, among = this.capacity): boolean {
    const known = Math.min(this.written, this.capacity, among);
    if (known === 0) return false;
    const slot = (this.written - 1 - random.below(known)) % this.capacity;
    const { words } = this;
    const at = slot * WORDS;
    click.ad = words[at];
    click.user = words[at + 1];
    click.burst = words[at + 2];
    click.a = words[at + 3];
    click.b = words[at + 4];
    click.c = words[at + 5];
    click.d = words[at + 6];
    click.mark = words[at + 7];
    click.eventTimeMs = this.eventTimeMs[slot];
    return true;
  }
}
