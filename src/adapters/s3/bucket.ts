// What a lake needs of an S3 bucket: whole objects, put so that one never takes another's place, read, listed,
// copied and removed; large ones up in parts and down with a checksum. Requests that fail by the network or the
// server's load are tried again with growing pauses; before the service ever answered only by the client's own
// few tries, so that a wrong address is told at once.
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  AbortMultipartUploadCommand,
  CopyObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { UserError } from '../../errors.js';
import { bucketError, isGone, isThere, mayPass, nameOf } from './bucket-errors.js';

export interface BucketPlace {
  bucket: string;
  endpoint: string | undefined;
  region: string | undefined;
  pathStyle: boolean;
}

export interface StoredObject {
  key: string;
  bytes: number;
  modifiedMs: number;
}

/**
 * A service that answered once and doesn't any more is waited for so long. (The client's own retries are too few: all
 * requests under way share a quota of them.)
 */
const PATIENCE_MS = 120_000;
const PAUSE_MS_MIN = 500;
const PAUSE_MS_MAX = 5_000;
const CONNECT_MS_MAX = 5_000;
const SILENCE_MS_MAX = 60_000;
/** Larger files go up in parts of this size, two at a time. */
export const PART_BYTES = 16 * 1024 * 1024;
const PARTS_AT_A_TIME = 2;
const DELETED_AT_A_TIME = 1000;

export class Bucket {
  readonly place: BucketPlace;
  readonly #client: S3Client;
  #answered = false;

  constructor(place: BucketPlace) {
    this.place = place;
    this.#client = clientOf(place);
  }

