// What a command may say and where: results to standard output, logs to standard error. People get
// colour, tables and a progress bar; pipes get plain text; `--json` and `--quiet` are obeyed here, once.

export interface ProgressBar {
  /** `done` of `total` (same unit); `note` stands behind the bar. Cheap: draws at most ten times a second. */
  update(done: number, note?: string): void;
  /** Removes the bar. */
  stop(): void;
}

/** What a log line is about, for machines: numbers and names beside the sentence for people. */
export type LogFields = Readonly<Record<string, unknown>>;

export interface Terminal {
  /** `--json` was given: print exactly one JSON document with `json`, no prose. */
  readonly wantsJson: boolean;
  readonly quiet: boolean;
  /** Colours are on for standard output. */
  readonly color: boolean;
  /** Standard output is a terminal. */
  readonly interactive: boolean;
  readonly columns: number;
  /** A piece of the result, to standard output, as it is; awaits back-pressure. A closed pipe ends the process with success. */
  print(text: string | Uint8Array): Promise<void>;
  /** A JSON document and a newline to standard output. */
  json(value: unknown): Promise<void>;
  /** A table on standard output (cli-table3). Numbers are right-aligned. */
  table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): Promise<void>;
  /** Log lines are JSON (`--log-format json`): nothing is drawn, and fields are shown. */
  readonly logsJson: boolean;
  /** Log lines, to standard error. `info` is silent with --quiet. Fields show in a JSON log only. */
  info(line: string, fields?: LogFields): void;
  warn(line: string, fields?: LogFields): void;
  error(line: string, fields?: LogFields): void;
  /** A bar on standard error if that is a terminal, else a line now and then; silent with --quiet. `total` undefined: unknown. */
  progress(label: string, total: number | undefined): ProgressBar;
  style: {
    bold(text: string): string;
    dim(text: string): string;
    red(text: string): string;
    green(text: string): string;
    yellow(text: string): string;
    cyan(text: string): string;
  };
}
