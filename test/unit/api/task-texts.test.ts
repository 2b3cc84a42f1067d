// Tasks as text: the same as their JSON, made once per version of a task, and again when a network that they show has changed.
import { describe, expect, it } from 'vitest';
import { ObjectCache } from '#api/cache/object-cache';
import type { ControlClient } from '#api/control';
import { taskJson } from '#api/engine/shapes';
import { TaskTexts } from '#api/engine/task-texts';
import { ObjectUnion, WatchAction } from '#protocol/generated/control';
import { Network, NetworkAttachment, Task } from '#protocol/generated/objects';
import { NetworkSpec } from '#protocol/generated/specs';
import { silentLog } from './fakes.ts';

function cacheWith(...objects: readonly Partial<ObjectUnion>[]): ObjectCache {
  const cache = new ObjectCache(() => ({}) as ControlClient, silentLog);
  const events = objects.map((object) => ({
    action: WatchAction.SNAPSHOT,
    object: ObjectUnion.create(object),
    oldObject: undefined,
  }));
  cache.apply({ index: 1, events, snapshotBegin: true, snapshotEnd: true });
  return cache;
}

const network = (name: string): Network =>
  Network.create({ id: 'n', spec: NetworkSpec.create({ name }) });

const task = Task.create({
  id: 't',
  networkAttachments: [NetworkAttachment.create({ networkId: 'n', addresses: ['10.0.0.2/24'] })],
});

describe('texts of tasks', () => {
  it('are the task as JSON', () => {
    const cache = cacheWith({ network: network('front') }, { task });
    const texts = new TaskTexts();
    expect(JSON.parse(texts.of(cache, task))).toEqual(taskJson(cache, task));
    expect(texts.of(cache, task)).toContain('front');
  });

  it('follow the task and its networks', () => {
    const texts = new TaskTexts();
    const before = texts.of(cacheWith({ network: network('front') }), task);
    const renamed = cacheWith({ network: network('back') });
    expect(texts.of(renamed, task)).toContain('back');
    expect(texts.of(renamed, task)).not.toBe(before);
    expect(texts.of(renamed, Task.create({ ...task, slot: 7 }))).toContain('"Slot":7');
  });
});
