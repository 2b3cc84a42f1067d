// When this member last heard from each other one, and how long answers take. Measured on the
// heartbeats that Raft sends anyway; the clock comes in.
import { type Message, MessageType, type RaftId } from '#manager/raft/types';

interface Seen {
  heardMs: number | null;
  /** When the heartbeat was sent whose answer is awaited; null for none. */
  askedMs: number | null;
  rttMs: number | null;
}

export class PeerView {
  readonly #nowMs: () => number;
  readonly #timeoutMs: number;
  readonly #seen = new Map<RaftId, Seen>();

  /** `timeoutMs`: an answer that takes longer is not waited for, a member silent for longer is not
   * active. */
  constructor(nowMs: () => number, timeoutMs: number) {
    this.#nowMs = nowMs;
    this.#timeoutMs = timeoutMs;
  }

  #of(id: RaftId): Seen {
    let seen = this.#seen.get(id);
    if (seen === undefined) {
      seen = { heardMs: null, askedMs: null, rttMs: null };
      this.#seen.set(id, seen);
    }
    return seen;
  }

  sent(to: RaftId, messages: readonly Message[]): void {
    if (!messages.some(({ type }) => type === MessageType.heartbeat)) return;
    const seen = this.#of(to);
    const now = this.#nowMs();
    if (seen.askedMs === null || now - seen.askedMs > this.#timeoutMs) seen.askedMs = now;
  }

  heard(from: RaftId, messages: readonly Message[]): void {
    const seen = this.#of(from);
    const now = this.#nowMs();
    seen.heardMs = now;
    if (seen.askedMs === null) return;
    if (!messages.some(({ type }) => type === MessageType.heartbeatResponse)) return;
    seen.rttMs = now - seen.askedMs;
    seen.askedMs = null;
  }

  rttMs(id: RaftId): number | null {
    return this.#seen.get(id)?.rttMs ?? null;
  }

  /** Null when it was never heard. */
  silentMs(id: RaftId): number | null {
    const heardMs = this.#seen.get(id)?.heardMs ?? null;
    return heardMs === null ? null : this.#nowMs() - heardMs;
  }

  isActive(id: RaftId): boolean {
    const silentMs = this.silentMs(id);
    return silentMs !== null && silentMs <= this.#timeoutMs;
  }

  /** Forgets who is not a member any more. */
  keep(ids: ReadonlySet<RaftId>): void {
    for (const id of this.#seen.keys()) if (!ids.has(id)) this.#seen.delete(id);
  }
}
