// The node's session with a manager: register, heartbeats, assignments (a gap in their sequence ends the session), status updates. One session at a time;
// when anything of it fails, all of it ends and the next one begins after a back-off (swarmkit agent/session.go). Decides nothing about tasks.
// Status updates go at once when none was sent lately, else together; the newest per task wins; what was not acknowledged is sent again.
import type { Client as Channel } from '@grpc/grpc-js';
import { messageOf, TswarmError } from '#protocol/errors';
import type {
  AssignmentsMessage,
  DispatcherMethods,
  ManagerAddress,
  SessionMessage,
} from '#protocol/generated/dispatcher';
import {
  AckEndpointsRequest,
  AssignmentsRequest,
  AssignmentsType,
  DispatcherService,
  HeartbeatRequest,
  SessionRequest,
  TaskStatusUpdate,
  UpdateTaskStatusRequest,
} from '#protocol/generated/dispatcher';
import type { NodeDescription, TaskStatus } from '#protocol/generated/objects';
import type { Client, TlsIdentity } from '#protocol/transport/grpc';
import { clientOf, connectChannel } from '#protocol/transport/grpc';
import type { Clock, Log, Random } from '#protocol/world';
import {
  HEARTBEAT_PERIOD_MS_DEFAULT,
  SESSION_BACKOFF_MS_MAX,
  SESSION_BACKOFF_MS_MIN,
  SESSION_CALL_TIMEOUT_MS,
  STATUS_COALESCE_MS,
  STATUS_UPDATES_PER_CALL_MAX,
} from './limits.ts';
import { delay } from './queue.ts';

const MANAGER_NAME = 'swarm-manager';
const NANOS_PER_MS = 1e6;

export interface SessionDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  describe(): NodeDescription;
  /** All statuses, for a new session. */
  statuses(): readonly { readonly taskId: string; readonly status: TaskStatus }[];
  /** Called in order; what it takes over counts as received. */
  assigned(message: AssignmentsMessage): void;
  connected(connected: boolean): void;
  sessionMessage(message: SessionMessage): void;
}

type DispatcherClient = Client<DispatcherMethods>;

interface Live {
  readonly client: DispatcherClient;
  readonly sessionId: string;
  readonly signal: AbortSignal;
}

export class Session {
  readonly #deps: SessionDeps;
  #identity: TlsIdentity;
  #managers: readonly ManagerAddress[];
  readonly #stopped = new AbortController();
  #pause = new AbortController();
  #running: Promise<void> | undefined;
  #live: Live | undefined;
  #endLive: ((reason: unknown) => void) | undefined;
  readonly #pending = new Map<string, TaskStatus>();
  #sending = false;
  #lastSentMs = -Infinity;
  #sendTimer: NodeJS.Timeout | undefined;
  #descriptionChanged = false;

  constructor(
    options: { readonly identity: TlsIdentity; readonly managers: readonly string[] },
    deps: SessionDeps,
  ) {
    this.#identity = options.identity;
    this.#managers = options.managers.map((addr) => ({ nodeId: '', addr, weight: 1 }));
    this.#deps = deps;
  }

