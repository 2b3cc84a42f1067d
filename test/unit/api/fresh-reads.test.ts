// Goal: an answer from the cache shows what was acknowledged before it was asked for, whoever acknowledged it, or says that nobody could confirm that; requests share the proofs,
// but never one that began before them.
import { describe, expect, it } from 'vitest';
import { FreshReads } from '#api/cache/fresh-reads';
import type { ControlClient } from '#api/control';
import type { Reply } from '#api/http/reply';
import { Service } from '#protocol/generated/objects';
import { ServiceSpec } from '#protocol/generated/specs';
import { FakeManager, fakeNode } from './fakes.ts';

const LIST = 'GET /services';

/** Headers of one answer. */
function replyOf(headers: Map<string, string>): Reply {
  return { header: (name: string, value: string) => headers.set(name, value) } as unknown as Reply;
}

function service(name: string): { service: Service } {
  const spec = ServiceSpec.create({ name });
  return { service: Service.create({ id: name.padEnd(25, 'x'), spec }) };
}

async function atManager(): Promise<{
  manager: FakeManager;
  fresh: FreshReads;
  read: (route?: string) => Promise<{ names: string[]; headers: Map<string, string> }>;
  end: () => Promise<void>;
}> {
  const manager = new FakeManager();
  const session = (await fakeNode(manager)).session();
  if (!session) throw new Error('no session');
  const fresh = new FreshReads();
  return {
    manager,
    fresh,
    read: async (route = LIST) => {
      const headers = new Map<string, string>();
      await fresh.confirm(session, route, replyOf(headers));
      const names = [...session.cache.all('service')].map(({ spec }) => spec?.name ?? '');
      return { names, headers };
    },
    end: async () => {
      const ended = session.cache.stop();
      manager.breakStreams();
      await ended;
    },
  };
}

describe('a read of the cache', () => {
  it('shows what another manager has acknowledged, though the cache has not heard of it yet', async () => {
    const { manager, read, end } = await atManager();
    for (let i = 0; i < 5; i++) {
      manager.put(service(`s${i}`)); // Watchers hear of it 10 ms later.
      const { names, headers } = await read();
      expect(names).toContain(`s${i}`);
      expect(headers.size).toBe(0);
    }
    await end();
  });

  it('is answered from what is known when no leader confirms it, and says so', async () => {
    const { manager, read, end } = await atManager();
    manager.isLeaderless = true;
    const { headers } = await read();
    expect([...headers]).toEqual([['X-Tswarm-Unconfirmed', 'true']]);
    manager.isLeaderless = false;
    expect((await read()).headers.size).toBe(0);
    await end();
  });

  it('is confirmed for whatever looks names up, not for what has nothing to do with the cluster', async () => {
    const { manager, read, end } = await atManager();
    manager.isLeaderless = true;
    const isAsked = async (route: string): Promise<boolean> => (await read(route)).headers.size > 0;
    for (const route of [
      'GET /services/{id}',
      'POST /services/{id}/update',
      'DELETE /networks/{id}',
      'GET /swarm',
      'GET /tswarm/v1/stacks',
      'POST /tswarm/v1/stacks/{name}/deploy',
      'GET /tswarm/v1/credentials',
    ]) {
      expect(await isAsked(route), route).toBe(true);
    }
    for (const route of [
      'POST /services/create',
      'GET /containers/json',
      'POST /swarm/leave',
      'GET /tswarm/v1/cluster',
      'GET /tswarm/v1/events',
      'GET /_ping',
    ]) {
      expect(await isAsked(route), route).toBe(false);
    }
    await end();
  });
});

describe('requests that come together', () => {
  it('share one proof, but not one that had begun before they came', async () => {
    const pending: ((answer: { index: number }) => void)[] = [];
    const control = {
      readIndex: () => new Promise((resolve) => pending.push(resolve)),
    } as unknown as ControlClient;
    const { manager } = await atManager();
    const session = (await fakeNode(manager)).session();
    if (!session) throw new Error('no session');
    const fresh = new FreshReads();
    let done = 0;
    const read = async (): Promise<void> => {
      await fresh.confirm({ control, cache: session.cache }, LIST, replyOf(new Map()));
      done++;
    };
    const first = read();
    const others = [read(), read(), read()];
    await Promise.resolve();
    expect(pending).toHaveLength(1);
    pending[0]?.({ index: 1 });
    await first;
    expect(done).toBe(1);
    while (pending.length < 2) await new Promise((resolve) => setImmediate(resolve));
    pending[1]?.({ index: 1 });
    await Promise.all(others);
    expect(pending).toHaveLength(2);
    manager.breakStreams();
    await session.cache.stop();
  });
});
