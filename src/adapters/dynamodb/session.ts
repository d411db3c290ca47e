// Requests to DynamoDB, with patience: what fails by the network or by too much load is tried again with growing pauses.
import { setTimeout as sleep } from 'node:timers/promises';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { UserError } from '../../errors.js';
import type { Address } from './address.js';
import { codeError, isPassing, mayPass, serviceError } from './service-errors.js';

export interface SessionOptions {
  /** Told in one line when the service is gone and waited for. */
  onWait?: ((line: string) => void) | undefined;
  /** It is waited for even before it answered once. */
  waitsToOpen?: boolean | undefined;
  /** Aborted: nobody waits any more. */
  signal?: AbortSignal | undefined;
}

/** A service that is gone or overloaded is waited for so long; one that never answered not at all, so that a wrong address is told at once. */
const PATIENCE_MS = 120_000;
const PAUSE_MS_MIN = 50;
const PAUSE_MS_MAX = 2_000;
/** Whoever waits is told after so long, and not again soon: requests wait side by side for the same. */
const TELL_AFTER_MS = 500;
const TELL_AGAIN_MS = 60_000;
/** Tries of the SDK itself, which also sets a clock right that goes wrong. */
const SDK_TRIES = 2;
/** Tries that even somebody in a hurry makes. */
const TRIES_MIN = 3;
const CONNECT_MS_MAX = 3_000;
const SILENCE_MS_MAX = 20_000;
/** Connections, and with them requests under way. */
const SOCKETS_MAX = 64;

/** Of the SDK, on standard error, that later releases of it will want a later Node. The package's lock keeps this one. */
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';

export class Session {
  readonly #client: DynamoDBClient;
  readonly #closing = new AbortController();
  #answered = false;
  #toldAtMs = 0;

  constructor(
    readonly address: Address,
    private readonly options: SessionOptions = {},
  ) {
    const sockets = { maxSockets: SOCKETS_MAX, keepAlive: true };
    this.#client = new DynamoDBClient({
      region: address.region,
      maxAttempts: SDK_TRIES,
      ...(address.endpoint === undefined ? {} : { endpoint: address.endpoint }),
      requestHandler: {
        connectionTimeout: CONNECT_MS_MAX,
        requestTimeout: SILENCE_MS_MAX,
        httpAgent: sockets,
        httpsAgent: sockets,
      },
    });
  }

  /** Sends a request until it is answered. UserError: it was refused, or the patience is over. */
  async ask<T>(request: (client: DynamoDBClient) => Promise<T>): Promise<T> {
    const patience = this.patience();
    for (;;) {
      try {
        const answer = await request(this.#client);
        this.#answered = true;
        return answer;
      } catch (error) {
        const known = serviceError(error, this.address);
        const waits = mayPass(error) && (this.#answered || this.options.waitsToOpen === true);
        if (!waits || !(await patience.pause(known))) throw known;
      }
    }
  }

  /** For what is tried again in parts: the rest of a batch that the service did not carry out. */
  patience(): Patience {
    let [startedMs, tries] = [Date.now(), 0];
    const pause = async (error: unknown): Promise<boolean> => {
      tries++;
      const waitedMs = Date.now() - startedMs;
      const inHurry = this.options.signal?.aborted === true && tries >= TRIES_MIN;
      if (waitedMs >= PATIENCE_MS || inHurry || this.#closing.signal.aborted) return false;
      if (waitedMs >= TELL_AFTER_MS) this.#tell(error);
      const longestMs = Math.min(PAUSE_MS_MAX, PAUSE_MS_MIN * 2 ** tries);
      // Those who were refused together must not come back together.
      await sleep(longestMs * (0.5 + Math.random() / 2));
      return true;
    };
    return {
      pause,
      pauseAfter: async ({ code, message }) => {
        const error =
          codeError(code, message, { address: this.address }) ??
          new UserError(`${this.address.name} answered ${code}: ${message}`);
        if (!isPassing(code) || !(await pause(error))) throw error;
      },
      restart: () => {
        [startedMs, tries] = [Date.now(), 0];
      },
    };
  }

  #tell(error: unknown): void {
    if (Date.now() - this.#toldAtMs < TELL_AGAIN_MS) return;
    this.#toldAtMs = Date.now();
    const line = error instanceof Error ? error.message : String(error);
    this.options.onWait?.(`${line}: waiting up to ${PATIENCE_MS / 1000} s`);
  }

  close(): void {
    this.#closing.abort();
    this.#client.destroy();
  }
}

export interface Patience {
  /** Waits before the next try; false: no more. */
  pause(error: unknown): Promise<boolean>;
  /** Waits after a part was refused. UserError: it does not pass, or the patience is over. */
  pauseAfter(refusal: { code: string; message: string }): Promise<void>;
  /** Something was carried out: the patience begins anew. */
  restart(): void;
}
