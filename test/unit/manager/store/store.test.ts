// Goal: transactions see their own writes and the pending ones before them; committed state,
// stamps, indexes, watch and history are right; a lost proposal takes along those built upon it.
// Method: a store whose log is an array that the test controls.
import { describe, expect, it } from 'vitest';
import type { Proposal } from '#manager/store/store';
import { Store } from '#manager/store/store';
import { PENDING_VERSION } from '#manager/store/transaction';
import type { ObjectTypes, WriteView } from '#manager/store/view';
import { NodeState, NodeStatus, TaskState, TaskStatus } from '#protocol/generated/objects';
import { Mount, MountType } from '#protocol/generated/specs';
import { attach, network, node, service, task, template, testStamp } from '../support/objects.ts';

function harness() {
  const store = new Store();
  const counter = { next: 1 };
  let index = 0;
  const propose = (fn: (tx: WriteView) => void, over = {}): Proposal[] =>
    store.transact(testStamp(counter, over), fn).proposals;
  const commit = (proposals: readonly Proposal[]) =>
    proposals.map((proposal) => store.apply(proposal.bytes, ++index));
  const run = (fn: (tx: WriteView) => void, over = {}) => commit(propose(fn, over));
  return { store, propose, commit, run };
}

describe('transactions', () => {
  it('see their own writes; nothing is committed before apply', () => {
    const { store, propose, commit } = harness();
    const proposals = propose((tx) => {
      tx.create('service', service('s1'));
      expect(tx.get('service', 's1')?.spec?.name).toBe('s1');
      expect(tx.byName('service', 's1')?.id).toBe('s1');
      tx.create('task', task('t1', service('s1'), { nodeId: 'n1' }));
      expect([...tx.tasksByService('s1')].map((t) => t.id)).toEqual(['t1']);
      expect([...tx.tasksByNode('n1')].map((t) => t.id)).toEqual(['t1']);
      tx.remove('task', 't1');
      expect([...tx.tasksByService('s1')]).toEqual([]);
    });
    expect(store.view.get('service', 's1')).toBeUndefined();
    const [applied] = commit(proposals);
    expect(applied?.changes.map((c) => [c.kind, c.id])).toEqual([['service', 's1']]);
    expect(store.view.get('service', 's1')?.meta).toEqual({
      version: { index: 1 },
      createdAt: 1000,
      updatedAt: 1000,
    });
  });

  it('may go on after a creation that was refused: it has left nothing behind', () => {
    const { store, run } = harness();
    run((tx) => tx.create('network', network('n1', 'front')));
    run((tx) => {
      expect(() => tx.create('network', network('n2', 'front'))).toThrow(/network front already/);
      expect(() => tx.create('network', network('n1', 'back'))).toThrow(/network n1 already/);
      expect(tx.get('network', 'n2')).toBeUndefined();
      expect(tx.byName('network', 'back')).toBeUndefined();
      expect(tx.byName('network', 'front')?.id).toBe('n1');
      tx.create('network', network('n3', 'back'));
    });
    expect([...store.view.list('network')].map(({ id }) => id)).toEqual(['n1', 'n3']);
    expect(store.view.byName('network', 'back')?.id).toBe('n3');
  });

  it('fold what is created, removed and created again into one creation, behind what came between', () => {
    const { run } = harness();
    const [applied] = run((tx) => {
      tx.create('network', network('n1', 'front'));
      tx.remove('network', 'n1');
      tx.create('network', network('n2', 'front'));
      tx.update('network', network('n2', 'back'));
      tx.create('network', network('n1', 'front'));
      tx.create('network', network('n3'));
      tx.remove('network', 'n3');
    });
    expect(applied?.accepted).toBe(true);
    expect(applied?.changes.map(({ id }) => id)).toEqual(['n2', 'n1']);
    expect(applied?.changes.every(({ before }) => before === undefined)).toBe(true);
  });

  it('may write while they go through what is there: a list is as it was when it was asked for', () => {
    const { store, run } = harness();
    run((tx) => {
      tx.create('service', service('s1'));
      for (let i = 0; i < 100; i++) tx.create('task', task(`t${100 + i}`, service('s1')));
    });
    const seen: string[] = [];
    run((tx) => {
      tx.create('task', task('t050', service('s1')));
      for (const { id } of tx.tasksByService('s1')) {
        seen.push(id);
        tx.remove('task', id);
        tx.create('task', task(`u${id}`, service('s1')));
      }
      for (const found of tx.list('task')) tx.update('task', { ...found, nodeId: 'n1' });
    });
    expect(seen).toHaveLength(101);
    const tasks = [...store.view.list('task')];
    expect(tasks).toHaveLength(101);
    expect(tasks.every(({ id, nodeId }) => id.startsWith('u') && nodeId === 'n1')).toBe(true);
    expect([...store.view.tasksByNode('n1')]).toHaveLength(101);
  });

  it('leave no trace when the function throws', () => {
    const { store, propose, run } = harness();
    expect(() =>
      propose((tx) => {
        tx.create('service', service('s1'));
        throw new Error('no');
      }),
    ).toThrow('no');
    expect(store.pendingCount).toBe(0);
    run((tx) => expect(tx.get('service', 's1')).toBeUndefined());
  });

  it('refuse a name or id in use and an object that is not there', () => {
    const { run, propose } = harness();
    run((tx) => tx.create('network', network('a', 'front')));
    expect(() => propose((tx) => tx.create('network', network('b', 'front')))).toThrow(
      'network front already exists',
    );
    expect(() => propose((tx) => tx.create('network', network('a', 'x')))).toThrow(
      'already exists',
    );
    expect(() => propose((tx) => tx.update('network', network('z')))).toThrow('not found');
    expect(() => propose((tx) => tx.remove('network', 'z'))).toThrow('not found');
  });

  it('come to nothing when they change nothing', () => {
    const { run, propose } = harness();
    run((tx) => tx.create('service', service('s1')));
    expect(propose((tx) => tx.update('service', service('s1')))).toEqual([]);
    expect(
      propose((tx) => {
        tx.create('network', network('x'));
        tx.remove('network', 'x');
      }),
    ).toEqual([]);
  });

  it('lets names pass from one object to another in any order', () => {
    const { store, run } = harness();
    run((tx) => {
      tx.create('network', network('a', 'x'));
      tx.create('network', network('b', 'y'));
    });
    run((tx) => {
      tx.update('network', network('a', 'tmp'));
      tx.update('network', network('b', 'x'));
      tx.update('network', network('a', 'y'));
    });
    expect(store.view.byName('network', 'x')?.id).toBe('b');
    expect(store.view.byName('network', 'y')?.id).toBe('a');
    expect(store.view.byName('network', 'tmp')).toBeUndefined();
  });

  it('too large ones are refused, or cut when they may be', () => {
    const { store, propose, commit } = harness();
    const big = (tx: WriteView): void => {
      for (let i = 0; i < 40; i++) {
        tx.create('service', service(`s${i}`, { labels: { x: 'y'.repeat(50_000) } }));
      }
    };
    expect(() => propose(big)).toThrow(/bytes, at most 1572864 fit/);
    const proposals = propose(big, { splittable: true });
    expect(proposals.length).toBe(2);
    for (const { bytes } of proposals) expect(bytes.length).toBeLessThan(1.5 * 1024 * 1024);
    commit(proposals);
    expect([...store.view.list('service')].length).toBe(40);
  });
});

