// One seed of the whole manager: store, authority, dispatcher, controllers and scheduler on a group of
// managers, and nodes with the real agent. Faults hit both; then everything is healed, and the
// cluster must come to the state that was asked for: every service has the tasks that it wants, they
// run where they were put, and nothing else runs.

import { createConfig, removeData, updateConfig } from '#manager/control/data-objects';
import { PAUSED_STATES } from '#manager/orchestrator/update';
import type { StoreView, StoreWriteView } from '#manager/store/state';
import type { DecisionContext } from '#manager/store/view';
import { CERTIFICATE_ROLE } from '#protocol/certificates';
import { hasCode, TswarmError } from '#protocol/errors';
import { TaskState } from '#protocol/generated/objects';
import { ConfigSpec, NodeAvailability } from '#protocol/generated/specs';
import { ClusterChecks } from './cluster-checks.ts';
import { changeSomething, drawChange, touch } from './cluster-work.ts';
import { SimFailure } from './failure.ts';
import { Faults } from './faults.ts';
import { Group } from './group.ts';
import { findViolation, type Operation } from './linearizable.ts';
import type { RunCounts } from './seed-result.ts';
import { serviceGap } from './service-goal.ts';
import { strangeRequest } from './sim-authority.ts';
import type { ContainerWeather } from './sim-containers.ts';
import { SimManager } from './sim-manager.ts';
import type { SimMember } from './sim-member.ts';
import { SimNetwork } from './sim-network.ts';
import { SimNode } from './sim-node.ts';
import { stream } from './streams.ts';
import { drawWeather, type Weather } from './weather.ts';
import { NODE_BASE, Wire } from './wire.ts';
import type { World } from './world.ts';

/** A transaction of the controllers may have some hundred kilobytes. */
const SEGMENT_BYTES = 384 * 1024;
const HEARTBEAT_MS = 400;
const REGISTERS_MAX = 120;
/** So many services are made, or changed, before anything else. */
const FIRST_DEPLOYS = 6;
/** After healing: so long until everything runs as asked for. */
const HEAL_US = 90_000_000;
const LOOK_EVERY_US = 500_000;

export class ClusterRun {
  readonly #world: World;
  readonly #weather: Weather;
  readonly #group: Group;
  readonly #faults: Faults;
  readonly #checks = new ClusterChecks();
  readonly #managers = new Map<SimMember, SimManager>();
  readonly #nodes: SimNode[];
  readonly #wire: Wire;
  readonly #nodeNetwork: SimNetwork;
  readonly #prng: ReturnType<typeof stream>;
  readonly #history: Operation[] = [];
  readonly #nodeFaults: boolean;
  #nextValue = 1;
  #changesMade = 0;
  #lastLookUs = 0;

