// Goal: whatever happens in whatever order, the agent asks for one thing at a time per task, never starts what runs, never lets a run number fall, and
// gets to what is wanted once the faults stop. Method: random walks over a small model of the host (containers, effects that are answered late, crashes
// of the worker); fast-check shrinks a failing walk.
import fc from 'fast-check';
import { describe, it } from 'vitest';
import { Task, TaskState, TaskStatus } from '#protocol/generated/objects';
import {
  ContainerSpec,
  EngineRestart,
  EngineRestartPolicy,
  RunState,
  TaskSpec,
} from '#protocol/generated/specs';
import { Agent } from '#worker/agent/agent';
import type { AgentInput, Effect, ObservedContainer, SavedTask } from '#worker/agent/types';

type Step =
  | { readonly kind: 'answer'; readonly ok: boolean }
  | { readonly kind: 'exit'; readonly code: number; readonly byUser: boolean }
  | { readonly kind: 'health'; readonly health: 'healthy' | 'unhealthy' }
  | { readonly kind: 'runState'; readonly runState: RunState }
  | { readonly kind: 'restart' }
  | { readonly kind: 'connected'; readonly connected: boolean }
  | { readonly kind: 'removed' }
  | { readonly kind: 'sleep'; readonly ms: number }
  | { readonly kind: 'crash' };

const steps: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('answer' as const), ok: fc.boolean() }) },
  fc.record({ kind: fc.constant('exit' as const), code: fc.nat(2), byUser: fc.boolean() }),
  fc.record({
    kind: fc.constant('health' as const),
    health: fc.constantFrom('healthy' as const, 'unhealthy' as const),
  }),
  fc.record({
    kind: fc.constant('runState' as const),
    runState: fc.constantFrom<RunState>(0, 1, 2),
  }),
  fc.record({ kind: fc.constant('restart' as const) }),
  fc.record({ kind: fc.constant('connected' as const), connected: fc.boolean() }),
  fc.record({ kind: fc.constant('removed' as const) }),
  fc.record({ kind: fc.constant('sleep' as const), ms: fc.nat(70_000) }),
  fc.record({ kind: fc.constant('crash' as const) }),
);

/** One task's host: at most one container, effects answered when the walk says so. */
class World {
  agent = new Agent({ nodeId: 'n1' });
  nowMs = 1_000_000;
  task: Task;
  container:
    | { id: string; up: boolean; paused: boolean; exitCode: number; started: boolean }
    | undefined;
  readonly pending: Effect[] = [];
  saved: SavedTask | undefined;
  run = 0;
  reported: TaskStatus | undefined;
  /** What a manager that heard everything has kept. */
  known: TaskStatus | undefined;
  count = 0;
  endedUnseen = false;
  startedRun = 0;
  restartsSeen = 0;

  constructor(restart: EngineRestart | undefined) {
    this.task = Task.create({
      id: 't1',
      serviceName: 'web',
      slot: 1,
      desiredState: TaskState.RUNNING,
      status: TaskStatus.create({ state: TaskState.ASSIGNED }),
      spec: TaskSpec.create({
        containerSpec: ContainerSpec.create({ image: 'i' }),
        ...(restart === undefined
          ? {}
          : { engineRestart: EngineRestartPolicy.create({ name: restart }) }),
      }),
    });
  }

  give(input: AgentInput): void {
    this.take(this.agent.step(input, this.nowMs));
  }

