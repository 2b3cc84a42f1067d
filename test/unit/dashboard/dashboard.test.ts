// The dashboard's head: state from the stream of changes, what is wrong now, search, words. Its pages are tried in a browser (test/e2e/dashboard.test.ts).
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ChangeBatch } from '#api/cluster/feed-types';
import { search } from '#dashboard/find';
import { Findings, findings } from '#dashboard/findings';
import { age, cpus, imageDigest, imageName, plural, portText, size } from '#dashboard/format';
import { ClusterState, capacityOf } from '#dashboard/state';
import { isAlive, isWanted, reasonOf } from '#dashboard/task-words';
import { node, service, snapshot, task } from './rows.ts';

function stateOf(partial: Parameters<typeof snapshot>[0]): ClusterState {
  const state = new ClusterState();
  state.reset(snapshot(partial));
  return state;
}

const texts = (partial: Parameters<typeof snapshot>[0]): string[] =>
  findings(stateOf(partial)).map(({ severity, text }) => `${severity}: ${text}`);

describe('state', () => {
  it('follows changes, and forgets everything at a snapshot', () => {
    const state = stateOf({ task: [task({ id: 't1' })] });
    state.apply(8, [
      { kind: 'task', action: 'create', id: 't2', row: task({ id: 't2', nodeId: 'n2' }) },
      { kind: 'task', action: 'update', id: 't1', row: task({ id: 't1', nodeId: 'n2' }) },
    ]);
    expect(state.tasksOfNode('n1')).toEqual([]);
    expect(state.tasksOfNode('n2').map(({ id }) => id)).toEqual(['t2', 't1']);
    state.apply(9, [{ kind: 'task', action: 'remove', id: 't2', row: null }]);
    expect(state.tasksOfService('s1').map(({ id }) => id)).toEqual(['t1']);
    expect(state.index).toBe(9);
    const before = state.revision;
    state.reset(snapshot({ service: [service({ id: 's9' })] }));
    expect(state.tasksOfNode('n2')).toEqual([]);
    expect(state.all('service').map(({ id }) => id)).toEqual(['s9']);
    expect(state.revision).toBeGreaterThan(before);
  });

  it('counts what living tasks have reserved', () => {
    const one = node({ id: 'n1' });
    const state = stateOf({
      node: [one],
      task: [
        task({ id: 't1', nanoCpus: 5e8, memoryBytes: 100 }),
        task({ id: 't2', nanoCpus: 5e8, memoryBytes: 100, state: 'failed', desired: 'shutdown' }),
      ],
    });
    expect(capacityOf(state, one)).toMatchObject({
      nanoCpusReserved: 5e8,
      memoryBytesReserved: 100,
      tasks: 1,
    });
  });

  it('says why a task does not run', () => {
    expect(reasonOf(task({ id: 't' }))).toBe('');
    expect(reasonOf(task({ id: 't', health: 'unhealthy' }))).toBe('its health check fails');
    expect(reasonOf(task({ id: 't', state: 'pending', waitingFor: 'no node' }))).toBe('no node');
    expect(reasonOf(task({ id: 't', state: 'failed', err: 'exit 3' }))).toBe('exit 3');
    expect(isAlive(task({ id: 't', state: 'pending' }))).toBe(true);
    expect(isWanted(task({ id: 't', desired: 'shutdown' }))).toBe(false);
  });
});

