// Requests that were refused, for the operator: what was wrong and who asked. Everything that came with the request is
// quoted and escaped, since a user agent may hold a line break that forges a log line; and there are so many lines a
// second at most, since a log that fills the disk would be a way to bring the server down.
import type { IncomingMessage } from 'node:http';
import type { Refusal } from './ingestion.js';

const LINES_PER_SECOND = 5;
const QUOTED_MAX = 200;

export interface RefusalLine {
  line: string;
  fields: Readonly<Record<string, unknown>>;
}

export interface RefusalLogOptions {
  /** Writes a line. */
  info(line: string, fields: Readonly<Record<string, unknown>>): void;
  /** Makes a text from outside harmless on a terminal. */
  visible(text: string): string;
  nowMs?: () => number;
}

export interface RefusalLog {
  /** `address` as it may be told: a pseudonym with --pseudonymise. */
  tell(refusal: Refusal, request: IncomingMessage, address: string | undefined): void;
}

/** A log of refusals. */
export function refusalLog({ info, visible, nowMs = Date.now }: RefusalLogOptions): RefusalLog {
  const quoted = (text: string | undefined): string => {
    if (text === undefined) return 'none';
    const shown = visible(text.slice(0, QUOTED_MAX));
    return `"${shown.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}${text.length > QUOTED_MAX ? '…' : ''}"`;
  };
  let second = 0;
  let lines = 0;
  let left = 0;
  return {
    tell({ status, reason }, { method, url, headers }, address) {
      const now = Math.floor(nowMs() / 1000);
      if (now !== second) {
        if (left > 0) info(`${left} more requests were refused meanwhile`, { refused: left });
        second = now;
        lines = 0;
        left = 0;
      }
      if (++lines > LINES_PER_SECOND) {
        left++;
        return;
      }
      const agent = quoted(headers['user-agent']);
      const what = `${method} ${quoted(url)}`;
      info(`refused (${status}, ${reason}): ${what} from ${address ?? 'nowhere'}, user agent ${agent}`, {
        ...{ status, reason, method, address },
        url: visible((url ?? '').slice(0, QUOTED_MAX)),
        user_agent: visible((headers['user-agent'] ?? '').slice(0, QUOTED_MAX)),
      });
    },
  };
}