  take(effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (effect.type === 'save') this.saved = effect.saved;
      else if (effect.type === 'forget') this.saved = undefined;
      else if (effect.type === 'report') this.report(effect.status);
      else this.ask(effect);
    }
  }

  report(status: TaskStatus): void {
    must(status.run >= this.run, `run fell from ${this.run} to ${status.run}`);
    this.run = status.run;
    // The manager's rule: a higher run wins, within one run the higher state.
    const known = this.known;
    if (!known || status.run > known.run || status.state >= known.state) this.known = status;
    this.reported = status;
  }

  ask(effect: Effect): void {
    if (effect.type === 'cancelPrepare') return;
    if (effect.type === 'serving') {
      must(
        !effect.serving || this.container?.up === true,
        'gives connections to what does not run',
      );
      return;
    }
    must(
      !this.pending.some((other) => other.type !== 'cancelPrepare'),
      `asked for ${effect.type} while ${this.pending[0]?.type} is under way`,
    );
    if (effect.type === 'start') this.checkStart();
    if (effect.type === 'prepare') must(!this.container, 'prepared a second container');
    if (effect.type === 'stop') must(this.container?.up === true, 'stopped what does not run');
    this.pending.push(effect);
  }

  checkStart(): void {
    must(this.container?.up === false, 'started what is not there or runs');
    const run = this.saved?.run ?? 0;
    must(run > this.startedRun, `run ${run} was given twice`);
    this.startedRun = run;
    const status = this.reported;
    const over = (status?.state ?? 0) >= TaskState.COMPLETE;
    const asked = this.task.restartRequest > this.restartsSeen;
    must(
      !over || asked || status?.containerStatus?.stopped === true,
      'started a task that is over',
    );
    this.restartsSeen = this.task.restartRequest;
  }

  /** The host has done (or failed to do) what is asked for. */
  answer(ok: boolean): unknown {
    const effect = this.pending.shift();
    if (!effect) return undefined;
    const taskId = 't1';
    switch (effect.type) {
      case 'prepare':
        if (!ok) return this.give({ type: 'prepareFailed', taskId, error: 'no' });
        this.count += 1;
        this.container = {
          id: `c${this.count}`,
          up: false,
          paused: false,
          exitCode: 0,
          started: false,
        };
        return this.give({ type: 'prepared', taskId, containerId: this.container.id });
      case 'start': {
        const { container } = this;
        if (!container || !ok) {
          return this.give({
            type: 'startFailed',
            taskId,
            error: 'no',
            exitCode: 127,
            retryable: true,
          });
        }
        container.up = true;
        container.started = true;
        return this.give({
          type: 'started',
          taskId,
          containerId: container.id,
          pid: 7,
          hasHealthCheck: false,
          ports: [],
        });
      }
      case 'stop':
        return this.exit(143, false);
      case 'pause':
      case 'unpause':
        if (this.container?.up) this.container.paused = effect.type === 'pause' && ok;
        return this.give({ type: 'paused', taskId, paused: this.container?.paused ?? false });
      case 'remove':
        if (this.container?.up) this.exit(137, false);
        this.container = undefined;
        return this.give({ type: 'removed', taskId });
      default:
        return undefined;
    }
  }

  exit(exitCode: number, byUser: boolean): void {
    const { container } = this;
    if (!container?.up) return;
    container.up = false;
    container.paused = false;
    container.exitCode = exitCode;
    // A stop that is under way is done with this.
    const stop = this.pending.findIndex(
      (effect) => effect.type === 'stop' || effect.type.endsWith('pause'),
    );
    if (stop >= 0) this.pending.splice(stop, 1);
    this.give({ type: 'exited', taskId: 't1', exitCode, oomKilled: false, byUser, reason: '' });
  }

  /** kill -9 of the worker: what was under way is done or not, nobody hears of it. */
  crash(ok: boolean): void {
    const effect = this.pending.shift();
    if (ok && effect) this.doQuietly(effect);
    this.pending.length = 0;
    this.agent = new Agent({ nodeId: 'n1' });
    const observed: ObservedContainer[] = this.container
      ? [
          {
            containerId: this.container.id,
            taskId: 't1',
            status: this.container.up ? 'running' : this.container.started ? 'ended' : 'created',
            pid: 7,
            paused: this.container.paused,
            exitCode: this.container.exitCode,
            oomKilled: false,
            endedUnseen: this.endedUnseen,
            reason: '',
            ranMs: 1000,
            health: 'none',
            hasHealthCheck: false,
            ports: [],
          },
        ]
      : [];
    this.endedUnseen = false;
    this.take(this.agent.restore(this.saved ? [this.saved] : [], observed, this.nowMs));
    this.give({ type: 'assign', task: this.task });
  }

  doQuietly(effect: Effect): void {
    const { container } = this;
    if (container && (effect.type === 'start' || effect.type === 'stop')) container.paused = false;
    if (effect.type === 'start' && container) {
      container.up = true;
      container.started = true;
    } else if (effect.type === 'stop' && container) {
      container.up = false;
      container.exitCode = 143;
      this.endedUnseen = true;
    } else if (effect.type === 'remove') this.container = undefined;
  }

  change(change: Partial<Task>): void {
    this.task = Task.create({ ...this.task, ...change });
    this.give({ type: 'assign', task: this.task });
  }

  do(step: Step): unknown {
    switch (step.kind) {
      case 'answer':
        return this.answer(step.ok);
      case 'exit':
        return this.exit(step.code, step.byUser);
      case 'health':
        if (this.container?.up) {
          this.give({ type: 'health', taskId: 't1', health: step.health, output: '' });
        }
        return undefined;
      case 'runState':
        return this.change({ runState: step.runState });
      case 'restart':
        return this.change({ restartRequest: this.task.restartRequest + 1 });
      case 'connected':
        return this.give({ type: 'connected', connected: step.connected });
      case 'removed':
        if (!this.container || this.pending.length > 0) return undefined;
        if (this.container.up) this.exit(137, true);
        if (this.pending.length > 0) return undefined;
        this.container = undefined;
        return this.give({ type: 'removed', taskId: 't1' });
      case 'sleep':
        this.nowMs += step.ms;
        return this.give({ type: 'wake' });
      case 'crash':
        return this.crash(step.kind.length % 2 === 1 || this.nowMs % 2 === 0);
    }
  }

  /** Everything goes well from now on. */
  settle(): void {
    for (let round = 0; round < 50; round += 1) {
      while (this.pending.length > 0) this.answer(true);
      this.nowMs += 70_000;
      this.give({ type: 'wake' });
      if (this.pending.length === 0) break;
    }
    const { known, reported } = this;
    must(
      known?.state === reported?.state && known?.run === reported?.run,
      `the manager has run ${known?.run} state ${known?.state}, the node ${reported?.run} ${reported?.state}`,
    );
  }
}

