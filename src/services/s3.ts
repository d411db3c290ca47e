// MinIO, a server that speaks S3: built from its module's sources, since it is no package of any registry.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { goProgram } from './fetching.js';
import type { Part } from './part.js';

/** MinIO's releases are tags that Go doesn't take for versions: this is the commit of one, in Go's words. */
const MODULE = 'github.com/minio/minio@v0.0.0-20250907161309-07c3a429bfed';
const RELEASE = '2025-09-07';
const ANSWER_MS = 2_000;
const ACCESS_KEY = 'click-agg';
const SECRET_KEY = 'click-agg-secret';

export const s3: Part = {
  name: 's3',
  software: `MinIO ${RELEASE}`,
  portNames: ['main'],
  stopSignal: 'SIGTERM',
  fetch: (say) => goProgram(`minio-${RELEASE}`, MODULE, say),
  async prepare(place) {
    mkdirSync(join(place.directory, 'files'), { recursive: true });
  },
  async launch(place) {
    const address = ['--address', `127.0.0.1:${place.ports.main}`];
    return {
      file: join(place.program, 'minio'),
      args: ['server', '--quiet', ...address, join(place.directory, 'files')],
      environment: {
        MINIO_ROOT_USER: ACCESS_KEY,
        MINIO_ROOT_PASSWORD: SECRET_KEY,
        MINIO_BROWSER: 'off',
        MINIO_UPDATE: 'off',
        ...place.settings,
      },
    };
  },
  address: (place) => ({
    endpoint: `http://127.0.0.1:${place.ports.main}`,
    accessKeyId: ACCESS_KEY,
    secretAccessKey: SECRET_KEY,
    region: 'us-east-1',
  }),
  async answers(place) {
    try {
      const signal = AbortSignal.timeout(ANSWER_MS);
      const health = await fetch(`http://127.0.0.1:${place.ports.main}/minio/health/cluster`, { signal });
      await health.arrayBuffer();
      return health.ok;
    } catch (error) {
      if (error instanceof Error) return false;
      throw error;
    }
  },
};
