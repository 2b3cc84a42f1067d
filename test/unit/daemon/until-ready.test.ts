// Goal: an init that does not come to an end says why the worker was refused. Method: a manager without a node, a clock that is past the deadline at its
// second look.
import { expect, it } from 'vitest';
import { CLUSTER_READY_TIMEOUT_MS } from '#daemon/limits';
import { untilReady } from '#daemon/until-ready';
import { TswarmError } from '#protocol/errors';
import type { Clock } from '#protocol/world';

const link = { cache: { isReady: true, get: () => undefined } };

function late(): Clock {
  let nowMs = 0;
  return { monotonicMs: () => (nowMs += CLUSTER_READY_TIMEOUT_MS + 1) } as unknown as Clock;
}

it.each([
  [
    link,
    new TswarmError('no_space', 'the disk is nearly full'),
    /session: the disk is nearly full$/,
  ],
  [link, undefined, /the worker has no session$/],
  [undefined, undefined, /the manager does not answer$/],
])('a cluster that does not get ready names the reason (%#)', async (of, refusal, words) => {
  const manager = (() => of && { link: of }) as unknown as Parameters<typeof untilReady>[0];
  const waited = untilReady(manager, 'n', { sessionError: refusal }, late());
  await expect(waited).rejects.toThrow(words);
});
