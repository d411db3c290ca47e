// When to look at the store again. A run on this machine tells of its commits through its local server, one elsewhere
// through Redis; while nobody tells anything, the store's positions are looked at instead. All of it is a hint, never
// the state.
import type { LiveStatus } from '../core/live-status.js';
import { UserError } from '../errors.js';
import { connectLive } from '../live/client.js';
import { type ChangeMessage, messageOf, type RunMessage } from '../live/run-message.js';
import { pause } from '../pause.js';
import type { StatusSource } from './api.js';
import type { StoreSource } from './store-source.js';

/** So often the store's positions are looked at while no run tells anything. */
const LOOK_EVERY_MS = 1_000;
/** A run that has said nothing for so long is not taken for a living one: it speaks every second. */
const SILENT_AFTER_MS = 5_000;

export interface FeedOptions {
  source: StoreSource;
  dataDir: string;
  /** Where runs on other machines tell what they do. */
  redis: { url: string; channel: string } | undefined;
  warn: (line: string) => void;
}

export interface Feed {
  /** The living run's status, and how it came here. */
  live(): { status: LiveStatus; source: StatusSource } | undefined;
  /** Whether changes are told as they come. */
  readonly told: boolean;
  /** Hears of each change; undefined: anything may have changed. */
  onChange(listener: (change: ChangeMessage | undefined) => void): void;
  close(): Promise<void>;
}

/** Begins to listen. UserError: Redis refuses the user. */
export async function openFeed(options: FeedOptions): Promise<Feed> {
  const feed = new OpenFeed(options);
  await feed.start();
  return feed;
}

class OpenFeed implements Feed {
  private readonly closing = new AbortController();
  private readonly listeners: ((change: ChangeMessage | undefined) => void)[] = [];
  private readonly heard = new Map<StatusSource, { status: LiveStatus; atMs: number }>();
  private listensHere = false;
  private connection: { close(): Promise<void> } | undefined;
  private subscription: { readonly live: boolean } | undefined;
  private looked = '';
  private readonly loops: Promise<void>[] = [];

  constructor(private readonly options: FeedOptions) {}

  async start(): Promise<void> {
    const { redis, warn } = this.options;
    if (redis) {
      const { connectRedis } = await import('../adapters/redis/connection.js');
      const connection = await connectRedis(redis.url, { onChange: warn });
      this.connection = connection;
      this.subscription = await connection.subscribe(redis.channel, (text) =>
        this.hear('redis', messageOf(text)),
      );
    }
    this.loops.push(this.again(() => this.listenHere()));
    this.loops.push(this.again(() => this.look()));
  }

  live(): { status: LiveStatus; source: StatusSource } | undefined {
    for (const source of ['run', 'redis'] as const) {
      const heard = this.heard.get(source);
      if (heard && Date.now() - heard.atMs < SILENT_AFTER_MS) return { status: heard.status, source };
    }
    return undefined;
  }

  get told(): boolean {
    return (this.listensHere || this.subscription?.live === true) && this.live() !== undefined;
  }

  onChange(listener: (change: ChangeMessage | undefined) => void): void {
    this.listeners.push(listener);
  }

  private hear(source: StatusSource, message: RunMessage | undefined): void {
    if (message?.kind === 'status') this.heard.set(source, { status: message.status, atMs: Date.now() });
    else if (message?.kind === 'change') this.tell(message);
    else if (message?.kind === 'missed') this.tell(undefined);
  }

  private tell(change: ChangeMessage | undefined): void {
    for (const listener of this.listeners) listener(change);
  }

  /** Listens to this machine's run, if one lives, until it ends. */
  private async listenHere(): Promise<void> {
    const run = await connectLive(this.options.dataDir);
    if (!run) return;
    const messages = await run.messages(this.closing.signal);
    this.heard.set('run', { status: await run.status(), atMs: Date.now() });
    this.listensHere = true;
    // What it wrote before it was listened to.
    this.tell(undefined);
    try {
      for await (const message of messages) this.hear('run', message);
    } finally {
      this.listensHere = false;
      this.heard.delete('run');
    }
  }

  private async look(): Promise<void> {
    if (this.told) {
      this.looked = '';
      return;
    }
    const found = await this.options.source.fingerprint();
    if (found === this.looked) return;
    this.looked = found;
    this.tell(undefined);
  }

  /** Does it again and again; what stops it is the world's, and it is tried anew. */
  private async again(work: () => Promise<void>): Promise<void> {
    const { signal } = this.closing;
    while (!signal.aborted) {
      try {
        await work();
      } catch (error) {
        // Whoever asks for the state is told why it can't be read; here it is only too early.
        if (!(error instanceof UserError)) throw error;
      }
      await pause(LOOK_EVERY_MS, signal);
    }
  }

  async close(): Promise<void> {
    this.closing.abort();
    await this.connection?.close();
    await Promise.allSettled(this.loops);
  }
}