  constructor(world: World, seed: number) {
    this.#world = world;
    const drawn = drawWeather(stream(seed, 'weather'));
    // Times of the manager's own code (20 ms, 2 s, …) do not scale with ticks.
    this.#prng = stream(seed, 'clients');
    // With little room some of what the manager writes at once is refused, and what follows is not.
    const maxUncommittedBytes = this.#prng.chance(0.3) ? 2_000 : 1e6;
    const faults = { ...drawn.faults, setUnlockKey: 0, loseQuorum: 0 };
    this.#weather = {
      ...drawn,
      faults,
      tickMs: 50,
      tuning: { ...drawn.tuning, maxUncommittedBytes },
    };
    const prng = stream(seed, 'manager');
    const settings = { seed, weather: this.#weather, segmentBytes: SEGMENT_BYTES };
    this.#group = new Group(world, settings, {
      attach: (member, { node, main }) => {
        const manager = new SimManager({
          world,
          id: member.id,
          node,
          main,
          prng,
          checks: this.#group.checks,
          clusterChecks: this.#checks,
          heartbeatMs: HEARTBEAT_MS,
        });
        this.#managers.set(member, manager);
      },
      ended: (member) => this.#managers.delete(member),
      forced: () => {},
    });
    this.#faults = new Faults(this.#group, this.#weather, stream(seed, 'faults'));
    // Connections of nodes are streams: they break, but neither repeat nor reorder.
    this.#nodeNetwork = new SimNetwork(world, stream(seed, 'network', 1));
    const { link } = this.#weather;
    this.#nodeNetwork.weather = { ...link, loss: link.loss / 4, duplicate: 0, reorders: false };
    this.#wire = new Wire(world, {
      network: this.#nodeNetwork,
      managers: () => [...this.#managers.values()],
      prng: stream(seed, 'network', 2),
      isCalm: () => this.#group.isHealed,
    });
    this.#nodeFaults = this.#prng.chance(0.7);
    this.#nodes = this.#makeNodes(seed);
  }

  #makeNodes(seed: number): SimNode[] {
    const prng = this.#prng;
    const containers: ContainerWeather = {
      stepMs: 5 + prng.next() * 100,
      prepareFails: prng.chance(0.3) ? 0.1 : 0,
      startFails: prng.chance(0.3) ? 0.1 : 0,
      livesMs: prng.chance(0.3) ? 5_000 : 0,
    };
    return Array.from({ length: 2 + prng.below(3) }, (_, i) => {
      const node = new SimNode({
        world: this.#world,
        wire: this.#wire,
        prng: stream(seed, 'agents', i),
        number: i + 1,
        containers,
        isCalm: () => this.#group.isHealed,
        token: () => this.#token(),
        thanked: (taskId, run, state) => this.#checks.thanked(taskId, run, state),
      });
      this.#wire.add(node, i + 1);
      return node;
    });
  }

  #token(): string {
    for (const { replicated } of this.#managers.values()) {
      for (const { rootCa } of replicated.view.list('cluster')) {
        if (rootCa) return rootCa.joinTokenWorker;
      }
    }
    return '';
  }

  #leader(): SimManager | null {
    const member = this.#group.leader();
    return member === null ? null : (this.#managers.get(member) ?? null);
  }

  run(steps: number): void {
    for (const member of this.#group.members) this.#group.start(member);
    for (const node of this.#nodes)
      this.#world.at(this.#prng.next() * 1e6, null, () => node.start());
    this.#faults.start();
    this.#work();
    if (this.#nodeFaults) this.#nodeFault();
    while (this.#world.steps < steps && this.#world.step());
  }

  // ---- what users do

  #work(): void {
    const wait = -Math.log(1 - this.#prng.next()) * 150_000;
    this.#world.at(wait, null, () => {
      if (this.#group.isHealed) return;
      if (this.#prng.chance(0.3)) this.#useRegister();
      else this.#changeSomething();
      this.#work();
    });
  }

  #changeSomething(): void {
    const manager = this.#leader();
    if (manager === null || !manager.isServing) return;
    if (this.#prng.chance(0.15)) {
      this.#askForCertificate(manager);
      return;
    }
    const drawn = drawChange(this.#prng);
    // Something to run first.
    const draw = this.#changesMade++ < FIRST_DEPLOYS ? { ...drawn, kind: 0 } : drawn;
    this.#update(manager, (tx, context) => changeSomething(tx, context, draw, manager.random));
  }

  /** Somebody wants a certificate, and may have it or not. */
  #askForCertificate(manager: SimManager): void {
    const request = strangeRequest(this.#prng, this.#token());
    const nodes = [...manager.replicated.view.list('node')];
    const node = nodes[this.#prng.below(nodes.length + 1)];
    const roles = Object.values(CERTIFICATE_ROLE);
    const role = roles[this.#prng.below(roles.length)] ?? '';
    const applicant = { nodeId: node?.id ?? (this.#prng.chance(0.5) ? 'unknown' : ''), role };
    this.#world.become(manager.main, () => {
      manager.issue(request, applicant).catch((error: unknown) => {
        if (!(error instanceof TswarmError)) this.#world.failure ??= error;
      });
    });
  }

  #update(manager: SimManager, change: (tx: StoreWriteView, c: DecisionContext) => void): void {
    this.#world.become(manager.main, () => {
      const options = { author: 'admin', summary: 'simulated' };
      manager.replicated.update(options, change).catch((error: unknown) => {
        if (!(error instanceof TswarmError)) this.#world.failure ??= error;
      });
    });
  }

  // ---- a register in the store

  #useRegister(): void {
    if (this.#history.length >= REGISTERS_MAX) return;
    const managers = [...this.#managers.values()];
    const isRead = this.#prng.chance(0.5);
    const any = managers[this.#prng.below(managers.length)] ?? null;
    const manager = isRead ? any : this.#leader();
    if (manager === null) return;
    const operation: Operation = {
      key: 1,
      kind: isRead ? 'read' : 'write',
      value: isRead ? 0 : this.#nextValue++,
      expected: 0,
      calledUs: this.#world.nowUs,
      endedUs: Number.POSITIVE_INFINITY,
      outcome: 'unknown',
      result: 0,
      hint: Number.POSITIVE_INFINITY,
    };
    this.#history.push(operation);
    const answer = (result: number, hint: number): void => {
      this.#world.at(this.#prng.next() * this.#weather.link.delayUs, null, () => {
        Object.assign(operation, { outcome: 'ok', result, hint, endedUs: this.#world.nowUs });
      });
    };
    this.#world.become(manager.main, () => {
      if (isRead) this.#readRegister(manager, answer);
      else this.#writeRegister(manager, operation, answer);
    });
  }

  #readRegister(manager: SimManager, answer: (result: number, hint: number) => void): void {
    const node = this.#group.member(manager.id).process?.node;
    node?.readIndex().then(
      () => {
        const { replicated } = manager;
        answer(registerOf(replicated.view), replicated.store.index);
      },
      () => {},
    );
  }

  #writeRegister(
    manager: SimManager,
    operation: Operation,
    answer: (result: number, hint: number) => void,
  ): void {
    const labels = { value: String(operation.value) };
    manager.replicated
      .update({ author: 'client', summary: '' }, (tx, context) => {
        const known = tx.byName('config', 'register');
        const data = known?.spec?.data ?? Uint8Array.of(1);
        const spec = ConfigSpec.create({ name: 'register', labels, data });
        if (known) updateConfig(tx, known.id, known.meta?.version?.index ?? 0, spec);
        else createConfig(tx, context.newId(), spec);
      })
      .then(
        ({ index }) => answer(1, index),
        (error: unknown) => {
          if (hasCode(error, 'no_leader') || hasCode(error, 'no_space')) {
            operation.outcome = 'refused';
          } else if (hasCode(error, 'out_of_sequence')) operation.outcome = 'refused';
          else if (!(error instanceof TswarmError)) this.#world.failure ??= error;
        },
      );
  }

  // ---- what happens to nodes

  #nodeFault(): void {
    const wait = -Math.log(1 - this.#prng.next()) * 2_000_000;
    this.#world.at(wait, null, () => {
      if (this.#group.isHealed) return;
      this.#oneNodeFault();
      this.#nodeFault();
    });
  }

  #oneNodeFault(): void {
    const prng = this.#prng;
    const i = prng.below(this.#nodes.length);
    const node = this.#nodes[i] as SimNode;
    const kind = prng.below(4);
    const lengthUs = prng.next() * 5_000_000;
    if (kind < 2) {
      if (kind === 0) node.kill();
      else node.reboot();
      this.#world.at(lengthUs, null, () => node.start());
    } else if (kind === 2) {
      const { actor } = node;
      if (actor) actor.pausedUntilUs = Math.max(actor.pausedUntilUs, this.#world.nowUs + lengthUs);
    } else {
      const id = NODE_BASE + i + 1;
      for (const member of this.#group.members) {
        this.#nodeNetwork.cut(id, member.id);
        if (prng.chance(0.7)) this.#nodeNetwork.cut(member.id, id);
      }
      this.#world.at(lengthUs, null, () => this.#nodeNetwork.healAll());
    }
  }

  // ---- the end

  heal(): void {
    const group = this.#group;
    group.heal();
    this.#nodeNetwork.healAll();
    this.#nodeNetwork.weather = { ...this.#nodeNetwork.weather, loss: 0, lateChance: 0 };
    for (const node of this.#nodes) node.start();
    const endUs = this.#world.nowUs + HEAL_US;
    this.#goOn();
    let why = '';
    const isSettled = (): boolean => {
      if (this.#world.nowUs - this.#lastLookUs < LOOK_EVERY_US) return false;
      this.#lastLookUs = this.#world.nowUs;
      why = this.#whyNotSettled();
      return why === '';
    };
    if (!this.#world.runUntil(endUs, isSettled)) {
      group.fail('the cluster comes to what was asked for', { why });
    }
    this.#checkAll();
  }

  /** Brings all nodes back into use, as an operator would, and keeps the log growing. */
  #goOn(): void {
    const manager = this.#leader();
    if (manager !== null) {
      this.#update(manager, (tx, context) => {
        for (const node of tx.list('node')) {
          if (!node.spec || node.spec.availability === NodeAvailability.ACTIVE) continue;
          const spec = { ...node.spec, availability: NodeAvailability.ACTIVE };
          tx.update('node', { ...node, spec });
        }
        for (const service of tx.list('service')) {
          const state = service.updateStatus?.state;
          const isHeld = state !== undefined && PAUSED_STATES.has(state);
          if (isHeld) touch(tx, context, service.spec?.name ?? '');
        }
        const known = tx.byName('config', 'probe');
        if (known) removeData(tx, 'config', known.id);
        else
          createConfig(tx, 'probe', ConfigSpec.create({ name: 'probe', data: Uint8Array.of(1) }));
      });
    }
    this.#world.at(1_000_000, null, () => this.#goOn());
  }

  /** '' when everything is as it should be. */
  #whyNotSettled(): string {
    const leader = this.#leader();
    if (leader === null || !leader.isServing) return 'nobody leads';
    const { view, store } = leader.replicated;
    for (const [member, manager] of this.#managers) {
      const raft = member.process?.host?.core.raft;
      if (raft === undefined || raft.isRecovering()) return `manager ${manager.id} recovers`;
    }
    for (const node of this.#nodes) if (node.nodeId === '') return 'a node has not joined';
    const running = new Set(this.#nodes.flatMap((node) => node.runningTasks()));
    for (const service of view.list('service')) {
      const why = serviceGap(view, service, running);
      if (why !== '') return why;
    }
    for (const taskId of running) {
      const task = view.get('task', taskId);
      if (task === undefined) return `a container of the removed task ${taskId} runs`;
      if (task.desiredState > TaskState.RUNNING) return `task ${taskId} should have ended`;
    }
    return store.pendingCount > 0 ? 'changes are on their way' : '';
  }

  #checkAll(): void {
    const leader = this.#leader();
    if (leader === null) return;
    this.#checks.checkThanked(leader.replicated.store);
    for (const other of this.#managers.values()) {
      if (other === leader || other.replicated.store.index !== leader.replicated.store.index)
        continue;
      this.#checks.checkSame(leader.replicated.store, other.replicated.store);
    }
  }

  checkHistory(): void {
    const violation = findViolation(this.#history);
    if (violation === null) return;
    throw new SimFailure('the history of the clients is linearizable', { history: violation });
  }

  counts(): RunCounts {
    const { checks, crashes, network } = this.#group;
    const faults: Record<string, number> = Object.fromEntries(this.#faults.counts);
    faults.lost = network.counts.lost + network.counts.cut;
    return {
      operations: this.#history.length,
      changes: this.#checks.changes,
      committed: checks.highestCommitted,
      elections: checks.elections,
      crashes,
      confChanges: checks.confChanges,
      faults,
    };
  }
}

function registerOf(view: StoreView): number {
  return Number(view.byName('config', 'register')?.spec?.labels.value ?? 0);
}
