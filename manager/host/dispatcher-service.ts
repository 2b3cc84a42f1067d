// The Dispatcher service: gives the pure dispatcher (manager/dispatcher) its streams, timers and
// transactions. Active on the leader only; when leadership goes all streams end and the nodes look
// for the new leader.
import { mustRenew, trustBundle } from '#manager/ca/rotation';
import { AssignmentHub } from '#manager/dispatcher/assignment-hub';
import { Drains, lagging, writeAcknowledged } from '#manager/dispatcher/drains';
import {
  ASSIGNMENTS_COALESCE_MS,
  ASSIGNMENTS_REST_MS_MAX,
  MESSAGE_COST_MS,
  PACE_BURST,
  STATUS_BATCH_MAX,
  STATUS_COALESCE_MS,
  STATUS_UPDATES_PER_CALL_MAX,
} from '#manager/dispatcher/limits';
import {
  describeNode,
  heartbeatPeriodMs,
  managerAddresses,
  markDown,
  movesManagers,
  nodesToExpect,
  registerNode,
  requireMember,
  requireNode,
} from '#manager/dispatcher/nodes';
import { Sessions } from '#manager/dispatcher/sessions';
import { StatusQueue, writeStatuses } from '#manager/dispatcher/status-queue';
import type { CommittedEntry } from '#manager/store/recent-changes';
import type { StoreChange } from '#manager/store/view';
import { messageOf, TswarmError } from '#protocol/errors';
import type {
  AssignmentsMessage,
  AssignmentsRequest,
  DispatcherMethods,
  ManagerAddress,
  SessionMessage,
  SessionRequest,
  UpdateTaskStatusRequest,
} from '#protocol/generated/dispatcher';
import { newId } from '#protocol/ids';
import type { CallContext, Handlers } from '#protocol/transport/grpc';
import { refuseOtherProtocol } from '#protocol/version';
import type { Clock, Log, Random } from '#protocol/world';
import { attachNetwork } from './attach-network.ts';
import { KeyedWakeups, Pacer } from './pacing.ts';
import type { ReplicatedStore } from './replicated-store.ts';

export interface DispatcherDeps {
  readonly replicated: ReplicatedStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Address of this manager as nodes reach it, for a node that comes over loopback. */
  readonly advertiseHost: string;
}

const ASSIGNMENTS_PACE = { intervalMs: ASSIGNMENTS_COALESCE_MS, burst: PACE_BURST };
const STATUS_PACE = { intervalMs: STATUS_COALESCE_MS, burst: PACE_BURST };
const NANOS_PER_MS = 1e6;
/** Looks for missed heartbeats this many times per period. */
const LOOKS_PER_PERIOD = 2;

export class DispatcherHost {
  readonly #deps: DispatcherDeps;
  readonly #hub: AssignmentHub = new AssignmentHub();
  readonly #sessions: Sessions = new Sessions(1000);
  readonly #reports: StatusQueue = new StatusQueue();
  /** By node. */
  readonly #wakeups: KeyedWakeups = new KeyedWakeups();
  /** Nodes that have changed themselves since streams were woken last. */
  readonly #news: Set<string> = new Set();
  #isNewsForAll = false;
  /** The same for all nodes; undefined = to be looked up. */
  #managers: readonly ManagerAddress[] | undefined;
  readonly #assignmentsPacer: Pacer;
  readonly #reportsPacer: Pacer;
  /** node id → last sequence whose endpoints are in its kernel */
  readonly #acknowledged: Map<string, string> = new Map();
  readonly #drains: Drains = new Drains();
  #isWritingDrains = false;
  #unsubscribe: (() => void) | undefined;
  #look: NodeJS.Timeout | undefined;

  constructor(deps: DispatcherDeps) {
    this.#deps = deps;
    this.#assignmentsPacer = new Pacer(ASSIGNMENTS_PACE, async () => this.#wake());
    this.#reportsPacer = new Pacer(STATUS_PACE, () => this.#commitReports());
  }

