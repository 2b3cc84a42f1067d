// Errors on the wire: engine routes answer {"message"}, /tswarm/v1 answers problem+json. The status comes from the one table in
// protocol/error-codes.ts; only a handler that must copy one of the Engine API's odd statuses sets another (EngineError).
import type { ErrorCode } from '#protocol/error-codes';
import { ERROR_CODES } from '#protocol/error-codes';
import { messageOf, TswarmError } from '#protocol/errors';
import type { Problem } from '../cluster/types.ts';

/** A TswarmError whose HTTP status differs from the table's, because Docker's clients expect that one. */
export class EngineError extends TswarmError {
  readonly httpStatus: number;

  constructor(code: ErrorCode, httpStatus: number, message: string) {
    super(code, message);
    this.name = 'EngineError';
    this.httpStatus = httpStatus;
  }
}

/** Code of anything thrown; what is not ours is `internal`. */
export function codeOf(error: unknown): ErrorCode {
  const code =
    typeof error === 'object' && error !== null ? (error as { code?: unknown }).code : undefined;
  return typeof code === 'string' && Object.hasOwn(ERROR_CODES, code)
    ? (code as ErrorCode)
    : 'internal';
}

/** HTTP status of anything thrown. */
export function statusOf(error: unknown): number {
  if (error instanceof EngineError) return error.httpStatus;
  return ERROR_CODES[codeOf(error)].http;
}

/** What an engine route answers: the message, and what to do about it as a second sentence. */
export function engineErrorText(error: unknown): string {
  if (codeOf(error) === 'out_of_sequence') {
    // Clients look for this very text before they read again and retry.
    return 'rpc error: code = Unknown desc = update out of sequence';
  }
  const message = messageOf(error);
  const hint = (error as { hint?: unknown } | null)?.hint;
  if (typeof hint !== 'string' || hint === '') return message;
  return `${message}${/[.!?]$/.test(message) ? '' : '.'} ${hint}`;
}

const TITLES: Readonly<Partial<Record<ErrorCode, string>>> = {
  invalid_argument: 'The request is not valid',
  not_found: 'There is no such object',
  already_exists: 'The name is taken',
  failed_precondition: 'Not possible in the present state',
  out_of_sequence: 'The object was changed in the meantime',
  conflict: 'The request conflicts with the present state',
  unavailable: 'The cluster cannot be reached',
  no_leader: 'The cluster has no leader',
  no_cluster: 'This node is in no cluster',
  not_supported: 'Not supported',
  locked: 'The cluster is locked',
  internal: 'Internal error',
};

/** The problem+json body of anything thrown. */
export function problemOf(error: unknown): Problem {
  const code = codeOf(error);
  const field = (error as { field?: unknown } | null)?.field;
  const hint = (error as { hint?: unknown } | null)?.hint;
  return {
    type: `urn:tswarm:error:${code}`,
    title: TITLES[code] ?? code.replaceAll('_', ' '),
    status: statusOf(error),
    code,
    detail: messageOf(error),
    ...(typeof field === 'string' && field !== '' ? { field } : {}),
    ...(typeof hint === 'string' && hint !== '' ? { hint } : {}),
  };
}
