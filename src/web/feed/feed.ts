// Keeps answers new: by the socket, which brings every change, or while there is none by asking every ten seconds. Parts
// of the page watch questions and needn't know which of the two it is.
import {
  type ErrorAnswer,
  POLL_EVERY_MS,
  type ServerMessage,
  type Watchable,
  type WatchKind,
} from '../../serve/api.js';
import { requestPath } from '../questions.js';
import { LiveSocket } from './live-socket.js';
import { ask } from './request.js';

/** How long the first answers may take by the socket before they are asked for. */
const PATIENCE_MS = 2_500;

/** `offline`: neither way works now; what is shown grows old. */
export type Delivery = 'connecting' | 'live' | 'polling' | 'offline';

export interface FeedState {
  readonly delivery: Delivery;
  /** When the server was heard last, epoch ms. */
  readonly heardAtMs: number | undefined;
}

export interface Watcher {
  answered(answer: unknown): void;
  failed(error: ErrorAnswer['error']): void;
}

interface Watch {
  readonly id: string;
  readonly kind: WatchKind;
  readonly question: object;
  readonly path: string;
  readonly watchers: Set<Watcher>;
  etag: string | undefined;
  last: { answer: unknown } | undefined;
}

export interface FeedOptions {
  socketUrl: string;
  changed(state: FeedState): void;
  /** The server wants a token. Nothing is asked any more. */
  signedOut(): void;
}

export class Feed {
  readonly #socket: LiveSocket;
  readonly #watches = new Map<string, Watch>();
  #state: FeedState = { delivery: 'connecting', heardAtMs: undefined };
  #timer: ReturnType<typeof setTimeout> | undefined;
  #polling = false;
  #nextId = 1;
  #ended = false;

  constructor(private readonly options: FeedOptions) {
    this.#socket = new LiveSocket(options.socketUrl, {
      opened: () => this.#opened(),
      received: (message) => this.#received(message),
      lost: () => this.#lost(),
      refused: () => this.#refused(),
    });
    this.#pollIn(PATIENCE_MS);
    addEventListener('online', this.#wake);
    document.addEventListener('visibilitychange', this.#wake);
  }

  /** Keeps the answer to a question new until the returned function is called. The same question is asked once. */
  watch<Kind extends WatchKind>(
    kind: Kind,
    question: Watchable[Kind]['question'],
    watcher: Watcher,
  ): () => void {
    const path = requestPath(kind, question);
    const watch = this.#watches.get(path) ?? this.#begin(kind, question, path);
    watch.watchers.add(watcher);
    if (watch.last) watcher.answered(watch.last.answer);
    return () => {
      watch.watchers.delete(watcher);
      if (watch.watchers.size > 0 || this.#watches.get(path) !== watch) return;
      this.#watches.delete(path);
      this.#socket.send({ type: 'unsubscribe', id: watch.id });
    };
  }

  close(): void {
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#socket.close();
    removeEventListener('online', this.#wake);
    document.removeEventListener('visibilitychange', this.#wake);
  }

  #begin(kind: WatchKind, question: object, path: string): Watch {
    const id = `w${this.#nextId++}`;
    const watch: Watch = { id, kind, question, path, watchers: new Set(), etag: undefined, last: undefined };
    this.#watches.set(path, watch);
    if (this.#socket.isOpen) this.#subscribe(watch);
    // Without a socket a new view must not wait for the next round.
    else if (this.#state.heardAtMs !== undefined) void this.#poll(watch);
    return watch;
  }

  #subscribe({ id, kind, question }: Watch): void {
    this.#socket.send({ type: 'subscribe', id, kind, question } as Parameters<LiveSocket['send']>[0]);
  }

  #opened(): void {
    clearTimeout(this.#timer);
    for (const watch of this.#watches.values()) this.#subscribe(watch);
    this.#heard('live');
  }

  #received(message: ServerMessage): void {
    this.#heard('live');
    if (message.type === 'hello') return;
    const watch = [...this.#watches.values()].find(({ id }) => id === message.id);
    if (!watch) return;
    if (message.type === 'state') answered(watch, message.answer, undefined);
    else for (const watcher of watch.watchers) watcher.failed(message.error);
  }

  #lost(): void {
    // Tries that fail while it is polled already change nothing.
    if (this.#state.delivery !== 'live') return;
    this.#become({ ...this.#state, delivery: 'connecting' });
    void this.#pollAll();
  }

  #refused(): void {
    this.close();
    this.options.signedOut();
  }

  readonly #wake = (): void => {
    if (document.visibilityState === 'hidden') return;
    this.#socket.tryNow();
    if (!this.#socket.isOpen && !this.#polling) void this.#pollAll();
  };

  #pollIn(wait: number): void {
    clearTimeout(this.#timer);
    if (!this.#ended && !this.#socket.isOpen) this.#timer = setTimeout(() => void this.#pollAll(), wait);
  }

  async #pollAll(): Promise<void> {
    clearTimeout(this.#timer);
    this.#polling = true;
    // Nobody looks: nothing need be asked until somebody does.
    if (document.visibilityState !== 'hidden')
      await Promise.all([...this.#watches.values()].map((watch) => this.#poll(watch)));
    this.#polling = false;
    this.#pollIn(POLL_EVERY_MS);
  }

  async #poll(watch: Watch): Promise<void> {
    const outcome = await ask(watch.path, watch.etag);
    // The socket came back meanwhile, and its answers are newer.
    if (this.#ended || this.#socket.isOpen) return;
    if (outcome.kind === 'unreachable') return this.#become({ ...this.#state, delivery: 'offline' });
    if (outcome.kind === 'refused' && outcome.error.code === 'unauthorized') return this.#refused();
    this.#heard('polling');
    if (outcome.kind === 'answer') answered(watch, outcome.answer, outcome.etag);
    if (outcome.kind === 'refused') for (const watcher of watch.watchers) watcher.failed(outcome.error);
  }

  #heard(delivery: Delivery): void {
    this.#become({ delivery, heardAtMs: Date.now() });
  }

  #become(state: FeedState): void {
    this.#state = state;
    this.options.changed(state);
  }
}

function answered(watch: Watch, answer: unknown, etag: string | undefined): void {
  watch.last = { answer };
  watch.etag = etag;
  for (const watcher of watch.watchers) watcher.answered(answer);
}
