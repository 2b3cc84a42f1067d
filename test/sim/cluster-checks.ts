// The rules of the cluster's state, checked on every manager with every committed change: watchers
// get each change once, in order and without a gap, and what they add up to is the state; a task
// stays on its node, never goes back in its life, and addresses are given to one task at a time.
import type { Store } from '#manager/store/store';
import type { Kind, StoreChange } from '#manager/store/view';
import { type Node, type Task, TaskState } from '#protocol/generated/objects';
import { check, SimFailure } from './failure.ts';
import { ServiceChecks } from './service-checks.ts';

const KINDS: readonly Kind[] = [
  'node',
  'service',
  'task',
  'network',
  'secret',
  'config',
  'cluster',
  'volume',
  'stack',
];

/** How often all addresses are compared. */
const EVERY_ENTRIES = 20;

interface Watcher {
  /** `<kind>/<id>` → object */
  readonly mirror: Map<string, object>;
  /** Tasks that were removed: nothing of them may come back. */
  readonly removed: Set<string>;
  index: number;
  entries: number;
}

export class ClusterChecks {
  /** Task statuses that nodes were thanked for: task id → run and state. */
  readonly #thanked = new Map<string, { run: number; state: TaskState }>();
  #services = new ServiceChecks();
  /** index → the history's newest entry there */
  readonly #history = new Map<number, string>();
  /** Nodes whose removal an administrator was told of. */
  readonly #removed = new Set<string>();
  changes = 0;

  /** The group was forced to begin anew; `hasLost`: without something that had been committed. */
  forced(hasLost: boolean): void {
    this.#services = new ServiceChecks();
    if (!hasLost) return;
    this.#thanked.clear();
    this.#history.clear();
    this.#removed.clear();
  }

  /** An administrator was told that the node is removed. */
  removed(nodeId: string): void {
    this.#removed.add(nodeId);
  }

  /** Whether the node's removal was acknowledged before now. */
  isRemoved(nodeId: string): boolean {
    return this.#removed.has(nodeId);
  }

  /** Follows a manager's store from its beginning, as long as it is of the present group. */
  watch(id: number, store: Store, isPart: () => boolean): void {
    const watcher: Watcher = { mirror: new Map(), removed: new Set(), index: 0, entries: 0 };
    store.subscribe((entry) => {
      if (!isPart()) return;
      if (entry === 'reset') {
        watcher.index = store.index;
        watcher.mirror.clear();
        for (const [key, object] of objectsOf(store)) watcher.mirror.set(key, object);
        return;
      }
      const values = (): Record<string, unknown> => ({ manager: id, index: entry.index });
      check(entry.index > watcher.index, 'watchers get changes in order', values);
      const missed = store.changesSince(watcher.index);
      const isComplete = missed === undefined || (missed.length === 1 && missed[0] !== undefined);
      check(isComplete, 'watchers miss nothing', () => ({ ...values(), had: watcher.index }));
      watcher.index = entry.index;
      for (const change of entry.changes) this.#change(id, watcher, change);
      this.#services.entry(store.view, entry);
      this.#checkHistory(store, entry.index);
      watcher.entries++;
      if (watcher.entries % EVERY_ENTRIES === 0) this.#checkWhole(id, watcher, store);
    });
  }

