// A worker node: the real agent over containers that exist in memory, with a session to the leader's
// dispatcher like worker/session.ts has: register, heartbeats, assignments without a gap, reports
// that are sent until they are answered. Its disk keeps what the agent saves; containers outlive the
// agent, but not the host.

import { CERTIFICATE_ROLE, certificateRequest } from '#protocol/certificates';
import { hasCode } from '#protocol/errors';
import { IssueNodeCertificateRequest } from '#protocol/generated/ca';
import {
  AssignmentAction,
  type AssignmentsMessage,
  AssignmentsType,
  type SessionMessage,
  SessionRequest,
  UpdateTaskStatusRequest,
} from '#protocol/generated/dispatcher';
import {
  EngineDescription,
  NodeDescription,
  PluginDescription,
  type TaskState,
  type TaskStatus,
} from '#protocol/generated/objects';
import { NodeRole, Platform, Resources } from '#protocol/generated/specs';
import type { CallContext } from '#protocol/transport/grpc';
import { PROTOCOL_VERSION } from '#protocol/version';
import type { Prng } from '#test/support/prng';
import { Agent } from '#worker/agent/agent';
import type { AgentInput, Effect, SavedTask } from '#worker/agent/types';
import { check } from './failure.ts';
import { simSigner } from './sim-authority.ts';
import { type ContainerWeather, SimContainers } from './sim-containers.ts';
import type { SimManager } from './sim-manager.ts';
import type { Wire } from './wire.ts';
import type { Actor, World } from './world.ts';

const AGAIN_MS = 300;
const REPORT_AGAIN_MS = 500;
/** Without a word from the manager for so many heartbeats the session is given up. */
const SILENT_BEATS = 3;

interface Session {
  readonly manager: SimManager;
  readonly id: string;
  readonly end: AbortController;
  sequence: string | null;
}

export interface SimNodeDeps {
  readonly world: World;
  readonly wire: Wire;
  readonly prng: Prng;
  readonly number: number;
  readonly containers: ContainerWeather;
  /** Containers do not fail any more. */
  readonly isCalm: () => boolean;
  readonly token: () => string;
  readonly thanked: (taskId: string, run: number, state: TaskState) => void;
}

export class SimNode {
  readonly #deps: SimNodeDeps;
  /** What survives a loss of power. */
  readonly #saved = new Map<string, SavedTask>();
  readonly #containers: SimContainers;
  nodeId = '';
  /** As the manager says. */
  role: NodeRole = NodeRole.WORKER;
  /** How often its host has joined. */
  #joins = 1;
  #actor: Actor | null = null;
  #agent: Agent | null = null;
  #session: Session | null = null;
  #lastHeardMs = 0;
  #wake: NodeJS.Timeout | undefined;
  readonly #pending = new Map<string, TaskStatus>();
  #isSending = false;
  #present: Set<string> = new Set();

