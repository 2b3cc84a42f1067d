// One transaction: a view that sees its own writes, and the list of actions that it comes to.
// Actions on one object are folded into one; an update that changes nothing disappears. Encoding
// leaves out what every replica can fill in: the stamps, a task's spec when it is the one that the
// task has (updates) or that its service has (creations), a service's specs when they stay. Invariant: applying the encoded
// actions to the state that the transaction began from gives the transaction's own state, but for
// stamps.
import { TswarmError } from '#protocol/errors';
import { ObjectUnion, StoreAction, StoreActionKind } from '#protocol/generated/control';
import { Meta, type Service, type Task } from '#protocol/generated/objects';
import { TaskSpec } from '#protocol/generated/specs';
import { type AnyObject, movesVersion, nameOf, OBJECT_KINDS, sameBytes, toUnion } from './kinds.ts';
import { Draft, StateView, type StoreState, type StoreWriteView } from './state.ts';
import type { Kind, ObjectTypes } from './view.ts';

/**
 * Version.Index of an object whose last change has not been committed yet: no reader can have seen
 * it.
 */
export const PENDING_VERSION = -1;

interface Change {
  readonly kind: Kind;
  readonly id: string;
  readonly before: AnyObject | undefined;
  after: AnyObject | undefined;
}

/** One folded change; `bytes` is its StoreAction. */
export interface EncodedChange extends Readonly<Change> {
  readonly bytes: Uint8Array;
}

/** The view that a transaction's function gets. */
export class Transaction extends StateView implements StoreWriteView {
  readonly #draft: Draft;
  readonly #changes: Map<string, Change> = new Map();
  readonly #nowMicros: number;
  #open = true;

  constructor(base: StoreState, nowMicros: number) {
    const draft = new Draft(base);
    super(
      () => draft,
      () => draft.frozen(),
    );
    this.#draft = draft;
    this.#nowMicros = nowMicros;
  }

