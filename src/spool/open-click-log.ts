// Opens the log that ingestion writes to: the embedded one of a data directory, or Kafka by way of a spool.
import type { KafkaConnection } from '../adapters/kafka/connection.js';
import type { ClickLog, SyncMode } from './click-log.js';
import { embeddedClickLog } from './embedded-click-log.js';

export interface ClickLogOptions {
  /** Absent: the embedded log. */
  kafka: { connection: KafkaConnection; topic: string } | undefined;
  /** The embedded log: where it is, and how many partitions a new one gets. */
  logDir: string;
  partitions: number;
  /** With Kafka: where clicks wait until they are sent, and how many bytes may wait. */
  spoolDir: string;
  spoolLimitBytes: number;
  sync: SyncMode;
  warn: (line: string) => void;
}

/** UserError: the log or the spool can't be opened, another process has it. A broker that is gone is no reason. */
export async function openClickLog(options: ClickLogOptions): Promise<ClickLog> {
  const { kafka, logDir, partitions, spoolDir, spoolLimitBytes, sync, warn } = options;
  if (!kafka) return embeddedClickLog({ logDir, partitions, sync });
  // kafkajs takes a while to load: only who speaks to Kafka waits for it.
  const { kafkaClickLog } = await import('./kafka-click-log.js');
  return kafkaClickLog({ ...kafka, spoolDir, limitBytes: spoolLimitBytes, sync, warn });
}
