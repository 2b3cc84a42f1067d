// Goal: changes are pipelined, committed in order, computed again when their ground moved, and
// reported as failed or unknown when they are; the controllers recover from all of it. Method: a
// Raft member under the test's control.
import { describe, expect, it } from 'vitest';
import { ControllersLoop } from '#manager/host/controllers';
import { ReplicatedStore } from '#manager/host/replicated-store';
import { Store } from '#manager/store/store';
import type { StoreChange, WriteView } from '#manager/store/view';
import { TswarmError } from '#protocol/errors';
import { createLog } from '#protocol/transport/node-world';
import { network, service, testRandom } from '../support/objects.ts';
import { TestRaft } from '../support/test-raft.ts';

const ADMIN = { author: 'admin', summary: '' };
const timedOut = new TswarmError('deadline_exceeded', 'not confirmed in time');

function setup() {
  const raft = new TestRaft();
  let now = 1;
  const lines: string[] = [];
  const log = createLog({ level: 'debug', format: 'text', write: (line) => lines.push(line) });
  const replicated = new ReplicatedStore({
    raft,
    random: testRandom(3),
    log,
    nowMicros: () => now++,
  });
  replicated.setLeading(true);
  const create = (id: string, name = id) =>
    replicated.update(ADMIN, (tx) => tx.create('network', network(id, name)));
  const names = () => [...replicated.view.list('network')].map((n) => n.id);
  return { raft, replicated, create, names, log, lines };
}

describe('the replicated store', () => {
  it('pipelines: many changes in flight, each seeing those before it, all committed in order', async () => {
    const { raft, replicated, create, names } = setup();
    raft.isHeld = true;
    const all = Array.from({ length: 20 }, (_, i) => create(`n${String(i).padStart(2, '0')}`));
    const seen = replicated.update(ADMIN, (tx) => {
      const count = [...tx.list('network')].length;
      tx.create('network', network('last'));
      return count;
    });
    const again = create('again', 'n00');
    const refused = expect(again).rejects.toMatchObject({ code: 'already_exists' });
    expect(raft.waitingCount).toBe(21);
    expect(names()).toEqual([]);
    raft.commit();
    await refused;
    const indexes = (await Promise.all(all)).map(({ index }) => index);
    expect(indexes).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
    expect((await seen).value).toBe(20);
    expect(replicated.store.pendingCount).toBe(0);
  });

  it('answers with the committed object, and with the present index when nothing changes', async () => {
    const { create, replicated } = setup();
    const { changes, index } = await create('n1');
    expect(changes[0]?.after?.meta?.version).toEqual({ index });
    const nothing = await replicated.update(ADMIN, (tx) => tx.byName('network', 'n1')?.id);
    expect(nothing).toEqual({ value: 'n1', index, changes: [] });
  });

  it('says firmly that there is nothing to change, or no, only as a leader that a quorum has confirmed', async () => {
    const { raft, replicated, create } = setup();
    await create('n1');
    const firm = { ...ADMIN, isFirm: true };
    const nothing = (): Promise<unknown> =>
      replicated.update(firm, (tx) => tx.get('network', 'n1'));
    const refused = (): Promise<unknown> =>
      replicated.update(firm, () => {
        throw new TswarmError('not_found', 'network n2 not found');
      });
    await nothing();
    await expect(refused()).rejects.toMatchObject({ code: 'not_found' });
    expect(raft.reads).toBe(2);
    raft.confirm = () => Promise.reject(new TswarmError('unavailable', 'leadership was lost'));
    await expect(nothing()).rejects.toMatchObject({ code: 'no_leader' });
    await expect(refused()).rejects.toMatchObject({ code: 'no_leader' });
    // It leads again, but others did meanwhile.
    raft.confirm = async () => {
      raft.term++;
    };
    await expect(nothing()).rejects.toMatchObject({ code: 'no_leader' });
    await expect(refused()).rejects.toMatchObject({ code: 'no_leader' });
  });

  it('asks nobody for what it writes, nor for its own passes', async () => {
    const { raft, replicated, create } = setup();
    await create('n1');
    await replicated.update({ ...ADMIN, isFirm: true }, (tx) =>
      tx.create('network', network('n2')),
    );
    await replicated.update(ADMIN, (tx) => tx.get('network', 'n1'));
    expect(raft.reads).toBe(0);
  });

  it('says no for what is only on its way once that is committed, and decides again when it is lost', async () => {
    const { raft, replicated, create } = setup();
    await create('n1');
    raft.isHeld = true;
    const removed = replicated.update(ADMIN, (tx) => tx.remove('network', 'n1'));
    let tries = 0;
    const asked = replicated.update(ADMIN, (tx) => {
      tries++;
      if (!tx.get('network', 'n1')) throw new TswarmError('permission_denied', 'n1 is gone');
      return 'n1 is there';
    });
    await new Promise((resolve) => setImmediate(resolve));
    await Promise.all([
      expect(removed).rejects.toMatchObject({ code: 'deadline_exceeded' }),
      raft.lose(timedOut),
    ]);
    expect(await asked).toMatchObject({ value: 'n1 is there' });
    expect(tries).toBe(2);
  });

  it('has nothing to change only when what it saw is committed', async () => {
    const { raft, replicated, create } = setup();
    raft.isHeld = true;
    const made = create('n1');
    let isAnswered = false;
    const ensure = replicated
      .update(ADMIN, (tx) => {
        if (!tx.get('network', 'n1')) tx.create('network', network('n1'));
      })
      .then(() => {
        isAnswered = true;
      });
    await new Promise((resolve) => setImmediate(resolve));
    expect(isAnswered).toBe(false);
    await Promise.all([
      expect(made).rejects.toMatchObject({ code: 'deadline_exceeded' }),
      raft.lose(timedOut),
    ]);
    await new Promise((resolve) => setImmediate(resolve));
    // Computed again: now there is something to do.
    expect(raft.waitingCount).toBe(1);
    raft.commit();
    await ensure;
    expect(replicated.view.get('network', 'n1')).toBeDefined();
  });

  it('computes a change again that was built on a lost one', async () => {
    const { raft, create, names } = setup();
    raft.isHeld = true;
    const lost = create('lost');
    const built = create('built');
    await Promise.all([
      expect(lost).rejects.toMatchObject({ code: 'deadline_exceeded' }),
      raft.lose(timedOut),
    ]);
    raft.commit();
    await new Promise((resolve) => setImmediate(resolve));
    raft.commit();
    await built;
    expect(names()).toEqual(['built']);
  });

  it('does not lose its way when a change thought lost is committed later', async () => {
    const { raft, create, names, replicated } = setup();
    raft.isHeld = true;
    const late = create('late', 'front');
    const losing = expect(late).rejects.toMatchObject({ code: 'deadline_exceeded' });
    await raft.lose(timedOut, true);
    await losing;
    expect(names()).toEqual(['late']);
    await expect(create('other', 'front')).rejects.toMatchObject({ code: 'already_exists' });
    const next = create('next');
    raft.commit();
    await next;
    expect([names(), replicated.store.pendingCount]).toEqual([['late', 'next'], 0]);
  });

  it('takes no changes while it does not lead', async () => {
    const { replicated, create } = setup();
    replicated.setLeading(false);
    await expect(create('n1')).rejects.toMatchObject({ code: 'no_leader', retryable: true });
  });

  it('gives snapshots that restore to the same state, also when it goes on meanwhile', async () => {
    const { raft, create, replicated } = setup();
    for (let i = 0; i < 600; i++) await create(`n${i}`);
    const index = replicated.store.index;
    const taking = raft.snapshot();
    await create('later');
    const copy = new Store();
    copy.restore(await taking, index);
    expect([...copy.view.list('network')].length).toBe(600);
  });
});

