// The version of tswarm: one text for all programs; and the version of what they say to each other.
import { TswarmError } from './errors.ts';

export const TSWARM_VERSION = '0.1.0';

/**
 * Grows when a node that does not know a change of the messages could not work with one that makes
 * use of it. Fields that may be missing do not count. Nodes of N and N - 1 work together.
 */
export const PROTOCOL_VERSION = 1;

/**
 * Refuses who speaks a newer protocol than this program, and who speaks one that is older than the one
 * before: what is between N and N - 2 was never tried together. 0 is said by programs that did not say
 * it yet, and means 1. `own` is another one in tests. @throws TswarmError not_supported
 */
export function refuseOtherProtocol(
  who: string,
  protocol: number,
  own: number = PROTOCOL_VERSION,
): void {
  const theirs = Math.max(1, protocol);
  if (theirs > own) {
    throw new TswarmError(
      'not_supported',
      `${who} speaks version ${theirs} of the protocol, the managers speak up to ${own}`,
      { hint: `Upgrade the managers (tswarm ${TSWARM_VERSION}) before the other nodes.` },
    );
  }
  if (theirs >= own - 1) return;
  throw new TswarmError(
    'not_supported',
    `${who} speaks version ${theirs} of the protocol, the managers speak ${own - 1} and ${own}`,
    { hint: 'Upgrade it; a cluster is upgraded from one version to the next, none left out.' },
  );
}
