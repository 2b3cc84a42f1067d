// How refusals of the core and failures of the thread read for callers. One place, so that the same
// reason has the same words everywhere.

import { MAX_PROPOSAL_BYTES } from '#manager/raft/limits';
import { NO_NODE, type RaftId, type StepError } from '#manager/raft/types';
import type { ErrorCode } from '#protocol/error-codes';
import { messageOf, TswarmError } from '#protocol/errors';
import type { ThreadError } from './thread-messages.ts';

const RETRYABLE: ReadonlySet<ErrorCode> = new Set([
  'no_leader',
  'unavailable',
  'resource_exhausted',
  'deadline_exceeded',
]);

export function threadError(code: ErrorCode, message: string, hint: string | null): ThreadError {
  return { code, message, hint };
}

/** The disk itself, or somebody's share of it. */
const FULL: ReadonlySet<unknown> = new Set(['ENOSPC', 'EDQUOT']);

/** Whether there was no room for a write. */
export function isDiskFull(error: unknown): boolean {
  return FULL.has((error as { readonly code?: unknown } | null)?.code);
}

/** Anything thrown, in a form that can cross threads. */
export function toThreadError(error: unknown): ThreadError {
  if (error instanceof TswarmError) {
    return { code: error.code, message: error.message, hint: error.hint ?? null };
  }
  if (isDiskFull(error)) {
    return threadError('no_space', messageOf(error), 'free some space; it goes on by itself then');
  }
  return { code: 'internal', message: messageOf(error), hint: null };
}

/** The error that a caller gets. */
export function fromThreadError({ code, message, hint }: ThreadError): TswarmError {
  const retryable = RETRYABLE.has(code);
  return new TswarmError(code, message, hint === null ? { retryable } : { retryable, hint });
}

/** A membership change that cannot be made. */
export function refusedChange(message: string, hint: string | null = null): ThreadError {
  return threadError('failed_precondition', message, hint);
}

/** Why the core did not take a proposal or a read. */
export function refusalOf(reason: StepError, leaderId: RaftId): ThreadError {
  switch (reason) {
    case 'too_large':
      return threadError(
        'too_large',
        `the change is larger than ${MAX_PROPOSAL_BYTES} bytes`,
        'split it into smaller changes',
      );
    case 'uncommitted_limit':
      return threadError(
        'resource_exhausted',
        'too many changes are waiting to be committed',
        'try again in a moment',
      );
    case 'conf_change_refused':
      return threadError(
        'failed_precondition',
        'another membership change is not finished, or this one is not possible now',
        'wait until it is finished and try again',
      );
    default:
      return threadError(
        'no_leader',
        leaderId === NO_NODE
          ? 'the managers have no leader at the moment: too few of them may be online'
          : `this manager does not lead; the leader is member ${leaderId}`,
        'try again at the leader',
      );
  }
}
