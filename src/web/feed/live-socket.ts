// The WebSocket of /v1/live: opens it, opens it again when it is gone, and notices one that is silent because nothing
// comes through any more, which a browser does not tell.
import { CLOSE_CODE, type ClientMessage, type ServerMessage } from '../../serve/api.js';

/** Waits between tries: doubled from the first to the last, each shortened by chance so that not all come at once. */
const RETRY_FIRST_MS = 1_000;
const RETRY_LAST_MS = 30_000;
/** A server that lets us wait longer than this does not speak. */
const OPEN_WITHIN_MS = 10_000;
/** After so long a silence the status is asked for again, whose answer is due at once. */
const SILENCE_MS = 20_000;
const ANSWER_WITHIN_MS = 10_000;
const HEARTBEAT = 'heartbeat';

export interface SocketListener {
  opened(): void;
  received(message: ServerMessage): void;
  /** Gone, or never there. It will be tried again. */
  lost(): void;
  /** The server wants a token, or a new one. It will not be tried again. */
  refused(): void;
}

export class LiveSocket {
  #socket: WebSocket | undefined;
  #opened = false;
  #failures = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #ended = false;

  constructor(
    private readonly url: string,
    private readonly listener: SocketListener,
  ) {
    this.#connect();
  }

  /** Whether messages go through now. */
  get isOpen(): boolean {
    return this.#opened;
  }

  send(message: ClientMessage): void {
    if (this.#opened) this.#socket?.send(JSON.stringify(message));
  }

  /** Tries at once instead of waiting longer: the network is back, somebody looks again. */
  tryNow(): void {
    if (this.#ended || this.#socket) return;
    clearTimeout(this.#timer);
    this.#connect();
  }

  close(): void {
    this.#ended = true;
    this.#drop();
  }

  #connect(): void {
    const socket = new WebSocket(this.url);
    this.#socket = socket;
    this.#after(OPEN_WITHIN_MS, () => this.#lose());
    socket.onopen = () => {
      this.#opened = true;
      this.#failures = 0;
      this.#listen();
      this.listener.opened();
    };
    socket.onmessage = ({ data: text }) => {
      this.#listen();
      const message = JSON.parse(String(text)) as ServerMessage;
      if (message.type !== 'state' || message.id !== HEARTBEAT) this.listener.received(message);
    };
    socket.onclose = ({ code }) => {
      if (code !== CLOSE_CODE.unauthorized) return this.#lose();
      this.close();
      this.listener.refused();
    };
  }

  /** Something was heard: the silence begins anew. */
  #listen(): void {
    this.#after(SILENCE_MS, () => {
      this.send({ type: 'subscribe', id: HEARTBEAT, kind: 'status', question: {} });
      this.#after(ANSWER_WITHIN_MS, () => this.#lose());
    });
  }

  #lose(): void {
    this.#drop();
    if (this.#ended) return;
    const wait = Math.min(RETRY_LAST_MS, RETRY_FIRST_MS * 2 ** this.#failures++);
    this.#after(wait * (0.5 + Math.random() / 2), () => this.#connect());
    this.listener.lost();
  }

  #drop(): void {
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = undefined;
    this.#opened = false;
    if (!socket) return;
    socket.onopen = null;
    socket.onmessage = null;
    socket.onclose = null;
    socket.close();
  }

  #after(wait: number, act: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(act, wait);
  }
}
