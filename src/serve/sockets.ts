// Browsers that watch: each socket has views, and gets the newest state of each. One that reads slowly is left out
// until it has read what it has; then it gets what is newest, so that nothing ever queues up for it.
import type { WebSocket } from '@fastify/websocket';
import { CLOSE_CODE, type ErrorAnswer, LIMITS, type ServerMessage, type WatchKind } from './api.js';
import { errorAnswerOf } from './error-answer.js';
import { BadQuestion, meantBy, QUESTION_FIELDS } from './question.js';
import { sessionOf } from './session.js';
import type { Viewer } from './tokens.js';
import { type Answer, TooManyViews, type Views } from './views.js';

/** Sockets at a time. */
const SOCKETS_MAX = 5_000;
/** A socket with more bytes on their way is slow. */
const BUFFERED_BYTES_MAX = 262_144;
/** A peer that answers no ping is gone. */
const PING_EVERY_MS = 30_000;
/** Longest name of a view. */
const ID_LENGTH_MAX = 200;

export class Sockets {
  private readonly open = new Set<Socket>();
  private readonly pings: NodeJS.Timeout;

  constructor(
    private readonly views: Views,
    private readonly warn: (line: string) => void,
  ) {
    this.pings = setInterval(() => {
      for (const socket of this.open) socket.ping();
    }, PING_EVERY_MS);
    this.pings.unref();
  }

  /** Takes a socket; a viewer that is not known is told to sign in. */
  add(connection: WebSocket, viewer: Viewer | undefined): void {
    // What goes wrong on the way ends the socket: it closes by itself.
    connection.on('error', () => connection.terminate());
    if (!viewer) connection.close(CLOSE_CODE.unauthorized, 'sign in');
    else if (this.open.size >= SOCKETS_MAX) connection.close(CLOSE_CODE.busy, 'too many sockets');
    else this.begin(connection, viewer);
  }

  private begin(connection: WebSocket, viewer: Viewer): void {
    const socket = new Socket(connection, viewer, this.views, this.warn);
    this.open.add(socket);
    connection.on('close', () => {
      socket.end();
      this.open.delete(socket);
    });
  }

  /** How many browsers watch. */
  get size(): number {
    return this.open.size;
  }

  close(): void {
    clearInterval(this.pings);
    for (const socket of this.open) socket.close(CLOSE_CODE.goingAway, 'the server ends');
  }
}

interface Watch {
  kind: WatchKind;
  end: () => void;
}

/** One browser. */
class Socket {
  private readonly watches = new Map<string, Watch>();
  /** The newest of each view that the socket had no room for. */
  private readonly waiting = new Map<string, string>();
  private readonly expiry: NodeJS.Timeout | undefined;
  private answersPings = true;

  constructor(
    private readonly connection: WebSocket,
    private readonly viewer: Viewer,
    private readonly views: Views,
    private readonly warn: (line: string) => void,
  ) {
    connection.on('message', (text, isBinary) => this.hear(isBinary ? undefined : String(text)));
    connection.on('pong', () => {
      this.answersPings = true;
    });
    this.expiry = this.endsWithToken();
    this.send('', { type: 'hello', session: sessionOf(viewer) });
  }

  private endsWithToken(): NodeJS.Timeout | undefined {
    if (this.viewer.role === 'open') return undefined;
    const { expiresAtMs } = this.viewer;
    const end = (): void =>
      Date.now() < expiresAtMs
        ? this.close(CLOSE_CODE.goingAway, 'come again')
        : this.close(CLOSE_CODE.unauthorized, 'the token has ended');
    // No timer waits for longer than 24 days, and one may come a little early.
    const timer = setTimeout(end, Math.min(2 ** 31 - 1, Math.max(0, expiresAtMs - Date.now()) + 10));
    return timer.unref();
  }

  ping(): void {
    if (this.answersPings) this.connection.ping();
    else this.connection.terminate();
    this.answersPings = false;
  }

  private hear(text: string | undefined): void {
    const message = text === undefined ? undefined : objectOf(text);
    const { type, id, kind, question } = message ?? {};
    const known = typeof id === 'string' && id.length <= ID_LENGTH_MAX;
    if (!known || (type !== 'subscribe' && type !== 'unsubscribe')) {
      this.close(CLOSE_CODE.badMessage, 'not subscribe or unsubscribe with an id');
      return;
    }
    this.unsubscribe(id);
    if (type === 'unsubscribe') return;
    try {
      if (typeof kind !== 'string' || !Object.hasOwn(QUESTION_FIELDS, kind))
        throw new BadQuestion(`kind must be one of ${Object.keys(QUESTION_FIELDS).join(', ')}`);
      this.subscribe(id, kind as WatchKind, question ?? {});
    } catch (error) {
      if (!(error instanceof BadQuestion || error instanceof TooManyViews)) throw error;
      this.fail(id, error);
    }
  }

  private subscribe(id: string, kind: WatchKind, question: unknown): void {
    const { viewer } = this;
    if (this.watches.size >= LIMITS.watches)
      throw new BadQuestion(`one socket watches at most ${LIMITS.watches} views`);
    if (kind === 'ledger' && viewer.role === 'advertiser')
      throw new BadQuestion('the ledger counts the clicks of all advertisers');
    const watch: Watch = { kind, end: () => {} };
    this.watches.set(id, watch);
    const meant = meantBy(kind, question, 'message');
    watch.end = this.views.watch({ meant, viewer }, (answer) => {
      if (this.watches.get(id) !== watch) return;
      if (answer instanceof Error) this.fail(id, answer);
      else this.state(id, kind, answer);
    });
  }

  private unsubscribe(id: string): void {
    this.watches.get(id)?.end();
    this.watches.delete(id);
    this.waiting.delete(id);
  }

  private state(id: string, kind: WatchKind, { body }: Answer): void {
    // The answer is JSON already, made once for all who watch it.
    this.sendText(id, `{"type":"state","id":${JSON.stringify(id)},"kind":"${kind}","answer":${body}}`);
  }

  private fail(id: string, error: Error): void {
    // A question that can't be answered won't be answered later.
    if (error instanceof BadQuestion) this.unsubscribe(id);
    const { answer } = errorAnswerOf(error, this.viewer, this.warn);
    this.send(id, { type: 'error', id, ...(answer satisfies ErrorAnswer) });
  }

  private send(id: string, message: ServerMessage): void {
    this.sendText(id, JSON.stringify(message));
  }

  private sendText(id: string, text: string): void {
    if (this.connection.readyState !== this.connection.OPEN) return;
    if (this.connection.bufferedAmount > BUFFERED_BYTES_MAX) {
      this.waiting.set(id, text);
      return;
    }
    this.connection.send(text, () => this.sendWaiting());
  }

  /** Something was read: what waited is sent, as far as there is room. */
  private sendWaiting(): void {
    for (const [id, text] of this.waiting) {
      if (this.connection.bufferedAmount > BUFFERED_BYTES_MAX) return;
      this.waiting.delete(id);
      this.sendText(id, text);
    }
  }

  close(code: number, reason: string): void {
    this.connection.close(code, reason);
  }

  end(): void {
    clearTimeout(this.expiry);
    for (const id of [...this.watches.keys()]) this.unsubscribe(id);
  }
}

function objectOf(text: string): Record<string, unknown> | undefined {
  try {
    const content: unknown = JSON.parse(text);
    return typeof content === 'object' && content !== null ? (content as Record<string, unknown>) : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
