// The version of tswarm: one text for all programs; and the version of what they say to each other.
import { TswarmError } from './errors.ts';

export const TSWARM_VERSION = '0.1.0';

/**
 * Grows when a node that does not know a change of the messages could not work with one that makes
 * use of it. Fields that may be missing do not count. Nodes of N and N - 1 work together.
 */
export const PROTOCOL_VERSION = 1;

/** Refuses who speaks a newer protocol than this program. @throws TswarmError not_supported */
export function refuseNewerProtocol(who: string, protocol: number): void {
  if (protocol <= PROTOCOL_VERSION) return;
  throw new TswarmError(
    'not_supported',
    `${who} speaks version ${protocol} of the protocol, the managers speak up to ${PROTOCOL_VERSION}`,
    { hint: `Upgrade the managers (tswarm ${TSWARM_VERSION}) before the other nodes.` },
  );
}