  /** The text of an object; undefined: there is none. */
  async read(key: string): Promise<string | undefined> {
    return this.#ask(async () => {
      const { Body } = await this.#client.send(new GetObjectCommand(this.#at(key)));
      return Body?.transformToString('utf8');
    }, isGone);
  }

  async exists(key: string): Promise<boolean> {
    const found = await this.#ask(() => this.#client.send(new HeadObjectCommand(this.#at(key))), isGone);
    return found !== undefined;
  }

  async put(key: string, text: string): Promise<void> {
    await this.#ask(() => this.#client.send(new PutObjectCommand({ ...this.#at(key), Body: text })));
  }

  /** Puts an object unless there is one; false: there is, and it is not of this text. */
  async putIfAbsent(key: string, text: string): Promise<boolean> {
    const command = new PutObjectCommand({ ...this.#at(key), Body: text, IfNoneMatch: '*' });
    const done = await this.#ask(() => this.#client.send(command), isThere);
    // A try that seemed to fail may have been heard: then the next one finds its own text.
    return done !== undefined || (await this.read(key)) === text;
  }

  /** All objects whose keys begin with the prefix, and come after `after` in the order of bytes. */
  async *list(prefix: string, after?: string): AsyncGenerator<StoredObject> {
    for (let token: string | undefined; ; ) {
      const page = await this.#ask(() =>
        this.#client.send(
          new ListObjectsV2Command({
            Bucket: this.place.bucket,
            Prefix: prefix,
            StartAfter: token === undefined ? after : undefined,
            ContinuationToken: token,
          }),
        ),
      );
      for (const { Key, Size, LastModified } of page?.Contents ?? []) {
        if (Key !== undefined)
          yield { key: Key, bytes: Size ?? 0, modifiedMs: LastModified?.getTime() ?? Date.now() };
      }
      token = page?.NextContinuationToken;
      if (token === undefined) return;
    }
  }

  /** Copies inside the bucket; false: there is nothing to copy. */
  async copy(from: string, to: string): Promise<boolean> {
    const source = `${this.place.bucket}/${from}`.split('/').map(encodeURIComponent).join('/');
    const command = new CopyObjectCommand({ ...this.#at(to), CopySource: source });
    return (await this.#ask(() => this.#client.send(command), isGone)) !== undefined;
  }

  /** What isn't there is removed already. */
  async remove(keys: readonly string[]): Promise<void> {
    for (let at = 0; at < keys.length; at += DELETED_AT_A_TIME) {
      const Objects = keys.slice(at, at + DELETED_AT_A_TIME).map((Key) => ({ Key }));
      const result = await this.#ask(() =>
        this.#client.send(
          new DeleteObjectsCommand({ Bucket: this.place.bucket, Delete: { Objects, Quiet: true } }),
        ),
      );
      const [failed] = result?.Errors ?? [];
      if (failed) throw new UserError(`can't remove s3://${this.place.bucket}/${failed.Key}: ${failed.Code}`);
    }
  }

  /** Puts a local file, in parts if it is large; it appears when all of it is there. */
  async upload(path: string, key: string): Promise<void> {
    await this.#ask(async () => {
      const upload = new Upload({
        client: this.#client,
        params: { ...this.#at(key), Body: createReadStream(path, { highWaterMark: 1 << 20 }) },
        partSize: PART_BYTES,
        queueSize: PARTS_AT_A_TIME,
      });
      await upload.done();
    });
  }

  /** Fetches an object into a local file and tells its SHA-256; undefined: there is none. */
  async download(key: string, path: string): Promise<string | undefined> {
    return this.#ask(() => this.#fetch(key, path), isGone);
  }

  async #fetch(key: string, path: string): Promise<string> {
    const { Body } = await this.#client.send(new GetObjectCommand(this.#at(key)));
    const hash = createHash('sha256');
    const hashed = new Transform({
      transform(piece: Buffer, _encoding, done) {
        hash.update(piece);
        done(null, piece);
      },
    });
    await pipeline(Body instanceof Readable ? Body : Readable.from([]), hashed, createWriteStream(path));
    return hash.digest('hex');
  }

  /** Gives up uploads in parts that were begun before `beforeMs` below the prefix, whose parts cost money unseen. */
  async abandonUploads(prefix: string, beforeMs: number): Promise<void> {
    const { bucket: Bucket } = this.place;
    const begun = await this.#ask(() =>
      this.#client.send(new ListMultipartUploadsCommand({ Bucket, Prefix: prefix })),
    );
    for (const { Key, UploadId, Initiated } of begun?.Uploads ?? []) {
      if (!Key || !UploadId || (Initiated?.getTime() ?? 0) >= beforeMs) continue;
      await this.#ask(
        () => this.#client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId })),
        isGone,
      );
    }
  }

  #at(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.place.bucket, Key: key };
  }

  /** Sends a request; `expected`: failures of it that mean undefined. */
  async #ask<T>(request: () => Promise<T>, expected?: (name: string) => boolean): Promise<T | undefined> {
    const untilMs = Date.now() + PATIENCE_MS;
    for (let pauseMs = PAUSE_MS_MIN; ; pauseMs = Math.min(2 * pauseMs, PAUSE_MS_MAX)) {
      try {
        const answer = await request();
        this.#answered = true;
        return answer;
      } catch (error) {
        if (expected?.(nameOf(error))) return undefined;
        const waits = this.#answered && mayPass(error) && Date.now() < untilMs;
        if (!waits) throw bucketError(error, this.place);
      }
      await sleep(pauseMs);
    }
  }
}

/** Of the SDK, on standard error, that later releases of it will want a later Node. The package's lock keeps this one. */
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';

function clientOf({ endpoint, region, pathStyle }: BucketPlace): S3Client {
  // A service of one's own often has no regions, but a request must be signed for one.
  const anyRegion = endpoint !== undefined && !process.env.AWS_REGION ? 'us-east-1' : undefined;
  const named = region ?? anyRegion;
  return new S3Client({
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(named === undefined ? {} : { region: named }),
    forcePathStyle: pathStyle,
    requestHandler: { connectionTimeout: CONNECT_MS_MAX, requestTimeout: SILENCE_MS_MAX },
  });
}
