// The servers that can hold totals, each with the URL by which a run counts into it: for the bench and the torture.
import type { PartName } from './part.js';
import type { Service } from './service.js';

export interface StoreServer {
  name: StoreName;
  /** As people call it. */
  label: string;
  part: PartName;
  /** The URL, and what the environment must hold besides. */
  place(address: Service['address']): { url: string; environment: Record<string, string> };
}

export const STORE_NAMES = ['postgres', 'cassandra', 'dynamodb', 'clickhouse'] as const;
export type StoreName = (typeof STORE_NAMES)[number];

const byUrl = ({ url }: Service['address']) => ({ url: url!, environment: {} });

export const STORE_SERVERS: Readonly<Record<StoreName, StoreServer>> = {
  postgres: { name: 'postgres', label: 'PostgreSQL', part: 'postgres', place: byUrl },
  cassandra: { name: 'cassandra', label: 'Cassandra', part: 'cassandra', place: byUrl },
  dynamodb: {
    name: 'dynamodb',
    label: 'DynamoDB Local',
    part: 'dynamodb',
    place: ({ endpoint, accessKeyId, secretAccessKey, region }) => ({
      url: `dynamodb://${region}/clicks?endpoint=${encodeURIComponent(endpoint!)}`,
      environment: { AWS_ACCESS_KEY_ID: accessKeyId!, AWS_SECRET_ACCESS_KEY: secretAccessKey! },
    }),
  },
  clickhouse: {
    name: 'clickhouse',
    label: 'ClickHouse (chDB)',
    part: 'clickhouse',
    // The engine's own database is of a kind that holds no store.
    place: ({ url }) => ({ url: new URL('/clicks', url).href, environment: {} }),
  },
};