  create<K extends Kind>(kind: K, object: ObjectTypes[K]): void {
    this.#assertOpen();
    if (this.#draft.get(kind, object.id)) {
      throw new TswarmError('already_exists', `${kind} ${object.id} already exists`);
    }
    this.#refuseTakenName(kind, object);
    const meta = pendingMeta(this.#nowMicros, this.#nowMicros);
    this.#put(kind, undefined, { ...object, meta });
  }

  update<K extends Kind>(kind: K, object: ObjectTypes[K]): void {
    this.#assertOpen();
    const before = this.#draft.get(kind, object.id);
    if (!before) throw new TswarmError('not_found', `${kind} ${object.id} not found`);
    if (before === object) return;
    this.#refuseTakenName(kind, object);
    const created = before.meta?.createdAt ?? 0;
    const meta = movesVersion(kind, before, object)
      ? pendingMeta(created, this.#nowMicros)
      : Meta.create({ ...before.meta, updatedAt: this.#nowMicros });
    this.#put(kind, before, { ...object, meta });
  }

  remove(kind: Kind, id: string): void {
    this.#assertOpen();
    const before = this.#draft.get(kind, id);
    if (!before) throw new TswarmError('not_found', `${kind} ${id} not found`);
    this.#draft.remove(kind, id);
    this.#fold(kind, id, before, undefined);
  }

  /**
   * Ends the transaction: its changes, tasks last, each encoded. Nothing may be written afterwards.
   */
  finish(): EncodedChange[] {
    this.#open = false;
    const encoded: EncodedChange[] = [];
    const tasks: EncodedChange[] = [];
    for (const change of this.#changes.values()) {
      const bytes = this.#encode(change);
      if (bytes) (change.kind === 'task' ? tasks : encoded).push({ ...change, bytes });
      else if (change.before) this.#draft.put(change.kind, change.before, change.after);
    }
    return encoded.concat(tasks);
  }

  get draft(): Draft {
    return this.#draft;
  }

  #put(kind: Kind, before: AnyObject | undefined, after: AnyObject): void {
    this.#draft.put(kind, after, before);
    this.#fold(kind, after.id, before, after);
  }

  #fold(kind: Kind, id: string, before: AnyObject | undefined, after: AnyObject | undefined): void {
    const key = `${kind}/${id}`;
    const known = this.#changes.get(key);
    if (!known) this.#changes.set(key, { kind, id, before, after });
    else if (!known.before && !after) this.#changes.delete(key);
    else known.after = after;
  }

  #refuseTakenName(kind: Kind, object: AnyObject): void {
    const name = nameOf(kind, object);
    if (kind === 'task' || name === '') return;
    const holder = this.byName(kind as Exclude<Kind, 'task'>, name);
    if (holder && holder.id !== object.id) {
      throw new TswarmError('already_exists', `${kind} ${name} already exists`, { field: 'Name' });
    }
  }

  #encode({ kind, id, before, after }: Change): Uint8Array | undefined {
    if (!after) {
      return encodeAction(StoreActionKind.REMOVE, kind, id, undefined);
    }
    if (!before) {
      return encodeAction(StoreActionKind.CREATE, kind, id, this.#withoutKnownSpec(kind, after));
    }
    const slim = withoutOwnSpec(kind, before, after);
    const union = encodeStampless(kind, slim);
    const sameParts = slim === after ? before : withoutOwnSpec(kind, before, before);
    if (sameBytes(union, encodeStampless(kind, sameParts))) {
      return undefined;
    }
    return encodeAction(StoreActionKind.UPDATE, kind, id, slim);
  }

  /**
   * A new task without its spec when that is its service's template, which the replicas then fill
   * in.
   */
  #withoutKnownSpec(kind: Kind, object: AnyObject): AnyObject {
    if (kind !== 'task') return object;
    const task = object as Task;
    const template = this.get('service', task.serviceId)?.spec?.taskTemplate;
    return sameTaskSpec(task.spec, template) ? { ...task, spec: undefined } : task;
  }

  #assertOpen(): void {
    if (!this.#open) throw new Error('bug: write after the end of a transaction');
  }
}

function pendingMeta(createdAt: number, updatedAt: number): Meta {
  return { version: { index: PENDING_VERSION }, createdAt, updatedAt };
}

/** Without the parts that replicas keep: a task's spec, and all of a service's specs when none of them is another. */
function withoutOwnSpec(kind: Kind, before: AnyObject, after: AnyObject): AnyObject {
  if (kind === 'service') return withoutOwnSpecs(before as Service, after as Service);
  if (kind !== 'task') return after;
  const [a, b] = [before as Task, after as Task];
  return sameTaskSpec(a.spec, b.spec) ? { ...b, spec: undefined } : b;
}

function withoutOwnSpecs(a: Service, b: Service): Service {
  const same =
    a.spec === b.spec && a.previousSpec === b.previousSpec && a.revisions === b.revisions;
  return same ? { ...b, spec: undefined, previousSpec: undefined, revisions: [] } : b;
}

/** Whether two task specs are the same, by identity or by content. */
export function sameTaskSpec(a: TaskSpec | undefined, b: TaskSpec | undefined): boolean {
  if (a === undefined || b === undefined) return false;
  return a === b || sameBytes(TaskSpec.encode(a), TaskSpec.encode(b));
}

function encodeStampless(kind: Kind, object: AnyObject): Uint8Array {
  return ObjectUnion.encode(toUnion(kind, { ...object, meta: undefined } as ObjectTypes[Kind]));
}

function encodeAction(
  action: StoreActionKind,
  kind: Kind,
  id: string,
  object: AnyObject | undefined,
): Uint8Array {
  return StoreAction.encode({
    kind: action,
    object: object && toUnion(kind, { ...object, meta: undefined } as ObjectTypes[Kind]),
    objectKind: OBJECT_KINDS[kind],
    id,
  });
}
