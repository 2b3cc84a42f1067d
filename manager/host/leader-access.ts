// The way to the leader: runs a piece of work here when this manager leads, else passes the call on
// to the one that does, with the original caller's identity, over mutual TLS with this manager's
// certificate. While there is no leader it waits a moment, because an election is short; when there
// has been none for longer it fails at once. A call is sent a second time only when it certainly
// was not carried out: the connection could not be made, or the other side said that it does not
// lead. Refuses to pass on what was passed on already.
import type * as grpc from '@grpc/grpc-js';
import { controlAddressOf } from '#manager/control/managers';
import { MANAGER_NAME } from '#protocol/certificates';
import type { ServiceDescriptor } from '#protocol/codec';
import { hasCode, messageOf, TswarmError } from '#protocol/errors';
import {
  type CallContext,
  type CallOptions,
  type Client,
  clientOf,
  connectChannel,
  type TlsIdentity,
} from '#protocol/transport/grpc';
import type { Clock } from '#protocol/world';
import { LEADER_CALL_MS, LEADER_CONNECT_MS, LEADER_LOOK_MS, LEADER_WAIT_MS } from '../limits.ts';
import { callerMetadata, isPassedOn } from './caller.ts';
import { Wakeups } from './pacing.ts';
import type { RaftStatus } from './raft/raft-node.ts';
import type { ReplicatedStore } from './replicated-store.ts';

export interface LeaderAccessDeps {
  readonly replicated: ReplicatedStore;
  readonly clock: Clock;
  status(): RaftStatus;
  /** Raft's: resolves when a read of the state here is linearizable. */
  readIndex(): Promise<number>;
  /** This manager's identity; the same object as long as it is the same. */
  identity(): TlsIdentity;
}

interface Connection {
  readonly address: string;
  readonly identity: TlsIdentity;
  readonly channel: grpc.Client;
}

export class LeaderAccess {
  readonly #deps: LeaderAccessDeps;
  readonly #wakeups: Wakeups = new Wakeups();
  #connection: Connection | undefined;
  /** Monotonic time since when no leader has been known; undefined while one is. */
  #leaderlessMs: number | undefined;

  constructor(deps: LeaderAccessDeps) {
    this.#deps = deps;
  }

  /** Call it after every change of Raft's status and of leadership. */
  statusChanged(): void {
    const { clock, status } = this.#deps;
    if (status().leaderId !== null) this.#leaderlessMs = undefined;
    else this.#leaderlessMs ??= clock.monotonicMs();
    this.#wakeups.wake();
  }

  close(): void {
    this.#connection?.channel.close();
    this.#connection = undefined;
  }

  /**
   * `local` here if this manager leads, else `remote` at the leader. Both may be called more than
   * once, but only one of them is carried out. `context`: the call that this is about; undefined for
   * this manager's own affairs.
   * @throws TswarmError no_leader, and what the call itself throws
   */
  async run<T, Methods>(
    context: CallContext | undefined,
    service: ServiceDescriptor<Methods>,
    local: () => Promise<T>,
    remote: (client: Client<Methods>, options: CallOptions) => Promise<T>,
  ): Promise<T> {
    const startedMs = this.#deps.clock.monotonicMs();
    const isFinal = context !== undefined && isPassedOn(context);
    for (;;) {
      const seen = this.#wakeups.count;
      try {
        if (this.#deps.replicated.isLeading) return await local();
        const address = isFinal ? undefined : this.#leaderAddress();
        if (address === undefined) throw this.#deps.replicated.notLeading();
        const channel = await this.#connect(address);
        return await remote(clientOf(service, channel), optionsFor(context));
      } catch (error) {
        const canWait = hasCode(error, 'no_leader') && !isFinal && !context?.signal.aborted;
        if (!canWait || this.#isTooLate(startedMs)) throw error;
      }
      await this.#pause(seen);
    }
  }

  /**
   * Resolves when this manager's state shows everything that was acknowledged before the call.
   * Asking is repeated while there is a chance, because it changes nothing.
   * @throws TswarmError no_leader
   */
  async caughtUp(): Promise<void> {
    const startedMs = this.#deps.clock.monotonicMs();
    for (;;) {
      const seen = this.#wakeups.count;
      try {
        await this.#deps.readIndex();
        return;
      } catch (error) {
        const isPassing = error instanceof TswarmError && error.retryable;
        if (!isPassing && !hasCode(error, 'no_leader')) throw error;
        if (this.#isTooLate(startedMs)) throw this.#deps.replicated.notLeading();
      }
      await this.#pause(seen);
    }
  }

  /** Control address of another manager that leads. */
  #leaderAddress(): string | undefined {
    const { replicated, status } = this.#deps;
    const { leaderId, raftId } = status();
    return leaderId === raftId ? undefined : controlAddressOf(replicated.view, leaderId);
  }

  async #connect(address: string): Promise<grpc.Client> {
    const identity = this.#deps.identity();
    const known = this.#connection;
    if (known?.address !== address || known.identity !== identity) {
      known?.channel.close();
      const channel = connectChannel(address, identity, MANAGER_NAME);
      this.#connection = { address, identity, channel };
    }
    const { channel } = this.#connection as Connection;
    await new Promise<void>((resolve, reject) => {
      channel.waitForReady(Date.now() + LEADER_CONNECT_MS, (error) => {
        if (!error) resolve();
        else reject(unreachable(address, error));
      });
    });
    return channel;
  }

  #isTooLate(startedMs: number): boolean {
    const nowMs = this.#deps.clock.monotonicMs();
    const sinceMs = Math.min(startedMs, this.#leaderlessMs ?? startedMs);
    return nowMs - sinceMs >= LEADER_WAIT_MS;
  }

  async #pause(seen: number): Promise<void> {
    const stop = new AbortController();
    const timer = setTimeout(() => stop.abort(), LEADER_LOOK_MS);
    await this.#wakeups.wait(stop.signal, seen);
    clearTimeout(timer);
  }
}

function optionsFor(context: CallContext | undefined): CallOptions {
  const timeoutMs = LEADER_CALL_MS;
  if (!context) return { timeoutMs };
  return { timeoutMs, signal: context.signal, metadata: callerMetadata(context) };
}

function unreachable(address: string, error: Error): TswarmError {
  return new TswarmError(
    'no_leader',
    `the leader at ${address} cannot be reached: ${messageOf(error)}`,
    { retryable: true, cause: error, redirect: address },
  );
}
