// The Terminal of a real process: decides once about colour, tables and noise, and writes to its streams.
import { visible, visibleLine } from './escape.js';
import { progressBar, silentBar } from './progress.js';
import type { StructuredLog } from './structured-log.js';
import { tableText } from './table.js';
import type { Terminal } from './terminal.js';

/** Width where a stream does not know its own. */
const COLUMNS_DEFAULT = 80;

export interface OutputStream extends NodeJS.WritableStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export interface TerminalOptions {
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  readonly environment: NodeJS.ProcessEnv;
  readonly json: boolean;
  readonly quiet: boolean;
  readonly noColor: boolean;
  readonly nowMs: () => number;
  /** Where log lines go as JSON; absent: as text to standard error. */
  readonly structured?: StructuredLog | undefined;
}

/** Standard output's reader has gone (`click-agg query | head`): no error, there is just nothing left to say. */
export class BrokenPipe extends Error {
  constructor() {
    super('nobody reads standard output any more');
    this.name = 'BrokenPipe';
  }
}

/** A terminal on the given streams. */
export function createTerminal(options: TerminalOptions): Terminal {
  const { stdout, stderr, json, quiet, structured } = options;
  const interactive = stdout.isTTY === true;
  const color = !json && wantsColor(options, stdout);
  const log = logger(stderr);
  const style = styles(color);
  const logStyle = styles(wantsColor(options, stderr));
  const lines: Pick<StructuredLog, 'info' | 'warn' | 'error'> = structured ?? {
    info: (line) => log.line(line),
    warn: (line) => log.line(`${logStyle.yellow('warning:')} ${line}`),
    error: (line) => log.line(`${logStyle.red('error:')} ${line}`),
  };
  const print = (text: string | Uint8Array) => write(stdout, text);
  return {
    wantsJson: json,
    logsJson: structured !== undefined,
    quiet,
    color,
    interactive,
    get columns() {
      return stdout.columns ?? COLUMNS_DEFAULT;
    },
    print,
    json: (value) => print(`${JSON.stringify(value, null, interactive ? 2 : undefined)}\n`),
    table: (head, rows) =>
      print(
        tableText(head, rows, {
          boxed: interactive,
          heading: color ? style.bold : (text) => text,
          columns: stdout.columns ?? COLUMNS_DEFAULT,
        }),
      ),
    info: (line, fields) => quiet || lines.info(line, fields),
    warn: lines.warn,
    error: lines.error,
    progress: (label, total) =>
      quiet
        ? silentBar
        : progressBar(
            {
              interactive: stderr.isTTY === true && !structured,
              columns: () => stderr.columns ?? COLUMNS_DEFAULT,
              draw: log.draw,
              log: (line) => lines.info(line),
              nowMs: options.nowMs,
            },
            label,
            total,
          ),
    style,
  };
}

/** `--no-color`, then NO_COLOR (no-color.org), then FORCE_COLOR, then whether it is a terminal that can. */
function wantsColor({ environment, noColor }: TerminalOptions, stream: OutputStream): boolean {
  if (noColor || environment.NO_COLOR) return false;
  const forced = environment.FORCE_COLOR;
  if (forced !== undefined) return forced !== '0' && forced !== 'false';
  return stream.isTTY === true && environment.TERM !== 'dumb';
}

function styles(color: boolean): Terminal['style'] {
  const paint = (start: number, end: number) => (text: string) =>
    color ? `\u001b[${start}m${text}\u001b[${end}m` : text;
  return {
    bold: paint(1, 22),
    dim: paint(2, 22),
    red: paint(31, 39),
    green: paint(32, 39),
    yellow: paint(33, 39),
    cyan: paint(36, 39),
  };
}

/** Resolves when the stream has taken the text. */
function write(stream: OutputStream, text: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(text, (error?: Error | null) => {
      if (!error) resolve();
      else reject(isBrokenPipe(error) ? new BrokenPipe() : error);
    });
  });
}

/** Whether a stream's error means that its reader has gone. */
export function isBrokenPipe(error: unknown): boolean {
  if (error instanceof BrokenPipe) return true;
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  return code === 'EPIPE' || code === 'ERR_STREAM_DESTROYED';
}

/** Log lines and one line at the bottom that is drawn over: the progress bar stays below the lines. */
function logger(stream: OutputStream): { line(text: string): void; draw(text: string): void } {
  let drawn = '';
  const erase = () => (drawn ? '\r\u001b[2K' : '');
  return {
    line(text) {
      stream.write(`${erase()}${visibleLine(text)}\n${drawn}`);
    },
    draw(text) {
      const next = visible(text);
      stream.write(`${erase()}${next}`);
      drawn = next;
    },
  };
}
