// Membership changes as data: what a conf-change entry holds, its bytes, and its short text form.
// The bytes are part of the WAL and wire format (first byte = version).
import { MAX_MEMBERS, MAX_RAFT_NUMBER } from './limits.ts';
import type { RaftId } from './types.ts';

/** What happens to one member. `update` changes nothing here; it carries context to the host. */
export const ChangeType = { addVoter: 0, remove: 1, update: 2, addLearner: 3 } as const;
export type ChangeType = (typeof ChangeType)[keyof typeof ChangeType];

export interface ConfChangeSingle {
  readonly type: ChangeType;
  readonly nodeId: RaftId;
}

/** auto: joint only if more than one voter changes, left by itself; implicit: joint, left by
 * itself; explicit: joint until an empty change is proposed; forced: what was before does not count,
 * the voters named are all members, and the epoch rises. A forced change is never proposed: an
 * operator's recovery writes it into a log whose group has lost its quorum for good. */
export const Transition = { auto: 0, implicit: 1, explicit: 2, forced: 3 } as const;
export type Transition = (typeof Transition)[keyof typeof Transition];

/** A membership change; without changes and context-free it means "leave the joint configuration".
 * `context` is opaque (the host keeps a joining member's address in it). */
export interface ConfChange {
  readonly transition: Transition;
  readonly changes: readonly ConfChangeSingle[];
  readonly context: Uint8Array;
}

const FORMAT_VERSION = 1;
const HEADER_BYTES = 4;
const CHANGE_BYTES = 9;

/** The change that leaves a joint configuration. */
export const LEAVE_JOINT: ConfChange = {
  transition: Transition.auto,
  changes: [],
  context: new Uint8Array(0),
};

/** Whether `change` asks to leave the joint configuration. */
export function isLeaveJoint(change: ConfChange): boolean {
  return change.changes.length === 0 && change.transition === Transition.auto;
}

/** How the change enters: directly, or through a joint configuration (thesis §4.3). */
export function entersJoint(change: ConfChange): { joint: boolean; autoLeave: boolean } {
  if (change.transition === Transition.explicit) return { joint: true, autoLeave: false };
  if (change.transition === Transition.implicit) return { joint: true, autoLeave: true };
  const joint = change.changes.length > 1;
  return { joint, autoLeave: joint };
}

/** Version u8, transition u8, count u16, then per change type u8 and id u64; then the context. */
export function encodeConfChange(change: ConfChange): Uint8Array {
  const count = change.changes.length;
  const bytes = new Uint8Array(HEADER_BYTES + count * CHANGE_BYTES + change.context.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, FORMAT_VERSION);
  view.setUint8(1, change.transition);
  view.setUint16(2, count);
  let offset = HEADER_BYTES;
  for (const single of change.changes) {
    view.setUint8(offset, single.type);
    view.setBigUint64(offset + 1, BigInt(single.nodeId));
    offset += CHANGE_BYTES;
  }
  bytes.set(change.context, offset);
  return bytes;
}

/** The change in `bytes`, or null if they are not one (the entry is then without effect). */
export function decodeConfChange(bytes: Uint8Array): ConfChange | null {
  if (bytes.length < HEADER_BYTES) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const transition = view.getUint8(1);
  const count = view.getUint16(2);
  if (view.getUint8(0) !== FORMAT_VERSION || transition > Transition.forced) return null;
  if (count > 2 * MAX_MEMBERS || bytes.length < HEADER_BYTES + count * CHANGE_BYTES) return null;
  const changes: ConfChangeSingle[] = [];
  let offset = HEADER_BYTES;
  for (let i = 0; i < count; i++) {
    const type = view.getUint8(offset);
    const nodeId = Number(view.getBigUint64(offset + 1));
    if (type > ChangeType.addLearner || nodeId > MAX_RAFT_NUMBER) return null;
    changes.push({ type: type as ChangeType, nodeId });
    offset += CHANGE_BYTES;
  }
  return { transition: transition as Transition, changes, context: bytes.slice(offset) };
}

const LETTERS: Readonly<Record<string, ChangeType>> = {
  v: ChangeType.addVoter,
  r: ChangeType.remove,
  u: ChangeType.update,
  l: ChangeType.addLearner,
};

/** Reads the short form: `v1 l4 r5 u2`. Returns null if a word is not of that form. */
export function parseChanges(text: string): ConfChangeSingle[] | null {
  const changes: ConfChangeSingle[] = [];
  for (const word of text.split(/\s+/)) {
    if (word === '') continue;
    const type = LETTERS[word.slice(0, 1)];
    const digits = word.slice(1);
    if (type === undefined || !/^\d+$/.test(digits)) return null;
    changes.push({ type, nodeId: Number(digits) });
  }
  return changes;
}

/** The short form of a list of changes. */
export function formatChanges(changes: readonly ConfChangeSingle[]): string {
  const letters = ['v', 'r', 'u', 'l'];
  return changes.map((single) => `${letters[single.type]}${single.nodeId}`).join(' ');
}
