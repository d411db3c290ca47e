// What the world does wrong is one class of error: a line that says what happened and what to do.
// Anything else that is thrown is a bug of ours and shows its stack.

/** Exit codes of every command. */
export const EXIT = { ok: 0, failure: 1, usage: 2, interrupted: 130 } as const;

/** An error for people: printed as one line without a stack, then exit with `exitCode`. */
export class UserError extends Error {
  readonly exitCode: number;
  readonly hint: string | undefined;

  constructor(message: string, options: { hint?: string; exitCode?: number; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.name = 'UserError';
    this.hint = options.hint;
    this.exitCode = options.exitCode ?? EXIT.failure;
  }
}

/** Misuse of the command line or of a config file: exit code 2. */
export class UsageError extends UserError {
  constructor(message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, { ...options, exitCode: EXIT.usage });
    this.name = 'UsageError';
  }
}

const WHY_UNREADABLE: Readonly<Record<string, string>> = {
  ENOENT: 'there is none',
  EISDIR: 'it is a folder',
  EACCES: 'permission denied',
};

/** UsageError: what an option names, `what`, could not be read. */
export function unreadable(what: string, error: unknown): UsageError {
  const { code = '', message } = error as NodeJS.ErrnoException;
  return new UsageError(`can't read ${what}: ${WHY_UNREADABLE[code] ?? message}`, { cause: error });
}

/** A question that the store is not made for: the line says what it would answer, or who would. */
export class QuestionRefused extends UsageError {
  constructor(message: string, options: { hint?: string } = {}) {
    super(message, options);
    this.name = 'QuestionRefused';
  }
}

/** Another process of the consumer group reads now: drop what is in memory and wait to be the active one again. */
export class OwnershipLostError extends Error {
  constructor(message = 'another process of the group has taken over') {
    super(message);
    this.name = 'OwnershipLostError';
  }
}

/** Another process has made itself the store's writer: what this one counted since its last commit is not written. */
export class FencedError extends UserError {
  constructor() {
    super('another process has taken the store over', {
      hint: 'One process counts into a store; what this one had not committed, the other counts from the log.',
    });
    this.name = 'FencedError';
  }
}

/** Another process has made itself the lake's writer: what this one read since its last commit is not written. */
export class LakeTakenError extends UserError {
  constructor(lake: string) {
    super(`another process has taken over the writing of the lake ${lake}`, {
      hint: 'One process writes a lake; what this one had not committed, the other reads from the log.',
    });
    this.name = 'LakeTakenError';
  }
}

/** States what must be true whatever the input is; a violation is our bug. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`invariant violated: ${message} (this is a bug in click-agg)`);
}

const LISTEN_REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another program has it',
  EACCES: 'this user may not have it',
  EADDRNOTAVAIL: 'this machine has no such address',
  ENOTFOUND: 'there is no such host',
};

/** Why a server could not begin, as a UserError: `can't listen on HOST:PORT: …`; an error that is none of these as it is. */
export function cannotListen(
  error: unknown,
  { host, port }: { host: string; port: number },
  { act, hint } = { act: 'listen', hint: 'Choose another --port (0: any free one) or --host.' },
): unknown {
  const reason = LISTEN_REASONS[(error as NodeJS.ErrnoException).code ?? ''];
  if (!reason) return error;
  return new UserError(`can't ${act} on ${host}:${port}: ${reason}`, { hint, cause: error });
}
