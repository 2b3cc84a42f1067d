// A state as bytes and back. The same state always gives the same bytes: kinds in a fixed order,
// objects by id. Encoding comes in pieces, so that the host can let other work run in between; the
// state is immutable, so it stays the state of the moment it was taken.

import { Reader, Writer } from '#protocol/codec';
import { TswarmError } from '#protocol/errors';
import { ObjectUnion, StoreSnapshot } from '#protocol/generated/control';
import type { Task } from '#protocol/generated/objects';
import { History } from './history.ts';
import { fromUnion, KINDS, toUnion } from './kinds.ts';
import { SNAPSHOT_PIECE_OBJECTS, STORE_FORMAT_VERSION } from './limits.ts';
import { Draft, EMPTY_STATE, type StoreState } from './state.ts';
import { sameTaskSpec } from './transaction.ts';
import type { Kind, ObjectTypes } from './view.ts';

/** Tag of StoreSnapshot.objects (field 1, length-delimited). */
const OBJECTS_TAG = 10;

/** The pieces of a snapshot, in order; their concatenation is a StoreSnapshot. */
export function* encodeSnapshot(state: StoreState): Iterable<Uint8Array> {
  yield StoreSnapshot.encode({
    objects: [],
    index: state.index,
    formatVersion: STORE_FORMAT_VERSION,
    history: state.history.entries(),
    lastTransaction: state.lastTransaction,
  });
  const writer = Writer.create();
  let count = 0;
  for (const kind of KINDS) {
    for (const object of state.objects[kind].values()) {
      const slim = kind === 'task' ? withoutTemplate(state, object as Task) : object;
      ObjectUnion.write(
        toUnion(kind, slim as ObjectTypes[Kind]),
        writer.uint32(OBJECTS_TAG).fork(),
      );
      writer.ldelim();
      count++;
      if (count % SNAPSHOT_PIECE_OBJECTS === 0) {
        yield writer.finish();
        // Its buffer is large enough by now; what `finish` gave is a copy.
        writer.reset();
      }
    }
  }
  yield writer.finish();
}

/** Most tasks have their service's current spec: it is in the snapshot once. */
function withoutTemplate(state: StoreState, task: Task): Task {
  const template = state.objects.service.get(task.serviceId)?.spec?.taskTemplate;
  return sameTaskSpec(task.spec, template) ? { ...task, spec: undefined } : task;
}

/**
 * The state that a snapshot holds. @throws TswarmError data_loss when it is damaged or of a newer
 * format.
 */
export function decodeSnapshot(bytes: Uint8Array): StoreState {
  let snapshot: StoreSnapshot;
  try {
    snapshot = StoreSnapshot.read(Reader.create(bytes), bytes.length);
  } catch (error) {
    throw new TswarmError('data_loss', 'the snapshot of the cluster state cannot be read', {
      cause: error,
      hint: 'Remove this manager from the cluster and join it again.',
    });
  }
  if (snapshot.formatVersion > STORE_FORMAT_VERSION) {
    throw new TswarmError(
      'not_supported',
      `the snapshot has format ${snapshot.formatVersion}, this version reads up to ${STORE_FORMAT_VERSION}`,
      { hint: 'Start the newer tswarm that wrote it.' },
    );
  }
  const draft = new Draft(EMPTY_STATE);
  for (const union of snapshot.objects) {
    const found = fromUnion(union);
    if (!found) continue;
    const { kind, object } = found;
    draft.put(kind, kind === 'task' ? withTemplate(draft, object as Task) : object, undefined);
  }
  return draft.finish({
    index: snapshot.index,
    lastTransaction: snapshot.lastTransaction,
    history: History.of(snapshot.history),
  });
}

function withTemplate(draft: Draft, task: Task): Task {
  if (task.spec) return task;
  return { ...task, spec: draft.objects.service.get(task.serviceId)?.spec?.taskTemplate };
}
