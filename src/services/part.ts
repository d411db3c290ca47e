// What all parts have in common: the interface that a file for a server fills.

export const PART_NAMES = [
  'kafka',
  'postgres',
  'redis',
  's3',
  'dynamodb',
  'cassandra',
  'clickhouse',
] as const;
export type PartName = (typeof PART_NAMES)[number];

/** How a client reaches a part: plain values, the same in `--json`, in tests and in service.json. */
export type Address = Readonly<Record<string, string>>;

/** Where one instance of a part lives. */
export interface Place {
  /** Its folder: settings, log and files. Absolute. */
  readonly directory: string;
  /** Port by what listens there; `main` is the one that people give and see. */
  readonly ports: Readonly<Record<string, number>>;
  /** The folder with the part's programs, as `fetch` gave it. */
  readonly program: string;
  /** Settings of the server beside ours, in its own words. */
  readonly settings: Readonly<Record<string, string>>;
}

/** How to start the process. */
export interface Launch {
  readonly file: string;
  /** The instance's directory stands in one of them: by that its process is told from others. */
  readonly args: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Runs as this user; absent: as ours. */
  readonly user?: { readonly uid: number; readonly gid: number };
}

/** Tells people what takes long, a line each. */
export type Say = (line: string) => void;

export interface Part {
  readonly name: PartName;
  /** The software and its version, as in `Apache Kafka 4.3.1`. */
  readonly software: string;
  readonly portNames: readonly ['main', ...string[]];
  /** Asks the server to stop in good order. */
  readonly stopSignal: NodeJS.Signals;
  /** Finds the programs or brings them here. A UserError says what can't be had. */
  fetch(say: Say): Promise<string>;
  /** Makes what must be there before a start; called before every one. */
  prepare(place: Place): Promise<void>;
  launch(place: Place): Promise<Launch>;
  address(place: Place): Address;
  /** Whether it does its work now; false as well if nothing is heard within a second or two. */
  answers(place: Place): Promise<boolean>;
}
