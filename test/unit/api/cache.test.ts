// The watch cache: snapshots swapped in whole, changes applied in order, reconnecting, waiting for an index, what it leaves out, and looking objects up.

import { describe, expect, it } from 'vitest';
import { lookup } from '#api/cache/lookup';
import { type CacheNotice, ObjectCache } from '#api/cache/object-cache';
import type { ControlClient } from '#api/control';
import { ObjectUnion, WatchAction, type WatchMessage } from '#protocol/generated/control';
import { Config, Service, Stack, Task } from '#protocol/generated/objects';
import { ConfigSpec, ServiceSpec, StackSpec } from '#protocol/generated/specs';
import { FakeManager, silentLog } from './fakes.ts';

function emptyCache(): ObjectCache {
  return new ObjectCache(() => ({}) as ControlClient, silentLog);
}

function message(partial: Partial<WatchMessage>): WatchMessage {
  return { index: 0, events: [], snapshotBegin: false, snapshotEnd: false, ...partial };
}

function event(action: WatchAction, object: Partial<ObjectUnion>): WatchMessage['events'][number] {
  return { action, object: ObjectUnion.create(object), oldObject: undefined };
}

function service(id: string, name = id): Service {
  return Service.create({ id, spec: ServiceSpec.create({ name }) });
}

describe('object cache', () => {
  it('shows a snapshot only when it is complete, and drops what is not in it', () => {
    const cache = emptyCache();
    const snapshot = (ids: readonly string[], index: number): void => {
      cache.apply(message({ snapshotBegin: true }));
      for (const id of ids) {
        cache.apply(message({ events: [event(WatchAction.SNAPSHOT, { service: service(id) })] }));
        if (index > 5) expect(cache.get('service', 'old')?.id).toBe('old');
      }
      cache.apply(message({ snapshotEnd: true, index }));
    };
    snapshot(['old'], 5);
    expect(cache.isReady).toBe(true);
    snapshot(['new'], 9);
    expect([...cache.all('service')].map((s) => s.id)).toEqual(['new']);
    expect(cache.index).toBe(9);
  });

  it('tells listeners what changed, with the object before', () => {
    const cache = emptyCache();
    const notices: CacheNotice[] = [];
    cache.subscribe((notice) => notices.push(notice));
    cache.apply(message({ snapshotBegin: true, snapshotEnd: true, index: 1 }));
    cache.apply(
      message({ index: 2, events: [event(WatchAction.CREATE, { service: service('a', 'x') })] }),
    );
    cache.apply(
      message({ index: 3, events: [event(WatchAction.UPDATE, { service: service('a', 'y') })] }),
    );
    cache.apply(
      message({ index: 4, events: [event(WatchAction.REMOVE, { service: service('a') })] }),
    );
    cache.apply(
      message({ index: 5, events: [event(WatchAction.REMOVE, { service: service('a') })] }),
    );
    expect(notices.map((n) => [n.reset, ...n.changes.map((c) => c.action)])).toEqual([
      [true],
      [false, 'create'],
      [false, 'update'],
      [false, 'remove'],
    ]);
    expect(notices[2]?.changes[0]?.before?.service?.spec?.name).toBe('x');
    expect(notices[3]?.changes[0]?.object.service?.spec?.name).toBe('y');
    expect(cache.index).toBe(5);
  });

  it('finds the tasks of a service after creation, removal and snapshots', () => {
    const cache = emptyCache();
    const task = (id: string): Task => Task.create({ id, serviceId: 's' });
    cache.apply(message({ snapshotBegin: true }));
    cache.apply(message({ events: [event(WatchAction.SNAPSHOT, { task: task('1') })] }));
    cache.apply(message({ snapshotEnd: true, index: 1 }));
    cache.apply(message({ index: 2, events: [event(WatchAction.CREATE, { task: task('2') })] }));
    expect([...cache.tasksOf('s')].map((t) => t.id)).toEqual(['1', '2']);
    cache.apply(message({ index: 3, events: [event(WatchAction.REMOVE, { task: task('1') })] }));
    expect([...cache.tasksOf('s')].map((t) => t.id)).toEqual(['2']);
  });

  it('holds neither the data of configs nor the projects of stacks', () => {
    const cache = emptyCache();
    const data = new Uint8Array(100).fill(1);
    const config = Config.create({ id: 'c', spec: ConfigSpec.create({ name: 'c', data }) });
    const stack = Stack.create({ id: 's', spec: StackSpec.create({ name: 's', project: data }) });
    const events = [event(WatchAction.CREATE, { config }), event(WatchAction.CREATE, { stack })];
    cache.apply(message({ index: 1, events }));
    expect(cache.get('config', 'c')?.spec?.data.length).toBe(0);
    expect(cache.get('stack', 's')?.spec?.project.length).toBe(0);
    expect(cache.get('config', 'c')?.spec?.name).toBe('c');
  });

  it('goes on after its stream broke, and wakes those who wait for an index', async () => {
    const manager = new FakeManager();
    const cache = new ObjectCache(() => manager.client(), silentLog);
    cache.start();
    while (!cache.isReady) await new Promise((resolve) => setTimeout(resolve, 1));
    manager.breakStreams();
    manager.put({ service: service('late') });
    await cache.reached(manager.index);
    expect(cache.get('service', 'late')?.id).toBe('late');
    manager.breakStreams();
    await cache.stop();
  });
});

describe('lookup', () => {
  const cache = emptyCache();
  for (const [id, name] of [
    ['abc1', 'web'],
    ['abd2', 'db'],
    ['web9', 'other'],
  ] as const) {
    cache.apply(
      message({ index: 1, events: [event(WatchAction.CREATE, { service: service(id, name) })] }),
    );
  }

  it.each([
    ['abc1', 'abc1'],
    ['db', 'abd2'],
    ['abc', 'abc1'],
    ['web', 'abc1'],
    ['web9', 'web9'],
  ])('finds %s', (text, id) => {
    expect(lookup(cache, 'service', text).id).toBe(id);
  });

  it('refuses what fits nothing or several', () => {
    expect(() => lookup(cache, 'service', 'nope')).toThrow('service nope not found');
    expect(() => lookup(cache, 'service', 'ab')).toThrow(
      'service ab is ambiguous (2 matches found)',
    );
    expect(() => lookup(cache, 'service', '')).toThrow('not found');
  });
});
