// `tcompose down`: the services go at once, and with them, as their tasks stop, what only they
// used. Objects that something still uses are marked; `collectUnused`, which the leader runs when
// the state changes, removes them when nothing does. The mark is in the store, so a new leader goes
// on where the last one stopped.
import type { StoreWriteView } from '#manager/store/state';
import { TswarmError } from '#protocol/errors';
import {
  ObjectKind,
  type RemoveStackRequest,
  type StackChange,
  StackChangeAction,
} from '#protocol/generated/control';
import { MountType, type TaskSpec } from '#protocol/generated/specs';
import { isAlive } from './networks.ts';

const MARKED_KINDS = ['network', 'secret', 'config', 'volume'] as const;
type MarkedKind = (typeof MARKED_KINDS)[number];
const OBJECT_KIND = {
  network: ObjectKind.NETWORK,
  secret: ObjectKind.SECRET,
  config: ObjectKind.CONFIG,
  volume: ObjectKind.VOLUME,
} as const;

/** Removes a stack; its volumes only when asked. @throws TswarmError not_found. */
export function removeStack(tx: StoreWriteView, request: RemoveStackRequest): StackChange[] {
  const { name } = request;
  const changes: StackChange[] = [];
  const note = (kind: ObjectKind, id: string, objectName: string): void => {
    changes.push({ kind, id, name: objectName, action: StackChangeAction.REMOVED });
  };
  for (const service of [...tx.byStack('service', name)]) {
    tx.remove('service', service.id);
    note(ObjectKind.SERVICE, service.id, service.spec?.name ?? '');
  }
  for (const kind of MARKED_KINDS) {
    if (kind === 'volume' && !request.volumes) continue;
    for (const object of [...tx.byStack(kind, name)]) {
      if (!object.pendingDelete) tx.update(kind, { ...object, pendingDelete: true } as never);
      note(OBJECT_KIND[kind], object.id, object.spec?.name ?? '');
    }
  }
  const stack = tx.byName('stack', name);
  if (stack) tx.remove('stack', stack.id);
  if (!stack && changes.length === 0) throw new TswarmError('not_found', `stack ${name} not found`);
  collectUnused(tx);
  return changes;
}

/** Whether an object waits for nothing to use it any more. */
export function isMarked(object: unknown): boolean {
  return (object as { readonly pendingDelete?: boolean } | undefined)?.pendingDelete === true;
}

/**
 * Removes every marked object that no service and no live task uses. Writes nothing when there is
 * none. Looks at every object of the four kinds: returns how many marked ones are left, so that it
 * need not be called again while there are none and none is added.
 */
export function collectUnused(tx: StoreWriteView): number {
  const marked: [MarkedKind, string, string][] = [];
  for (const kind of MARKED_KINDS) {
    for (const object of tx.list(kind)) {
      if (object.pendingDelete) marked.push([kind, object.id, object.spec?.name ?? '']);
    }
  }
  if (marked.length === 0) return 0;
  const used = usedObjects(tx);
  let left = 0;
  for (const [kind, id, name] of marked) {
    if (used.has(`${kind}/${kind === 'volume' ? name : id}`)) left++;
    else tx.remove(kind, id);
  }
  return left;
}

/**
 * `<kind>/<id>`, for volumes `<kind>/<name>`, of all that is referred to, also by what a service
 * would be rolled back to.
 */
function usedObjects(tx: StoreWriteView): Set<string> {
  const used = new Set<string>();
  for (const service of tx.list('service')) {
    addUsed(used, service.spec?.taskTemplate);
    addUsed(used, service.previousSpec?.taskTemplate);
  }
  for (const task of tx.list('task')) {
    if (!isAlive(task)) continue;
    addUsed(used, task.spec);
    for (const { networkId } of task.networkAttachments) used.add(`network/${networkId}`);
  }
  return used;
}

function addUsed(used: Set<string>, spec: TaskSpec | undefined): void {
  for (const { target } of spec?.networks ?? []) used.add(`network/${target}`);
  for (const ref of spec?.containerSpec?.secrets ?? []) used.add(`secret/${ref.secretId}`);
  for (const ref of spec?.containerSpec?.configs ?? []) used.add(`config/${ref.configId}`);
  for (const mount of spec?.containerSpec?.mounts ?? []) {
    if (mount.type === MountType.VOLUME) used.add(`volume/${mount.source}`);
  }
}
