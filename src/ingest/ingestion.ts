// What the routes work with: where clicks go, where ads lead, and everything that is found out about a click.
import type { Targets } from '../ads/targets.js';
import type { ClickLog } from '../spool/click-log.js';
import type { Caller } from './caller.js';
import type { Countries } from './countries.js';
import type { senderMarks } from './invalid-traffic.js';
import type { Pseudonyms } from './pseudonyms.js';
import type { SeenMarks } from './seen-marks.js';
import type { IngestTally } from './tally.js';
import type { userAgentReader } from './user-agents.js';

export interface Ingestion {
  readonly log: ClickLog;
  readonly targets: Targets;
  readonly countries: Countries;
  readonly userAgents: ReturnType<typeof userAgentReader>;
  readonly marks: ReturnType<typeof senderMarks>;
  /** Absent: addresses and users are kept as they are. */
  readonly pseudonyms: Pseudonyms | undefined;
  /** Absent: no click is marked as seen. */
  readonly seen: SeenMarks | undefined;
  /** Empty: links need no signature. */
  readonly signingKeys: readonly string[];
  /** Senders of POSTs with one of these are believed. */
  readonly apiKeys: readonly string[];
  readonly batchLimit: number;
  /** How far an event time may be ahead, as in the counting method. */
  readonly clockSkewMs: number;
  readonly tally: IngestTally;
  /** Something that an operator should know. */
  warn(line: string): void;
}

/** A request that is not answered as it hoped. */
export interface Refusal {
  status: number;
  /** For people and logs; holds nothing that came with the request. */
  reason: string;
  retryAfterS?: number | undefined;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Set before any route runs. */
    caller: Caller;
  }
}
