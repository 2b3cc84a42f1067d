// One seed of the whole manager: store, authority, dispatcher, controllers and scheduler on a group of
// managers, and nodes with the real agent. Faults hit both; then everything is healed, and the
// cluster must come to the state that was asked for: every service has the tasks that it wants, they
// run where they were put, and nothing else runs.

import { waitingFor } from '#manager/ca/rotation';
import { createConfig, removeData } from '#manager/control/data-objects';
import { managersOf } from '#manager/control/managers';
import { PAUSED_STATES } from '#manager/orchestrator/update';
import type { StoreWriteView } from '#manager/store/state';
import type { DecisionContext } from '#manager/store/view';
import { CERTIFICATE_ROLE } from '#protocol/certificates';
import { TswarmError } from '#protocol/errors';
import { TaskState } from '#protocol/generated/objects';
import { ConfigSpec, NodeAvailability, NodeRole } from '#protocol/generated/specs';
import { ClusterChecks } from './cluster-checks.ts';
import { Roles } from './cluster-roles.ts';
import { changeSomething, type Draw, drawChange, touch } from './cluster-work.ts';
import { Faults } from './faults.ts';
import { Group } from './group.ts';
import type { RunCounts } from './seed-result.ts';
import { serviceGap } from './service-goal.ts';
import { strangeRequest } from './sim-authority.ts';
import type { ContainerWeather } from './sim-containers.ts';
import { SimManager } from './sim-manager.ts';
import type { SimMember } from './sim-member.ts';
import { SimNetwork } from './sim-network.ts';
import { SimNode } from './sim-node.ts';
import { StoreRegister } from './store-register.ts';
import { stream } from './streams.ts';
import { drawWeather, type Weather } from './weather.ts';
import { NODE_BASE, Wire } from './wire.ts';
import type { World } from './world.ts';

