// Goal: a node is told to stop a task that serves only when no node sends it connections any more. Method: the store, the hub and the drains as the host joins
// them; nodes that acknowledge, lag, die or come back.
import { describe, expect, it } from 'vitest';
import { AssignmentHub } from '#manager/dispatcher/assignment-hub';
import { Drains, lagging, writeAcknowledged } from '#manager/dispatcher/drains';
import type { StoreWriteView } from '#manager/store/state';
import { Store } from '#manager/store/store';
import type { AssignmentsMessage } from '#protocol/generated/dispatcher';
import { Drain, NodeState, NodeStatus, TaskState, TaskStatus } from '#protocol/generated/objects';
import { attach, network, node, service, task, template, testStamp } from '../support/objects.ts';

const web = service('web', { taskTemplate: template({ networks: [attach('net1')] }) });
const other = service('other', { taskTemplate: template({ networks: [attach('net2')] }) });
const READY = NodeStatus.create({ state: NodeState.READY });

function running(id: string, of: typeof web, nodeId: string) {
  return task(id, of, {
    nodeId,
    desiredState: TaskState.RUNNING,
    status: TaskStatus.create({ state: TaskState.RUNNING }),
    networkAttachments: (of.spec?.taskTemplate?.networks ?? []).map((n) => ({
      networkId: n.target,
      addresses: ['10.0.0.5/24'],
      aliases: [],
    })),
  });
}

/** Nodes n1 (the task that is to stop), n2 (on the same network), n3 (on another one). */
class World {
  readonly store = new Store();
  readonly hub = new AssignmentHub();
  readonly drains = new Drains();
  readonly acknowledged = new Map<string, string>();
  readonly #counter = { next: 1 };

  constructor() {
    this.store.subscribe((entry) => {
      if (entry === 'reset') return;
      this.hub.note(entry.changes);
      this.drains.note(entry.changes);
    });
    this.run((tx) => {
      for (const id of ['n1', 'n2', 'n3']) tx.create('node', node(id, { status: READY }));
      tx.create('network', network('net1'));
      tx.create('network', network('net2'));
      tx.create('service', web);
      tx.create('service', other);
      tx.create('task', running('t1', web, 'n1'));
      tx.create('task', running('t2', web, 'n2'));
      tx.create('task', running('t3', other, 'n3'));
    });
  }

  run(fn: (tx: StoreWriteView) => void): void {
    for (const { bytes } of this.store.transact(testStamp(this.#counter), fn).proposals) {
      this.store.apply(bytes, this.store.index + 1);
    }
  }

  connect(nodeId: string, session = 's1') {
    const assignments = this.hub.connect(nodeId, `${session}${nodeId}`);
    let last = '';
    const read = (): AssignmentsMessage | undefined => {
      const message = assignments.next(this.store.view, this.hub.endpoints);
      last = message?.resultsIn ?? last;
      return message;
    };
    const acknowledge = (): void => void this.acknowledged.set(nodeId, last);
    const both = (): void => {
      read();
      acknowledge();
    };
    return { read, acknowledge, both };
  }

  /** As the orchestrator does it. */
  retire(id: string): void {
    this.run((tx) => {
      const found = tx.get('task', id);
      const drain = Drain.create({ startedAt: 1, timeout: 5e9 });
      if (found) tx.update('task', { ...found, desiredState: TaskState.SHUTDOWN, drain });
    });
  }

  get settled(): string[] {
    return this.drains.settled(this.store.view, this.hub, this.acknowledged);
  }

  finish(): void {
    this.run((tx) => writeAcknowledged(tx, this.settled, 77));
  }
}

function taskIn(message: AssignmentsMessage | undefined, id: string) {
  return message?.changes.map((c) => c.assignment?.task).find((t) => t?.id === id);
}

function servingIn(message: AssignmentsMessage | undefined): Record<string, boolean> {
  const endpoints = message?.changes.map((c) => c.assignment?.endpoints).find(Boolean);
  return Object.fromEntries((endpoints?.backends ?? []).map((b) => [b.taskId, b.serving]));
}

describe('draining', () => {
  it('takes a task out of service everywhere before its node is told to stop it', () => {
    const w = new World();
    const [n1, n2, n3] = ['n1', 'n2', 'n3'].map((id) => w.connect(id));
    for (const n of [n1, n2, n3]) n?.both();
    w.retire('t1');
    const toN1 = n1?.read();
    // Its own node goes on: the others still send it connections.
    expect(servingIn(toN1)).toEqual({ t1: true, t2: true });
    expect(taskIn(toN1, 't1')).toBeUndefined();
    expect(w.settled).toEqual([]);
    n1?.acknowledge();
    expect(w.settled).toEqual([]);
    expect(lagging(w.store.view, w.hub, w.acknowledged, 'web')).toEqual(['n2']);
    expect(servingIn(n2?.read())).toEqual({ t1: false, t2: true });
    n2?.acknowledge();
    expect(w.settled).toEqual(['t1']);
    w.finish();
    expect(n2?.read()).toBeUndefined();
    const stop = n1?.read();
    expect(servingIn(stop)).toEqual({ t1: false, t2: true });
    expect(taskIn(stop, 't1')).toMatchObject({
      desiredState: TaskState.SHUTDOWN,
      drain: { acknowledgedAt: 77, timeout: 5e9 },
    });
    expect(w.drains.isEmpty).toBe(true);
  });

  it('does not wait for a node that is down, but for one that has only lost its session', () => {
    const w = new World();
    const n1 = w.connect('n1');
    const n3 = w.connect('n3');
    for (const n of [n1, n3]) n.both();
    w.retire('t1');
    n1.both();
    expect(w.settled).toEqual([]);
    w.run((tx) => {
      const n2 = tx.get('node', 'n2');
      const status = NodeStatus.create({ state: NodeState.DOWN });
      if (n2) tx.update('node', { ...n2, status });
    });
    expect(w.settled).toEqual(['t1']);
  });

  it('does not take an acknowledgement of an earlier session or of an earlier picture', () => {
    const w = new World();
    const n1 = w.connect('n1');
    w.connect('n2').both();
    for (const n of [n1, w.connect('n3')]) n.both();
    w.retire('t1');
    n1.both();
    expect(w.settled).toEqual([]);
    const again = w.connect('n2', 's2');
    expect(w.settled).toEqual([]);
    again.read();
    expect(w.settled).toEqual([]);
    again.acknowledge();
    expect(w.settled).toEqual(['t1']);
  });

  it('shows a task that is leaving as running to a node that connects meanwhile', () => {
    const w = new World();
    w.retire('t1');
    const first = w.connect('n1').read();
    expect(taskIn(first, 't1')?.desiredState).toBe(TaskState.RUNNING);
    expect(servingIn(first)).toEqual({ t1: true, t2: true });
    expect(servingIn(w.connect('n2').read())).toEqual({ t1: false, t2: true });
  });

  it('is remembered by a new leader from the store alone, and ends with the task', () => {
    const w = new World();
    w.retire('t1');
    const drains = new Drains();
    drains.rebuild(w.store.view);
    expect(drains.isEmpty).toBe(false);
    w.run((tx) => {
      const t1 = tx.get('task', 't1');
      const status = TaskStatus.create({ state: TaskState.FAILED });
      if (t1) tx.update('task', { ...t1, status });
    });
    expect(w.drains.isEmpty).toBe(true);
  });
});
