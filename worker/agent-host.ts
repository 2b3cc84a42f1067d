// The effects side of the agent: takes assignments and what containers do, asks the pure agent, executes what it answers. One agent per cluster membership.
// Order: files (secrets, configs) and networks are known before the tasks that need them; a task's saved state is on disk before its container is started.
// Never throws for a task's failure: failures go back into the agent as facts.
// What tasks need besides (files, networks, volumes) is assigned-things.ts, what containers say agent-facts.ts.

import { isAttachment } from '#protocol/attachments';
import { messageOf, TswarmError } from '#protocol/errors';
import type { Assignment, AssignmentsMessage } from '#protocol/generated/dispatcher';
import { AssignmentAction, AssignmentsType } from '#protocol/generated/dispatcher';
import type { Task, TaskStatus } from '#protocol/generated/objects';
import type { LifecycleHook } from '#protocol/generated/specs';
import { containerNameOf } from '#protocol/ids';
import type { Clock, Log } from '#protocol/world';
import { Agent } from '#worker/agent/agent';
import type { AgentInput, Companion, Effect } from '#worker/agent/types';
import { factOf, observedContainer } from './agent-facts.ts';
import type { AssignedStore } from './assigned-store.ts';
import { AssignedThings, isNetworkPart } from './assigned-things.ts';
import { runHooks } from './hooks.ts';
import type { ImageExchange } from './image-share/image-exchange.ts';
import type { ImageStore } from './images/types.ts';
import { PREPARES_PARALLEL_MAX } from './limits.ts';
import { listening } from './network/listening.ts';
import { connectionsEnded } from './network/open-connections.ts';
import type { NetworkManager } from './network/types.ts';
import { OrderedReports } from './ordered-reports.ts';
import { removeLeftHooks, runPreStart } from './pre-start.ts';
import { Gate } from './queue.ts';
import type { Container, ContainerTable } from './runtime/container.ts';
import type { Containers } from './runtime/containers.ts';
import type { ContainerChange } from './runtime/deps.ts';
import { startExitCode } from './runtime/shim-spawn.ts';
import { taskContainer } from './task-container.ts';
import { TaskImages } from './task-images.ts';
import type { TemplateNode } from './template.ts';
import type { VolumeStore } from './volumes/volume-store.ts';

export interface AgentHostDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly containers: Containers;
  readonly table: ContainerTable;
  readonly images: ImageStore;
  readonly exchange: Pick<ImageExchange, 'ensure'>;
  readonly network: NetworkManager;
  readonly volumes: VolumeStore;
  readonly store: AssignedStore;
  /** Path of this node's API, for containers that ask for Docker's; '' = none. */
  readonly engineSocket: string;
  report(taskId: string, status: TaskStatus): void;
  acknowledge(sequence: string): void;
}

/** Longest time that a timer of Node can wait. */
const TIMER_MS_MAX = 0x7fffffff;

export class AgentHost {
  readonly #node: TemplateNode;
  readonly #deps: AgentHostDeps;
  readonly #agent: Agent;
  readonly #reports: OrderedReports;
  readonly #prepares = new Gate(PREPARES_PARALLEL_MAX);
  readonly #preparing = new Map<string, AbortController>();
  readonly #things: AssignedThings;
  readonly #images: TaskImages;
  /** Tasks whose pre_start or post_start hooks run; what their containers do meanwhile is told to the agent afterwards. */
  readonly #hooked = new Map<
    string,
    { readonly stop: AbortController; readonly held: AgentInput[] }
  >();
  #timer: NodeJS.Timeout | undefined;
  readonly #stopping = new AbortController();
  #stopped = false;

  constructor(node: TemplateNode, deps: AgentHostDeps) {
    this.#node = node;
    this.#deps = deps;
    this.#agent = new Agent({ nodeId: node.id });
    this.#things = new AssignedThings(node.id, deps);
    this.#images = new TaskImages(deps);
    this.#reports = new OrderedReports((taskId, status) => deps.report(taskId, status));
  }

  statuses(): ReturnType<Agent['statuses']> {
    return this.#agent.statuses();
  }

  /** Goes on from disk and from the containers that are there. `endedUnseen`: ended while the worker was away. */
  async start(endedUnseen: ReadonlySet<string>): Promise<void> {
    const saved = await this.#deps.store.load();
    this.#things.restore();
    await removeLeftHooks(this.#deps.table, this.#deps);
    const { network, clock } = this.#deps;
    const observed = this.#deps.table
      .list()
      .filter((container) => container.record.task !== undefined)
      .map((container) => observedContainer(container, { endedUnseen, network, clock }));
    const nowMs = this.#deps.clock.nowMs();
    this.#execute(
      this.#agent.step({ type: 'files', present: this.#deps.store.presentFiles() }, nowMs),
    );
    this.#execute(this.#agent.restore(saved, observed, nowMs));
  }

