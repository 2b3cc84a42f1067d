// The node's session with a manager: register, heartbeats, assignments (a gap in their sequence ends the session), status updates. One session at a time;
// when anything of it fails, all of it ends and the next one begins after a back-off with jitter (swarmkit agent/session.go). Only the leader has sessions:
// another manager names it, and the node goes there at once. Decides nothing about tasks.
// Status updates go at once when none was sent lately, else together; the newest per task wins; what was not acknowledged is sent again.
import type { Client as Channel } from '@grpc/grpc-js';
import { MANAGER_NAME } from '#protocol/certificates';
import { messageOf, TswarmError } from '#protocol/errors';
import type {
  AssignmentsMessage,
  DispatcherMethods,
  SessionMessage,
} from '#protocol/generated/dispatcher';
import {
  AckEndpointsRequest,
  AssignmentsRequest,
  AssignmentsType,
  AttachNetworkRequest,
  DispatcherService,
  HeartbeatRequest,
  SessionRequest,
  TaskStatusUpdate,
  UpdateTaskStatusRequest,
} from '#protocol/generated/dispatcher';
import type { NodeDescription, Task, TaskStatus } from '#protocol/generated/objects';
import type { Client, TlsIdentity } from '#protocol/transport/grpc';
import { clientOf, connectChannel } from '#protocol/transport/grpc';
import { PROTOCOL_VERSION } from '#protocol/version';
import type { Clock, Log, Random } from '#protocol/world';
import {
  ATTACH_CALL_TIMEOUT_MS,
  HEARTBEAT_PERIOD_MS_DEFAULT,
  HEARTBEAT_TIMEOUT_MS_MIN,
  SESSION_BACKOFF_MS_MAX,
  SESSION_BACKOFF_MS_MIN,
  SESSION_CALL_TIMEOUT_MS,
  SESSION_OPEN_TIMEOUT_MS,
  SESSION_REDIRECTS_MAX,
  STATUS_COALESCE_MS,
  STATUS_UPDATES_PER_CALL_MAX,
} from './limits.ts';
import { delay } from './queue.ts';
import type { Remotes } from './remotes.ts';

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
  /** A session began, or ended or could not be had for this reason. */
  connected(connected: boolean, reason: unknown): void;
  sessionMessage(message: SessionMessage): void;
  /** The way to the leader, as long as the session lasts. */
  attached(channel: Channel, signal: AbortSignal): void;
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
  readonly #remotes: Remotes;
  /** The leader, as the manager that was asked last named it. */
  #redirect: string | undefined;
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
    options: { readonly identity: TlsIdentity; readonly remotes: Remotes },
    deps: SessionDeps,
  ) {
    this.#identity = options.identity;
    this.#remotes = options.remotes;
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

  /** A manager may have come back just now: ends the wait for the next try. */
  retryNow(): void {
    this.#pause.abort();
  }

  /** Used from the next connection on; a session that is open goes on. */
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

  /** A place on a network for a container of this node. @throws unavailable when there is no session. */
  async attachNetwork(request: Omit<AttachNetworkRequest, 'sessionId'>): Promise<Task> {
    const live = this.#live;
    if (!live) throw noSession();
    const { sessionId, signal } = live;
    const { task } = await live.client.attachNetwork(
      AttachNetworkRequest.create({ ...request, sessionId }),
      { timeoutMs: ATTACH_CALL_TIMEOUT_MS, signal },
    );
    if (!task) throw new TswarmError('internal', 'AttachNetwork: the answer has no task');
    return task;
  }

  async #loop(): Promise<void> {
    let backoffMs = 0;
    let redirects = 0;
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
        this.#redirect = error instanceof TswarmError ? error.redirect : undefined;
        this.#deps.connected(false, error);
      }
      redirects = hadSession || !this.#redirect ? 0 : redirects + 1;
      if (this.#redirect && redirects <= SESSION_REDIRECTS_MAX) continue;
      const lastedMs = this.#deps.clock.monotonicMs() - startedMs;
      backoffMs =
        hadSession && lastedMs > SESSION_BACKOFF_MS_MAX
          ? SESSION_BACKOFF_MS_MIN
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
    const address = this.#redirect ?? this.#remotes.pick(this.#deps.random.next());
    this.#redirect = undefined;
    if (address === undefined) throw new TswarmError('no_cluster', 'no manager is known');
    const channel: Channel = connectChannel(address, this.#identity, MANAGER_NAME);
    const client = clientOf(DispatcherService, channel);
    const failure = new Promise<never>((_, reject) => {
      this.#endLive = reject;
    });
    failure.catch(() => undefined);
    try {
      const opening = await this.#open(client, address, ended.signal, failure);
      established();
      this.#remotes.succeeded(address);
      const { sessionId } = opening.message;
      this.#deps.log.info('session', { session: sessionId, manager: address });
      const live: Live = { client, sessionId, signal: ended.signal };
      this.#live = live;
      this.#deps.connected(true, undefined);
      this.#deps.attached(channel, ended.signal);
      for (const { taskId, status } of this.#deps.statuses()) {
        if (!this.#pending.has(taskId)) this.#pending.set(taskId, status);
      }
      this.#scheduleSend();
      await Promise.race([
        failure,
        opening.reading,
        this.#heartbeats(live, opening.message),
        this.#assignments(live),
      ]);
    } catch (error) {
      // Who names the leader works; one that does not lead (any more) is as good as the others.
      if (!(error instanceof TswarmError && error.code === 'no_leader')) {
        this.#remotes.failed(address);
      }
      throw error;
    } finally {
      this.#endLive = undefined;
      this.#live = undefined;
      ended.abort();
      channel.close();
    }
  }

  /** Registers with a manager. @throws unavailable when it does not answer in time: behind a cut cable nothing ever would. */
  async #open(
    client: DispatcherClient,
    address: string,
    signal: AbortSignal,
    failure: Promise<never>,
  ): Promise<{ readonly message: SessionMessage; readonly reading: Promise<never> }> {
    const messages = client.session(
      SessionRequest.create({
        description: this.#deps.describe(),
        sessionId: '',
        protocol: PROTOCOL_VERSION,
      }),
      { signal },
    );
    const first = Promise.withResolvers<SessionMessage>();
    first.promise.catch(() => undefined);
    const reading = this.#readSession(messages, first);
    reading.catch(() => undefined);
    const late = new AbortController();
    const timeout = delay(SESSION_OPEN_TIMEOUT_MS, late.signal).then(() => {
      throw new TswarmError('unavailable', `the manager at ${address} does not answer`, {
        retryable: true,
      });
    });
    timeout.catch(() => undefined);
    try {
      return { message: await Promise.race([first.promise, failure, reading, timeout]), reading };
    } finally {
      late.abort();
    }
  }

  async #readSession(
    messages: AsyncIterable<SessionMessage>,
    first: { resolve(message: SessionMessage): void; reject(error: unknown): void },
  ): Promise<never> {
    try {
      for await (const message of messages) {
        this.#remotes.set(message.managers);
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
        { timeoutMs: Math.max(HEARTBEAT_TIMEOUT_MS_MIN, periodMs), signal: live.signal },
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
    const withDescription = this.#descriptionChanged;
    try {
      if (!live || (batch.length === 0 && !withDescription)) return;
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
      if (withDescription) this.#descriptionChanged = true;
      if (live === this.#live) this.#endLive?.(error);
    } finally {
      this.#sending = false;
      // What came while this was on its way, a new description too, goes next.
      if (this.#pending.size > 0 || this.#descriptionChanged) this.#scheduleSend();
    }
  }
}

function noSession(): TswarmError {
  return new TswarmError('unavailable', 'no manager is in reach', { retryable: true });
}
