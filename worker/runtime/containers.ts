// The worker's containers: create, start, stop, pause, rename, update, remove, and what follows an end. Each container has a lock; a stop takes it only
// after the process has ended, because the end itself needs it. All errors are TswarmErrors with the Engine API's texts.
// Invariant: a container is in the table exactly when its record is on disk; `run` is set exactly while a shim of ours keeps a process.
import { TswarmError } from '#protocol/errors';
import { newContainerId } from '#protocol/ids';
import { diskError, isFull } from '../files.ts';
import type { ImageRecord } from '../images/types.ts';
import { KILL_WAIT_MS, STARTS_PARALLEL_MAX, STOP_GRACE_MS_DEFAULT } from '../limits.ts';
import { Gate, within } from '../queue.ts';
import type { Run } from './container.ts';
import { Container } from './container.ts';
import { noSuchContainer, notRunning } from './container-errors.ts';
import { emitContainer } from './container-events.ts';
import type { RuntimeDeps } from './deps.ts';
import type { ExecRequest } from './exec-process.ts';
import { execProcessOf } from './exec-process.ts';
import { finishRun } from './finish.ts';
import { frozen, setPaused } from './freezer.ts';
import { healthCheckOf } from './health-config.ts';
import { monitorHealth } from './health-monitor.ts';
import type { RequestedConfig } from './merge-image.ts';
import { mergeImageConfig } from './merge-image.ts';
import { prepareFiles } from './prepare.ts';
import type { ContainerRecord, EndpointRequest, HostConfig, TaskPart } from './record.ts';
import { INITIAL_STATE } from './record.ts';
import { releaseExitWaiters, removeContainer, removeUnfinished } from './removal.ts';
import type { InsideResult } from './run-inside.ts';
import { runInside } from './run-inside.ts';
import { runtimeOf } from './runtimes.ts';
import type { ExitInfo } from './shim-client.ts';
import { startExitCode } from './shim-spawn.ts';
import { signalNumber } from './signals.ts';
import { startProcess } from './start.ts';
import { updateLimits } from './update-limits.ts';

export interface NewContainer {
  readonly name: string;
  readonly image: ImageRecord;
  /** As the user wrote it. */
  readonly imageRef: string;
  readonly config: RequestedConfig;
  readonly hostConfig: HostConfig;
  readonly endpoints: Readonly<Record<string, EndpointRequest>>;
  readonly task?: TaskPart;
}

export interface StopOptions {
  /** Undefined = the container's own. */
  readonly graceMs?: number;
  /** '' = the container's own. */
  readonly signal: string;
  /** Asked for by a person through the API: `unless-stopped` then stays stopped. */
  readonly byUser: boolean;
}

export class Containers {
  readonly #deps: RuntimeDeps;
  readonly #starts = new Gate(STARTS_PARALLEL_MAX);

  constructor(deps: RuntimeDeps) {
    this.#deps = deps;
  }

  /** Runs a command in a running container to its end. @throws conflict when it does not run */
  async runInside(
    container: Container,
    request: ExecRequest,
    limit: { readonly timeoutMs?: number; readonly signal?: AbortSignal },
  ): Promise<InsideResult> {
    const process = await execProcessOf(container, request, this.#deps);
    const { run } = container;
    if (!run) throw new TswarmError('conflict', `container ${container.id} is not running`);
    return runInside(run, process, limit);
  }

  /** @throws conflict when the name is taken; what a wrong configuration says */
  async create(wanted: NewContainer): Promise<Container> {
    const deps = this.#deps;
    runtimeOf(wanted.hostConfig, deps.options);
    const id = newContainerId(deps.random);
    deps.table.making.add(id);
    try {
      return await this.#make(id, wanted);
    } catch (error) {
      throw isFull(error) ? diskError(error, `create container ${wanted.name}`) : error;
    } finally {
      deps.table.making.delete(id);
    }
  }

  async #make(id: string, wanted: NewContainer): Promise<Container> {
    const deps = this.#deps;
    this.#checkName(wanted.name);
    const config = mergeImageConfig(wanted.config, wanted.image.config.config);
    const hostname = config.Hostname === '' ? defaultHostname(id, wanted, deps) : config.Hostname;
    const full = { ...config, Hostname: hostname };
    const { hostConfig } = wanted;
    const files = { config: full, hostConfig, imageId: wanted.image.id };
    const mounts = await prepareFiles(id, files, deps).catch(async (error: unknown) => {
      await removeUnfinished(id, deps);
      throw error;
    });
    const command = [...(full.Entrypoint ?? []), ...(full.Cmd ?? [])];
    const record: ContainerRecord = {
      version: 1,
      id,
      name: wanted.name,
      createdAt: Math.floor(deps.clock.nowMs() * 1000),
      image: wanted.imageRef,
      imageId: wanted.image.id,
      config: full,
      hostConfig,
      endpoints: wanted.endpoints,
      mounts,
      path: command[0] ?? '',
      args: command.slice(1),
      ...(wanted.task ? { task: wanted.task } : {}),
    };
    const container = new Container(record, INITIAL_STATE, deps.files);
    // Two creates of one name: the check and the entry are in one step.
    this.#checkName(wanted.name);
    deps.table.add(container);
    try {
      await deps.files.writeRecord(record);
    } catch (error) {
      deps.table.delete(container);
      await removeUnfinished(id, deps);
      throw error;
    }
    emitContainer(deps, container, 'create');
    return container;
  }

