// What goes over the wire between a living `run` and those who ask it: JSON, with marks for what JSON can't say.
// The methods that can be called are listed here, so that no name from outside ever reaches an object.
import { UserError } from '../errors.js';

/** The methods of StoreReader and StoreBooks that are answered with one JSON document. */
export const METHODS = [
  'state',
  'standing',
  'query',
  'ledger',
  'ledgerByPartition',
  'deadLetters',
  'deadLetterCounts',
  'snapshot',
  'replacePeriod',
  'revisions',
  'closedPeriods',
  'closePeriod',
  'adjustments',
  'addAdjustments',
  'markRedriven',
] as const;
export type MethodName = (typeof METHODS)[number];

/** A value as JSON text: `undefined` within objects is left out. */
export function encode(value: unknown): string {
  return JSON.stringify(mark(value) ?? null);
}

/** The value that `encode` was given. */
export function decode(text: string): unknown {
  return JSON.parse(text, unmark);
}

function mark(value: unknown): unknown {
  if (typeof value === 'number' && !Number.isFinite(value)) return { $number: String(value) };
  if (value instanceof Uint8Array) return { $bytes: Buffer.from(value).toString('base64') };
  if (value instanceof Map) return { $map: [...value].map((entry) => mark(entry)) };
  if (Array.isArray(value)) return value.map(mark);
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, mark(inner)]));
  }
  return value;
}

function unmark(_name: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if ('$number' in value) return Number(value.$number);
  if ('$bytes' in value) return new Uint8Array(Buffer.from(String(value.$bytes), 'base64'));
  if ('$map' in value) return new Map(value.$map as [unknown, unknown][]);
  return value;
}

/** An error as it goes over the wire: those for people keep their words, of others only the message goes. */
export interface WireError {
  user: boolean;
  message: string;
  hint: string | undefined;
  exitCode: number | undefined;
}

/** The error in the form in which it goes over the wire. */
export function wireError(error: unknown): WireError {
  if (error instanceof UserError) {
    return { user: true, message: error.message, hint: error.hint, exitCode: error.exitCode };
  }
  return {
    user: false,
    message: error instanceof Error ? (error.stack ?? error.message) : String(error),
    hint: undefined,
    exitCode: undefined,
  };
}

/** The error that the other side met. */
export function errorFromWire({ user, message, hint, exitCode }: WireError): Error {
  if (!user) return new Error(`the run answered: ${message}`);
  return new UserError(message, {
    ...(hint === undefined ? {} : { hint }),
    ...(exitCode === undefined ? {} : { exitCode }),
  });
}
