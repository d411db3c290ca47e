// The columns of a lake file, in order: the contract between the writer, the readers in SQL and the checker.
// Times are BIGINT epoch milliseconds on purpose: every Parquet library reads plain 64-bit integers alike,
// while timestamps differ in unit and zone and trip some readers' statistics.

export interface LakeColumn {
  readonly name: string;
  readonly type: 'INTEGER' | 'BIGINT' | 'VARCHAR' | 'BLOB';
  readonly about: string;
}

export const LAKE_COLUMNS: readonly LakeColumn[] = [
  { name: 'partition', type: 'INTEGER', about: 'partition of the log' },
  {
    name: 'offset',
    type: 'BIGINT',
    about: 'offset in its partition; of a bare line its number in the input',
  },
  {
    name: 'append_time',
    type: 'BIGINT',
    about: 'when the log took it, epoch ms; null where the log has none',
  },
  { name: 'key', type: 'BLOB', about: "the record's key; null when absent or equal to ad_id" },
  { name: 'click_id', type: 'VARCHAR', about: '' },
  { name: 'event_time', type: 'BIGINT', about: 'epoch ms' },
  { name: 'ad_id', type: 'VARCHAR', about: '' },
  { name: 'campaign_id', type: 'VARCHAR', about: '' },
  { name: 'user_id', type: 'VARCHAR', about: '' },
  { name: 'ip_address', type: 'VARCHAR', about: 'as it came' },
  { name: 'country', type: 'VARCHAR', about: '' },
  { name: 'device_type', type: 'VARCHAR', about: '' },
  { name: 'user_agent', type: 'VARCHAR', about: '' },
  { name: 'referrer', type: 'VARCHAR', about: '' },
  { name: 'impression_id', type: 'VARCHAR', about: '' },
  { name: 'extra', type: 'VARCHAR', about: 'unknown fields as a JSON object; null when there are none' },
  { name: 'malformed', type: 'VARCHAR', about: 'why the record is no click; null for a sound one' },
  { name: 'value', type: 'BLOB', about: 'the bytes as they came (cut to 1 MiB), only of malformed records' },
  { name: 'value_bytes', type: 'BIGINT', about: 'true length of the value' },
];

/** `"partition", "offset", …`: quoted, because some of the names are words of SQL. */
export const LAKE_COLUMN_LIST = LAKE_COLUMNS.map(({ name }) => `"${name}"`).join(', ');