  /** This manager leads now. */
  start(): void {
    const { replicated, clock } = this.#deps;
    const periodMs = heartbeatPeriodMs(replicated.view);
    this.#sessions.setPeriod(periodMs);
    this.#sessions.expect(nodesToExpect(replicated.view), clock.monotonicMs());
    this.#drains.rebuild(replicated.view);
    this.#managers = undefined;
    this.#unsubscribe = replicated.store.subscribe((entry) => this.#committed(entry));
    this.#look = setInterval(() => this.#expire(), periodMs / LOOKS_PER_PERIOD);
  }

  /** It no longer leads: ends all streams. */
  stop(): void {
    this.#unsubscribe?.();
    this.#unsubscribe = undefined;
    clearInterval(this.#look);
    this.#hub.reset();
    this.#reports.take();
    this.#acknowledged.clear();
    this.#sessions.expect([], this.#deps.clock.monotonicMs());
    this.#wakeups.wakeAll();
  }

  handlers(): Handlers<DispatcherMethods> {
    return {
      session: (request, context) => this.#session(request, context),
      assignments: (request, context) => this.#assignments(request, context),
      heartbeat: async ({ sessionId }, { peer }) => {
        const nodeId = requireNode(peer);
        this.#requireLeading();
        this.#heard(nodeId, sessionId);
        return { period: this.#sessions.periodMs * NANOS_PER_MS };
      },
      updateTaskStatus: async (request, context) => {
        await this.#updateTaskStatus(request, context);
        return {};
      },
      attachNetwork: async (request, { peer }) => {
        const nodeId = requireNode(peer);
        this.#requireLeading();
        this.#sessions.check(nodeId, request.sessionId);
        return { task: await attachNetwork(this.#deps.replicated, nodeId, request) };
      },
      ackEndpoints: async ({ sessionId, sequence }, { peer }) => {
        const nodeId = requireNode(peer);
        this.#heard(nodeId, sessionId);
        this.#acknowledged.set(nodeId, sequence);
        this.#checkDrains();
        return {};
      },
    };
  }

  /** Whatever a node says in its session shows that it is there: its heartbeat may be late because it has much to say. */
  #heard(nodeId: string, sessionId: string): void {
    this.#sessions.beat(nodeId, sessionId, this.#deps.clock.monotonicMs());
  }

  /** Whether the node has a session here. */
  isInTouch(nodeId: string): boolean {
    return this.#sessions.has(nodeId);
  }

  /** Nodes that have not acknowledged the service's endpoints as they are now. */
  lagging(serviceId: string): string[] {
    return lagging(this.#deps.replicated.view, this.#hub, this.#acknowledged, serviceId);
  }

  /** Lets tasks stop that every node has taken out of service. */
  #checkDrains(): void {
    if (this.#drains.isEmpty || this.#isWritingDrains) return;
    const { replicated, log } = this.#deps;
    const settled = this.#drains.settled(replicated.view, this.#hub, this.#acknowledged);
    if (settled.length === 0) return;
    this.#isWritingDrains = true;
    replicated
      .update({ author: 'dispatcher', summary: '', splittable: true }, (tx, { nowMicros }) =>
        writeAcknowledged(tx, settled, nowMicros),
      )
      .then(
        () => {
          this.#isWritingDrains = false;
          // What was acknowledged meanwhile.
          this.#checkDrains();
        },
        (error: unknown) => {
          // The next acknowledgement or change asks again.
          this.#isWritingDrains = false;
          log.warn('drained tasks not written', { error: messageOf(error) });
        },
      );
  }

  async *#session(request: SessionRequest, context: CallContext): AsyncIterable<SessionMessage> {
    const nodeId = requireNode(context.peer);
    this.#requireLeading();
    const { replicated, random, clock, log } = this.#deps;
    requireMember(replicated.view, nodeId);
    refuseOtherProtocol(`node ${nodeId}`, request.protocol);
    const sessionId = newId(random);
    const address = this.#addressOf(context.peer.address);
    this.#sessions.open(nodeId, sessionId, clock.monotonicMs(), address);
    // A stream of an older session ends.
    this.#wakeups.wake(nodeId);
    const { description } = request;
    await replicated.update({ author: nodeId, summary: '' }, (tx) =>
      registerNode(tx, nodeId, { description, address }),
    );
    log.info('session', { node: nodeId, session: sessionId, address });
    let last: SessionMessage | undefined;
    const wakeups = this.#wakeups.of(nodeId);
    while (!context.signal.aborted) {
      const seen = wakeups.count;
      this.#sessions.check(nodeId, sessionId);
      const message = this.#sessionMessage(nodeId, sessionId);
      if (!last || isNews(last, message)) {
        last = message;
        yield message;
      }
      await wakeups.wait(context.signal, seen);
      this.#requireLeading();
    }
  }

  #sessionMessage(nodeId: string, sessionId: string): SessionMessage {
    const { view } = this.#deps.replicated;
    const cluster = view.cluster();
    const node = requireMember(view, nodeId);
    this.#managers ??= managerAddresses(view);
    return {
      sessionId,
      node,
      managers: [...this.#managers],
      caCert: trustBundle(cluster),
      heartbeatPeriod: this.#sessions.periodMs * NANOS_PER_MS,
      renewCertificate: mustRenew(cluster, node),
      dataPathPort: cluster.dataPathPort,
      removedNodes: cluster.removedNodes.map(({ id }) => id),
    };
  }

  async *#assignments(
    { sessionId }: AssignmentsRequest,
    { peer, signal }: CallContext,
  ): AsyncIterable<AssignmentsMessage> {
    const nodeId = requireNode(peer);
    this.#requireLeading();
    this.#sessions.check(nodeId, sessionId);
    const assignments = this.#hub.connect(nodeId, sessionId);
    const wakeups = this.#wakeups.of(nodeId);
    try {
      while (!signal.aborted) {
        const seen = wakeups.count;
        const message = assignments.next(this.#deps.replicated.view, this.#hub.endpoints);
        if (message) yield message;
        else this.#checkDrains();
        await wakeups.wait(signal, seen);
        this.#requireLeading();
        this.#sessions.check(nodeId, sessionId);
      }
    } finally {
      this.#hub.disconnect(assignments);
    }
  }

  async #updateTaskStatus(request: UpdateTaskStatusRequest, { peer }: CallContext): Promise<void> {
    const nodeId = requireNode(peer);
    this.#requireLeading();
    this.#heard(nodeId, request.sessionId);
    const { replicated } = this.#deps;
    if (request.updates.length > STATUS_UPDATES_PER_CALL_MAX) {
      throw new TswarmError(
        'invalid_argument',
        `${request.updates.length} status updates in one call, at most ${STATUS_UPDATES_PER_CALL_MAX}`,
      );
    }
    this.#reports.add(replicated.view, nodeId, request.updates);
    const committed =
      this.#reports.size > 0
        ? this.#reportsPacer.soon(this.#reports.size >= STATUS_BATCH_MAX)
        : undefined;
    const { description } = request;
    const described = description
      ? replicated.update({ author: nodeId, summary: '' }, (tx) =>
          describeNode(tx, nodeId, description),
        )
      : undefined;
    // A node may forget what it was thanked for, so it is on disk before.
    await Promise.all([committed, described]);
  }

  async #commitReports(): Promise<void> {
    const batch = this.#reports.take();
    if (batch.size === 0) return;
    await this.#deps.replicated.update(
      { author: 'dispatcher', summary: '', splittable: true },
      (tx, { nowMicros }) => writeStatuses(tx, batch, nowMicros),
    );
  }

