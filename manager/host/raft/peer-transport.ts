// All ways between this member and the others: the listener, one link per peer, snapshots. Lives in
// the Raft thread; RaftHost sees only functions. Owns the TLS identity and the addresses.
import type * as grpc from '@grpc/grpc-js';
import type { Message } from '#manager/raft/types';
import {
  type PeerFrame,
  type PeerHello,
  type PeerNotice,
  RaftTransportService,
  type SnapshotFrame,
  type SnapshotNotice,
} from '#protocol/generated/raft';
import { methodDefinition } from '#protocol/transport/grpc';
import { withPortIfAny } from '../places.ts';
import type { Greeting, Judgement } from './greeting.ts';
import { PeerLink } from './peer-link.ts';
import { PeerListener } from './peer-listener.ts';
import { makeHello } from './peer-protocol.ts';
import { checkIdentity, connectPeer } from './peer-tls.ts';
import type { RaftIdentity, RaftPeer } from './raft-node.ts';
import { SnapshotReceiver } from './snapshot-receiver.ts';
import { SnapshotSender } from './snapshot-sender.ts';
import type { SnapshotStore } from './snapshot-store.ts';

/** What the transport needs of the member that it serves. */
export interface TransportMember {
  greeting(to: number): Greeting;
  judge(from: number, greeting: Greeting): Judgement;
  toldRemoved(by: number): void;
  receive(messages: readonly Message[]): void;
  receiveSnapshot(message: Message): Promise<void>;
  lostContact(id: number): void;
  unreachable(id: number): void;
  snapshotSent(id: number, hasFailed: boolean): void;
}

export interface PeerTransportOptions {
  readonly clusterId: string;
  readonly raftId: number;
  readonly listenAddress: string | null;
  readonly advertiseAddress: string | null;
  readonly instance: string;
}

export interface PeerTransportDeps {
  readonly member: TransportMember;
  readonly snapshots: SnapshotStore;
  readonly note: (
    level: 'info' | 'warn',
    message: string,
    values: Readonly<Record<string, string | number>>,
  ) => void;
  readonly random: () => number;
}

const MESSAGES = methodDefinition(RaftTransportService.methods.messages);
const SNAPSHOT = methodDefinition(RaftTransportService.methods.snapshot);

export class PeerTransport {
  readonly #options: PeerTransportOptions;
  readonly #deps: PeerTransportDeps;
  readonly #listener: PeerListener;
  readonly #receiver: SnapshotReceiver;
  readonly #sender: SnapshotSender;
  readonly #links = new Map<number, PeerLink>();
  /** As the store has them. */
  #known: ReadonlyMap<number, RaftPeer> = new Map();
  /** As they are called. */
  #peers: ReadonlyMap<number, RaftPeer> = new Map();
  /** Where members say themselves that they are, until what everybody knows of them changes. */
  readonly #moved = new Map<number, { readonly addr: string; readonly instead: string }>();
  #identity: RaftIdentity | null = null;

