// Where the lake is: a folder or below a prefix of an S3 bucket, by the same options for whoever writes it or reads
// it. Credentials are no options: they come from where every AWS tool finds them.
import { join } from 'node:path';
import { UsageError } from '../errors.js';
import type { LakePlace } from '../lake/storage.js';
import { onOff, optionalText } from './option.js';

const GROUP = 'Lake on S3';

/** How S3 is spoken to, and where its files lie while they are read. */
export const s3Options = {
  s3Endpoint: optionalText({
    flag: 's3-endpoint',
    group: GROUP,
    value: 'URL',
    about:
      "of a service that speaks S3; Amazon's unless told. Credentials: AWS_ACCESS_KEY_ID and so on, as for aws",
  }),
  s3Region: optionalText({
    flag: 's3-region',
    group: GROUP,
    value: 'NAME',
    about: 'region of the bucket; as for aws (AWS_REGION, its config file) unless told',
  }),
  s3PathStyle: onOff({
    flag: 's3-path-style',
    group: GROUP,
    about: 'ask for ENDPOINT/BUCKET/KEY instead of BUCKET.ENDPOINT/KEY, as MinIO wants it',
  }),
  lakeCache: optionalText({
    flag: 'lake-cache',
    group: GROUP,
    value: 'DIR',
    about:
      'local folder for files on their way up and those being read; lake-cache/ of the data directory unless told',
  }),
};

export const lakeOptions = {
  lake: optionalText({
    flag: 'lake',
    value: 'DIR|s3://…',
    valueOptional: true,
    about: 'where the lake is, a folder or s3://bucket/prefix; lake/ of the data directory unless told',
  }),
  ...s3Options,
};

export interface LakeOptionValues {
  dataDir: string;
  lake: string | undefined;
  s3Endpoint: string | undefined;
  s3Region: string | undefined;
  s3PathStyle: boolean;
  lakeCache: string | undefined;
}

/** The lake that the options name; `flag` is the option in which they do. UsageError: it is no place. */
export function lakePlaceOf(options: LakeOptionValues, flag = '--lake'): LakePlace {
  const { dataDir, lake, s3Endpoint: endpoint } = options;
  if (!lake) return join(dataDir, 'lake');
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(lake)) return lake;
  const match = /^s3:\/\/([^/]+)(?:\/(.*))?$/i.exec(lake);
  if (!match) throw new UsageError(`${flag} ${lake} is neither a folder nor s3://bucket/prefix`);
  const prefix = (match[2] ?? '').replace(/^\/+|\/+$/g, '');
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(match[1]!)) {
    throw new UsageError(`${flag} ${lake}: ${match[1]} is no name of a bucket`, {
      hint: 'Such names have 3 to 63 lower-case letters, digits, dots and hyphens.',
    });
  }
  if (endpoint !== undefined && /^[^/]*\/\/[^/]*@/.test(endpoint)) {
    throw new UsageError('--s3-endpoint must not hold a user or password', {
      hint: 'Credentials come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE.',
    });
  }
  if (endpoint !== undefined && !/^https?:\/\/[^/]/.test(endpoint)) {
    throw new UsageError(`--s3-endpoint ${endpoint} is no http:// or https:// URL`);
  }
  return {
    bucket: match[1]!,
    prefix,
    endpoint,
    region: options.s3Region,
    pathStyle: options.s3PathStyle,
    cacheDir: options.lakeCache ?? join(dataDir, 'lake-cache'),
  };
}