describe('versions', () => {
  it('move with every change, but for nodes and services only with the spec', () => {
    const { store, run } = harness();
    run((tx) => tx.create('node', node('n1')));
    run((tx) =>
      tx.update('node', node('n1', { status: NodeStatus.create({ state: NodeState.READY }) })),
    );
    const ready = store.view.get('node', 'n1');
    expect([ready?.meta?.version?.index, ready?.statusIndex, ready?.status?.state]).toEqual([
      1, 2, 2,
    ]);
    expect(ready?.meta?.createdAt).toBe(1000);
    expect(ready?.meta?.updatedAt).toBe(2000);
    run((tx) => tx.create('task', task('t1', service('s1'))));
    run((tx) => tx.update('task', task('t1', service('s1'), { desiredState: TaskState.RUNNING })));
    expect(store.view.get('task', 't1')?.meta?.version?.index).toBe(4);
  });

  it('of an object with a pending change match nothing a reader has seen, until it commits', () => {
    const { store, propose, commit } = harness();
    commit(propose((tx) => tx.create('service', service('s1'))));
    const first = propose((tx) => tx.update('service', service('s1', { labels: { a: '1' } })));
    const second = propose((tx) => tx.create('network', network('x')));
    propose((tx) => {
      expect(tx.get('service', 's1')?.meta?.version?.index).toBe(PENDING_VERSION);
    });
    commit(first);
    propose((tx) => expect(tx.get('service', 's1')?.meta?.version?.index).toBe(2));
    commit(second);
    expect(store.pendingCount).toBe(0);
  });
});

