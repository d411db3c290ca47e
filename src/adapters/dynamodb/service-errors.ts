// What DynamoDB and the way to it can do wrong, as lines for people; and which of it passes by waiting.
import { UserError } from '../../errors.js';
import type { Address } from './address.js';

/** The code of an error of the service or the system, or the class of it. */
export function nameOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = (error as NodeJS.ErrnoException).code;
  return typeof code === 'string' ? code : error.name;
}

/** The service asks to be asked less. Of whole requests, and of one statement of many. */
const THROTTLED = [
  'ProvisionedThroughputExceededException',
  'ProvisionedThroughputExceeded',
  'ThrottlingException',
  'ThrottlingError',
  'RequestLimitExceeded',
  'LimitExceededException',
  'TransactionConflictException',
  'TransactionConflict',
];
const GONE = [
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EPIPE',
  'ETIMEDOUT',
  'ERR_STREAM_PREMATURE_CLOSE',
  'TimeoutError',
];
const BROKEN = ['InternalServerError', 'InternalFailure', 'ServiceUnavailable'];

/** Whether the same request may succeed a moment later. */
export function mayPass(error: unknown): boolean {
  const { $metadata } = error as { $metadata?: { httpStatusCode?: number } };
  return (
    isPassing(nameOf(error)) || ($metadata?.httpStatusCode ?? 0) >= 500 || $metadata?.httpStatusCode === 429
  );
}

/** The same of the code of one statement of a batch. */
export function isPassing(code: string): boolean {
  return [...THROTTLED, ...GONE, ...BROKEN].includes(code);
}

/** Whether something else answered: no HTTP, or no JSON. */
function isOther(error: Error): boolean {
  return nameOf(error).startsWith('HPE_') || (error instanceof SyntaxError && '$response' in error);
}

interface Cause {
  codes: readonly string[];
  line: (address: Address, message: string) => string;
  hint: string;
}

const KEYS_HINT = 'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, as for the aws command.';

const CAUSES: readonly Cause[] = [
  {
    codes: ['CredentialsProviderError'],
    line: ({ name }) => `no credentials for ${name}`,
    hint: KEYS_HINT,
  },
  {
    codes: [
      ...['UnrecognizedClientException', 'InvalidSignatureException', 'IncompleteSignatureException'],
      ...['ExpiredTokenException', 'MissingAuthenticationTokenException', 'InvalidClientTokenId'],
    ],
    line: ({ name }, message) => `${name} refuses the credentials: ${message}`,
    hint: KEYS_HINT,
  },
  {
    codes: ['AccessDeniedException', 'AccessDenied'],
    line: ({ name }, message) => `${name}: missing rights: ${message}`,
    hint: 'docs/dynamodb.md lists the actions that reading, writing and making the tables need.',
  },
  {
    codes: THROTTLED,
    line: ({ name }) => `${name} is throttled`,
    hint: 'Raise the limit or the capacity of its tables, or wait; what was committed stays valid.',
  },
  {
    codes: ['ResourceNotFoundException', 'ResourceNotFound'],
    line: ({ name }) => `${name}: one of its tables is gone`,
    hint: 'Was it removed, or is the region or the prefix another one?',
  },
  {
    codes: ['ENOTFOUND', 'EAI_AGAIN'],
    line: ({ name }) => `the host of ${name} is not known`,
    hint: 'Check the region and the endpoint in --store.',
  },
  {
    codes: GONE,
    line: ({ name }) => `no DynamoDB answers at ${name}`,
    hint: 'Check the network, and the endpoint in --store; what was committed stays valid.',
  },
  {
    codes: BROKEN,
    line: ({ name }, message) => `${name} can't answer: ${message}`,
    hint: 'What was committed stays valid; try again.',
  },
];

/** The UserError behind an error of a request; other errors are returned as they are. */
export function serviceError(error: unknown, address: Address): unknown {
  if (!(error instanceof Error) || error instanceof UserError) return error;
  if (isOther(error)) {
    return new UserError(`what answers at ${address.name} is no DynamoDB`, {
      hint: 'Check the endpoint in --store.',
      cause: error,
    });
  }
  return codeError(nameOf(error), error.message, { address, cause: error }) ?? error;
}

/** The same for the code and message of one statement of a batch; undefined: none that is known. */
export function codeError(
  code: string,
  message: string,
  { address, cause }: { address: Address; cause?: Error },
): UserError | undefined {
  const line = message.split('\n', 1)[0]!;
  const known = CAUSES.find(({ codes }) => codes.includes(code));
  return known && new UserError(known.line(address, line), { hint: known.hint, cause });
}
