// Lakes in buckets of a real server that speaks S3: a bucket for a test file, places in it, and a copy of all objects
// on the disk, as a reader sees them who knows the folders only.
import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { Bucket } from '../../src/adapters/s3/bucket.js';
import type { S3Place } from '../../src/lake/storage.js';
import type { Addresses } from '../services.js';

export interface TestBucket {
  bucket: Bucket;
  /** What the AWS environment says, for processes. */
  env: Record<string, string>;
  /** A lake of its own in the bucket. */
  place(prefix: string, cacheDir: string): S3Place;
  /** Options of the command line that name the place. */
  options(place: S3Place): string[];
  /** Copies what lies below the prefix into the folder. */
  mirror(place: S3Place, folder: string): Promise<void>;
}

/** Makes a bucket. This process, too, gets the credentials by its environment. */
export async function makeBucket(s3: Addresses['s3'], name = `lake-${randomUUID()}`): Promise<TestBucket> {
  const env = { AWS_ACCESS_KEY_ID: s3.accessKeyId, AWS_SECRET_ACCESS_KEY: s3.secretAccessKey };
  Object.assign(process.env, env);
  const { endpoint, region } = s3;
  const client = new S3Client({ endpoint, region, forcePathStyle: true });
  await client.send(new CreateBucketCommand({ Bucket: name }));
  client.destroy();
  const bucket = new Bucket({ bucket: name, endpoint, region, pathStyle: true });
  return {
    bucket,
    env,
    place: (prefix, cacheDir) => ({ bucket: name, prefix, endpoint, region, pathStyle: true, cacheDir }),
    options: (place) => [
      '--lake',
      `s3://${place.bucket}/${place.prefix}`,
      ...[
        '--s3-endpoint',
        endpoint,
        '--s3-region',
        region,
        '--s3-path-style',
        '--lake-cache',
        place.cacheDir,
      ],
    ],
    async mirror(place, folder) {
      for await (const { key } of bucket.list(`${place.prefix}/`)) {
        const path = join(folder, key.slice(place.prefix.length + 1));
        mkdirSync(dirname(path), { recursive: true });
        await bucket.download(key, path);
      }
    },
  };
}
