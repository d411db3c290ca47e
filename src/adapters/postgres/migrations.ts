// The tables of the store, as numbered steps from an empty schema to the present one. A step that was released is
// never changed: a new one is added behind it.

export interface Migration {
  /** 1, 2, … */
  version: number;
  about: string;
  sql: string;
}

const TABLES = `
  -- One row. Whoever writes locks it: "epoch" says whose store this is, "commits" whether a commit whose answer was
  -- lost was made, "backend" and "backend_start" which connection the owner writes by.
  CREATE TABLE writer (
    epoch bigint NOT NULL, commits bigint NOT NULL, complete boolean NOT NULL,
    backend integer, backend_start timestamptz
  );
  INSERT INTO writer VALUES (0, 0, true, NULL, NULL);
  -- No row until the first run.
  CREATE TABLE identity (method json NOT NULL, method_hash text NOT NULL, source_identity text NOT NULL);
  CREATE TABLE totals (
    minute timestamptz NOT NULL, ad_id text COLLATE "C" NOT NULL, campaign_id text COLLATE "C" NOT NULL,
    country text COLLATE "C" NOT NULL, device_type text COLLATE "C" NOT NULL, clicks integer NOT NULL,
    PRIMARY KEY (minute, ad_id, campaign_id, country, device_type)
  ) PARTITION BY RANGE (minute);
  COMMENT ON TABLE totals IS 'Billable clicks by minute (its start), ad, campaign, country and device.';
  -- "minute" in epoch ms, -1 for records without a usable event time.
  CREATE TABLE ledger (
    partition integer NOT NULL, minute bigint NOT NULL, invalid bigint NOT NULL, too_late bigint NOT NULL,
    duplicate bigint NOT NULL, double_click bigint NOT NULL, bot bigint NOT NULL, billable bigint NOT NULL,
    PRIMARY KEY (partition, minute)
  );
  CREATE TABLE positions (
    partition integer PRIMARY KEY, position bigint NOT NULL, max_event_time double precision NOT NULL,
    rewind_offset bigint NOT NULL, rewind_max_event_time double precision NOT NULL
  );
  -- One row; open_periods holds 24 bytes a period: four words of hash and the opening time as a double.
  CREATE TABLE checkpoint (floor double precision NOT NULL, open_periods bytea NOT NULL);
  CREATE TABLE dead_letters (
    partition integer NOT NULL, "offset" bigint NOT NULL, arrival bigint GENERATED ALWAYS AS IDENTITY,
    verdict text COLLATE "C" NOT NULL, reason text COLLATE "C" NOT NULL, event_time bigint, append_time bigint,
    click_id text, ad_id text, campaign_id text, ip_address text, key bytea, value bytea, value_bytes bigint,
    redriven_at bigint,
    PRIMARY KEY (partition, "offset")
  );
  CREATE INDEX dead_letters_by_arrival ON dead_letters (arrival);
  CREATE TABLE revisions (
    revision integer PRIMARY KEY, from_time bigint NOT NULL, to_time bigint NOT NULL, recorded_at bigint NOT NULL,
    method_hash text NOT NULL, positions json NOT NULL, too_late_admitted bigint NOT NULL,
    adjustments json NOT NULL
  );
  CREATE TABLE closed_periods (
    period_id text PRIMARY KEY, from_time bigint NOT NULL, to_time bigint NOT NULL, closed_at bigint NOT NULL,
    method_hash text NOT NULL
  );
  CREATE TABLE billing_lines (
    period_id text NOT NULL REFERENCES closed_periods, line integer NOT NULL, campaign_id text NOT NULL,
    clicks bigint NOT NULL, price_per_click text NOT NULL, amount text NOT NULL, currency text NOT NULL,
    PRIMARY KEY (period_id, line)
  );
  CREATE TABLE adjustments (
    line bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, period_id text NOT NULL, campaign_id text NOT NULL,
    clicks bigint NOT NULL, price_per_click text NOT NULL, amount text NOT NULL, currency text NOT NULL,
    cause text NOT NULL, recorded_at bigint NOT NULL
  );
`;

/** Letters that were taken back, with both events' numbers: whoever passes letters on needs to know of them. */
const LETTER_OUTBOX = `
  CREATE TABLE withdrawn_letters (
    arrival bigint PRIMARY KEY, letter_arrival bigint NOT NULL UNIQUE, partition integer NOT NULL,
    "offset" bigint NOT NULL, verdict text COLLATE "C" NOT NULL, reason text COLLATE "C" NOT NULL, event_time bigint,
    click_id text, ad_id text, campaign_id text, ip_address text
  );
  -- One row. "id" names this store: the numbers of another one mean something else.
  CREATE TABLE letter_stream (id text NOT NULL, published bigint NOT NULL);
  INSERT INTO letter_stream VALUES (md5(random()::text || clock_timestamp()::text || pg_backend_pid()), -1);
`;

/** Every step, in order. */
export const MIGRATIONS: readonly Migration[] = [
  { version: 1, about: 'the first tables', sql: TABLES },
  { version: 2, about: 'what became of dead letters, in order', sql: LETTER_OUTBOX },
  {
    version: 3,
    about: 'the verdict invalid_traffic',
    sql: 'ALTER TABLE ledger ADD COLUMN invalid_traffic bigint NOT NULL DEFAULT 0',
  },
];
