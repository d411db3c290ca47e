// The sender in a thread of its own. kafkajs packs a transaction of 2,700 clicks in one go of 20 ms and more, for which
// whoever clicks would wait. Measured in turns at 8,000 clicks/s on two busy cores, three times each: until a click was
// acknowledged took 33 to 48 ms (median; p99 290 to 560) with the sender in the same thread, 0.6 to 14 (70 to 125) so.
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import type { Backlog } from './backlog.js';
import { Sender, type SenderNews, type SenderOptions } from './sender.js';

/** A message between threads costs as much as taking several clicks: one tells of what became durable in this time. */
const TELL_EVERY_MS = 25;
/** So long after its time a sender that waits for the cluster is ended: what was not committed is sent by the next one. */
const ENDING_MS = 10_000;

type ToSender = { kind: 'durable'; end: number } | { kind: 'finish'; waitMs: number };

export class SenderThread {
  sent = 0;
  /** Why nothing is sent now; undefined: it is, or nothing waits. */
  trouble: string | undefined;
  /** Resolves after `finish`; rejects with a bug. */
  readonly running: Promise<void>;
  readonly #worker: Worker;
  readonly #backlog: Backlog;
  #connected = false;
  #durable = 0;
  #telling: NodeJS.Timeout | undefined;

  constructor(options: SenderOptions & { backlog: Backlog; warn: (line: string) => void }) {
    const { backlog, warn, ...sender } = options;
    this.#backlog = backlog;
    this.#worker = new Worker(new URL(import.meta.url), { workerData: { sender } });
    this.#worker.on('message', (news: SenderNews) => {
      if (news.kind === 'warning') warn(news.line);
      else if (news.kind === 'sent') this.#hasSent(news);
      else {
        this.#connected = news.connected;
        this.trouble = news.trouble;
      }
    });
    this.running = new Promise((resolve, reject) => {
      this.#worker.on('error', reject);
      this.#worker.on('exit', () => resolve());
    });
    this.running.catch(() => {}); // whoever waits for it hears of it
  }

  /** Waiting clicks are being sent, as far as is known. */
  get sending(): boolean {
    return this.#backlog.records > 0 && this.#connected;
  }

  /** Everything below the offset is on the disk for good. */
  durable(end: number): void {
    this.#durable = end;
    this.#telling ??= setTimeout(() => this.#tellDurable(), TELL_EVERY_MS);
  }

  /**
   * Sends what is there, for so long at most, and ends; at once if nothing can be sent, and within seconds if the cluster
   * says nothing. Called once all is durable.
   */
  async finish(waitMs: number): Promise<void> {
    this.#tellDurable();
    const hopeful = this.#backlog.records > 0 && this.trouble === undefined;
    const finishMs = hopeful ? waitMs : 0;
    this.#post({ kind: 'finish', waitMs: finishMs });
    const timer = setTimeout(() => void this.#worker.terminate(), finishMs + ENDING_MS);
    try {
      await this.running;
    } finally {
      clearTimeout(timer);
    }
  }

  #hasSent({ position, records, bytes, nextMs }: SenderNews & { kind: 'sent' }): void {
    this.#backlog.sent(position, bytes, nextMs);
    this.sent += records;
  }

  #tellDurable(): void {
    clearTimeout(this.#telling);
    this.#telling = undefined;
    this.#post({ kind: 'durable', end: this.#durable });
  }

  #post(message: ToSender): void {
    this.#worker.postMessage(message);
  }
}

if (!isMainThread && (workerData as { sender?: SenderOptions } | null)?.sender) {
  const port = parentPort!;
  const sender = new Sender((workerData as { sender: SenderOptions }).sender, (news) =>
    port.postMessage(news),
  );
  let ending: Promise<void> = sender.running;
  port.on('message', (message: ToSender) => {
    if (message.kind === 'durable') sender.durable(message.end);
    else {
      ending = sender.finish(message.waitMs).finally(() => port.close());
    }
  });
  await sender.running;
  await ending;
}
