// Goal: a cache that follows the watch always equals the store: snapshot first, no gap when it
// comes back, a new snapshot when it is too late; secrets and keys never leave. Method: a twin that
// applies the messages.
import { describe, expect, it } from 'vitest';
import { watch } from '#manager/control/watch';
import { fromUnion } from '#manager/store/kinds';
import {
  ObjectKind,
  WatchAction,
  type WatchMessage,
  WatchRequest,
} from '#protocol/generated/control';
import { RootCa, Secret } from '#protocol/generated/objects';
import { SecretSpec } from '#protocol/generated/specs';
import { testCluster } from '../support/cluster-state.ts';
import { network, service, task } from '../support/objects.ts';

class Cache {
  readonly objects = new Map<string, unknown>();
  index = 0;
  snapshots = 0;

  take(message: WatchMessage): void {
    if (message.snapshotBegin) {
      this.objects.clear();
      this.snapshots++;
    }
    for (const event of message.events) {
      const found = event.object && fromUnion(event.object);
      if (!found) throw new Error('an event without an object');
      const key = `${found.kind}/${found.object.id}`;
      if (event.action === WatchAction.REMOVE) expect(this.objects.delete(key)).toBe(true);
      else this.objects.set(key, found.object);
    }
    if (message.index > 0) this.index = message.index;
  }
}

function follow(
  store: Parameters<typeof watch>[0],
  request: Partial<WatchRequest> = {},
  cache = new Cache(),
) {
  const controller = new AbortController();
  const ended = (async () => {
    for await (const message of watch(store, WatchRequest.create(request), controller.signal))
      cache.take(message);
  })();
  return {
    cache,
    reached: (index: number) => expect.poll(() => cache.index).toBe(index),
    stop: async () => {
      controller.abort();
      await ended;
    },
  };
}

describe('watch', () => {
  it('gives the state, then every change', async () => {
    const c = testCluster();
    c.run((tx) => tx.create('network', network('n1')));
    const { cache, reached, stop } = follow(c.store, {
      kinds: [ObjectKind.NETWORK, ObjectKind.SERVICE],
    });
    await reached(c.store.index);
    expect([...cache.objects.keys()]).toEqual(['network/n1']);
    c.run((tx) => {
      tx.create('service', service('s1'));
      tx.remove('network', 'n1');
    });
    c.run((tx) => tx.create('task', task('t1', service('s1'))));
    await reached(c.store.index);
    expect([...cache.objects.keys()]).toEqual(['service/s1']);
    expect(cache.objects.get('service/s1')).toEqual(c.store.view.get('service', 's1'));
    expect(cache.snapshots).toBe(1);
    await stop();
  });

  it('goes on without a gap after a pause, or starts over when that was too long', async () => {
    const c = testCluster();
    const first = follow(c.store);
    await first.reached(c.store.index);
    await first.stop();
    for (let i = 0; i < 50; i++) c.run((tx) => tx.create('network', network(`n${i}`)));
    const second = follow(c.store, { from: first.cache.index }, first.cache);
    await second.reached(c.store.index);
    expect(first.cache.objects.size).toBe(51);
    expect(first.cache.snapshots).toBe(1);
    await second.stop();
    for (let round = 0; round < 3; round++) {
      c.run((tx) => {
        for (let i = 0; i < 4000; i++) tx.create('task', task(`t${round}-${i}`, service('s')));
      });
    }
    const third = follow(c.store, { from: first.cache.index }, first.cache);
    await third.reached(c.store.index);
    expect(first.cache.snapshots).toBe(2);
    expect(first.cache.objects.size).toBe(12_051);
    await third.stop();
  });

  it('gives one that lags too far a new snapshot', async () => {
    const c = testCluster();
    const { cache, reached, stop } = follow(c.store);
    await reached(c.store.index);
    for (let i = 0; i < 1100; i++) c.run((tx) => tx.create('network', network(`n${i}`)));
    await reached(c.store.index);
    expect(cache.snapshots).toBe(2);
    expect(cache.objects.size).toBe(1101);
    await stop();
  });

  it('never shows a secret, the root key or the unlock key', async () => {
    const c = testCluster();
    const hidden = new Uint8Array(Buffer.from('hidden'));
    const { cache, reached, stop } = follow(c.store);
    await reached(c.store.index);
    c.run((tx) => {
      tx.create(
        'secret',
        Secret.create({ id: 's1', spec: SecretSpec.create({ name: 's1', data: hidden }) }),
      );
      tx.update('cluster', {
        ...tx.cluster(),
        unlockKey: hidden,
        rootCa: RootCa.create({ caKey: 'hidden', caCert: 'public' }),
      });
    });
    c.run((tx) =>
      tx.update(
        'secret',
        Secret.create({
          id: 's1',
          stack: 'x',
          spec: SecretSpec.create({ name: 's1', data: hidden }),
        }),
      ),
    );
    await reached(c.store.index);
    const text = JSON.stringify([...cache.objects.values()], (_key, value) =>
      value instanceof Uint8Array ? Buffer.from(value).toString() : value,
    );
    expect(text).toContain('public');
    expect(text).not.toContain('hidden');
    await stop();
  });
});