describe('what is wrong now', () => {
  it('is nothing on a healthy cluster', () => {
    const manager = node({ id: 'm1', role: 'manager', reachability: 'reachable', isLeader: true });
    expect(texts({ node: [manager], service: [service({ id: 's1' })] })).toEqual([]);
  });

  it('says how many managers may still fail', () => {
    const managers = (...reach: string[]): string[] =>
      texts({
        node: reach.map((reachability, i) => node({ id: `m${i}`, role: 'manager', reachability })),
      });
    const yes = 'reachable';
    const no = 'unreachable';
    expect(managers(yes, yes, no)[0]).toMatch(/^bad: 1 manager of 3 .*m2\. None more may fail\.$/);
    expect(managers(yes, yes, yes, yes, no)[0]).toMatch(/^warn: .* 1 more may fail\.$/);
    expect(managers(yes, no, no)[0]).toMatch(/^bad: .* Nothing can be changed until/);
    expect(managers(yes, yes)[0]).toMatch(/^warn: Two managers are no safer than one/);
  });

  it('puts the worst first, and names reasons', () => {
    const update = {
      state: 'paused',
      message: 'task t failed',
      startedAt: '',
      completedAt: '',
      updated: 1,
      failed: 1,
      total: 3,
    };
    expect(
      texts({
        node: [
          node({ id: 'full', nanoCpus: 1e9 }),
          node({ id: 'gone', state: 'down', message: 'no heartbeat' }),
        ],
        service: [
          service({ id: 's1', name: 'web', running: 1, desired: 3 }),
          service({ id: 's2', name: 'api', update }),
        ],
        task: [
          task({ id: 't1', nodeId: 'full', nanoCpus: 95e7 }),
          task({ id: 't2', nodeId: '', state: 'pending', waitingFor: 'no suitable node' }),
        ],
      }),
    ).toEqual([
      'bad: Node gone is down: no heartbeat',
      'bad: Service api: its update is halted. task t failed',
      'warn: Node full is nearly full: processors reserved',
      'warn: Service web: 1 of 3 running: no suitable node',
    ]);
  });

  it('leaves alone what is on its way, and jobs that have ended', () => {
    const update = {
      state: 'updating',
      message: '',
      startedAt: '',
      completedAt: '',
      updated: 0,
      failed: 0,
      total: 3,
    };
    const moving = service({ id: 's1', running: 2, desired: 3, update });
    const job = service({ id: 's2', mode: 'replicated-job', running: 0, completed: 1 });
    expect(texts({ service: [moving, job] })).toEqual([]);
  });

  it('leaves alone tasks that have ended well and are not started again', () => {
    const done = service({ id: 's1', running: 0, desired: 1, completed: 1 });
    expect(texts({ service: [done] })).toEqual([]);
    const half = service({ id: 's1', name: 'web', running: 0, desired: 2, completed: 1 });
    expect(texts({ service: [half] })).toEqual(['bad: Service web: 0 of 2 running']);
  });
});