describe('pipelining', () => {
  it('each transaction sees the pending ones', () => {
    const { store, propose, commit } = harness();
    const all = [
      propose((tx) => tx.create('service', service('s1'))),
      propose((tx) => {
        const found = tx.get('service', 's1') as ObjectTypes['service'];
        tx.create('task', task('t1', found));
      }),
      propose((tx) => {
        const found = tx.get('task', 't1') as ObjectTypes['task'];
        tx.update('task', { ...found, nodeId: 'n1' });
      }),
    ];
    expect(store.pendingCount).toBe(3);
    for (const proposals of all) commit(proposals);
    expect(store.view.get('task', 't1')?.nodeId).toBe('n1');
    expect(store.view.get('task', 't1')?.spec).toBe(
      store.view.get('service', 's1')?.spec?.taskTemplate,
    );
  });

  it('one that was cut comes part by part; what was built upon it sees all of it', () => {
    const { store, propose, commit } = harness();
    const follower = new Store();
    const parts = propose(
      (tx) => {
        for (let i = 0; i < 30; i++) {
          tx.create('service', service(`s${i}`, { labels: { x: 'y'.repeat(50_000) } }));
        }
      },
      { splittable: true },
    );
    const upon = propose((tx) => {
      for (const id of ['s0', 's29']) tx.update('service', service(id, { labels: { z: '1' } }));
    });
    const versions = (): (number | undefined)[] =>
      ['s0', 's1', 's29'].map((id) => store.view.get('service', id)?.meta?.version?.index);
    const [first = [], ...rest] = [parts.slice(0, 1), parts.slice(1), upon];
    commit(first);
    expect(versions()).toEqual([1, 1, undefined]);
    for (const proposals of rest) commit(proposals);
    expect(versions()).toEqual([3, 1, 3]);
    [...first, ...rest.flat()].forEach(({ bytes }, i) => void follower.apply(bytes, i + 1));
    const bytesOf = (of: Store): Buffer => Buffer.concat([...of.snapshot()]);
    expect(bytesOf(follower).equals(bytesOf(store))).toBe(true);
  });

  it('a lost proposal takes those built upon it along', () => {
    const { store, propose, commit } = harness();
    propose((tx) => tx.create('service', service('lost')));
    const built = propose((tx) => tx.create('task', task('t1', service('lost'))));
    const [applied] = commit(built);
    expect(applied?.accepted).toBe(false);
    expect(store.pendingCount).toBe(0);
    const [next] = commit(propose((tx) => tx.create('service', service('s2'))));
    expect(next?.accepted).toBe(true);
    expect([...store.view.list('service')].map((s) => s.id)).toEqual(['s2']);
    expect([...store.view.list('task')]).toEqual([]);
  });

  it('a proposal thought lost that commits all the same wins over what was begun after it', () => {
    const { store, propose, commit } = harness();
    const late = propose((tx) => tx.create('network', network('a', 'front')));
    store.dropPending();
    const after = propose((tx) => tx.create('network', network('b', 'front')));
    expect(commit(late)[0]?.accepted).toBe(true);
    expect(commit(after)[0]?.accepted).toBe(false);
    expect(store.view.byName('network', 'front')?.id).toBe('a');
  });
});