  /** Containers go on; nothing more is decided. */
  stop(): void {
    this.#stopped = true;
    this.#stopping.abort();
    clearTimeout(this.#timer);
    for (const controller of this.#preparing.values()) controller.abort();
  }

  /** Stops and removes every task's container; for leaving the cluster. */
  async removeAll(): Promise<void> {
    this.stop();
    const owned = this.#deps.table.list().filter((container) => container.record.task);
    await Promise.all(
      owned.map((container) => {
        const graceMs = (container.record.config.StopTimeout ?? 10) * 1000;
        return this.#deps.containers
          .stop(container, { graceMs, signal: '', byUser: false })
          .catch(() => undefined)
          .then(() =>
            this.#deps.containers.remove(container, {
              force: true,
              volumes: true,
              shownName: container.record.name,
            }),
          );
      }),
    );
  }

  /** True while the agent means to start the task's container (again). */
  willRun(taskId: string): boolean {
    return !this.#stopped && this.#agent.willRun(taskId);
  }

  connected(connected: boolean): void {
    this.#step({ type: 'connected', connected });
  }

  /** A whole assignment set, or a change to it. */
  assigned(message: AssignmentsMessage): void {
    if (this.#stopped) return;
    const complete = message.type === AssignmentsType.COMPLETE;
    const updates = message.changes.filter((change) => change.action === AssignmentAction.UPDATE);
    const removals = message.changes.filter((change) => change.action === AssignmentAction.REMOVE);
    const things = updates.flatMap(({ assignment }) => assignment ?? []);
    const removed = removals.flatMap(({ assignment }) => assignment ?? []);
    this.#things.keep(things, complete);
    this.#step({ type: 'files', present: this.#deps.store.presentFiles() });
    const sequence = message.resultsIn;
    if (complete || [...things, ...removed].some(isNetworkPart)) {
      this.#things.applyNetworks(removed, () => this.#deps.acknowledge(sequence));
    } else {
      this.#deps.acknowledge(sequence);
    }
    for (const { task } of things) {
      // Places of containers that are nobody's task: cluster-places.ts.
      if (task && !isAttachment(task)) this.#step({ type: 'assign', task });
    }
    if (complete) this.#unassignMissing(things);
    for (const { task } of removed) {
      if (task) this.#step({ type: 'unassign', taskId: task.id });
    }
    this.#things.drop(removed);
  }

  #unassignMissing(things: readonly Assignment[]): void {
    const assigned = new Set(things.map((thing) => thing.task?.id));
    for (const taskId of this.#agent.taskIds()) {
      if (!assigned.has(taskId)) this.#step({ type: 'unassign', taskId });
    }
  }

  /** What a container did. */
  changed(change: ContainerChange): void {
    const { task } = change.container.record;
    if (!task || task.isHook === true) return;
    const { taskId } = task;
    const input = factOf(change, taskId, this.#deps.network);
    const hooked = this.#hooked.get(taskId);
    if (hooked) hooked.held.push(input);
    else this.#step(input);
  }

  #step(input: AgentInput): void {
    if (this.#stopped) return;
    this.#execute(this.#agent.step(input, this.#deps.clock.nowMs()));
  }

  #execute(effects: readonly Effect[]): void {
    for (const effect of effects) this.#perform(effect);
    this.#schedule();
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const next = this.#agent.nextWakeMs();
    if (next === undefined || this.#stopped) return;
    const ms = Math.min(TIMER_MS_MAX, Math.max(0, next - this.#deps.clock.nowMs()));
    this.#timer = setTimeout(() => this.#step({ type: 'wake' }), ms);
  }

  #perform(effect: Effect): void {
    const { store } = this.#deps;
    switch (effect.type) {
      case 'save':
        this.#background('task', store.saveTask(effect.saved));
        return;
      case 'forget':
        this.#background('task', store.forgetTask(effect.taskId));
        return;
      case 'serving':
        this.#reports.holdUntil(this.#deps.network.setServing(effect.containerId, effect.serving));
        return;
      case 'report':
        this.#reports.add(effect.taskId, effect.status);
        return;
      case 'prepare':
        void this.#prepare(effect);
        return;
      case 'cancelPrepare':
        this.#preparing.get(effect.taskId)?.abort();
        this.#hooked.get(effect.taskId)?.stop.abort();
        return;
      case 'start':
        void this.#start(effect.taskId, effect.containerId);
        return;
      case 'awaitListening':
        void this.#awaitListening(effect);
        return;
      case 'stop':
        void this.#stopContainer(effect);
        return;
      case 'pause':
      case 'unpause':
        void this.#pause(effect);
        return;
      case 'remove':
        void this.#remove(effect);
        return;
    }
  }

  async #prepare({ task, companions }: Extract<Effect, { type: 'prepare' }>): Promise<void> {
    const controller = new AbortController();
    this.#preparing.set(task.id, controller);
    try {
      const container = await this.#prepares.run(() =>
        this.#create(task, companions, controller.signal),
      );
      this.#step({ type: 'prepared', taskId: task.id, containerId: container.id });
    } catch (error) {
      this.#deps.log.info('task rejected', { task: task.id, reason: messageOf(error) });
      this.#step({ type: 'prepareFailed', taskId: task.id, error: messageOf(error) });
    } finally {
      this.#preparing.delete(task.id);
    }
  }

