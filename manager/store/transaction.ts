// One transaction: a view that sees its own writes, and the list of actions that it comes to.
// Actions on one object are folded into one; an update that changes nothing disappears. Encoding
// leaves out what every replica can fill in: the stamps, a task's spec when it is the one that the
// task has (updates) or that its service has (creations), a service's specs when they stay. Invariant: applying the encoded
// actions to the state that the transaction began from gives the transaction's own state, but for
// stamps.
import type { Writer } from '#protocol/codec';
import { TswarmError } from '#protocol/errors';
import { ObjectUnion, StoreAction, StoreActionKind } from '#protocol/generated/control';
import { Meta, type Service, type Task } from '#protocol/generated/objects';
import { TaskSpec } from '#protocol/generated/specs';
import { OBJECT_KINDS } from '#protocol/object-kinds';
import { type AnyObject, movesVersion, nameOf, sameBytes, toUnion } from './kinds.ts';
import { Draft, StateView, type StoreState, type StoreWriteView } from './state.ts';
import type { Kind, ObjectTypes } from './view.ts';

/**
 * Version.Index of an object whose last change has not been committed yet: no reader can have seen
 * it.
 */
export const PENDING_VERSION = -1;

/** What a transaction does to one object. */
export interface Change {
  readonly kind: Kind;
  readonly id: string;
  /** Undefined: created. */
  readonly before: AnyObject | undefined;
  /** Undefined: removed. */
  readonly after: AnyObject | undefined;
}

interface OpenChange extends Change {
  after: AnyObject | undefined;
}

/** What a transaction came to. */
export interface Actions {
  readonly changes: readonly Change[];
  /** All as field `actions` of a StoreTransaction, one after the other. */
  readonly bytes: Uint8Array;
  /** Where in `bytes` each of the changes ends. */
  readonly ends: readonly number[];
}

/** Tag of StoreTransaction.actions (field 1, length-delimited). */
const ACTIONS_TAG = 10;

/** The view that a transaction's function gets. */
export class Transaction extends StateView implements StoreWriteView {
  readonly #draft: Draft;
  /** In the order in which the objects were first touched. */
  readonly #changes: OpenChange[] = [];
  readonly #byId: Map<Kind, Map<string, OpenChange>> = new Map();
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
    const meta = pendingMeta(this.#nowMicros, this.#nowMicros);
    const after: AnyObject = { ...object, meta };
    const taken = this.#draft.create(kind, after);
    if (taken === 'id') {
      throw new TswarmError('already_exists', `${kind} ${object.id} already exists`);
    }
    if (taken === 'name') throw nameTaken(kind, nameOf(kind, object));
    this.#fold(kind, object.id, undefined, after);
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
    const after: AnyObject = { ...object, meta };
    this.#draft.put(kind, after, before);
    this.#fold(kind, after.id, before, after);
  }

  remove(kind: Kind, id: string): void {
    this.#assertOpen();
    const before = this.#draft.get(kind, id);
    if (!before) throw new TswarmError('not_found', `${kind} ${id} not found`);
    this.#draft.remove(kind, id);
    this.#fold(kind, id, before, undefined);
  }

  /**
   * Ends the transaction. Nothing may be written afterwards. The bytes are the writer's, which must
   * be a new one.
   */
  finish(writer: Writer): Actions {
    this.#open = false;
    const changes: Change[] = [];
    const ends: number[] = [];
    for (const areTasks of [false, true]) {
      for (const change of this.#changes) {
        if ((change.kind === 'task') !== areTasks) continue;
        if (!this.#encode(change, writer)) continue;
        changes.push(change);
        ends.push(writer.pos);
      }
    }
    return { changes, bytes: writer.finish(true), ends };
  }

  get draft(): Draft {
    return this.#draft;
  }

  #fold(kind: Kind, id: string, before: AnyObject | undefined, after: AnyObject | undefined): void {
    const byId = this.#byId.get(kind) ?? new Map<string, OpenChange>();
    if (byId.size === 0) this.#byId.set(kind, byId);
    const known = byId.get(id);
    if (known) {
      known.after = after;
      // Neither before nor after: what comes of the id from here on is another change.
      if (!known.before && !after) byId.delete(id);
      return;
    }
    const change = { kind, id, before, after };
    this.#changes.push(change);
    byId.set(id, change);
  }

  #refuseTakenName(kind: Kind, object: AnyObject): void {
    const name = nameOf(kind, object);
    if (kind === 'task' || name === '') return;
    const holder = this.byName(kind as Exclude<Kind, 'task'>, name);
    if (holder && holder.id !== object.id) throw nameTaken(kind, name);
  }

  /** Writes the action of a change. False when there is none, because nothing is other than before. */
  #encode({ kind, id, before, after }: Change, writer: Writer): boolean {
    if (!after) {
      if (!before) return false;
      writeAction(writer, StoreActionKind.REMOVE, kind, id, undefined);
      return true;
    }
    if (!before) {
      const slim = this.#withoutKnownSpec(kind, after);
      writeAction(writer, StoreActionKind.CREATE, kind, id, slim);
      return true;
    }
    const slim = withoutOwnSpec(kind, before, after);
    const sameParts = slim === after ? before : withoutOwnSpec(kind, before, before);
    if (sameBytes(encodeStampless(kind, slim), encodeStampless(kind, sameParts))) {
      this.#draft.put(kind, before, after);
      return false;
    }
    writeAction(writer, StoreActionKind.UPDATE, kind, id, slim);
    return true;
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

function nameTaken(kind: Kind, name: string): TswarmError {
  return new TswarmError('already_exists', `${kind} ${name} already exists`, { field: 'Name' });
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

function writeAction(
  writer: Writer,
  action: StoreActionKind,
  kind: Kind,
  id: string,
  object: AnyObject | undefined,
): void {
  const message: StoreAction = {
    kind: action,
    object: object && toUnion(kind, { ...object, meta: undefined } as ObjectTypes[Kind]),
    objectKind: OBJECT_KINDS[kind],
    id,
  };
  StoreAction.write(message, writer.uint32(ACTIONS_TAG).fork()).ldelim();
}
