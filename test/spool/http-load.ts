// People and servers that click over HTTP while everything behind the server is killed: remembers what each click was
// called and whether it was acknowledged.
import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../cli/topic-runs.js';
import { inTime } from '../in-time.js';

export const ADS = 60;
const CLIENTS = 12;
const PAUSE_MS = 4;
const BATCH = 3;
/** Who does not answer for so long is broken. */
const PATIENCE_MS = 60_000;

export class HttpLoad {
  /** Names of clicks that were acknowledged: `impression_id` of redirects, `click_id` of posts. */
  readonly acknowledged = new Set<string>();
  /** Answers by status; 0: there was none. */
  readonly answers = new Map<number, number>();
  readonly #agent = new Agent({ keepAlive: true, maxSockets: CLIENTS });
  readonly #clients: Promise<void>[];
  #stopped = false;
  #next = 0;

  constructor(private readonly url: string) {
    this.#clients = Array.from({ length: CLIENTS }, () => this.#click());
  }

  /** Waits for so many acknowledgements more than there are now; throws when they don't come. */
  async more(count: number): Promise<void> {
    const wanted = this.acknowledged.size + count;
    await until(`${count} more clicks are acknowledged`, () => this.acknowledged.size >= wanted);
  }

  /** Waits for the answers to what was asked; throws when some never come. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await inTime(PATIENCE_MS, 'answers of the server', Promise.all(this.#clients));
    this.#agent.destroy();
  }

  async #click(): Promise<void> {
    while (!this.#stopped) {
      const id = this.#next++;
      const ok = id % 8 === 0 ? await this.#post(id) : await this.#follow(id);
      await sleep(ok ? PAUSE_MS : 10 * PAUSE_MS);
    }
  }

  async #follow(id: number): Promise<boolean> {
    const name = `redirect-${id}`;
    const { status } = await this.#ask('GET', `/c/ad-${id % ADS}?i=${name}`);
    if (status === 302) this.acknowledged.add(name);
    return status === 302;
  }

  async #post(id: number): Promise<boolean> {
    const clicks = Array.from({ length: BATCH }, (_, i) => ({
      click_id: `post-${id}-${i}`,
      ad_id: `ad-${(id + i) % ADS}`,
      user_id: `user-${id}`,
      country: 'DE',
      device_type: 'mobile',
    }));
    const { status, text } = await this.#ask('POST', '/v1/clicks', JSON.stringify(clicks));
    if (status !== 200 && status !== 207) return false;
    for (const [, taken] of text.matchAll(/"click_id":"(post-[^"]*)"/g)) this.acknowledged.add(taken!);
    return true;
  }

  async #ask(method: string, path: string, body?: string): Promise<{ status: number; text: string }> {
    const answer = await new Promise<{ status: number; text: string }>((resolve) => {
      const headers = {
        'user-agent': 'Mozilla/5.0 (X11; Linux x64; rv:140.0) Gecko/20100101 Firefox/140.0',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      };
      const asked = request(`${this.url}${path}`, { method, headers, agent: this.#agent }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (part: string) => {
          text += part;
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
        // The server was killed between head and end: nobody was told anything.
        response.on('error', () => resolve({ status: 0, text: '' }));
      });
      asked.on('error', () => resolve({ status: 0, text: '' }));
      asked.end(body);
    });
    this.answers.set(answer.status, (this.answers.get(answer.status) ?? 0) + 1);
    return answer;
  }
}