describe('what is kept over changes', () => {
  const STATES = ['pending', 'running', 'failed', 'shutdown'] as const;

  it('is what looking at everything says, after any changes', () => {
    const id = (kind: string): fc.Arbitrary<string> =>
      fc.constantFrom('1', '2', '3').map((n) => kind + n);
    const rowOf = fc.oneof(
      fc
        .record({
          id: id('t'),
          serviceId: id('s'),
          nodeId: fc.oneof(id('n'), fc.constant('')),
          state: fc.constantFrom(...STATES),
          desired: fc.constantFrom('running', 'shutdown'),
          health: fc.constantFrom('', 'healthy', 'unhealthy'),
          nanoCpus: fc.constantFrom(0, 5e8, 2e9),
          waitingFor: fc.constantFrom('', 'no suitable node'),
        })
        .map((row) => ({ kind: 'task' as const, id: row.id, row: task(row) })),
      fc
        .record({
          id: id('s'),
          running: fc.nat(2),
          desired: fc.nat(2),
          updatedAt: fc.constantFrom('1', '2'),
        })
        .map((row) => ({ kind: 'service' as const, id: row.id, row: service(row) })),
      fc
        .record({
          id: id('n'),
          name: fc.constantFrom('a', 'b'),
          state: fc.constantFrom('ready', 'down'),
          role: fc.constantFrom('manager' as const, 'worker' as const),
          reachability: fc.constantFrom('reachable', 'unreachable'),
        })
        .map((row) => ({ kind: 'node' as const, id: row.id, row: node(row) })),
    );
    const change = fc.tuple(rowOf, fc.boolean()).map(([{ kind, id, row }, isGone]) => ({
      kind,
      id,
      row: isGone ? null : row,
      action: 'update',
    }));
    fc.assert(
      fc.property(fc.array(change, { maxLength: 40 }), (changes) => {
        const state = stateOf({});
        const kept = new Findings();
        for (const [at, one] of changes.entries()) {
          state.apply(at, [one] as unknown as ChangeBatch);
          const shown = kept.update(state, state.takeTouched());
          expect(shown).toEqual(findings(state));
          // Asked for now, so that it is kept.
          for (const { id } of state.all('service')) state.wantedOfService(id);
          for (const { id } of state.all('node')) state.aliveOnNode(id);
        }
        for (const { id } of state.all('service')) {
          const tasks = state.all('task').filter(({ serviceId }) => serviceId === id);
          const ids = (wanted: boolean): string[] =>
            tasks
              .filter((one) => isWanted(one) === wanted)
              .map((one) => one.id)
              .sort();
          expect([...state.wantedOfService(id)].sort()).toEqual(ids(true));
          expect([...state.pastOfService(id)].sort()).toEqual(ids(false));
        }
        const alive = state.all('task').filter(isAlive);
        expect(state.aliveTasks).toBe(alive.length);
        let reserved = 0;
        for (const one of state.all('node')) {
          const here = alive.filter(({ nodeId }) => nodeId === one.id);
          expect([...state.aliveOnNode(one.id)].sort()).toEqual(here.map((row) => row.id).sort());
          const sum = here.reduce((total, row) => total + row.nanoCpus, 0);
          expect(capacityOf(state, one).nanoCpusReserved).toBe(sum);
          if (one.state === 'ready') reserved += sum;
        }
        expect(state.ready.nanoCpusReserved).toBe(reserved);
        const names = state
          .all('node')
          .map(({ name }) => name)
          .sort();
        expect(state.named('node').map((nodeId) => state.get('node', nodeId)?.name)).toEqual(names);
      }),
      { numRuns: 300 },
    );
  });

  it('names the topics that a change touches, and no others', () => {
    const state = stateOf({ task: [task({ id: 't1' })], service: [service({ id: 's1' })] });
    state.takeTouched();
    state.apply(8, [
      { kind: 'task', action: 'update', id: 't1', row: task({ id: 't1', state: 'failed' }) },
    ]);
    expect([...state.takeTouched()].sort()).toEqual([
      'any',
      'node:n1',
      'service:s1',
      'task',
      'task:t1',
    ]);
    state.apply(9, [{ kind: 'node', action: 'create', id: 'n1', row: node({ id: 'n1' }) }]);
    expect([...state.takeTouched()].sort()).toEqual(['any', 'node', 'node:n1', 'nodes']);
  });
});

describe('search', () => {
  const state = stateOf({
    node: [node({ id: 'n1', name: 'web-host' })],
    service: [service({ id: 's1', name: 'shop_web' }), service({ id: 's2', name: 'web' })],
    task: [
      task({ id: 'abcdef', name: 'web.1.abcdef' }),
      task({ id: 'old', name: 'web.1.old', state: 'shutdown' }),
    ],
  });

  it('finds names that begin with the text first, then those that contain it', () => {
    expect(search(state, 'WEB').map(({ name }) => name)).toEqual([
      'web',
      'web-host',
      'web.1.abcdef',
      'shop_web',
    ]);
  });

  it('finds ids by their beginning, and nothing for nothing', () => {
    expect(search(state, 'abcd')).toEqual([
      { kind: 'task', name: 'web.1.abcdef', link: '#/tasks/abcdef' },
    ]);
    expect(search(state, '  ')).toEqual([]);
  });
});

describe('words', () => {
  it('are short', () => {
    const now = Date.parse('2026-01-01T12:00:00Z');
    expect(age('2026-01-01T11:59:30Z', now)).toBe('30 s');
    expect(age('2026-01-01T10:30:00Z', now)).toBe('1 h');
    expect(age('2025-12-30T11:00:00Z', now)).toBe('2 d');
    expect(age('', now)).toBe('');
    expect(plural(1, 'node')).toBe('1 node');
    expect(plural(0, 'node')).toBe('0 nodes');
    expect(size(1536)).toBe('1.5 KiB');
    expect(size(512)).toBe('512 B');
    expect(cpus(15e8)).toBe('1.5');
    expect(portText({ published: 8080, target: 80, protocol: 'tcp' })).toBe('8080→80/tcp');
    const pinned = `app:1@sha256:${'0123456789ab'.repeat(5)}cdef`;
    expect([imageName(pinned), imageDigest(pinned)]).toEqual(['app:1', '0123456789ab']);
  });
});
