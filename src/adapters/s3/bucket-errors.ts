// What S3 answers, in one line for people: what was wrong and what to do.
import { UserError } from '../../errors.js';
import type { BucketPlace } from './bucket.js';

/** The code of an error of the service or the system, or the class of it. */
export function nameOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = (error as NodeJS.ErrnoException).code;
  return typeof code === 'string' ? code : error.name;
}

/** There is no such object. */
export const isGone = (name: string): boolean => ['NoSuchKey', 'NotFound', 'NoSuchUpload'].includes(name);
/** There is an object already, or another request is about to make one. */
export const isThere = (name: string): boolean =>
  ['PreconditionFailed', 'ConditionalRequestConflict'].includes(name);

const UNREACHABLE = [
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EPIPE',
  'ERR_STREAM_PREMATURE_CLOSE',
  'ETIMEDOUT',
  'TimeoutError',
];
const CREDENTIALS = [
  'CredentialsProviderError',
  'InvalidAccessKeyId',
  'SignatureDoesNotMatch',
  'ExpiredToken',
  'InvalidToken',
  'AuthorizationHeaderMalformed',
];
const CREDENTIALS_HINT =
  'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, as for the aws command; check --s3-region.';

/** Whether the network or the server's load made a request fail, so that it may succeed later. */
export function mayPass(error: unknown): boolean {
  if (UNREACHABLE.includes(nameOf(error))) return true;
  const { $metadata } = error as { $metadata?: { httpStatusCode?: number } };
  const status = $metadata?.httpStatusCode ?? 0;
  return status >= 500 || status === 429;
}

/** Turns an error of a request into a UserError; an error of ours comes back as it is. */
export function bucketError(error: unknown, { bucket, endpoint }: BucketPlace): unknown {
  if (!(error instanceof Error) || error instanceof UserError) return error;
  const name = nameOf(error);
  const where = endpoint === undefined ? 'Amazon S3' : `S3 at ${endpoint}`;
  const line = error.message.split('\n', 1)[0]!;
  const told = (message: string, hint: string): UserError => new UserError(message, { hint, cause: error });
  if (name === 'NoSuchBucket') {
    return told(
      `there is no bucket ${bucket} in ${where}`,
      'Make it first, or check --lake and --s3-endpoint.',
    );
  }
  if (CREDENTIALS.includes(name)) return told(`${where} refused the credentials: ${name}`, CREDENTIALS_HINT);
  if (name === 'AccessDenied' || name === 'Forbidden') {
    return told(
      `${where} denies access to the bucket ${bucket}`,
      'The lake needs to list the bucket and to get, put and delete objects in it.',
    );
  }
  if (UNREACHABLE.includes(name)) {
    return told(`can't reach ${where}: ${name}`, 'Check --s3-endpoint and that the service runs.');
  }
  if (name === 'PermanentRedirect') {
    return told(`the bucket ${bucket} is in another region`, 'Name it with --s3-region.');
  }
  if (/region is missing/i.test(line))
    return told('no region of S3 is named', 'Give --s3-region or set AWS_REGION.');
  if (name === 'NotImplemented') {
    return told(`${where} can't do what a lake needs: ${line}`, 'It must know If-None-Match on PutObject.');
  }
  if ('$metadata' in error) {
    return told(`${where} answered ${name}: ${line}`, 'What was committed stays valid; try again.');
  }
  return error;
}