  constructor(deps: SimNodeDeps) {
    this.#deps = deps;
    this.#containers = new SimContainers({
      ...deps,
      weather: deps.containers,
      actor: () => this.#actor,
      tell: (input) => this.#step(input),
    });
  }

  get isUp(): boolean {
    return this.#actor !== null;
  }

  get actor(): Actor | null {
    return this.#actor;
  }

  /** Tasks whose container runs. */
  runningTasks(): string[] {
    return this.#containers.runningTasks();
  }

  get containerCount(): number {
    return this.#containers.count;
  }

  start(): void {
    if (this.#actor !== null) return;
    const { world, prng, number } = this.#deps;
    const rate = 1 + (prng.next() - 0.5) * 0.05;
    this.#actor = world.newActor(`node ${number}`, rate);
    world.at(1, this.#actor, () => this.#begin());
  }

  /** The worker's process ends; containers go on. */
  kill(): void {
    if (this.#actor === null) return;
    this.#actor.isAlive = false;
    this.#actor = null;
    this.#agent = null;
    this.#session?.end.abort();
    this.#session = null;
    this.#pending.clear();
    this.#isSending = false;
  }

  /** The host loses power. */
  reboot(): void {
    this.kill();
    this.#containers.endAll();
  }

  // ---- agent

  #begin(): void {
    if (this.nodeId === '') this.#join();
    else this.#run();
  }

  #run(): void {
    const agent = new Agent({ nodeId: this.nodeId });
    this.#agent = agent;
    const observed = this.#containers.observed();
    this.#execute(agent.restore([...this.#saved.values()], observed, Date.now()));
    this.#connect();
  }

  #step(input: AgentInput): void {
    if (this.#agent === null) return;
    this.#execute(this.#agent.step(input, Date.now()));
  }

  #execute(effects: readonly Effect[]): void {
    for (const effect of effects) this.#perform(effect);
    clearTimeout(this.#wake);
    const next = this.#agent?.nextWakeMs();
    if (next === undefined) return;
    this.#wake = setTimeout(() => this.#step({ type: 'wake' }), Math.max(0, next - Date.now()));
  }

  #perform(effect: Effect): void {
    switch (effect.type) {
      case 'save':
        this.#saved.set(effect.taskId, effect.saved);
        break;
      case 'forget':
        this.#saved.delete(effect.taskId);
        break;
      case 'serving':
        break; // Nobody connects to simulated containers.
      case 'report':
        this.#pending.set(effect.taskId, effect.status);
        this.#sendReports();
        break;
      default:
        this.#containers.perform(effect);
    }
  }

  // ---- session

  #join(): void {
    const { wire, prng, number, token } = this.#deps;
    const csr = certificateRequest(simSigner(Uint8Array.of(1, number, this.#joins)));
    const request = IssueNodeCertificateRequest.create({
      csr: prng.chance(0.05) ? csr.replace('A', 'B') : csr,
      token: prng.chance(0.1) ? token().replace(/.$/, 'x') : token(),
      hostname: `node-${number}`,
    });
    const again = (error: unknown = null): void => {
      // Admitted, and removed before it heard of that: as another node.
      if (hasCode(error, 'permission_denied')) this.#joins++;
      setTimeout(() => this.#join(), AGAIN_MS);
    };
    const manager = wire.pick(this.#deps.prng);
    if (manager === null) {
      again();
      return;
    }
    wire.call(
      { node: this, manager, timeoutMs: AGAIN_MS * 4 },
      () => manager.issue(request, { nodeId: '', role: '' }),
      ({ nodeId }) => {
        this.nodeId = nodeId;
        this.#run();
      },
      again,
    );
  }

  /** A certificate of the new root, asked for with the one at hand. */
  #renew(manager: SimManager): void {
    const csr = certificateRequest(simSigner(Uint8Array.of(2, this.#deps.number)));
    const request = IssueNodeCertificateRequest.create({ csr });
    const applicant = { nodeId: this.nodeId, role: CERTIFICATE_ROLE.worker };
    this.#deps.wire.call(
      { node: this, manager, timeoutMs: AGAIN_MS * 4 },
      () => manager.issue(request, applicant),
      () => {},
      () => {
        setTimeout(() => {
          if (this.#session !== null) this.#renew(this.#session.manager);
        }, AGAIN_MS);
      },
    );
  }

  #context(signal: AbortSignal): CallContext {
    const peer = {
      nodeId: this.nodeId,
      role: CERTIFICATE_ROLE.worker,
      address: `10.9.0.${this.#deps.number}:1`,
    };
    return { peer, signal, metadata: () => '' } as unknown as CallContext;
  }

  #connect(): void {
    const { wire, prng } = this.#deps;
    const manager = wire.pick(prng);
    if (manager === null) {
      setTimeout(() => this.#connect(), AGAIN_MS);
      return;
    }
    const end = new AbortController();
    const description = this.#describe();
    const request = SessionRequest.create({ description, protocol: PROTOCOL_VERSION });
    let isOpen = false;
    const over = (error: unknown): void => {
      if (end.signal.aborted) return;
      end.abort();
      if (hasCode(error, 'permission_denied')) this.#leave();
      else this.#closed(isOpen);
    };
    wire.stream(
      { node: this, manager, signal: end.signal },
      () => manager.dispatcher.session(request, this.#context(end.signal)),
      (message: SessionMessage) => {
        this.#lastHeardMs = performance.now();
        if (message.renewCertificate) this.#renew(manager);
        this.role = message.node?.role ?? this.role;
        if (isOpen) return;
        isOpen = true;
        this.#session = { manager, id: message.sessionId, end, sequence: null };
        this.#opened(message, over);
      },
      over,
    );
    setTimeout(() => {
      if (!isOpen) over(null);
    }, AGAIN_MS * 4);
  }

  #opened(message: SessionMessage, over: (error: unknown) => void): void {
    const session = this.#session as Session;
    const { wire } = this.#deps;
    this.#step({ type: 'connected', connected: true });
    for (const { taskId, status } of this.#agent?.statuses() ?? []) {
      if (!this.#pending.has(taskId)) this.#pending.set(taskId, status);
    }
    this.#sendReports();
    const target = { node: this, manager: session.manager, signal: session.end.signal };
    wire.stream(
      target,
      () =>
        session.manager.dispatcher.assignments(
          { sessionId: session.id },
          this.#context(session.end.signal),
        ),
      (assignments: AssignmentsMessage) => {
        this.#lastHeardMs = performance.now();
        if (!this.#assigned(session, assignments)) over(null);
      },
      over,
    );
    this.#beat(session, message.heartbeatPeriod / 1e6, over);
  }

  #beat(session: Session, periodMs: number, over: (error: unknown) => void): void {
    if (session.end.signal.aborted) return;
    if (performance.now() - this.#lastHeardMs > SILENT_BEATS * periodMs) {
      over(null);
      return;
    }
    const { wire } = this.#deps;
    const { manager, id, end } = session;
    wire.call(
      { node: this, manager, timeoutMs: periodMs },
      () => manager.dispatcher.heartbeat({ sessionId: id }, this.#context(end.signal)),
      () => {
        this.#lastHeardMs = performance.now();
      },
      (error) => {
        if (error !== null) over(error);
      },
    );
    setTimeout(() => this.#beat(session, periodMs, over), periodMs);
  }

  /** The node was removed: the host gives up what it has, and joins anew as another node. */
  #leave(): void {
    this.reboot();
    this.#saved.clear();
    this.nodeId = '';
    this.role = NodeRole.WORKER;
    this.#joins++;
    this.start();
  }

  #closed(wasOpen: boolean): void {
    this.#session = null;
    this.#isSending = false;
    if (wasOpen) this.#step({ type: 'connected', connected: false });
    setTimeout(() => this.#connect(), AGAIN_MS * this.#deps.prng.next());
  }

  /** False when a message is missing. */
  #assigned(session: Session, message: AssignmentsMessage): boolean {
    const isComplete = message.type === AssignmentsType.COMPLETE;
    if (!isComplete && message.appliesTo !== session.sequence) return false;
    session.sequence = message.resultsIn;
    const updates = message.changes.filter(({ action }) => action === AssignmentAction.UPDATE);
    const removals = message.changes.filter(({ action }) => action === AssignmentAction.REMOVE);
    if (isComplete) this.#present = new Set();
    for (const { assignment } of updates) {
      const id = assignment?.secret?.id ?? assignment?.config?.id;
      if (id !== undefined) this.#present.add(id);
    }
    this.#step({ type: 'files', present: new Set(this.#present) });
    for (const { assignment } of updates) {
      const task = assignment?.task;
      if (!task) continue;
      check(task.nodeId === this.nodeId, 'a node gets its own tasks only', () => ({
        node: this.nodeId,
        task: task.id,
        of: task.nodeId,
      }));
      this.#step({ type: 'assign', task });
    }
    if (isComplete) {
      const ids = new Set(updates.map(({ assignment }) => assignment?.task?.id));
      for (const taskId of this.#agent?.taskIds() ?? []) {
        if (!ids.has(taskId)) this.#step({ type: 'unassign', taskId });
      }
    }
    for (const { assignment } of removals) {
      if (assignment?.task) this.#step({ type: 'unassign', taskId: assignment.task.id });
    }
    const { wire } = this.#deps;
    const sequence = message.resultsIn;
    wire.call(
      { node: this, manager: session.manager, timeoutMs: REPORT_AGAIN_MS },
      () =>
        session.manager.dispatcher.ackEndpoints(
          { sessionId: session.id, sequence },
          this.#context(session.end.signal),
        ),
      () => {},
      () => {},
    );
    return true;
  }

  #sendReports(): void {
    const session = this.#session;
    if (session === null || this.#isSending || this.#pending.size === 0) return;
    this.#isSending = true;
    const batch = new Map(this.#pending);
    const updates = [...batch].map(([taskId, status]) => ({ taskId, status }));
    const request = UpdateTaskStatusRequest.create({ sessionId: session.id, updates });
    const { wire } = this.#deps;
    wire.call(
      { node: this, manager: session.manager, timeoutMs: REPORT_AGAIN_MS * 4 },
      () => session.manager.dispatcher.updateTaskStatus(request, this.#context(session.end.signal)),
      () => {
        for (const [taskId, status] of batch) {
          if (this.#pending.get(taskId) === status) this.#pending.delete(taskId);
          this.#deps.thanked(taskId, status.run, status.state);
        }
        this.#isSending = false;
        this.#sendReports();
      },
      (error) => {
        this.#isSending = false;
        const isOver = error !== null && hasCode(error, 'no_leader');
        if (!isOver) setTimeout(() => this.#sendReports(), REPORT_AGAIN_MS);
      },
    );
  }

  #describe(): NodeDescription {
    return NodeDescription.create({
      hostname: `node-${this.#deps.number}`,
      wireguardKey: `key-${this.#deps.number}`,
      addresses: [`10.9.0.${this.#deps.number}`],
      platform: Platform.create({ architecture: 'x86_64', os: 'linux' }),
      resources: Resources.create({ nanoCpus: 4e9, memoryBytes: 8e9 }),
      engine: EngineDescription.create({
        engineVersion: '1',
        plugins: [PluginDescription.create({ type: 'Network', name: 'overlay' })],
      }),
    });
  }
}