  start(): void {
    this.#running = this.#loop();
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    this.#endLive?.(new TswarmError('cancelled', 'session stopped'));
    clearTimeout(this.#sendTimer);
    await this.#running;
  }

  /** Used from the next connection on. */
  /** A manager may have come back just now: ends the wait for the next try. */
  retryNow(): void {
    this.#pause.abort();
  }

  setIdentity(identity: TlsIdentity): void {
    this.#identity = identity;
  }

  report(taskId: string, status: TaskStatus): void {
    this.#pending.set(taskId, status);
    this.#scheduleSend();
  }

  describeAgain(): void {
    this.#descriptionChanged = true;
    this.#scheduleSend();
  }

  /** All endpoints up to this sequence are in the kernel. */
  acknowledge(sequence: string): void {
    const live = this.#live;
    if (!live) return;
    live.client
      .ackEndpoints(AckEndpointsRequest.create({ sessionId: live.sessionId, sequence }), {
        timeoutMs: SESSION_CALL_TIMEOUT_MS,
        signal: live.signal,
      })
      .catch((error: unknown) => this.#endLive?.(error));
  }

  async #loop(): Promise<void> {
    let backoffMs = 0;
    while (!this.#stopped.signal.aborted) {
      const startedMs = this.#deps.clock.monotonicMs();
      let hadSession = false;
      try {
        await this.#run(() => {
          hadSession = true;
        });
      } catch (error) {
        if (this.#stopped.signal.aborted) return;
        this.#deps.log.info('session ended', { reason: messageOf(error), hadSession });
      }
      const lastedMs = this.#deps.clock.monotonicMs() - startedMs;
      backoffMs =
        hadSession && lastedMs > SESSION_BACKOFF_MS_MAX
          ? 0
          : Math.min(SESSION_BACKOFF_MS_MAX, SESSION_BACKOFF_MS_MIN + 2 * backoffMs);
      this.#pause = new AbortController();
      const wake = AbortSignal.any([this.#stopped.signal, this.#pause.signal]);
      await delay(this.#deps.random.next() * backoffMs, wake);
      if (this.#pause.signal.aborted) backoffMs = 0;
    }
  }

  /** One session, from connecting to its end; always ends with an error. */
  async #run(established: () => void): Promise<void> {
    const ended = new AbortController();
    const address = this.#pickManager();
    const channel: Channel = connectChannel(address, this.#identity, MANAGER_NAME);
    const client = clientOf(DispatcherService, channel);
    const failure = new Promise<never>((_, reject) => {
      this.#endLive = reject;
    });
    failure.catch(() => undefined);
    try {
      const messages = client.session(
        SessionRequest.create({ description: this.#deps.describe(), sessionId: '' }),
        { signal: ended.signal },
      );
      const first = Promise.withResolvers<SessionMessage>();
      first.promise.catch(() => undefined);
      const reading = this.#readSession(messages, first);
      const opening = await Promise.race([first.promise, failure, reading]);
      established();
      this.#deps.log.info('session', { session: opening.sessionId, manager: address });
      const live: Live = { client, sessionId: opening.sessionId, signal: ended.signal };
      this.#live = live;
      this.#deps.connected(true);
      for (const { taskId, status } of this.#deps.statuses()) {
        if (!this.#pending.has(taskId)) this.#pending.set(taskId, status);
      }
      this.#scheduleSend();
      await Promise.race([
        failure,
        reading,
        this.#heartbeats(live, opening),
        this.#assignments(live),
      ]);
    } finally {
      this.#endLive = undefined;
      const wasLive = this.#live !== undefined;
      this.#live = undefined;
      ended.abort();
      channel.close();
      if (wasLive) this.#deps.connected(false);
    }
  }

  /** By weight; after a failure another one comes up soon enough by chance. */
  #pickManager(): string {
    const total = this.#managers.reduce((sum, manager) => sum + Math.max(1, manager.weight), 0);
    let point = this.#deps.random.next() * total;
    for (const manager of this.#managers) {
      point -= Math.max(1, manager.weight);
      if (point < 0) return manager.addr;
    }
    throw new TswarmError('no_cluster', 'session: no manager is known');
  }

  async #readSession(
    messages: AsyncIterable<SessionMessage>,
    first: { resolve(message: SessionMessage): void; reject(error: unknown): void },
  ): Promise<never> {
    try {
      for await (const message of messages) {
        if (message.managers.length > 0) this.#managers = message.managers;
        first.resolve(message);
        this.#deps.sessionMessage(message);
      }
    } catch (error) {
      first.reject(error);
      throw error;
    }
    throw new TswarmError('unavailable', 'the manager ended the session', { retryable: true });
  }

  async #heartbeats(live: Live, opening: SessionMessage): Promise<never> {
    let periodMs = opening.heartbeatPeriod / NANOS_PER_MS || HEARTBEAT_PERIOD_MS_DEFAULT;
    for (;;) {
      await delay(periodMs, live.signal);
      if (live.signal.aborted) throw new TswarmError('cancelled', 'session ended');
      const answer = await live.client.heartbeat(
        HeartbeatRequest.create({ sessionId: live.sessionId }),
        { timeoutMs: SESSION_CALL_TIMEOUT_MS, signal: live.signal },
      );
      if (answer.period > 0) periodMs = answer.period / NANOS_PER_MS;
    }
  }

  async #assignments(live: Live): Promise<never> {
    let sequence: string | undefined;
    const request = AssignmentsRequest.create({ sessionId: live.sessionId });
    for await (const message of live.client.assignments(request, { signal: live.signal })) {
      const complete = message.type === AssignmentsType.COMPLETE;
      if (!complete && message.appliesTo !== sequence) {
        throw new TswarmError(
          'out_of_sequence',
          `assignments: got a change to ${message.appliesTo}, have ${sequence ?? 'none'}`,
          { retryable: true },
        );
      }
      sequence = message.resultsIn;
      this.#deps.assigned(message);
    }
    throw new TswarmError('unavailable', 'the manager ended the assignments', { retryable: true });
  }

  #scheduleSend(): void {
    if (this.#sending || this.#sendTimer !== undefined || !this.#live) return;
    const sinceMs = this.#deps.clock.monotonicMs() - this.#lastSentMs;
    if (sinceMs >= STATUS_COALESCE_MS) {
      // Everything that this turn of the event loop reports goes together.
      this.#sending = true;
      setImmediate(() => void this.#send());
    } else {
      this.#sendTimer = setTimeout(() => {
        this.#sendTimer = undefined;
        this.#sending = true;
        void this.#send();
      }, STATUS_COALESCE_MS - sinceMs);
    }
  }

  async #send(): Promise<void> {
    const live = this.#live;
    const batch = [...this.#pending].slice(0, STATUS_UPDATES_PER_CALL_MAX);
    try {
      if (!live || (batch.length === 0 && !this.#descriptionChanged)) return;
      const withDescription = this.#descriptionChanged;
      this.#descriptionChanged = false;
      this.#lastSentMs = this.#deps.clock.monotonicMs();
      for (const [taskId] of batch) this.#pending.delete(taskId);
      await live.client.updateTaskStatus(
        UpdateTaskStatusRequest.create({
          sessionId: live.sessionId,
          updates: batch.map(([taskId, status]) => TaskStatusUpdate.create({ taskId, status })),
          ...(withDescription ? { description: this.#deps.describe() } : {}),
        }),
        { timeoutMs: SESSION_CALL_TIMEOUT_MS, signal: live.signal },
      );
    } catch (error) {
      for (const [taskId, status] of batch) {
        if (!this.#pending.has(taskId)) this.#pending.set(taskId, status);
      }
      if (live === this.#live) this.#endLive?.(error);
    } finally {
      this.#sending = false;
      if (this.#pending.size > 0) this.#scheduleSend();
    }
  }
}