  #checkName(name: string, prefix = ''): void {
    const other = this.#deps.table.byName(name);
    if (!other) return;
    throw new TswarmError(
      'conflict',
      `${prefix}Conflict. The container name "/${name}" is already in use by container "${other.id}". ` +
        'You have to remove (or rename) that container to be able to reuse that name.',
    );
  }

  /** @throws not_modified when it runs already; the reason when it cannot start */
  start(container: Container): Promise<void> {
    clearTimeout(container.restartTimer);
    container.restartTimer = undefined;
    return container.lock.run(() => this.#starts.run(() => this.#start(container, false)));
  }

  async #start(container: Container, isRestart: boolean): Promise<void> {
    const deps = this.#deps;
    if (container.removed) throw noSuchContainer(container.id);
    if (container.state.status === 'paused') {
      throw new TswarmError('conflict', 'cannot start a paused container, try unpause instead');
    }
    if (container.isRunning) throw new TswarmError('not_modified', 'container already started');
    clearTimeout(container.restartTimer);
    container.restartTimer = undefined;
    container.stopping = false;
    try {
      const { run, exit } = await startProcess(container, deps);
      container.run = run;
      await container.setState({
        status: 'running',
        pid: run.pid,
        exitCode: 0,
        error: '',
        oomKilled: false,
        startedAt: run.startedAt,
        stopRequested: false,
        bootId: deps.host.bootId,
        restartCount: isRestart ? container.state.restartCount + 1 : 0,
        restartsInRow: isRestart ? container.state.restartsInRow : 0,
        health: null,
      });
      this.watch(container, run, exit, false);
    } catch (error) {
      const why = isFull(error) ? diskError(error, `start container ${container.id}`) : error;
      await this.#startFailed(container, why);
      throw why;
    }
    emitContainer(deps, container, 'start');
    deps.changed({ type: 'started', container });
  }

  /** Follows a run to its end; for a new one and for one that was found at the worker's start. */
  watch(
    container: Container,
    run: Run,
    exit: Promise<ExitInfo | undefined>,
    adopted: boolean,
  ): void {
    this.#deps.forwarding.follow(container);
    const check = healthCheckOf(container.record.config);
    if (check) {
      container.healthTimer = monitorHealth(container, run, check, this.#deps, adopted);
    }
    void exit.then((info) => this.#afterExit(container, run, info));
  }

  /** Lets go of a running container without touching it: the worker stops, the shim keeps on. */
  release(container: Container): void {
    clearTimeout(container.restartTimer);
    container.restartTimer = undefined;
    container.healthTimer?.stop();
    container.healthTimer = undefined;
    const run = container.run;
    container.run = undefined;
    run?.closeWait();
  }

  async #afterExit(container: Container, run: Run, told: ExitInfo | undefined): Promise<void> {
    if (container.run !== run) return;
    let info = told;
    // A connection can break without the shim being gone: ask again before anything is taken away.
    while (info === undefined) {
      const waiting = await run.shim.wait().catch(() => undefined);
      if (!waiting) break;
      info = await waiting.exit;
      if (container.run !== run) return;
    }
    container.ending = true;
    try {
      await container.lock.run(() => this.#ended(container, run, info));
    } catch (error) {
      this.#deps.log.error('end of a container', {
        container: container.id,
        reason: String(error),
      });
    } finally {
      container.ending = false;
      for (const listener of container.endListeners) listener();
    }
  }

  async #startFailed(container: Container, error: unknown): Promise<void> {
    for (const pending of container.pendingAttaches) pending.stream.resolve(undefined);
    container.pendingAttaches.clear();
    // What earlier runs have left unsent goes on being sent.
    await this.#deps.forwarding.release(container);
    this.#deps.forwarding.follow(container);
    const exitCode = startExitCode(error);
    await container.setState({
      status: container.state.startedAt === '' ? 'created' : 'exited',
      pid: 0,
      exitCode,
      error: error instanceof Error ? error.message : String(error),
    });
    releaseExitWaiters(container, {
      exitCode,
      signal: 0,
      oomKilled: false,
      finishedAt: '',
      startedAt: '',
    });
    if (container.record.hostConfig.AutoRemove && !container.record.task) {
      await removeContainer(container, true, this.#deps);
    }
  }

  async #ended(container: Container, run: Run, info: ExitInfo | undefined): Promise<void> {
    if (container.run !== run) return;
    const deps = this.#deps;
    const wasStopping = container.stopping;
    const { exit, reason, next } = await finishRun(container, run, info, deps);
    const byUser = wasStopping && container.state.stopRequested;
    deps.changed({ type: 'exited', container, exit, byUser, reason });
    releaseExitWaiters(container, exit);
    run.done.resolve(exit);
    if (container.record.task) return;
    if (next.restart) {
      // Unless somebody has stopped or started it since its end was written down.
      if (container.state.status === 'restarting') this.scheduleRestart(container, next.delayMs);
    } else if (container.record.hostConfig.AutoRemove) {
      await removeContainer(container, true, this.#deps);
    }
  }

  /** Starts the same container again later, and goes on trying while its policy says so. */
  scheduleRestart(container: Container, delayMs: number): void {
    clearTimeout(container.restartTimer);
    container.restartTimer = setTimeout(() => {
      container.restartTimer = undefined;
      void container.lock
        .run(() => this.#starts.run(() => this.#start(container, true)))
        .catch((error: unknown) => {
          this.#deps.log.warn('restart failed', {
            container: container.id,
            reason: error instanceof Error ? error.message : String(error),
          });
        });
    }, delayMs);
  }

  /** Stop signal, grace, KILL. Resolves when the process has ended and its run is cleaned up. @throws not_modified when it does not run */
  async stop(container: Container, options: StopOptions): Promise<void> {
    const run = container.run;
    if (!run || !container.isRunning) {
      if (container.state.status !== 'restarting') {
        throw new TswarmError('not_modified', 'container already stopped');
      }
      await container.lock.run(() => this.#giveUpRestart(container, options.byUser));
      if (container.isRunning) await this.stop(container, options);
      return;
    }
    container.stopping = true;
    if (options.byUser) void container.setState({ stopRequested: true });
    if (container.state.status === 'paused') await setPaused(container, false, this.#deps);
    const signal = options.signal === '' ? container.record.config.StopSignal : options.signal;
    const number = signalNumber(signal ?? 'SIGTERM');
    await this.#signal(container, run, number);
    const graceMs = options.graceMs ?? graceOf(container);
    const ended = graceMs < 0 ? await run.done.promise : await within(run.done.promise, graceMs);
    if (!ended) {
      await this.#signal(container, run, 9);
      const killed = await within(run.done.promise, KILL_WAIT_MS);
      if (!killed) {
        throw new TswarmError(
          'internal',
          `cannot stop container: ${container.id}: tried to kill container, but did not receive an exit event`,
        );
      }
    }
    emitContainer(this.#deps, container, 'stop');
  }

  /** Ends a back-off; nothing when the restart has come first. */
  async #giveUpRestart(container: Container, byUser: boolean): Promise<void> {
    clearTimeout(container.restartTimer);
    container.restartTimer = undefined;
    if (container.state.status !== 'restarting') return;
    await container.setState({ status: 'exited', stopRequested: byUser });
  }

  async #signal(container: Container, run: Run, signal: number): Promise<void> {
    try {
      await run.shim.kill(signal);
      emitContainer(this.#deps, container, 'kill', { signal: String(signal) });
    } catch (error) {
      // It has ended in this moment, or its shim is gone: both end the run.
      this.#deps.log.debug('signal', { container: container.id, reason: String(error) });
    }
  }

  async restart(container: Container, options: StopOptions): Promise<void> {
    if (container.isRunning || container.state.status === 'restarting') {
      await this.stop(container, options);
    }
    await this.start(container);
    emitContainer(this.#deps, container, 'restart');
  }

  /** @throws conflict when it does not run */
  async kill(container: Container, signal: string, shownName: string): Promise<void> {
    const number = signalNumber(signal === '' ? 'KILL' : signal);
    const run = container.run;
    if (!run) {
      throw new TswarmError(
        'conflict',
        `Cannot kill container: ${shownName}: Container ${container.id} is not running`,
      );
    }
    const stopSignal = signalNumber(container.record.config.StopSignal ?? 'SIGTERM');
    if (number === 9 || number === stopSignal) {
      container.stopping = true;
      void container.setState({ stopRequested: true });
    }
    if (container.state.status === 'paused' && number === 9) {
      await setPaused(container, false, this.#deps);
    }
    await this.#signal(container, run, number);
    if (number === 9) await within(run.done.promise, KILL_WAIT_MS);
  }

  pause(container: Container): Promise<void> {
    return container.lock.run(async () => {
      if (!container.run) throw notRunning(container);
      if (container.state.status === 'paused') {
        throw new TswarmError('conflict', `Container ${container.id} is already paused`);
      }
      await setPaused(container, true, this.#deps);
    });
  }

  unpause(container: Container): Promise<void> {
    return container.lock.run(async () => {
      if (container.state.status !== 'paused') {
        throw new TswarmError('conflict', `Container ${container.id} is not paused`);
      }
      await setPaused(container, false, this.#deps);
    });
  }

  /** See freezer.ts. */
  frozen<T>(container: Container, work: () => Promise<T>): Promise<T> {
    return frozen(container, work, this.#deps);
  }

  rename(container: Container, name: string): Promise<void> {
    return container.lock.run(async () => {
      const oldName = container.record.name;
      const { table } = this.#deps;
      this.#checkName(name, 'Error when allocating new name: ');
      table.rename(container, oldName, name);
      try {
        await container.setRecord({ ...container.record, name });
      } catch (error) {
        table.rename(container, name, oldName);
        throw error;
      }
      emitContainer(this.#deps, container, 'rename', { oldName: `/${oldName}` });
    });
  }

  /** New limits and restart policy, also while it runs. */
  update(container: Container, hostConfig: HostConfig): Promise<void> {
    return container.lock.run(() => updateLimits(container, hostConfig, this.#deps));
  }

  /** @throws conflict when it runs and `force` is not set */
  async remove(
    container: Container,
    options: { readonly force: boolean; readonly volumes: boolean; readonly shownName: string },
  ): Promise<void> {
    if (container.run) {
      if (!options.force) {
        const hint =
          container.state.status === 'paused'
            ? 'Unpause and then stop the container before attempting removal or force remove'
            : 'Stop the container before attempting removal or force remove';
        throw new TswarmError(
          'conflict',
          `You cannot remove a running container ${container.id}. ${hint}`,
        );
      }
    }
    // A start may be under way: what it has started by the time of our turn is ended first.
    for (;;) {
      if (container.run) await this.#killForRemoval(container, options.shownName);
      const gone = await container.lock.run(async () => {
        if (container.run) return false;
        await removeContainer(container, options.volumes, this.#deps);
        return true;
      });
      if (gone) return;
      if (!options.force) {
        throw new TswarmError('conflict', `You cannot remove a running container ${container.id}.`);
      }
    }
  }

  async #killForRemoval(container: Container, shownName: string): Promise<void> {
    const { run } = container;
    if (!run) return;
    await this.kill(container, 'KILL', shownName);
    if (container.run !== run) return;
    throw new TswarmError(
      'internal',
      `cannot remove container "${container.record.name}": could not kill: its process does not end`,
    );
  }
}

function defaultHostname(id: string, wanted: NewContainer, deps: RuntimeDeps): string {
  const onHost = wanted.hostConfig.NetworkMode === 'host' || wanted.hostConfig.UTSMode === 'host';
  return onHost ? deps.host.hostname : id.slice(0, 12);
}

function graceOf(container: Container): number {
  const seconds = container.record.config.StopTimeout;
  return seconds === undefined ? STOP_GRACE_MS_DEFAULT : seconds * 1000;
}
