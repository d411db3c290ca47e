// A run's voice: hands its messages to whoever listens at the moment, and costs nothing while nobody does.
import { randomBytes } from 'node:crypto';
import type { LiveStatus } from '../core/live-status.js';
import type { Commit } from '../core/ports/commit.js';
import { changeOf, messageText, type RunMessage } from './run-message.js';

/** Hears each message as text. It must not wait. */
export type Listener = (text: string) => void;

export class Announcer {
  private readonly run = `${process.pid}-${randomBytes(4).toString('hex')}`;
  private readonly listeners = new Set<Listener>();
  private sequence = 0;

  /** Hears what is said from now on; the answer ends that. */
  listen(listener: Listener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** The store has made this commit. */
  committed(commit: Commit): void {
    const sequence = this.sequence++;
    this.say(() => changeOf(commit, { run: this.run, sequence }));
  }

  /** How the run is; about once a second. */
  status(status: LiveStatus): void {
    this.say(() => ({ kind: 'status', run: this.run, status }));
  }

  private say(message: () => RunMessage): void {
    if (this.listeners.size === 0) return;
    const text = messageText(message());
    for (const listener of this.listeners) listener(text);
  }
}
