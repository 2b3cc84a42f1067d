// What a committed transaction does to a state: the same on every replica, from the entry alone.
// Stamps each object with the entry's index and time. The replica that made the entry has the objects
// already, in the state that its transaction came to: there only the stamps are missing, and a task
// goes on sharing its spec with its service in memory; elsewhere the spec is taken from there, with
// the same effect.
import { assert } from '#protocol/errors';
import { type StoreAction, StoreActionKind } from '#protocol/generated/control';
import type { Meta, Node, Service, Task } from '#protocol/generated/objects';
import { type AnyObject, fromUnion, kindOf, movesVersion } from './kinds.ts';
import { Draft, type StoreMaps, type StoreState } from './state.ts';
import type { Change } from './transaction.ts';
import type { Kind, StoreChange } from './view.ts';

/** A change with the object's id, as listeners get it. */
export interface AppliedChange extends StoreChange {
  readonly id: string;
}

interface Stamp {
  readonly index: number;
  /** Microseconds since 1970. */
  readonly time: number;
}

interface Step {
  readonly kind: Kind;
  readonly id: string;
  /** Undefined: remove. Not stamped yet. */
  readonly object: AnyObject | undefined;
}

/** Applies an entry's actions. */
export function applyActions(
  base: StoreState,
  actions: readonly StoreAction[],
  stamp: Stamp,
): { readonly maps: StoreMaps; readonly changes: readonly AppliedChange[] } {
  const draft = new Draft(base);
  const changes: AppliedChange[] = [];
  for (const action of actions) {
    const step = decodedStep(action, draft);
    const change = step && applyStep(draft, step, stamp);
    if (change) changes.push(change);
  }
  return { maps: draft.maps(), changes };
}

/**
 * Stamps the objects of an entry that this replica has made. In place: until now only transactions
 * that were built upon this one have seen them, and those share them, so that versions that they give
 * hold.
 */
export function stampOwn(own: readonly Change[], stamp: Stamp): readonly AppliedChange[] {
  for (const { kind, before, after } of own) {
    if (!after) continue;
    const unstamped = after as { meta: Meta | undefined; statusIndex?: number };
    unstamped.meta = metaOf(kind, before, after, stamp);
    if (kind === 'node') unstamped.statusIndex = stamp.index;
  }
  return own;
}

/** The base with changes that are stamped already. */
export function withChanges(base: StoreState, changes: readonly AppliedChange[]): StoreMaps {
  const draft = new Draft(base);
  for (const { kind, id, before, after } of changes) {
    if (after) draft.put(kind, after, before);
    else draft.remove(kind, id);
  }
  return draft.maps();
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
  stamp: Stamp,
): AppliedChange | undefined {
  const before = draft.get(kind, id);
  if (!object) {
    if (!before) return undefined;
    draft.remove(kind, id);
    return { kind, id, before };
  }
  const meta = metaOf(kind, before, object, stamp);
  const after =
    kind === 'node' ? { ...(object as Node), meta, statusIndex: stamp.index } : { ...object, meta };
  draft.put(kind, after, before);
  return before ? { kind, id, before, after } : { kind, id, after };
}

function metaOf(
  kind: Kind,
  before: AnyObject | undefined,
  object: AnyObject,
  { index, time }: Stamp,
): Meta {
  const moved = !before || movesVersion(kind, before, object);
  const version = moved ? { index } : (before?.meta?.version ?? { index });
  return { version, createdAt: before?.meta?.createdAt ?? time, updatedAt: time };
}
