// Many entries in one buffer, for the way between the threads.
// Proposals: per item length u32, session 8 bytes, seq f64, data. The item's bytes after the length
// are the log entry as it is. Applied entries: per item index f64, term f64, length u32, bytes.
import type { Entry } from '#manager/raft/types';
import { PROPOSAL_HEADER_BYTES } from './limits.ts';

const LENGTH_BYTES = 4;
const APPLIED_HEADER_BYTES = 20;
const SESSION_BYTES = 8;

/** One proposal as the main thread keeps it until the turn ends. */
export interface PendingData {
  readonly seq: number;
  readonly data: Uint8Array;
}

/** Packs proposals; `session` names this process's client. */
export function packProposals(session: Uint8Array, items: readonly PendingData[]): ArrayBuffer {
  let total = 0;
  for (const { data } of items) total += LENGTH_BYTES + PROPOSAL_HEADER_BYTES + data.length;
  const buffer = new ArrayBuffer(total);
  const bytes = new Uint8Array(buffer);
  const view = new DataView(buffer);
  let offset = 0;
  for (const { seq, data } of items) {
    view.setUint32(offset, PROPOSAL_HEADER_BYTES + data.length);
    bytes.set(session, offset + LENGTH_BYTES);
    view.setFloat64(offset + LENGTH_BYTES + SESSION_BYTES, seq);
    bytes.set(data, offset + LENGTH_BYTES + PROPOSAL_HEADER_BYTES);
    offset += LENGTH_BYTES + PROPOSAL_HEADER_BYTES + data.length;
  }
  return buffer;
}

/** The entries' data in a packed buffer, as views. */
export function unpackProposals(buffer: ArrayBuffer): Uint8Array[] {
  const view = new DataView(buffer);
  const result: Uint8Array[] = [];
  for (let offset = 0; offset < buffer.byteLength; ) {
    const length = view.getUint32(offset);
    result.push(new Uint8Array(buffer, offset + LENGTH_BYTES, length));
    offset += LENGTH_BYTES + length;
  }
  return result;
}

/** Packs committed entries that carry data. */
export function packApplied(entries: readonly Entry[]): ArrayBuffer {
  let total = 0;
  for (const { data } of entries) total += APPLIED_HEADER_BYTES + data.length;
  const buffer = new ArrayBuffer(total);
  const bytes = new Uint8Array(buffer);
  const view = new DataView(buffer);
  let offset = 0;
  for (const { index, term, data } of entries) {
    view.setFloat64(offset, index);
    view.setFloat64(offset + 8, term);
    view.setUint32(offset + 16, data.length);
    bytes.set(data, offset + APPLIED_HEADER_BYTES);
    offset += APPLIED_HEADER_BYTES + data.length;
  }
  return buffer;
}

/** An applied entry with whom it came from. */
export interface UnpackedEntry {
  readonly index: number;
  readonly term: number;
  /** Number of the proposal if it was made in `session`, else null. */
  readonly seq: number | null;
  readonly data: Uint8Array;
}

/** Entries in a packed buffer, their data as views. */
export function unpackApplied(buffer: ArrayBuffer, session: Uint8Array): UnpackedEntry[] {
  const view = new DataView(buffer);
  const result: UnpackedEntry[] = [];
  for (let offset = 0; offset < buffer.byteLength; ) {
    const index = view.getFloat64(offset);
    const term = view.getFloat64(offset + 8);
    const length = view.getUint32(offset + 16);
    const start = offset + APPLIED_HEADER_BYTES;
    const own = sameSession(new Uint8Array(buffer, start, SESSION_BYTES), session);
    const seq = own ? view.getFloat64(start + SESSION_BYTES) : null;
    const dataStart = start + PROPOSAL_HEADER_BYTES;
    const data = new Uint8Array(buffer, dataStart, length - PROPOSAL_HEADER_BYTES);
    result.push({ index, term, seq, data });
    offset = start + length;
  }
  return result;
}

function sameSession(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < SESSION_BYTES; i++) if (a[i] !== b[i]) return false;
  return true;
}
