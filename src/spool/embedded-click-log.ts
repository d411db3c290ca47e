// Ingestion into the embedded log of a data directory: no spool, for the log is on this disk itself.
import { readMeta } from '../adapters/embedded/layout.js';
import { openLogWriter } from '../adapters/embedded/log-writer.js';
import type { ClickLog, SyncMode } from './click-log.js';
import { GroupCommit } from './group-commit.js';

export interface EmbeddedClickLogOptions {
  logDir: string;
  /** Of a log that is made now; one that is there keeps its own. */
  partitions: number;
  sync: SyncMode;
}

/** Opens the embedded log for clicks. UserError as for `openLogWriter`. */
export async function embeddedClickLog(options: EmbeddedClickLogOptions): Promise<ClickLog> {
  const { logDir, sync } = options;
  const partitions = (await readMeta(logDir))?.partitions ?? options.partitions;
  const log = await openLogWriter(logDir, { partitions, syncWrites: sync === 'always' });
  const commit = new GroupCommit({ log, sync });
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    try {
      await commit.finish();
    } finally {
      await log.close();
    }
  };
  return {
    description: `embedded log ${logDir}`,
    append: (click) => commit.append(click),
    failed: new Promise<never>(() => {}),
    status() {
      const { records, bytes } = commit.pending;
      const { taken, refused, trouble } = commit;
      return {
        ...{ waitingRecords: records, waitingBytes: bytes, oldestWaitingMs: undefined },
        ...{ sending: records > 0, trouble, taken, refused, sent: taken },
      };
    },
    close() {
      closing ??= close();
      return closing;
    },
  };
}