describe('the controllers loop', () => {
  const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

  function loop(
    reconcile: (
      tx: WriteView,
      changes: readonly StoreChange[] | 'all',
      passes: number,
    ) => number | undefined,
  ) {
    const parts = setup();
    const passes: (number | 'all')[] = [];
    const memories: object[] = [];
    const controllers = new ControllersLoop({
      replicated: parts.replicated,
      log: parts.log,
      nowMicros: () => Date.now() * 1000,
      controllers: {
        newMemory: () => {
          memories.push({});
          return memories.at(-1) as object;
        },
        reconcile(tx, changes) {
          passes.push(changes === 'all' ? 'all' : changes.length);
          return { wakeAtMicros: reconcile(tx, changes, passes.length) };
        },
      },
    });
    return { ...parts, controllers, passes, memories };
  }

  it('looks at everything first, then at what changed; stops when told', async () => {
    const { controllers, passes, create, raft } = loop(() => undefined);
    controllers.start();
    await expect.poll(() => passes).toEqual(['all']);
    await create('n1');
    await expect.poll(() => passes).toEqual(['all', 1]);
    expect(raft.log.length).toBe(1);
    controllers.stop();
    await create('n2');
    await wait(30);
    expect(passes.length).toBe(2);
  });

  it('sees a burst of changes together', async () => {
    const { controllers, passes, create } = loop(() => undefined);
    controllers.start();
    await expect.poll(() => passes.length).toBe(1);
    await Promise.all(Array.from({ length: 100 }, (_, i) => create(`n${i}`)));
    await wait(50);
    controllers.stop();
    expect(passes.length).toBeLessThan(5);
    expect(passes.slice(1).reduce<number>((sum, n) => sum + Number(n), 0)).toBe(100);
  });

  it('comes back at the time it asked for', async () => {
    const { controllers, passes } = loop((_tx, _changes, count) =>
      count < 3 ? Date.now() * 1000 + 20_000 : undefined,
    );
    controllers.start();
    await wait(200);
    controllers.stop();
    expect(passes).toEqual(['all', 0, 0]);
  });

  it('starts over with a new memory after a lost proposal and after a bug', async () => {
    const { controllers, passes, memories, raft, replicated, lines } = loop(
      (tx, _changes, count) => {
        if (count === 2) throw new Error('a bug in a controller');
        if (!tx.get('service', 's1')) tx.create('service', service('s1'));
        return undefined;
      },
    );
    raft.isHeld = true;
    controllers.start();
    await expect.poll(() => raft.waitingCount).toBe(1);
    await raft.lose(timedOut);
    raft.isHeld = false;
    await expect.poll(() => replicated.view.get('service', 's1')?.id, { timeout: 3000 }).toBe('s1');
    controllers.stop();
    expect(passes.slice(0, 3)).toEqual(['all', 'all', 'all']);
    expect(memories.length).toBe(3);
    expect(lines.join('')).toContain('a bug in a controller');
  });
});
