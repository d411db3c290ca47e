// DynamoDB Local, Amazon's own stand-in for DynamoDB: the same API over SQLite files. It knows no rights, no throttling
// and no capacity; keys may be any, and all of them see the same tables. It waits for the disk after every row, a hundred
// rows a second: libeatmydata takes that out where it can be had. What was answered survives a kill, not a power cut.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../errors.js';
import { debianPackage, isInstalled, mavenJars } from './fetching.js';
import type { Part } from './part.js';

const VERSION = '3.3.1';
const HEAP = '-Xmx512m';
const ANSWER_MS = 2_000;
/** Only letters and digits: it refuses others. */
const ACCESS_KEY = 'clickagg';
const SECRET_KEY = 'clickaggsecret';
const REGION = 'eu-central-1';
const NO_SYNC = 'eatmydata';
/** A setting: no files at all. */
const IN_MEMORY = 'inMemory';

export const dynamodb: Part = {
  name: 'dynamodb',
  software: `DynamoDB Local ${VERSION}`,
  portNames: ['main'],
  stopSignal: 'SIGTERM',
  async fetch(say) {
    await debianPackage('java', 'default-jre-headless', say);
    try {
      await debianPackage(NO_SYNC, NO_SYNC, say);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      say(`${error.message}: DynamoDB Local will be slow`);
    }
    return mavenJars(`dynamodb-local-${VERSION}`, [`software.amazon.dynamodb:DynamoDBLocal:${VERSION}`], say);
  },
  async prepare(place) {
    mkdirSync(join(place.directory, 'files'), { recursive: true });
  },
  async launch(place) {
    const folder = join(place.directory, 'files');
    const java = [
      HEAP,
      // By the folder in its command line the process is known, with files or without.
      `-Dclick-agg.folder=${folder}`,
      // SQLite comes as a native library beside the jars.
      `-Dsqlite4java.library.path=${place.program}`,
      '-cp',
      `${place.program}/*`,
    ];
    const main = 'software.amazon.dynamodb.services.local.main.ServerRunner';
    const files = IN_MEMORY in place.settings ? [`-${IN_MEMORY}`] : ['-dbPath', folder];
    const options = ['-port', String(place.ports.main), '-sharedDb', '-disableTelemetry', ...files];
    const program = [...java, main, ...options];
    return (await isInstalled(NO_SYNC))
      ? { file: NO_SYNC, args: ['java', ...program] }
      : { file: 'java', args: program };
  },
  address: (place) => ({
    endpoint: `http://127.0.0.1:${place.ports.main}`,
    accessKeyId: ACCESS_KEY,
    secretAccessKey: SECRET_KEY,
    region: REGION,
  }),
  async answers(place) {
    try {
      // It wants to see a signature, and looks no closer.
      const answer = await fetch(`http://127.0.0.1:${place.ports.main}/`, {
        method: 'POST',
        headers: {
          'content-type': 'application/x-amz-json-1.0',
          'x-amz-target': 'DynamoDB_20120810.ListTables',
          authorization: `AWS4-HMAC-SHA256 Credential=${ACCESS_KEY}/20260101/${REGION}/dynamodb/aws4_request, SignedHeaders=host, Signature=0`,
        },
        body: '{}',
        signal: AbortSignal.timeout(ANSWER_MS),
      });
      await answer.arrayBuffer();
      return answer.ok;
    } catch (error) {
      if (error instanceof Error) return false;
      throw error;
    }
  },
};
