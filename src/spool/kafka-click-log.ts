// Ingestion into Kafka, always by way of the spool: a click is answered when it is on this disk, and how the cluster
// feels is no matter of whoever clicked. One way for good days and bad ones, so that the bad ones are no special case.
import { listSegments } from '../adapters/embedded/layout.js';
import { openLogWriter } from '../adapters/embedded/log-writer.js';
import { type KafkaConnection, nameOf } from '../adapters/kafka/connection.js';
import { Backlog, SPOOL_PARTITION, stretchOf } from './backlog.js';
import { type ClickLog, type LoggedClick, SpoolFullError, type SyncMode } from './click-log.js';
import { GroupCommit } from './group-commit.js';
import { newSenderId, readSenderState, type SenderState, writeSenderState } from './sender-state.js';
import { SenderThread } from './sender-thread.js';

/** Sent clicks leave the disk in pieces of this length. */
const SEGMENT_BYTES = 16 * 1_048_576;
/** How long closing waits for the cluster; what it did not take is sent by the next process. */
const FINISH_MS = 5000;
const FULL_RETRY_S = 10;

export interface KafkaClickLogOptions {
  connection: KafkaConnection;
  topic: string;
  spoolDir: string;
  limitBytes: number;
  sync: SyncMode;
  warn: (line: string) => void;
}

/** Opens the spool and begins to send. UserError: another process has the spool, or the disk won't have it. */
export async function kafkaClickLog(options: KafkaClickLogOptions): Promise<ClickLog> {
  const { spoolDir, connection, topic, limitBytes, sync, warn } = options;
  const log = await openLogWriter(spoolDir, {
    ...{ partitions: 1, segmentBytesMax: SEGMENT_BYTES },
    syncWrites: sync === 'always',
  });
  let sender: SenderThread;
  let backlog: Backlog;
  try {
    const end = log.ends().get(SPOOL_PARTITION)!;
    const state = await stateOf(spoolDir, end);
    const { bytes } = await stretchOf(spoolDir, state.sent, end);
    const { nextMs } = await stretchOf(spoolDir, state.sent, state.sent);
    backlog = new Backlog(state.sent, end, bytes, nextMs);
    sender = new SenderThread({ spoolDir, connection, topic, state, backlog, end, warn });
  } catch (error) {
    await log.close();
    throw error;
  }
  const commit = new GroupCommit({
    log,
    sync,
    onTaken: (records, contentBytes) => backlog.taken(records, contentBytes, Date.now()),
    onDurable: (ends) => sender.durable(ends.get(SPOOL_PARTITION)!),
  });
  return clickLog({ options, log, commit, sender, backlog, limitBytes });
}

/** Where the sender stands, as far as is known here. It is written down before any click comes: see `unproven`. */
async function stateOf(spoolDir: string, end: number): Promise<SenderState> {
  const first = (await listSegments(spoolDir, SPOOL_PARTITION))[0] ?? 0;
  const known = (await readSenderState(spoolDir)) ?? { id: newSenderId(), sent: 0, unproven: undefined };
  const sent = Math.min(Math.max(known.sent, first), end);
  const state = { id: known.id, sent, unproven: known.unproven ?? end };
  await writeSenderState(spoolDir, state, true);
  return state;
}

interface Parts {
  options: KafkaClickLogOptions;
  log: { close(): Promise<void> };
  commit: GroupCommit;
  sender: SenderThread;
  backlog: Backlog;
  limitBytes: number;
}

function clickLog({ options, log, commit, sender, backlog, limitBytes }: Parts): ClickLog {
  const { connection, topic, spoolDir } = options;
  let refused = 0;
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    try {
      await commit.finish();
      await sender.finish(FINISH_MS);
    } finally {
      await log.close();
    }
  };
  const failed = sender.running.then(() => new Promise<never>(() => {}));
  failed.catch(() => {}); // whoever waits for it hears of it
  return {
    description: `topic ${topic} on Kafka at ${nameOf(connection)} by way of the spool ${spoolDir}`,
    failed,
    append(click: LoggedClick) {
      if (backlog.bytes + commit.pending.bytes < limitBytes) return commit.append(click);
      refused++;
      return Promise.reject(
        new SpoolFullError('the spool is full: too many clicks wait for Kafka', FULL_RETRY_S, {
          hint: 'See to the cluster, or raise --spool-limit.',
        }),
      );
    },
    status() {
      const pending = commit.pending;
      const { oldestMs } = backlog;
      return {
        waitingRecords: backlog.records + pending.records,
        waitingBytes: backlog.bytes + pending.bytes,
        oldestWaitingMs: oldestMs === undefined ? undefined : Math.max(0, Date.now() - oldestMs),
        sending: sender.sending,
        trouble: commit.trouble ?? sender.trouble,
        taken: commit.taken,
        refused: commit.refused + refused,
        sent: sender.sent,
      };
    },
    close() {
      closing ??= close();
      return closing;
    },
  };
}
