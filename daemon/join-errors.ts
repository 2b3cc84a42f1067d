// Why a join failed, in one sentence with a hint: what TLS and gRPC say is turned into what a person can act on. What the manager itself said is kept.
import { messageOf, TswarmError } from '#protocol/errors';

const CLOCK = /certificate (?:is not yet valid|has expired)|CERT_(?:NOT_YET_VALID|HAS_EXPIRED)/i;

/** `address`: the manager that was asked; `nowMs`: this host's clock. */
export function explainJoinFailure(error: unknown, address: string, nowMs: number): unknown {
  if (!(error instanceof TswarmError) || !error.retryable) return error;
  const text = messageOf(error);
  if (CLOCK.test(text)) {
    const now = new Date(nowMs).toISOString();
    return new TswarmError(
      'failed_precondition',
      `the manager's certificate is not valid at this host's time (${now}): the clocks of this host and of ${address} differ`,
      { hint: 'Set both clocks (timedatectl, chrony), then join again.', cause: error },
    );
  }
  // A refusal of the manager's own that may pass, such as an election.
  if (error.code !== 'unavailable' && error.code !== 'deadline_exceeded') return error;
  return new TswarmError(
    'unavailable',
    `${address} was reached, but does not answer as a manager: ${shortened(text)}`,
    {
      hint: 'Check that it is the control address of a manager (tswarm join-token worker shows it).',
      retryable: true,
      cause: error,
    },
  );
}

/** What gRPC and OpenSSL say, less the frame around it and what follows the first line. */
function shortened(text: string): string {
  const [line = ''] = text.split('\n');
  const reason = line
    .replace(/^.*Last error: (?:Error: )?/, '')
    .replace(/ Resolution note: *$/, '');
  const alert = /SSL routines:[^:]*:([^:]+)/.exec(reason)?.[1];
  return alert ?? reason;
}