describe('reading', () => {
  it('a view stays as it was', () => {
    const { store, run } = harness();
    run((tx) => tx.create('service', service('s1')));
    const before = store.view;
    run((tx) => tx.remove('service', 's1'));
    expect(before.get('service', 's1')?.id).toBe('s1');
    expect(store.view.get('service', 's1')).toBeUndefined();
  });

  it('knows who refers to what', () => {
    const { store, run } = harness();
    const mounts = [
      Mount.create({ type: MountType.VOLUME, source: 'data' }),
      Mount.create({ type: MountType.BIND, source: '/srv' }),
    ];
    const spec = template(
      { networks: [attach('net1')] },
      {
        mounts,
        secrets: [{ secretId: 'sec1', secretName: 'x', file: undefined }],
        configs: [{ configId: 'conf1', configName: 'y', file: undefined }],
      },
    );
    run((tx) => tx.create('service', service('s1', { taskTemplate: spec }, 'shop')));
    const using = (kind: 'secret' | 'config' | 'network' | 'volume', key: string) =>
      [...store.view.servicesUsing(kind, key)].map((s) => s.id);
    expect(using('secret', 'sec1')).toEqual(['s1']);
    expect(using('config', 'conf1')).toEqual(['s1']);
    expect(using('network', 'net1')).toEqual(['s1']);
    expect(using('volume', 'data')).toEqual(['s1']);
    expect(using('volume', '/srv')).toEqual([]);
    expect([...store.view.byStack('service', 'shop')].length).toBe(1);
    run((tx) => tx.update('service', service('s1', {}, 'shop')));
    expect(using('secret', 'sec1')).toEqual([]);
    run((tx) => tx.remove('service', 's1'));
    expect([...store.view.byStack('service', 'shop')]).toEqual([]);
  });

  it('gives changes since an index without a gap, or says that they are gone', () => {
    const { store, run } = harness();
    for (let i = 0; i < 20; i++) run((tx) => tx.create('network', network(`n${i}`)));
    expect(store.changesSince(17)?.map((e) => e.changes[0]?.id)).toEqual(['n17', 'n18', 'n19']);
    expect(store.changesSince(20)).toEqual([]);
    expect(store.changesSince(21)).toBeUndefined();
    run(
      (tx) => {
        for (let i = 0; i < 9000; i++) tx.create('task', task(`t${i}`, service('s')));
      },
      { splittable: true },
    );
    expect(store.changesSince(17)).toBeUndefined();
    expect(store.changesSince(store.index)).toEqual([]);
  });

  it('tells listeners once per entry, and of a restore', () => {
    const { store, run } = harness();
    const seen: (string | number)[] = [];
    const end = store.subscribe((entry) => seen.push(entry === 'reset' ? 'reset' : entry.index));
    run((tx) => {
      tx.create('network', network('a'));
      tx.create('network', network('b'));
    });
    const bytes = Buffer.concat([...store.snapshot()]);
    store.restore(bytes, 7);
    end();
    expect(seen).toEqual([1, 'reset']);
    expect(store.changesSince(1)).toBeUndefined();
    expect(store.changesSince(7)).toEqual([]);
  });

  it('keeps a bounded history of what has a summary', () => {
    const { store, run } = harness();
    run((tx) => tx.create('network', network('quiet')));
    for (let i = 0; i < 1005; i++) {
      run((tx) => tx.create('network', network(`n${i}`)), { summary: `network n${i}: create` });
    }
    expect(store.history.length).toBe(1000);
    expect(store.history.at(-1)).toMatchObject({
      author: 'admin',
      summary: 'network n1004: create',
    });
  });
});

describe('tasks in the log', () => {
  it('do not repeat the spec of their service', () => {
    const { propose, commit } = harness();
    const large = service('s1', { taskTemplate: template({}, { env: ['X='.padEnd(5000, 'x')] }) });
    commit(propose((tx) => tx.create('service', large)));
    const [created] = propose((tx) => tx.create('task', task('t1', large)));
    expect(created?.bytes.length).toBeLessThan(200);
    commit([created as Proposal]);
    const status = TaskStatus.create({ state: TaskState.RUNNING });
    const [updated] = propose((tx) =>
      tx.update('task', { ...(tx.get('task', 't1') as ObjectTypes['task']), status }),
    );
    expect(updated?.bytes.length).toBeLessThan(200);
  });
});
