// Which nodes are in touch: one session per node, kept alive by heartbeats. Holds deadlines only;
// that a node is ready or down is written into the store by the host. Times are monotonic
// milliseconds, given by the caller. A host that was suspended finds all deadlines passed at once
// although the nodes were there all the time: then every deadline moves by the time that was lost.
import { TswarmError } from '#protocol/errors';
import { HEARTBEAT_GRACE_PERIODS, LEADER_CHANGE_GRACE_FACTOR } from './limits.ts';

interface Contact {
  /** '' while the node has not registered with this leader yet. */
  sessionId: string;
  deadlineMs: number;
  /** Address that the node speaks from; '' while it is not known. */
  readonly host: string;
}

/** Heartbeats of one node from two hosts can only be told apart while both come; one that is this late is taken for gone. */
const ALIVE_PERIODS = 1.5;

export class Sessions {
  readonly #contacts: Map<string, Contact> = new Map();
  #periodMs: number;
  #lastLookMs = 0;

  constructor(periodMs: number) {
    this.#periodMs = periodMs;
  }

  get periodMs(): number {
    return this.#periodMs;
  }

  /** Takes a new heartbeat period; open deadlines keep their old one until the next heartbeat. */
  setPeriod(periodMs: number): void {
    this.#periodMs = periodMs;
  }

  /** A new leader: these nodes were last known to be up and must show themselves. */
  expect(nodeIds: Iterable<string>, nowMs: number): void {
    this.#contacts.clear();
    this.#lastLookMs = nowMs;
    const deadlineMs = nowMs + this.#graceMs * LEADER_CHANGE_GRACE_FACTOR;
    for (const nodeId of nodeIds) {
      this.#contacts.set(nodeId, { sessionId: '', deadlineMs, host: '' });
    }
  }

  /**
   * Starts a session; an older one of the same node ends by that. `host`: the address it comes from.
   * @throws TswarmError conflict while another host speaks with the identity of this node
   */
  open(nodeId: string, sessionId: string, nowMs: number, host = ''): void {
    const held = this.#contacts.get(nodeId);
    const silentMs = held ? nowMs - (held.deadlineMs - this.#graceMs) : 0;
    const isAlive = held?.sessionId !== '' && silentMs < this.#periodMs * ALIVE_PERIODS;
    if (held && isAlive && host !== '' && held.host !== '' && held.host !== host) {
      throw new TswarmError(
        'conflict',
        `node ${nodeId} is in session from ${held.host}: two hosts have the same identity`,
        {
          hint: 'Run `tswarm leave --force` on the copy and let it join anew.',
          retryable: true,
        },
      );
    }
    this.#contacts.set(nodeId, { sessionId, deadlineMs: nowMs + this.#graceMs, host });
  }

  /** @throws TswarmError not_found, when the node must start a new session. */
  check(nodeId: string, sessionId: string): void {
    if (sessionId !== '' && this.#contacts.get(nodeId)?.sessionId === sessionId) return;
    throw new TswarmError('not_found', 'this session is not known to the manager', {
      retryable: true,
      hint: 'The node starts a new one.',
    });
  }

  /** Whether the node has registered with this leader and was heard of lately. */
  has(nodeId: string): boolean {
    return (this.#contacts.get(nodeId)?.sessionId ?? '') !== '';
  }

  isOpen(nodeId: string, sessionId: string): boolean {
    return this.#contacts.get(nodeId)?.sessionId === sessionId;
  }

  /** @throws TswarmError not_found, when the node must start a new session. */
  beat(nodeId: string, sessionId: string, nowMs: number): void {
    this.check(nodeId, sessionId);
    const host = this.#contacts.get(nodeId)?.host ?? '';
    this.#contacts.set(nodeId, { sessionId, deadlineMs: nowMs + this.#graceMs, host });
  }

  /** Forgets a node, as when it is removed. */
  close(nodeId: string): void {
    this.#contacts.delete(nodeId);
  }

  /** Ends and returns the nodes whose deadline has passed. Call it at least once per period. */
  expire(nowMs: number): string[] {
    const sinceMs = nowMs - this.#lastLookMs;
    this.#lastLookMs = nowMs;
    if (sinceMs > 2 * this.#periodMs) {
      for (const contact of this.#contacts.values()) contact.deadlineMs += sinceMs;
    }
    const expired: string[] = [];
    for (const [nodeId, { deadlineMs }] of this.#contacts)
      if (deadlineMs <= nowMs) expired.push(nodeId);
    for (const nodeId of expired) this.#contacts.delete(nodeId);
    return expired;
  }

  get #graceMs(): number {
    return this.#periodMs * HEARTBEAT_GRACE_PERIODS;
  }
}