function must(condition: boolean, message: string): void {
  if (!condition) throw new Error(message);
}

const walks = fc.array(steps, { maxLength: 40 });

describe('any order of events', () => {
  it('a task that is taken away leaves nothing', () => {
    fc.assert(
      fc.property(
        walks,
        fc.constantFrom(undefined, ...Object.values(EngineRestart)),
        (walk, restart) => {
          const world = new World(restart);
          world.change({});
          for (const step of walk) world.do(step);
          world.give({ type: 'unassign', taskId: 't1' });
          world.settle();
          must(world.container === undefined, 'a container was left');
          must(world.saved === undefined, 'a saved task was left');
          must(world.agent.taskIds().length === 0, 'an entry was left');
        },
      ),
      { numRuns: 400 },
    );
  });

  it('an always-restarted task runs in the end, when asked to', () => {
    fc.assert(
      fc.property(walks, (walk) => {
        const world = new World(EngineRestart.ALWAYS);
        world.change({});
        for (const step of walk) world.do(step);
        const rejected = world.reported?.state === TaskState.REJECTED;
        world.change({ runState: RunState.RUNNING, restartRequest: world.task.restartRequest + 1 });
        world.settle();
        must(world.container?.up === true, `does not run${rejected ? ' after a rejection' : ''}`);
        must(!world.container?.paused, 'is paused');
        must(world.reported?.state === TaskState.RUNNING, `says ${world.reported?.state}`);
      }),
      { numRuns: 400 },
    );
  });

  it('REMOVE ends in SHUTDOWN or later with no container', () => {
    fc.assert(
      fc.property(walks, fc.constantFrom(undefined, EngineRestart.ALWAYS), (walk, restart) => {
        const world = new World(restart);
        world.change({});
        for (const step of walk) world.do(step);
        world.change({ desiredState: TaskState.REMOVE });
        world.settle();
        must(world.container === undefined, 'a container was left');
        must((world.reported?.state ?? 0) >= TaskState.COMPLETE, `says ${world.reported?.state}`);
        must(!world.reported?.containerStatus?.containerId, 'says that it has a container');
      }),
      { numRuns: 400 },
    );
  });
});
