// Managers come and go by the roles of their nodes, as on real hosts: an administrator changes a node's
// role or removes a node; a host that is told that it is to be a manager gets a manager's certificate
// by way of its worker's, joins, and starts a member with an empty log; a member that is told to be
// out ends. What leads from one to the other is the leader's: chores and manager/control/membership.
// The first managers have no worker; once demoted they stay what they are.
import { managersOf, raftIdOf } from '#manager/control/managers';
import { removeNode, updateNode } from '#manager/control/nodes';
import { SEAT_LOOK_MS } from '#manager/limits';
import type { StoreWriteView } from '#manager/store/state';
import { CERTIFICATE_ROLE, certificateRequest } from '#protocol/certificates';
import { IssueNodeCertificateRequest } from '#protocol/generated/ca';
import { SpecUnion, UpdateObjectRequest } from '#protocol/generated/control';
import { JoinRequest } from '#protocol/generated/membership';
import type { Node } from '#protocol/generated/objects';
import { NodeRole, NodeSpec } from '#protocol/generated/specs';
import type { Prng } from '#test/support/prng';
import type { Group } from './group.ts';
import { simSigner } from './sim-authority.ts';
import { addressesOf, type SimManager } from './sim-manager.ts';
import type { SimMember } from './sim-member.ts';
import type { SimNode } from './sim-node.ts';
import type { Wire } from './wire.ts';
import type { World } from './world.ts';

const MANAGERS_MAX = 5;
/** Hosts look so often at what they are to be. */
const LOOK_US = 300_000;
const JOIN_MS = 1_500;
const SEAT_MS = 1_500;

export interface RolesDeps {
  readonly world: World;
  readonly group: Group;
  readonly wire: Wire;
  readonly nodes: readonly SimNode[];
  readonly prng: Prng;
}

export class Roles {
  readonly #deps: RolesDeps;
  /** The member that runs on a node's host, from when it asks to join. */
  readonly #members = new Map<SimNode, SimMember>();
  /** When it last asked whether it still may, or did join. */
  readonly #askedUs = new Map<SimNode, number>();

  constructor(deps: RolesDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#deps.world.at(LOOK_US, null, () => {
      for (const node of this.#deps.nodes) this.#look(node);
      this.start();
    });
  }

  #look(node: SimNode): void {
    const member = this.#members.get(node);
    if (member && node.actor)
      this.#deps.world.become(node.actor, () => this.#askForSeat(node, member));
    if (member?.isGone) this.#members.delete(node);
    const { actor } = node;
    if (actor === null || node.role !== NodeRole.MANAGER || this.#members.has(node)) return;
    this.#deps.world.become(actor, () => this.#join(node));
  }

  /** As host/seat-watch.ts: while it waits for its vote it asks whether it still may have one. */
  #askForSeat(node: SimNode, member: SimMember): void {
    const { group, wire, world, prng } = this.#deps;
    const raft = member.process?.host?.core.raft;
    const isWaiting = raft !== undefined && !raft.tracker.conf.voters.includes(member.id);
    const sinceUs = world.nowUs - (this.#askedUs.get(node) ?? 0);
    if (!isWaiting || member.isGone || sinceUs < SEAT_LOOK_MS * 1000) return;
    const manager = wire.pick(prng);
    if (manager === null || manager.id === member.id) return;
    this.#askedUs.set(node, world.nowUs);
    const { process } = member;
    wire.call(
      { node, manager, timeoutMs: SEAT_MS },
      () => manager.hasSeat({ nodeId: node.nodeId, raftId: member.id }),
      (isGiven) => {
        if (isGiven || member.process !== process) return;
        group.kill(member);
        member.isGone = true;
      },
      () => {},
    );
  }

  /** Each try is a new member: nobody knows what became of the one before. */
  #join(node: SimNode): void {
    const { group, wire, prng } = this.#deps;
    const manager = wire.pick(prng);
    if (manager === null) return;
    const member = group.addMember();
    this.#members.set(node, member);
    this.#askedUs.set(node, this.#deps.world.nowUs);
    const { nodeId } = node;
    wire.call(
      { node, manager, timeoutMs: JOIN_MS },
      () => admit(manager, nodeId, member.id),
      () => group.start(member),
      () => {
        member.isGone = true;
      },
    );
  }

  /** An administrator changes the role of a node, if that may be. @throws TswarmError */
  change(tx: StoreWriteView, manager: SimManager, which: number): void {
    const able = new Set(this.#deps.nodes.map(({ nodeId }) => nodeId));
    const managers = managersOf(tx);
    const nodes = [...tx.list('node')].filter(
      ({ id, spec }) => spec?.role === NodeRole.MANAGER || able.has(id),
    );
    const node = nodes[which % Math.max(1, nodes.length)];
    if (!node?.spec) return;
    const isManager = node.spec.role === NodeRole.MANAGER;
    if (!isManager && managers.length >= MANAGERS_MAX) return;
    const role = isManager ? NodeRole.WORKER : NodeRole.MANAGER;
    const request = UpdateObjectRequest.create({
      id: node.id,
      version: node.meta?.version?.index ?? 0,
      spec: SpecUnion.create({ node: NodeSpec.create({ ...node.spec, role }) }),
    });
    updateNode(tx, request, manager.members());
  }

  /** Removes nodes on whose hosts nothing runs any more, which would hold up a new root. */
  removeEmpty(tx: StoreWriteView, nowMicros: number): void {
    const hosts = new Set(this.#deps.nodes.map(({ nodeId }) => nodeId));
    for (const node of [...tx.list('node')]) {
      if (hosts.has(node.id) || isPartOfGroup(node)) continue;
      removeNode(tx, node.id, true, nowMicros);
    }
  }

  /** An administrator removes a worker. @returns its id; '' when there was none @throws TswarmError */
  remove(tx: StoreWriteView, which: number, nowMicros: number): string {
    const nodes = [...tx.list('node')].filter((node) => !isPartOfGroup(node));
    const node = nodes[which % Math.max(1, nodes.length)];
    if (!node) return '';
    removeNode(tx, node.id, true, nowMicros);
    return node.id;
  }
}

/** What a host that is to be a manager asks for: a certificate, then a seat. */
async function admit(manager: SimManager, nodeId: string, raftId: number): Promise<void> {
  const csr = certificateRequest(simSigner(Buffer.from(`manager ${raftId}`)));
  const request = IssueNodeCertificateRequest.create({ csr, role: NodeRole.MANAGER });
  await manager.issue(request, { nodeId, role: CERTIFICATE_ROLE.worker });
  await manager.admit(JoinRequest.create({ nodeId }), addressesOf(raftId), raftId);
}

function isPartOfGroup(node: Node): boolean {
  return node.spec?.role === NodeRole.MANAGER || raftIdOf(node) !== 0;
}
