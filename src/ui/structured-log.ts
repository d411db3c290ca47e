// Log lines for machines: one JSON object a line on standard error, by pino. Loaded only with --log-format json.
import { pino } from 'pino';
import { visibleLine } from './escape.js';
import type { LogFields } from './terminal.js';

export interface StructuredLog {
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A bug: the process ends. */
  fatal(message: string, fields?: LogFields): void;
}

/** A log into this stream: `level` by its name, `time` as ISO 8601 in UTC, `pid`, `msg`, then the fields. */
export function structuredLog(stream: NodeJS.WritableStream): StructuredLog {
  const logger = pino(
    {
      base: { pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: (line: string) => void stream.write(line) },
  );
  // Messages may quote what came from outside; somebody may read this log on a terminal, too.
  return {
    info: (message, fields = {}) => logger.info(fields, visibleLine(message)),
    warn: (message, fields = {}) => logger.warn(fields, visibleLine(message)),
    error: (message, fields = {}) => logger.error(fields, visibleLine(message)),
    fatal: (message, fields = {}) => logger.fatal(fields, visibleLine(message)),
  };
}
