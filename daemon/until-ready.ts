// The wait of init: until the cache is filled and the manager has this node as ready, so that the first task can be placed.
import { messageOf, TswarmError } from '#protocol/errors';
import { NodeState } from '#protocol/generated/objects';
import type { Clock } from '#protocol/world';
import { CLUSTER_READY_TIMEOUT_MS } from './limits.ts';
import type { LocalManager } from './local-manager.ts';

const WAIT_STEP_MS = 20;

/** `member.sessionError`: why the worker was last refused a session; undefined = it was not. */
export async function untilReady(
  manager: () => Pick<LocalManager, 'link'> | undefined,
  nodeId: string,
  member: { readonly sessionError: unknown },
  clock: Clock,
): Promise<void> {
  const deadline = clock.monotonicMs() + CLUSTER_READY_TIMEOUT_MS;
  for (;;) {
    const cache = manager()?.link?.cache;
    const node = cache?.isReady ? cache.get('node', nodeId) : undefined;
    if (node?.status?.state === NodeState.READY) return;
    if (clock.monotonicMs() > deadline) {
      const refusal = member.sessionError;
      const why = refusal === undefined ? '' : `: ${messageOf(refusal)}`;
      const what = cache?.isReady
        ? `the worker has no session${why}`
        : 'the manager does not answer';
      throw new TswarmError('deadline_exceeded', `the new cluster did not get ready: ${what}`, {
        hint: 'The log of tswarmd says more.',
      });
    }
    await new Promise((resolve) => setTimeout(resolve, WAIT_STEP_MS));
  }
}