  /** Who did what is the same on every manager, whoever led meanwhile, and in order. */
  #checkHistory(store: Store, index: number): void {
    const { history } = store;
    const [before, newest] = history.slice(-2);
    const text = JSON.stringify(history.slice(-2));
    const known = this.#history.get(index);
    check(known === undefined || known === text, 'the history at an index is the same', () => ({
      index,
      known,
      now: text,
    }));
    this.#history.set(index, text);
    const isInOrder = !before || !newest || before.index < newest.index;
    check(isInOrder && (newest?.index ?? 0) <= index, 'the history is in order', () => ({
      index,
      newest: text,
    }));
  }

  #change(id: number, watcher: Watcher, change: StoreChange & { readonly id: string }): void {
    this.changes++;
    const { mirror, removed } = watcher;
    const key = `${change.kind}/${change.id}`;
    const values = (): Record<string, unknown> => ({ manager: id, object: key });
    check(mirror.get(key) === change.before, 'a change starts from what watchers have', values);
    if (change.after) mirror.set(key, change.after);
    else mirror.delete(key);
    if (change.kind === 'cluster') checkRotation(change as StoreChange<'cluster'>, mirror);
    if (change.kind === 'task') {
      const { before, after } = change as StoreChange<'task'>;
      if (after) this.#taskChange(before, after, removed);
      else removed.add(change.id);
    }
  }

  #taskChange(before: Task | undefined, after: Task, removed: ReadonlySet<string>): void {
    const values = (): Record<string, unknown> => ({
      task: after.id,
      before: before && shown(before),
      after: shown(after),
    });
    check(!removed.has(after.id) || before !== undefined, 'ids are used once', values);
    if (!before) return;
    const hasMoved = before.nodeId !== '' && before.nodeId !== after.nodeId;
    check(!hasMoved, 'a task stays on its node', values);
    const [a, b] = [before.status, after.status];
    if (a && b && a.run === b.run) {
      check(b.state >= a.state, 'the state of a task only grows within a run', values);
    }
    check((b?.run ?? 0) >= (a?.run ?? 0), 'runs are counted upwards', values);
    const isEnding = before.desiredState > TaskState.RUNNING;
    check(
      !isEnding || after.desiredState >= before.desiredState,
      'a task that is to end is not wanted again',
      values,
    );
  }

  #checkWhole(id: number, { mirror }: Watcher, store: Store): void {
    const state = new Map(objectsOf(store));
    for (const [key, object] of state) {
      check(mirror.get(key) === object, 'what watchers have is the state', () => ({
        manager: id,
        object: key,
      }));
    }
    check(mirror.size === state.size, 'what watchers have is the state', () => ({ manager: id }));
    checkAddresses(store);
  }

  /** A node's report was answered: it may forget it. */
  thanked(taskId: string, run: number, state: TaskState): void {
    const known = this.#thanked.get(taskId);
    if (known && (known.run > run || (known.run === run && known.state >= state))) return;
    this.#thanked.set(taskId, { run, state });
  }

  /** On a manager that has everything: no answered report is lost. */
  checkThanked(store: Store): void {
    for (const [taskId, { run, state }] of this.#thanked) {
      const status = store.view.get('task', taskId)?.status;
      if (!status) continue;
      const isThere = status.run > run || (status.run === run && status.state >= state);
      check(isThere, 'a report that was answered is in the state', () => ({
        task: taskId,
        reported: { run, state },
        stored: { run: status.run, state: status.state },
      }));
    }
  }

  /** Of two managers at the same index. */
  checkSame(a: Store, b: Store): void {
    const [left, right] = [a, b].map((store) => Buffer.concat([...store.snapshot()]));
    if (left && right && left.equals(right)) return;
    throw new SimFailure('managers at one index have the same state', { index: a.index });
  }
}

function* objectsOf(store: Store): Iterable<[string, object]> {
  for (const kind of KINDS) {
    for (const object of store.view.list(kind)) yield [`${kind}/${object.id}`, object];
  }
}

/** A new root is alone only when every node, and every manager, had a certificate of it. */
function checkRotation(
  { before, after }: StoreChange<'cluster'>,
  mirror: ReadonlyMap<string, object>,
): void {
  const next = before?.rootCa?.rootRotation;
  if (!next || !after?.rootCa || after.rootCa.rootRotation) return;
  const { caCertDigest: digest } = after.rootCa;
  for (const [key, object] of mirror) {
    if (!key.startsWith('node/')) continue;
    const { id, rootDigest, managerStatus } = object as Node;
    const isManagerOld = managerStatus !== undefined && managerStatus.rootDigest !== digest;
    check(rootDigest === digest && !isManagerOld, 'a new root counts when all have it', () => ({
      node: id,
      rootDigest,
      ofManager: managerStatus?.rootDigest,
      digest,
    }));
  }
}

/** Whether the task holds its addresses. */
function isAlive({ status }: Task): boolean {
  return (status?.state ?? TaskState.NEW) <= TaskState.RUNNING;
}

function checkAddresses(store: Store): void {
  const holders = new Map<string, string>();
  for (const task of store.view.list('task')) {
    if (!isAlive(task)) continue;
    for (const { networkId, addresses } of task.networkAttachments) {
      for (const address of addresses) {
        const key = `${networkId} ${address}`;
        const other = holders.get(key);
        check(other === undefined, 'an address belongs to one task', () => ({
          address: key,
          tasks: [other, task.id],
        }));
        holders.set(key, task.id);
      }
    }
  }
}

function shown(task: Task): unknown {
  const { nodeId, desiredState, status } = task;
  return { nodeId, desiredState, state: status?.state, run: status?.run, by: status?.appliedBy };
}
