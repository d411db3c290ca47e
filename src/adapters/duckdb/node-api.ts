// DuckDB's client, loaded by `require`: where it is imported, Node first reads all of its hundred files for the names that they
// export, which takes longer than to load them (0.1 s at the start of every command that opens a store or a lake).
import { createRequire } from 'node:module';
import type * as NodeApi from '@duckdb/node-api';

const api = createRequire(import.meta.url)('@duckdb/node-api') as typeof NodeApi;

export type { DuckDBConnection, DuckDBType, DuckDBValue } from '@duckdb/node-api';
export type DuckDBBlobValue = NodeApi.DuckDBBlobValue;
export type DuckDBDataChunk = NodeApi.DuckDBDataChunk;
export type DuckDBInstance = NodeApi.DuckDBInstance;
export const { BIGINT, BLOB, BOOLEAN, DOUBLE, INTEGER, LIST, STRUCT, UINTEGER, USMALLINT, VARCHAR } = api;
export const { DuckDBBlobValue, DuckDBDataChunk, DuckDBInstance } = api;
