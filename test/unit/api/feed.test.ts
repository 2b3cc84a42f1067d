// The stream of changes: a snapshot first, then every change once and in order, resumed behind an index without a gap, and a snapshot again where
// the changes are no longer known.
import { describe, expect, it } from 'vitest';
import { ObjectCache } from '#api/cache/object-cache';
import { Feed } from '#api/cluster/feed';
import type { ControlClient } from '#api/control';
import { FEED_NOTICES_KEPT } from '#api/limits';
import { ObjectUnion, WatchAction } from '#protocol/generated/control';
import { Service, Task, TaskState, TaskStatus } from '#protocol/generated/objects';
import { ServiceSpec } from '#protocol/generated/specs';
import { silentLog } from './fakes.ts';

interface Parsed {
  readonly event: string;
  readonly id: number;
  readonly data: unknown;
}

function parse(text: string): Parsed[] {
  return text
    .split('\n\n')
    .filter((block) => block !== '')
    .map((block) => {
      const fields = Object.fromEntries(
        block
          .split('\n')
          .map((line) => [line.slice(0, line.indexOf(': ')), line.slice(line.indexOf(': ') + 2)]),
      );
      return {
        event: fields.event ?? '',
        id: Number(fields.id),
        data: JSON.parse(fields.data ?? ''),
      };
    });
}

function setup() {
  const cache = new ObjectCache(() => ({}) as ControlClient, silentLog);
  let index = 1;
  const begin = (): void =>
    cache.apply({ index, events: [], snapshotBegin: true, snapshotEnd: true });
  const change = (action: WatchAction, object: Partial<ObjectUnion>): number => {
    index++;
    const event = { action, object: ObjectUnion.create(object), oldObject: undefined };
    cache.apply({ index, events: [event], snapshotBegin: false, snapshotEnd: false });
    return index;
  };
  begin();
  return { cache, feed: new Feed(cache), change, begin };
}

const web = Service.create({ id: 's1', spec: ServiceSpec.create({ name: 'web' }) });
const running = Task.create({
  id: 't1',
  serviceId: 's1',
  serviceName: 'web',
  slot: 1,
  desiredState: TaskState.RUNNING,
  status: TaskStatus.create({ state: TaskState.RUNNING }),
});

describe('feed', () => {
  it('gives everything first, then what changes; a task brings the counts of its service along', () => {
    const { feed, change } = setup();
    change(WatchAction.CREATE, { service: web });
    const first = feed.read(undefined);
    const [snapshot] = parse(first.text);
    expect(snapshot).toMatchObject({ event: 'snapshot', id: 2, data: { index: 2 } });
    expect(snapshot?.data).toMatchObject({ service: [{ name: 'web', running: 0 }], task: [] });
    change(WatchAction.CREATE, { task: running });
    const next = feed.read(first.place);
    expect(parse(next.text)).toEqual([
      {
        event: 'change',
        id: 3,
        data: [
          expect.objectContaining({ kind: 'task', action: 'create', id: 't1' }),
          expect.objectContaining({
            kind: 'service',
            id: 's1',
            row: expect.objectContaining({ running: 1, desired: 1 }),
          }),
        ],
      },
    ]);
    expect(feed.read(next.place).text).toBe('');
  });

  it('says that something was removed', () => {
    const { feed, change } = setup();
    change(WatchAction.CREATE, { service: web });
    const { place } = feed.read(undefined);
    change(WatchAction.REMOVE, { service: web });
    expect(parse(feed.read(place).text)[0]?.data).toEqual([
      { kind: 'service', action: 'remove', id: 's1', row: null },
    ]);
  });

  it('goes on behind an index that it still knows', () => {
    const { feed, change } = setup();
    const seen = change(WatchAction.CREATE, { service: web });
    const missed = change(WatchAction.CREATE, { task: running });
    const place = feed.placeAfter(seen);
    expect(parse(feed.read(place).text).map(({ event, id }) => [event, id])).toEqual([
      ['change', missed],
    ]);
    expect(feed.read(feed.placeAfter(missed)).text).toBe('');
    // Of the future, or of another cluster: nobody knows what came between.
    expect(feed.placeAfter(missed + 5)).toBeUndefined();
    expect(feed.placeAfter(0)).toBeUndefined();
  });

  it('starts over for whoever is too far behind, and after the cache did', () => {
    const { feed, change, begin } = setup();
    const first = change(WatchAction.CREATE, { service: web });
    const { place } = feed.read(undefined);
    for (let i = 0; i <= FEED_NOTICES_KEPT; i++) change(WatchAction.UPDATE, { service: web });
    expect(feed.placeAfter(first)).toBeUndefined();
    expect(parse(feed.read(place).text)[0]?.event).toBe('snapshot');
    const now = feed.read(place).place;
    expect(feed.read(now).text).toBe('');
    begin();
    expect(parse(feed.read(now).text)[0]?.event).toBe('snapshot');
  });

  it('wakes whoever waits when something changes, and at an abort', async () => {
    const { feed, change } = setup();
    const { place } = feed.read(undefined);
    const never = new AbortController();
    const changed = feed.changed(place, never.signal, 60_000);
    change(WatchAction.CREATE, { service: web });
    await changed;
    const gone = new AbortController();
    const waiting = feed.changed(feed.read(place).place, gone.signal, 60_000);
    gone.abort();
    await waiting;
  });
});
