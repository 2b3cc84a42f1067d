// What a committed transaction does to a state: the same on every replica, from the entry alone.
// Stamps each object with the entry's index and time. On the leader the objects that made the entry
// are used again instead of decoding it, so that a task goes on sharing its spec with its service
// in memory; elsewhere the spec is taken from there, with the same effect.
import { assert } from '#protocol/errors';
import { type StoreAction, StoreActionKind } from '#protocol/generated/control';
import type { Meta, Node, Service, Task } from '#protocol/generated/objects';
import { type AnyObject, fromUnion, kindOf, movesVersion } from './kinds.ts';
import { Draft, type StoreState } from './state.ts';
import type { EncodedChange } from './transaction.ts';
import type { Kind, StoreChange } from './view.ts';

/** A change with the object's id, as listeners get it. */
export interface AppliedChange extends StoreChange {
  readonly id: string;
}

interface Step {
  readonly kind: Kind;
  readonly id: string;
  /** Undefined: remove. Not stamped yet. */
  readonly object: AnyObject | undefined;
}

/**
 * Applies an entry's actions, or `own`: the changes that this replica made the entry from, if it
 * did; the actions need not be known then.
 */
export function applyActions(
  base: StoreState,
  actions: readonly StoreAction[],
  own: readonly EncodedChange[] | undefined,
  stamp: { readonly index: number; readonly time: number },
): { draft: Draft; changes: AppliedChange[] } {
  const draft = new Draft(base);
  const changes: AppliedChange[] = [];
  const count = own ? own.length : actions.length;
  for (let i = 0; i < count; i++) {
    const step = own
      ? ownStep(own[i] as EncodedChange)
      : decodedStep(actions[i] as StoreAction, draft);
    if (!step) continue;
    const change = applyStep(draft, step, stamp);
    if (change) changes.push(change);
  }
  return { draft, changes };
}

function ownStep(change: EncodedChange): Step {
  return { kind: change.kind, id: change.id, object: change.after };
}

/** Undefined for a kind of a newer version, which this one cannot hold. */
function decodedStep(action: StoreAction, draft: Draft): Step | undefined {
  const kind = kindOf(action.objectKind);
  if (!kind) return undefined;
  if (action.kind === StoreActionKind.REMOVE) return { kind, id: action.id, object: undefined };
  const object = action.object && fromUnion(action.object)?.object;
  assert(object, 'a log entry creates or updates nothing', { kind, id: action.id });
  if (kind === 'service') return { kind, id: action.id, object: withKnownSpecs(object, draft) };
  if (kind !== 'task' || (object as Task).spec) return { kind, id: action.id, object };
  return { kind, id: action.id, object: withKnownSpec(object as Task, action, draft) };
}

/** A service without a spec keeps all of its own. */
function withKnownSpecs(object: AnyObject, draft: Draft): AnyObject {
  const service = object as Service;
  const known = service.spec ? undefined : draft.objects.service.get(service.id);
  if (!known) return service;
  const { spec, previousSpec, revisions } = known;
  return { ...service, spec, previousSpec, revisions };
}

function withKnownSpec(task: Task, action: StoreAction, draft: Draft): Task {
  const spec =
    action.kind === StoreActionKind.UPDATE
      ? draft.objects.task.get(task.id)?.spec
      : draft.objects.service.get(task.serviceId)?.spec?.taskTemplate;
  return spec ? { ...task, spec } : task;
}

function applyStep(
  draft: Draft,
  { kind, id, object }: Step,
  stamp: { readonly index: number; readonly time: number },
): AppliedChange | undefined {
  const before = draft.get(kind, id);
  if (!object) {
    if (!before) return undefined;
    draft.remove(kind, id);
    return { kind, id, before };
  }
  const after = stamped(kind, before, object, stamp);
  draft.put(kind, after);
  return before ? { kind, id, before, after } : { kind, id, after };
}

function stamped(
  kind: Kind,
  before: AnyObject | undefined,
  object: AnyObject,
  { index, time }: { readonly index: number; readonly time: number },
): AnyObject {
  const moved = !before || movesVersion(kind, before, object);
  const version = moved ? { index } : (before?.meta?.version ?? { index });
  const meta: Meta = { version, createdAt: before?.meta?.createdAt ?? time, updatedAt: time };
  if (kind === 'node') return { ...(object as Node), meta, statusIndex: index };
  return { ...object, meta };
}

/**
 * The pending chain after its first transaction was committed: objects that only that one had
 * changed get their stamps, so that readers' versions hold for the transactions that follow.
 */
export function patchPending(
  head: StoreState,
  own: readonly EncodedChange[],
  applied: readonly AppliedChange[],
): StoreState {
  const draft = new Draft(head);
  const stampedById = new Map(
    applied.map((change) => [`${change.kind}/${change.id}`, change.after]),
  );
  for (const { kind, id, after } of own) {
    const committed = stampedById.get(`${kind}/${id}`);
    if (after && committed && draft.get(kind, id) === after) draft.put(kind, committed);
  }
  return draft.finish(head);
}
