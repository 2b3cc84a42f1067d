// The wait of init: until the cache is filled and the manager has this node as ready, so that the first task can be placed.
import { TswarmError } from '#protocol/errors';
import { NodeState } from '#protocol/generated/objects';
import type { Clock } from '#protocol/world';
import { CLUSTER_READY_TIMEOUT_MS } from './limits.ts';
import type { LocalManager } from './local-manager.ts';

const WAIT_STEP_MS = 20;

export async function untilReady(
  manager: () => LocalManager | undefined,
  nodeId: string,
  clock: Clock,
): Promise<void> {
  const deadline = clock.monotonicMs() + CLUSTER_READY_TIMEOUT_MS;
  for (;;) {
    const cache = manager()?.link?.cache;
    const node = cache?.isReady ? cache.get('node', nodeId) : undefined;
    if (node?.status?.state === NodeState.READY) return;
    if (clock.monotonicMs() > deadline) {
      const what = cache?.isReady ? 'the worker has no session' : 'the manager does not answer';
      throw new TswarmError('deadline_exceeded', `the new cluster did not get ready: ${what}`, {
        hint: 'The log of tswarmd says more.',
      });
    }
    await new Promise((resolve) => setTimeout(resolve, WAIT_STEP_MS));
  }
}
