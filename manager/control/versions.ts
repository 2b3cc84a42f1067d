// The optimistic lock of external updates: who updates must have read the newest version. Swarm
// answers with exactly this text, and clients retry on it.
import { TswarmError } from '#protocol/errors';
import type { Meta } from '#protocol/generated/objects';

/** @throws TswarmError out_of_sequence unless `version` is the object's. */
export function refuseOldVersion(
  object: { readonly meta: Meta | undefined },
  version: number,
): void {
  if (object.meta?.version?.index === version) return;
  throw new TswarmError('out_of_sequence', 'update out of sequence', {
    retryable: true,
    hint: 'Read the object again and apply the change to what it is now.',
  });
}
