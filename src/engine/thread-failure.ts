// Errors on their way between threads, where they lose their class: what a UserError says to people stays, and a
// bug keeps its stack.
import { UserError } from '../errors.js';

export interface ThreadFailure {
  message: string;
  hint: string | undefined;
  /** Of a UserError; undefined for a bug. */
  exitCode: number | undefined;
  stack: string | undefined;
}

/** What a thread sends of an error. */
export function failureOf(error: unknown): ThreadFailure {
  const known = error instanceof UserError ? error : undefined;
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  return { message, hint: known?.hint, exitCode: known?.exitCode, stack };
}

/** The error again, in the thread that got it. */
export function errorOf({ message, hint, exitCode, stack }: ThreadFailure): Error {
  if (exitCode !== undefined)
    return new UserError(message, { exitCode, ...(hint === undefined ? {} : { hint }) });
  const error = new Error(message);
  if (stack !== undefined) error.stack = stack;
  return error;
}