/** A transaction of the controllers may have some hundred kilobytes. */
const SEGMENT_BYTES = 384 * 1024;
const HEARTBEAT_MS = 400;
/** So many services are made, or changed, before anything else. */
const FIRST_DEPLOYS = 6;
/** Here keys are locked by the cluster's setting, and the membership follows the nodes' roles. */
const OF_OTHERS = { setUnlockKey: 0, changeMembers: 0, jointSplit: 0, eagerChange: 0 };
/** Behind those of the nodes. */
const ROLES_STREAM = 100;
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
  readonly #register: StoreRegister;
  readonly #roles: Roles;
  readonly #nodeFaults: boolean;
  #changesMade = 0;
  #lastLookUs = 0;
  /** Raft ids of those that the cluster begins with. */
  readonly #first: readonly number[];
  /** Goes on alone, and the state does not say so yet. */
  #survivor: SimMember | null = null;

  constructor(world: World, seed: number) {
    this.#world = world;
    const drawn = drawWeather(stream(seed, 'weather'));
    // Times of the manager's own code (20 ms, 2 s, …) do not scale with ticks.
    this.#prng = stream(seed, 'clients');
    // With little room some of what the manager writes at once is refused, and what follows is not.
    const maxUncommittedBytes = this.#prng.chance(0.3) ? 2_000 : 1e6;
    const faults = { ...drawn.faults, ...OF_OTHERS };
    this.#weather = {
      ...drawn,
      faults,
      tickMs: 50,
      tuning: { ...drawn.tuning, maxUncommittedBytes },
    };
    const prng = stream(seed, 'manager');
    this.#first = Array.from({ length: drawn.voters }, (_, i) => i + 1);
    this.#register = new StoreRegister(world, this.#prng, drawn.link.delayUs);
    const settings = { seed, weather: this.#weather, segmentBytes: SEGMENT_BYTES };
    this.#group = new Group(world, settings, {
      attach: (member, { node, main }) => {
        const manager = new SimManager({
          world,
          id: member.id,
          node,
          main,
          prng,
          checks: () => member.checks,
          clusterChecks: this.#checks,
          heartbeatMs: HEARTBEAT_MS,
          first: this.#first,
          unlockKey: () => member.keys.current,
          setUnlockKey: (key) => {
            member.keys.asked(key);
            return node.setUnlockKey(key).then(() => member.keys.answered(key));
          },
          mustTakeOver: () => this.#survivor === member,
          tookOver: () => {
            this.#survivor = null;
            this.#register.resume(manager);
          },
          atLeader: (action) => this.#atLeader(member, action),
        });
        const { store } = manager.replicated;
        this.#checks.watch(member.id, store, () => member.checks === this.#group.checks);
        this.#managers.set(member, manager);
      },
      ended: (member) => this.#managers.delete(member),
      forced: (member, hasLost) => {
        this.#survivor = member;
        this.#checks.forced(hasLost);
        if (hasLost) this.#register.hold();
      },
      hasTakenOver: (member) => this.#survivor !== member,
    });
    this.#faults = new Faults(this.#group, this.#weather, stream(seed, 'faults'));
    this.#faults.storms.crowd = this.#register.crowdOf((member) =>
      member === null ? this.#leader() : (this.#managers.get(member) ?? null),
    );
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
    this.#faults.mayGoOn = (member) => this.#managers.get(member)?.isPart === true;
    this.#roles = new Roles({
      world,
      group: this.#group,
      wire: this.#wire,
      nodes: this.#nodes,
      prng: stream(seed, 'agents', ROLES_STREAM),
    });
  }

  /** Something for the leader, on the way that the managers' own messages take. */
  #atLeader(from: SimMember, action: (leader: SimManager) => Promise<void>): void {
    const member = this.#group.leader();
    const leader = this.#leader();
    if (member === null || leader === null) return;
    const deliver = (): void => {
      this.#world.become(leader.main, () => {
        action(leader).catch((error: unknown) => this.#ifBug(error));
      });
    };
    if (from === member) deliver();
    else this.#group.network.send(from.id, member.id, deliver);
  }

  #makeNodes(seed: number): SimNode[] {
    const prng = this.#prng;
    const containers: ContainerWeather = {
      stepMs: 5 + prng.next() * 100,
      prepareFails: prng.chance(0.3) ? 0.1 : 0,
      startFails: prng.chance(0.3) ? (prng.chance(0.4) ? 0.8 : 0.1) : 0,
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

  /** As somebody reads it at the manager that leads, or else at whichever there is: that one's may be an old one. */
  #token(): string {
    const leader = this.#leader();
    const managers = [...(leader === null ? [] : [leader]), ...this.#managers.values()];
    for (const { replicated } of managers) {
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
    this.#roles.start();
    while (this.#world.steps < steps && this.#world.step());
  }

  // ---- what users do

  #work(): void {
    const wait = -Math.log(1 - this.#prng.next()) * 150_000;
    this.#world.at(wait, null, () => {
      if (this.#group.isHealed) return;
      if (this.#prng.chance(0.3)) this.#register.use(this.#managers, this.#leader());
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
    // A member that decay has kept from voting could be needed by a smaller group.
    if (this.#weather.faults.rot === 0 && this.#prng.chance(0.12)) {
      this.#changeNodes(manager);
      return;
    }
    const drawn = drawChange(this.#prng);
    // Something to run first.
    const draw = this.#changesMade++ < FIRST_DEPLOYS ? { ...drawn, kind: 0 } : drawn;
    if (this.#prng.chance(0.05)) this.#rehearse(manager, draw);
    else this.#update(manager, (tx, context) => changeSomething(tx, context, draw, manager.random));
  }

  /** Tries a change out; whatever it does, the state stays what it is. */
  #rehearse(manager: SimManager, draw: Draw): void {
    this.#world.become(manager.main, () => {
      const { replicated, random } = manager;
      const before = replicated.view.cluster();
      try {
        const { rehearsal, context } = replicated.rehearsal();
        rehearsal.step(context.nowMicros, (tx) => changeSomething(tx, context, draw, random));
      } catch (error) {
        this.#ifBug(error);
      }
      if (replicated.view.cluster() !== before)
        this.#group.fail('what is tried out changes nothing');
    });
  }

  /** Another role for a node, or a node less. */
  #changeNodes(manager: SimManager): void {
    const which = this.#prng.below(8);
    if (this.#prng.chance(0.7)) {
      this.#update(manager, (tx) => this.#roles.change(tx, manager, which));
      return;
    }
    this.#world.become(manager.main, () => {
      manager.replicated
        .update({ author: 'admin', summary: 'node: remove' }, (tx, { nowMicros }) =>
          this.#roles.remove(tx, which, nowMicros),
        )
        .then(
          ({ value }) => {
            if (value !== '') this.#checks.removed(value);
          },
          (error: unknown) => this.#ifBug(error),
        );
    });
  }

  #ifBug(error: unknown): void {
    if (!(error instanceof TswarmError)) this.#world.failure ??= error;
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
      manager.issue(request, applicant).catch((error: unknown) => this.#ifBug(error));
    });
  }

  #update(manager: SimManager, change: (tx: StoreWriteView, c: DecisionContext) => void): void {
    this.#world.become(manager.main, () => {
      const options = { author: 'admin', summary: 'simulated' };
      manager.replicated.update(options, change).catch((error: unknown) => this.#ifBug(error));
    });
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
    // One host may stay away for a while: what ran there runs elsewhere then.
    const away = this.#prng.chance(0.3) ? this.#nodes[0] : undefined;
    for (const node of this.#nodes) if (node !== away) node.start();
    this.#goOn();
    if (away !== undefined) {
      away.reboot();
      this.#settle(() => this.#whyServicesLack(away));
      away.start();
    }
    this.#settle(() => this.#whyNotSettled());
    this.#checkAll();
  }

  /** `look` says '' in the end. @throws SimFailure */
  #settle(look: () => string): void {
    let why = '';
    const isSettled = (): boolean => {
      if (this.#world.nowUs - this.#lastLookUs < LOOK_EVERY_US) return false;
      this.#lastLookUs = this.#world.nowUs;
      why = look();
      return why === '';
    };
    if (this.#world.runUntil(this.#world.nowUs + HEAL_US, isSettled)) return;
    this.#group.fail('the cluster comes to what was asked for', { why });
  }

  /** Whether services have what they want; '' when they do. What has data on a host that is away waits for it. */
  #whyServicesLack(away?: SimNode): string {
    const leader = this.#leader();
    if (leader === null || !leader.isServing) return 'nobody leads';
    const { view } = leader.replicated;
    const running = new Set(this.#nodes.flatMap((node) => node.runningTasks()));
    for (const service of view.list('service')) {
      const hasData = (service.spec?.taskTemplate?.containerSpec?.mounts ?? []).length > 0;
      if (away !== undefined && hasData) continue;
      const why = serviceGap(view, service, running);
      if (why !== '') return why;
    }
    return '';
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
        this.#roles.removeEmpty(tx, context.nowMicros);
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
    const roles = this.#whyNotAsManaged(leader);
    if (roles !== '') return roles;
    const services = this.#whyServicesLack();
    if (services !== '') return services;
    for (const taskId of this.#nodes.flatMap((node) => node.runningTasks())) {
      const task = view.get('task', taskId);
      if (task === undefined) return `a container of the removed task ${taskId} runs`;
      if (task.desiredState > TaskState.RUNNING) return `task ${taskId} should have ended`;
    }
    return store.pendingCount > 0 ? 'changes are on their way' : '';
  }

  /** Whether managers and members are the same, of one root, and locked as the cluster says. */
  #whyNotAsManaged({ replicated, id }: SimManager): string {
    const { view } = replicated;
    const raft = this.#group.member(id).process?.host?.core.raft;
    const [cluster] = view.list('cluster');
    if (!raft || !cluster) return 'nobody leads';
    const isWhole = this.#group.members.every(({ isBroken }) => !isBroken);
    if (cluster.rootCa?.rootRotation && isWhole)
      return `a root waits for ${waitingFor(view).join()}`;
    const { conf } = raft.tracker;
    const voters = new Set(conf.voters);
    if (conf.votersOutgoing.length + conf.learners.length > 0) return 'a member is on its way';
    const managers = managersOf(view);
    for (const { id: nodeId, managerStatus, role } of managers) {
      if (role !== NodeRole.MANAGER) return `node ${nodeId} is not a manager yet`;
      if (!voters.has(managerStatus?.raftId ?? 0)) return `manager ${nodeId} has no vote`;
    }
    if (managers.length !== voters.size)
      return `${voters.size} voters, ${managers.length} managers`;
    const wanted = Buffer.from(cluster.unlockKey).toString('hex');
    for (const raftId of voters) {
      const { keys, place, isBroken } = this.#group.member(raftId);
      if (isBroken) continue;
      if (place?.keys.isChanging) return `manager ${raftId} changes its data key`;
      const current = Buffer.from(keys.current ?? []).toString('hex');
      if (current !== wanted) return `manager ${raftId} is not locked as the cluster says`;
    }
    return '';
  }

  #checkAll(): void {
    const leader = this.#leader();
    if (leader === null) return;
    this.#checks.checkThanked(leader.replicated.store);
    for (const [member] of this.#managers) member.checkKeys();
    for (const other of this.#managers.values()) {
      if (other === leader || other.replicated.store.index !== leader.replicated.store.index)
        continue;
      this.#checks.checkSame(leader.replicated.store, other.replicated.store);
    }
  }

  checkHistory(): void {
    this.#register.check();
  }

  counts(): RunCounts {
    const { checks, crashes, network } = this.#group;
    const faults: Record<string, number> = Object.fromEntries(this.#faults.counts);
    faults.lost = network.counts.lost + network.counts.cut;
    return {
      operations: this.#register.operations,
      changes: this.#checks.changes,
      committed: checks.highestCommitted,
      elections: checks.elections,
      crashes,
      confChanges: checks.confChanges,
      faults,
    };
  }
}
