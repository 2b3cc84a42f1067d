// The one error type of tswarm. Match on `code`, never on the text; codes map to HTTP and gRPC statuses in error-codes.ts.
// A message says what failed, which object and field, and what to do next. Refuses to carry secrets.
import type { ErrorCode } from './error-codes.ts';

export interface TswarmErrorOptions {
  readonly cause?: unknown;
  /** Dotted path of the field that is wrong, as the user wrote it. */
  readonly field?: string;
  /** True when the same call may go through later without any change. */
  readonly retryable?: boolean;
  /** What to do next, one sentence. */
  readonly hint?: string;
  /** `host:port` of the manager that can answer the same call: the leader, with `no_leader`. */
  readonly redirect?: string;
}

export class TswarmError extends Error {
  readonly code: ErrorCode;
  readonly field: string | undefined;
  readonly retryable: boolean;
  readonly hint: string | undefined;
  readonly redirect: string | undefined;

  constructor(code: ErrorCode, message: string, options: TswarmErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'TswarmError';
    this.code = code;
    this.field = options.field;
    this.retryable = options.retryable ?? false;
    this.hint = options.hint;
    this.redirect = options.redirect;
  }
}

/** True for an error with this code, also when it came from another thread or module instance. */
export function hasCode(error: unknown, code: ErrorCode): boolean {
  return typeof error === 'object' && error !== null && (error as { code?: unknown }).code === code;
}

/** The text of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Throws when a rule that no input can break is broken: a bug of ours, never a user's fault. */
export function assert(
  condition: unknown,
  message: string,
  values?: Record<string, unknown>,
): asserts condition {
  if (condition) return;
  const shown = values ? ` ${JSON.stringify(values)}` : '';
  throw new Error(`bug: ${message}${shown}`);
}
