// What somebody is told of an error: the words for people where they are for this person, and nothing that an
// advertiser should not read.
import { QuestionRefused, UserError } from '../errors.js';
import type { ErrorAnswer } from './api.js';
import { BadQuestion } from './question.js';
import type { Viewer } from './tokens.js';
import { TooManyViews } from './views.js';

type Code = ErrorAnswer['error']['code'];

/** A refusal with its status. */
export class Refusal extends Error {
  constructor(
    readonly status: 401 | 403 | 404,
    message: string,
  ) {
    super(message);
  }
}

const CODE_OF: Readonly<Record<number, Code>> = {
  401: 'unauthorized',
  403: 'forbidden',
  404: 'not_found',
  429: 'too_many_requests',
};

/** Status and answer for an error; one that is our own bug is logged. */
export function errorAnswerOf(
  error: unknown,
  viewer: Viewer | undefined,
  warn: (line: string) => void,
): { status: number; answer: ErrorAnswer } {
  const answer = (status: number, code: Code, message: string) => ({
    status,
    answer: { error: { code, message } },
  });
  if (error instanceof BadQuestion) return answer(400, 'bad_request', error.message);
  if (error instanceof Refusal) return answer(error.status, CODE_OF[error.status]!, error.message);
  if (error instanceof TooManyViews) return answer(429, 'too_many_requests', error.message);
  if (error instanceof QuestionRefused) return answer(422, 'refused', error.message);
  if (error instanceof UserError) {
    // It may name servers and folders.
    const words = viewer?.role === 'advertiser' ? 'the totals can not be read at the moment' : error.message;
    return answer(503, 'unavailable', words);
  }
  const { statusCode, message, stack } = error as Error & { statusCode?: number };
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500)
    return answer(statusCode, CODE_OF[statusCode] ?? 'bad_request', message);
  warn(`a request failed: ${stack ?? message}`);
  return answer(500, 'internal', 'a mistake of the server, which its log tells');
}