  async #create(
    task: Task,
    companions: readonly Companion[],
    signal: AbortSignal,
  ): Promise<Container> {
    if (signal.aborted) throw new TswarmError('cancelled', 'no longer wanted');
    const { containers, table, store } = this.#deps;
    const image = await this.#images.ensure(task, signal);
    const wanted = taskContainer(task, image, {
      node: this.#node,
      networks: store.networks.objects,
      companions,
      engineSocket: this.#deps.engineSocket,
    });
    // While the task before it still has the name, this one goes under its own; it is renamed when it is started.
    const other = table.byName(wanted.name);
    const name = other?.record.task ? `${wanted.name}.${task.id}` : wanted.name;
    return containers.create({ ...wanted, name });
  }

  async #start(taskId: string, containerId: string): Promise<void> {
    const { containers, table, store } = this.#deps;
    try {
      await Promise.all([store.taskSaved(taskId), this.#things.networksKnown]);
      const container = table.get(containerId);
      if (!container) throw new TswarmError('not_found', `No such container: ${containerId}`);
      await this.#takeName(taskId, container);
      const task = store.savedTask(taskId);
      const { preStart = [], postStart = [] } = task?.spec?.containerSpec ?? {};
      // Once for each replica: not when the same container starts again.
      if (task && preStart.length > 0 && container.state.startedAt === '') {
        await this.#runBefore(task, container);
      }
      if (postStart.length === 0) await containers.start(container);
      else await this.#startWithHooks(taskId, container, postStart);
    } catch (error) {
      if (error instanceof TswarmError && error.code === 'not_modified') return;
      this.#deps.log.info('task not started', { task: taskId, reason: messageOf(error) });
      this.#step({
        type: 'startFailed',
        taskId,
        error: messageOf(error),
        exitCode: startExitCode(error),
        retryable: error instanceof TswarmError && error.retryable,
      });
    }
  }

  /** @throws TswarmError when a hook fails or the task is not wanted any more */
  async #runBefore(task: Task, container: Container): Promise<void> {
    const { containers, store, engineSocket } = this.#deps;
    const hooked = { stop: new AbortController(), held: [] as AgentInput[] };
    this.#hooked.set(task.id, hooked);
    const context = { node: this.#node, networks: store.networks.objects, engineSocket };
    const stopping = this.#stopping.signal;
    const signal = AbortSignal.any([hooked.stop.signal, stopping]);
    try {
      const deps = { containers, images: this.#images, context, stopping };
      await runPreStart(container, task, deps, signal);
    } finally {
      this.#hooked.delete(task.id);
      for (const input of hooked.held) this.#step(input);
    }
  }

  /** @throws TswarmError when a hook fails; the container is stopped then, and the agent hears of that run only by this failure */
  async #startWithHooks(
    taskId: string,
    container: Container,
    list: readonly LifecycleHook[],
  ): Promise<void> {
    const { containers } = this.#deps;
    const hooked = { stop: new AbortController(), held: [] as AgentInput[] };
    this.#hooked.set(taskId, hooked);
    try {
      await containers.start(container);
      const { signal } = hooked.stop;
      await runHooks(containers, container, { key: 'post_start', list }, { signal });
    } catch (error) {
      // A program that has ended by itself tells more than the hook that went with it.
      const hasEnded = hooked.held.some(({ type }) => type === 'exited');
      if (!hasEnded && container.run !== undefined && !this.#stopped) {
        const graceMs = (container.record.config.StopTimeout ?? 10) * 1000;
        await containers.stop(container, { graceMs, signal: '', byUser: false });
      }
      if (!hasEnded) hooked.held.length = 0;
      if (!hasEnded) throw error;
    } finally {
      this.#hooked.delete(taskId);
      for (const input of hooked.held) this.#step(input);
    }
  }

  async #takeName(taskId: string, container: Container): Promise<void> {
    const suffix = `.${taskId}`;
    const { name } = container.record;
    const task = this.#deps.store.savedTask(taskId);
    if (!task || !name.endsWith(suffix)) return;
    const wanted = containerNameOf(task);
    if (wanted === name || !(await this.#freeName(wanted))) return;
    await this.#deps.containers.rename(container, wanted);
  }

  /** The container of an earlier task that has ended is kept for a while, but the name goes to the one that runs. */
  async #freeName(wanted: string): Promise<boolean> {
    const other = this.#deps.table.byName(wanted);
    if (!other) return true;
    const { task } = other.record;
    if (!task || other.run !== undefined) return false;
    await this.#deps.containers.rename(other, `${wanted}.${task.taskId}`);
    return true;
  }

  async #awaitListening(effect: Extract<Effect, { type: 'awaitListening' }>): Promise<void> {
    const { taskId, containerId, pid, ports } = effect;
    const container = this.#deps.table.get(containerId);
    const isOver = (): boolean => this.#stopped || container?.run?.pid !== pid;
    const isOwnNetwork = container?.record.hostConfig.NetworkMode !== 'host';
    const missing = isOwnNetwork ? await listening({ pid, ports, isOver }) : [];
    if (missing.length > 0 && !isOver()) {
      this.#deps.log.info('nothing listens on published ports', {
        task: taskId,
        ports: missing.join(', '),
      });
    }
    this.#step({ type: 'listening', taskId, pid, missing });
  }

  async #letConnectionsEnd(
    container: Container,
    { taskId, drainMs }: Extract<Effect, { type: 'stop' }>,
  ): Promise<void> {
    const { pid } = container.state;
    if (pid <= 0 || container.record.hostConfig.NetworkMode === 'host') return;
    // This node's own rules come first: with the order to stop it comes that it takes no more connections.
    await Promise.all([this.#things.networksKnown, this.#reports.applied()]);
    const { signal } = this.#stopping;
    const open = await connectionsEnded({ pid, timeoutMs: drainMs, signal });
    if (open > 0) this.#deps.log.info('stopped with open connections', { task: taskId, open });
  }

  async #stopContainer(effect: Extract<Effect, { type: 'stop' }>): Promise<void> {
    const container = this.#deps.table.get(effect.containerId);
    try {
      if (!container) throw new TswarmError('not_found', 'the container is gone');
      if (effect.drainMs > 0) await this.#letConnectionsEnd(container, effect);
      // The worker's next life asks for it again.
      if (this.#stopped) return;
      await this.#preStop(container, effect);
      await this.#deps.containers.stop(container, {
        graceMs: effect.graceMs,
        signal: '',
        byUser: false,
      });
    } catch (error) {
      if (error instanceof TswarmError && error.code === 'not_modified') return;
      this.#step({ type: 'stopFailed', taskId: effect.taskId, error: messageOf(error) });
    }
  }

  async #preStop(
    container: Container,
    { taskId, graceMs }: Extract<Effect, { type: 'stop' }>,
  ): Promise<void> {
    const { containers, store, log } = this.#deps;
    const list = store.savedTask(taskId)?.spec?.containerSpec?.preStop ?? [];
    if (list.length === 0) return;
    try {
      const limit = { timeoutMs: graceMs, signal: this.#stopping.signal };
      await runHooks(containers, container, { key: 'pre_stop', list }, limit);
    } catch (error) {
      log.warn('pre_stop', { task: taskId, reason: messageOf(error) });
    }
  }

  async #pause(effect: Extract<Effect, { type: 'pause' | 'unpause' }>): Promise<void> {
    const container = this.#deps.table.get(effect.containerId);
    if (!container) return;
    try {
      if (effect.type === 'pause') await this.#deps.containers.pause(container);
      else await this.#deps.containers.unpause(container);
    } catch (error) {
      this.#deps.log.warn('pause', { task: effect.taskId, reason: messageOf(error) });
      this.#step({
        type: 'paused',
        taskId: effect.taskId,
        paused: container.state.status === 'paused',
      });
    }
  }

  async #remove(effect: Extract<Effect, { type: 'remove' }>): Promise<void> {
    const container = this.#deps.table.get(effect.containerId);
    if (!container) {
      this.#step({ type: 'removed', taskId: effect.taskId });
      return;
    }
    try {
      // That it is not wanted any more is on the disk first, or a power cut would bring it back to life.
      await this.#deps.store.taskSaved(effect.taskId);
      await this.#deps.containers.remove(container, {
        force: true,
        volumes: true,
        shownName: container.record.name,
      });
    } catch (error) {
      this.#deps.log.error('container not removed', {
        task: effect.taskId,
        container: container.id,
        reason: messageOf(error),
      });
      this.#step({ type: 'removeFailed', taskId: effect.taskId, error: messageOf(error) });
    }
  }

  /** For writes that nobody waits for: a failure is logged, memory stays right. */
  #background(what: string, work: Promise<unknown>): void {
    work.catch((error: unknown) => {
      this.#deps.log.error('not written', { what, reason: messageOf(error) });
    });
  }
}
