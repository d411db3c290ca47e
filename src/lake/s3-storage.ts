// A lake below a prefix of a bucket. Objects are put whole, and a manifest entry only if there is none of its
// number: that is the commit, and it can't be done by two. Files wait in `_staging/` and are copied to their
// places inside the service after it, so that who lists the hour folders sees committed records only.
import { Bucket } from '../adapters/s3/bucket.js';
import { FileCache } from './file-cache.js';
import type { LakeFile, LakeState } from './manifest.js';
import { S3Layout } from './s3-layout.js';
import { writeToS3 } from './s3-writing.js';
import { type FilePlace, type LakeLease, type LakeStorage, placeName, type S3Place } from './storage.js';

const buckets = new Map<string, Bucket>();

/** One client for all who ask for the same bucket. */
function bucketOf({ bucket, endpoint, region, pathStyle }: S3Place): Bucket {
  const place = { bucket, endpoint, region, pathStyle };
  const name = JSON.stringify(place);
  const known = buckets.get(name) ?? new Bucket(place);
  buckets.set(name, known);
  return known;
}

/** The lake at the place, which need not be there. */
export function s3Storage(place: S3Place): LakeStorage {
  const bucket = bucketOf(place);
  const layout = new S3Layout(place.prefix);
  const name = placeName(place);
  const cache = new FileCache({ bucket, layout, name }, place.cacheDir);
  return {
    name,
    async manifestNames() {
      const names: string[] = [];
      for await (const { key } of bucket.list(layout.commits)) names.push(key.slice(layout.commits.length));
      return names;
    },
    readManifest: (entry) => bucket.read(`${layout.commits}${entry}`),
    lease: () => leaseS3(bucket, layout, cache, name),
    async parquetFiles() {
      const paths: string[] = [];
      for await (const { key } of bucket.list(layout.key('dt='))) {
        const path = layout.pathOf(key);
        if (/^dt=[^/]*\/hour=[^/]*\/[^/]*\.parquet$/.test(path)) paths.push(path);
      }
      return paths;
    },
    writer: () => 'unseen',
    askFlush: () => bucket.put(layout.flushAsked, new Date().toISOString()),
    flushHeard: async () => !(await bucket.exists(layout.flushAsked)),
    beginWriting: () => writeToS3({ bucket, layout, cacheDir: place.cacheDir, name }),
  };
}

async function leaseS3(bucket: Bucket, layout: S3Layout, cache: FileCache, name: string): Promise<LakeLease> {
  const lease = await cache.lease();
  return {
    async locate({ last }: LakeState, files) {
      const places = new Map(
        files.map((file): [string, FilePlace] => [
          file.path,
          { path: cache.pathOf(file), address: `${name}/${file.path}` },
        ]),
      );
      for (const file of last?.add ?? []) {
        if (await bucket.exists(layout.key(file.path))) continue;
        // Its writer is about to copy it to its place, or died before it did.
        const staged = layout.pathOf(layout.staged(last!.commit, file.sha256));
        places.set(file.path, { path: cache.pathOf(file), address: `${name}/${staged}` });
      }
      return places;
    },
    fetch: (files: readonly LakeFile[], how) => cache.fetch(files, how),
    release: () => lease.release(),
  };
}