  constructor(options: PeerTransportOptions, deps: PeerTransportDeps) {
    this.#options = options;
    this.#deps = deps;
    const { member, snapshots, note } = deps;
    const { clusterId, raftId } = options;
    this.#receiver = new SnapshotReceiver({
      raftId,
      received: (message) => member.receiveSnapshot(message),
      note: (message, values) => note('info', message, values),
    });
    this.#sender = new SnapshotSender({
      snapshots,
      open: (to) => this.#openSnapshot(to),
      hello: (to) => this.#hello(to),
      sent: (to, hasFailed) => member.snapshotSent(to, hasFailed),
      note: (message, values) => note('warn', message, values),
    });
    this.#listener = new PeerListener({
      clusterId,
      raftId,
      nodeOf: (id) => this.#peers.get(id)?.nodeId ?? null,
      judge: (from, greeting) => member.judge(from, greeting),
      outdated: (by) => member.toldRemoved(by),
      admitted: (from, addr) => this.#heardFrom(from, addr),
      receive: (messages) => member.receive(messages),
      lostContact: (id) => member.lostContact(id),
      snapshot: (call, admit) => this.#receiver.handle(call, admit),
      note: (message, values) => note('warn', message, values),
    });
  }

  get port(): number | null {
    return this.#listener.port;
  }

  /** Name of the process that speaks for a member now. */
  instanceOf(id: number): string | null {
    return this.#listener.instanceOf(id);
  }

  /** @throws TswarmError invalid_argument, failed_precondition */
  async setIdentity(identity: RaftIdentity): Promise<void> {
    checkIdentity(identity, this.#options.clusterId);
    const { listenAddress } = this.#options;
    if (listenAddress !== null) await this.#listener.open(listenAddress, identity);
    this.#identity = identity;
    for (const link of this.#links.values()) link.renew();
  }

  setPeers(peers: readonly RaftPeer[]): void {
    const { raftId } = this.#options;
    this.#known = new Map(
      peers.filter((peer) => peer.raftId !== raftId).map((peer) => [peer.raftId, peer]),
    );
    this.#link();
    this.#listener.endUnknown();
  }

  /** A link to every peer, at the newest address that there is. */
  #link(): void {
    this.#peers = new Map([...this.#known].map(([id, peer]) => [id, this.#placed(peer)]));
    for (const [id, link] of this.#links) {
      const peer = this.#peers.get(id);
      if (peer?.addr === link.peer.addr && peer.nodeId === link.peer.nodeId) continue;
      void link.close();
      this.#links.delete(id);
    }
    for (const [id, peer] of this.#peers) {
      if (!this.#links.has(id)) this.#links.set(id, this.#linkTo(peer));
    }
  }

  /** What a member said itself counts until what everybody knows of it changes. */
  #placed(peer: RaftPeer): RaftPeer {
    const moved = this.#moved.get(peer.raftId);
    return moved?.instead === peer.addr ? { ...peer, addr: moved.addr } : peer;
  }

  /**
   * A member has called and says where it is. It has proved who it is, so it is believed at once: when
   * several managers have moved, there may be no leader to tell, nor one to be had, before they reach
   * each other.
   */
  #heardFrom(id: number, addr: string): void {
    const peer = this.#known.get(id);
    if (peer === undefined || addr === '' || addr === this.#peers.get(id)?.addr) return;
    this.#deps.note('info', 'a manager has moved', { to: id, addr, before: peer.addr });
    this.#moved.set(id, { addr, instead: peer.addr });
    this.#link();
  }

  send(to: number, messages: readonly Message[]): void {
    this.#links.get(to)?.send(messages);
  }

  sendSnapshot(to: number, message: Message): void {
    this.#sender.send(to, message);
  }

  /** Resolves when the others have the last that this member said; see `PeerLink.close`. */
  async close(): Promise<void> {
    const closed = [...this.#links.values()].map((link) => link.close());
    this.#links.clear();
    this.#sender.close();
    this.#listener.close();
    await Promise.all(closed);
  }

  #hello(to: number): PeerHello {
    const { clusterId, raftId: from, advertiseAddress, instance } = this.#options;
    const addr = advertiseAddress === null ? '' : withPortIfAny(advertiseAddress, this.port ?? 0);
    return makeHello({ clusterId, from, to, addr, instance }, this.#deps.member.greeting(to));
  }

  #linkTo(peer: RaftPeer): PeerLink {
    const { member, note, random } = this.#deps;
    const { raftId } = peer;
    return new PeerLink(peer, {
      hello: () => this.#hello(raftId),
      open: () => this.#openMessages(peer),
      unreachable: () => member.unreachable(raftId),
      removed: () => member.toldRemoved(raftId),
      note: (message, values) => note('warn', message, values),
      random,
    });
  }

  #connect(peer: RaftPeer): grpc.Client | null {
    if (this.#identity === null) return null;
    return connectPeer(peer, this.#identity, this.#options.clusterId);
  }

  #openMessages(peer: RaftPeer): ReturnType<ConstructorParameters<typeof PeerLink>[1]['open']> {
    const client = this.#connect(peer);
    if (client === null) return null;
    const stream = client.makeBidiStreamRequest<PeerFrame, PeerNotice>(
      MESSAGES.path,
      MESSAGES.requestSerialize,
      MESSAGES.responseDeserialize,
    );
    return { stream, close: () => client.close() };
  }

  #openSnapshot(to: number): ReturnType<ConstructorParameters<typeof SnapshotSender>[0]['open']> {
    const peer = this.#peers.get(to);
    const client = peer === undefined ? null : this.#connect(peer);
    if (client === null) return null;
    const stream = client.makeBidiStreamRequest<SnapshotFrame, SnapshotNotice>(
      SNAPSHOT.path,
      SNAPSHOT.requestSerialize,
      SNAPSHOT.responseDeserialize,
    );
    return { stream, close: () => client.close() };
  }
}