  #committed(entry: CommittedEntry | 'reset'): void {
    if (entry === 'reset') {
      this.#hub.reset();
      this.#drains.rebuild(this.#deps.replicated.view);
      this.#managers = undefined;
      this.#wakeups.wakeAll();
      return;
    }
    this.#hub.note(entry.changes);
    this.#drains.note(entry.changes);
    this.#checkDrains();
    for (const change of entry.changes) {
      if (change.kind === 'node') this.#nodeChanged(change as StoreChange<'node'>, change.id);
      if (change.kind === 'cluster') {
        this.#takePeriod();
        this.#isNewsForAll = true;
      }
    }
    const hasNews = this.#isNewsForAll || this.#news.size > 0;
    const isForSome = hasNews || !this.#hub.nodesWithNews().next().done;
    if (isForSome) this.#assignmentsPacer.soon().catch(() => undefined);
  }

  #nodeChanged(change: StoreChange<'node'>, nodeId: string): void {
    this.#news.add(nodeId);
    if (movesManagers(change)) {
      this.#managers = undefined;
      this.#isNewsForAll = true;
    }
    if (change.after) return;
    this.#sessions.close(nodeId);
    this.#wakeups.delete(nodeId);
  }

  /** Wakes the streams of the nodes that may have to be told something. */
  #wake(): void {
    const nodes = new Set([...this.#news, ...this.#hub.nodesWithNews()]);
    if (this.#isNewsForAll) this.#wakeups.wakeAll();
    else for (const nodeId of nodes) this.#wakeups.wake(nodeId);
    this.#assignmentsPacer.rest(Math.min(nodes.size * MESSAGE_COST_MS, ASSIGNMENTS_REST_MS_MAX));
    this.#isNewsForAll = false;
    this.#news.clear();
  }

  #takePeriod(): void {
    const periodMs = heartbeatPeriodMs(this.#deps.replicated.view);
    if (periodMs === this.#sessions.periodMs) return;
    this.#sessions.setPeriod(periodMs);
    clearInterval(this.#look);
    this.#look = setInterval(() => this.#expire(), periodMs / LOOKS_PER_PERIOD);
  }

  #expire(): void {
    const { replicated, clock, log } = this.#deps;
    const down = this.#sessions.expire(clock.monotonicMs());
    if (down.length === 0) return;
    for (const node of down) {
      log.warn('node is down: no heartbeat', { node });
      this.#wakeups.wake(node);
    }
    replicated
      .update({ author: 'dispatcher', summary: '' }, (tx) => markDown(tx, down))
      .catch((error: unknown) => {
        log.warn('nodes could not be marked down', { error: messageOf(error) });
        // Looked at again in a while, as if they had just been heard from.
        for (const node of down) this.#sessions.open(node, '', clock.monotonicMs());
      });
  }

  #requireLeading(): void {
    if (this.#deps.replicated.isLeading && this.#unsubscribe) return;
    throw this.#deps.replicated.notLeading();
  }

  #addressOf(peerAddress: string): string {
    const address = peerAddress
      .replace(/:\d+$/, '')
      .replace(/^\[|\]$/g, '')
      .replace(/^::ffff:/, '');
    const isLoopback = address.startsWith('127.') || address === '::1';
    return isLoopback ? this.#deps.advertiseHost : address;
  }
}

/** Whether a node must hear it: what it knows of itself from its own reports does not count. */
function isNews(before: SessionMessage, now: SessionMessage): boolean {
  return (
    before.node?.spec !== now.node?.spec ||
    before.node?.role !== now.node?.role ||
    before.renewCertificate !== now.renewCertificate ||
    before.caCert !== now.caCert ||
    before.dataPathPort !== now.dataPathPort ||
    before.heartbeatPeriod !== now.heartbeatPeriod ||
    before.removedNodes.length !== now.removedNodes.length ||
    before.removedNodes.some((id, i) => id !== now.removedNodes[i]) ||
    JSON.stringify(before.managers) !== JSON.stringify(now.managers)
  );
}
