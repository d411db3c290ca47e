// ClickHouse's engine, as PyPI's chDB brings it, behind a small HTTP interface of ours (chdb-front.py): no registry has
// a current server. Tables, queries, merges and files are ClickHouse's; HTTP and log-in are imitated.
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { debianPackage, pythonPackage } from './fetching.js';
import type { Part } from './part.js';

const VERSION = '26.9.0';
const ANSWER_MS = 2_000;
/** It is no part of the build: the script runs it where it lies. */
const FRONT = resolve(import.meta.dirname, '../../src/services/chdb-front.py');

export const clickhouse: Part = {
  name: 'clickhouse',
  software: `ClickHouse ${VERSION.replace(/\.\d+$/, '')} (chDB)`,
  portNames: ['main'],
  stopSignal: 'SIGTERM',
  async fetch(say) {
    await debianPackage('python3', 'python3', say);
    // The engine alone: pandas and pyarrow, which it names too, are for answers as Python's own tables.
    return await pythonPackage(`chdb-${VERSION}`, `chdb-core==${VERSION}`, say);
  },
  async prepare(place) {
    mkdirSync(join(place.directory, 'files'), { recursive: true });
  },
  async launch(place) {
    return {
      file: 'python3',
      args: [FRONT, place.program, join(place.directory, 'files'), String(place.ports.main)],
      environment: { ...place.settings },
    };
  },
  address: (place) => ({ url: `clickhouse://default@127.0.0.1:${place.ports.main}/default` }),
  async answers(place) {
    try {
      const signal = AbortSignal.timeout(ANSWER_MS);
      const answer = await fetch(`http://127.0.0.1:${place.ports.main}/?query=SELECT+1`, { signal });
      await answer.arrayBuffer();
      // One with a password says so, which is an answer too.
      return answer.ok || answer.status === 403;
    } catch (error) {
      if (error instanceof Error) return false;
      throw error;
    }
  },
};
