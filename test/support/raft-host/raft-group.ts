// Several real members, each with its Raft thread, folder, certificate and loopback listener, in one
// process. Every way from one member to another goes through a TCP relay of its own, so that a test
// can cut, stall or heal it. The state machine is the list of applied texts.

import { randomBytes } from 'node:crypto';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { createRaftNode, type RaftClientDeps } from '#manager/host/raft/client';
import { compileRaftOptions, type RaftNodeSettings } from '#manager/host/raft/options';
import type { RaftNode, RaftStartMode } from '#manager/host/raft/raft-node';
import { CERTIFICATE_ROLE } from '#protocol/certificates';
import { type TestCa, testCa } from '#test/unit/manager/support/pki';
import { SILENT_LOG } from './silent-log.ts';

const CLUSTER_ID = 'cluster1';

/** A way from one member to another. */
export class Relay {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #port = 0;
  targetPort: number;
  isCut = false;
  /** Bytes after which the connection is cut once; null for none. */
  cutAfterBytes: number | null = null;
  passedBytes = 0;

  constructor(targetPort: number) {
    this.targetPort = targetPort;
    this.#server = createServer((inner) => this.#relay(inner));
  }

  async open(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    this.#port = (this.#server.address() as { port: number }).port;
    return this.address;
  }

  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  #relay(inner: Socket): void {
    inner.on('error', () => inner.destroy());
    if (this.isCut) {
      inner.destroy();
      return;
    }
    const outer = createConnection(this.targetPort, '127.0.0.1');
    for (const socket of [inner, outer]) {
      socket.setNoDelay(true);
      this.#sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => {
        this.#sockets.delete(socket);
        inner.destroy();
        outer.destroy();
      });
    }
    inner.on('data', (chunk: Buffer) => {
      this.passedBytes += chunk.length;
      if (this.cutAfterBytes !== null && this.passedBytes > this.cutAfterBytes) {
        this.cutAfterBytes = null;
        this.passedBytes = 0;
        inner.destroy();
        return;
      }
      if (!outer.write(chunk)) {
        inner.pause();
        outer.once('drain', () => inner.resume());
      }
    });
    outer.on('data', (chunk: Buffer) => inner.write(chunk));
  }

  /** New connections are refused, old ones end. */
  cut(): void {
    this.isCut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Nothing passes, and nobody is told: a lost network, not a closed port. */
  stall(): void {
    for (const socket of this.#sockets) socket.pause();
  }

  resume(): void {
    for (const socket of this.#sockets) socket.resume();
  }

  heal(): void {
    this.isCut = false;
  }

  close(): void {
    this.cut();
    this.#server.close();
  }
}

export interface GroupMember {
  readonly raftId: number;
  readonly nodeId: string;
  readonly dataDir: string;
  node: RaftNode;
  texts: string[];
  restored: number;
  isRemoved: boolean;
  fatal: string | null;
  port: number;
}

type Settings = Partial<Omit<RaftNodeSettings, 'dataDir' | 'clusterId' | 'raftId'>>;

export class RaftGroup {
  readonly members = new Map<number, GroupMember>();
  readonly ca: TestCa = testCa();
  readonly #relays = new Map<string, Relay>();
  readonly #folder: string;
  readonly #settings: Settings;
  readonly log: RaftClientDeps['log'];

  constructor(folder: string, settings: Settings = {}, log: RaftClientDeps['log'] = SILENT_LOG) {
    this.#folder = folder;
    this.#settings = settings;
    this.log = log;
  }

  /** Members 1 to `count`, all voters; 1 leads. */
  static async of(
    count: number,
    folder: string,
    settings: Settings = {},
    log: RaftClientDeps['log'] = SILENT_LOG,
  ): Promise<RaftGroup> {
    const group = new RaftGroup(folder, settings, log);
    await group.start(1, 'bootstrap');
    for (let id = 2; id <= count; id++) await group.join(id);
    return group;
  }

  member(raftId: number): GroupMember {
    const member = this.members.get(raftId);
    if (member === undefined) throw new Error(`no member ${raftId}`);
    return member;
  }

  node(raftId: number): RaftNode {
    return this.member(raftId).node;
  }

  /** The way from one member to another. */
  relay(from: number, to: number): Relay {
    const relay = this.#relays.get(`${from}-${to}`);
    if (relay === undefined) throw new Error(`no way from ${from} to ${to}`);
    return relay;
  }

  /** Cuts or heals all ways between `id` and the others. */
  isolate(id: number, isCut = true): void {
    for (const [key, relay] of this.#relays) {
      if (!key.split('-').map(Number).includes(id)) continue;
      if (isCut) relay.cut();
      else relay.heal();
    }
  }

  async start(
    raftId: number,
    startMode: RaftStartMode,
    settings: Settings = {},
    deps: Partial<RaftClientDeps> = {},
  ): Promise<GroupMember> {
    const dataDir = join(this.#folder, `m${raftId}`);
    const options = compileRaftOptions({
      listenAddress: '127.0.0.1:0',
      ...this.#settings,
      ...settings,
      startMode,
      dataDir,
      clusterId: CLUSTER_ID,
      raftId,
    });
    const nodeId = `node${raftId}`;
    const member: GroupMember = {
      raftId,
      nodeId,
      dataDir,
      texts: [],
      restored: 0,
      isRemoved: false,
      fatal: null,
      port: 0,
      node: createRaftNode(options, {
        log: this.log.child(`m${raftId}`),
        onFatal: (error) => {
          member.fatal = error.message;
        },
        ...deps,
      }),
    };
    const { node } = member;
    node.onApply(({ data }) => member.texts.push(Buffer.from(data).toString()));
    node.onSnapshotRestore((bytes) => {
      member.restored++;
      member.texts = JSON.parse(Buffer.from(bytes).toString()) as string[];
    });
    node.provideSnapshot(() => Buffer.from(JSON.stringify(member.texts)));
    node.onRemoved(() => {
      member.isRemoved = true;
    });
    this.members.set(raftId, member);
    await node.start();
    await this.renew(raftId);
    await until(() => node.status().peerPort !== null, 'the listener is open');
    member.port = node.status().peerPort ?? 0;
    await this.#connectAll();
    return member;
  }

  /** Gives the member a new certificate. */
  async renew(raftId: number): Promise<void> {
    const { node, nodeId } = this.member(raftId);
    const { certificate, key, caCert } = this.ca.identity(nodeId, CERTIFICATE_ROLE.manager);
    await node.setIdentity({ certificate, key, roots: [caCert] });
  }

  /** Tells everybody where everybody is, by way of the relays. */
  async #connectAll(): Promise<void> {
    for (const to of this.members.values()) {
      for (const from of this.members.values()) {
        if (from === to) continue;
        const key = `${from.raftId}-${to.raftId}`;
        const known = this.#relays.get(key);
        if (known !== undefined) {
          known.targetPort = to.port;
          continue;
        }
        const relay = new Relay(to.port);
        await relay.open();
        this.#relays.set(key, relay);
      }
    }
    for (const from of this.members.values()) {
      const others = [...this.members.values()].filter((to) => to !== from);
      from.node.setPeers(
        others.map(({ raftId, nodeId }) => ({
          raftId,
          nodeId,
          addr: this.relay(from.raftId, raftId).address,
        })),
      );
    }
  }

  /** A new member with an empty folder becomes a voter. */
  async join(raftId: number, settings: Settings = {}): Promise<void> {
    await this.start(raftId, 'join', settings);
    await this.admit(raftId);
  }

  async admit(raftId: number): Promise<void> {
    await this.atLeader((leader) => leader.addLearner(raftId));
    await this.atLeader((leader) => leader.promote(raftId));
  }

  /** Repeats `action` at whoever leads until it goes through. */
  async atLeader<T>(action: (leader: RaftNode) => Promise<T>, timeoutMs = 30_000): Promise<T> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const leader = this.leader();
      try {
        if (leader !== null) return await action(leader.node);
      } catch (error) {
        if (performance.now() > deadline) throw error;
      }
      if (performance.now() > deadline) throw new Error('no leader in time');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Who leads in the highest term; null if nobody does. */
  leader(): GroupMember | null {
    const leaders = [...this.members.values()].filter(
      ({ node, fatal }) => fatal === null && node.status().role === 'leader',
    );
    leaders.sort((a, b) => b.node.status().term - a.node.status().term);
    return leaders[0] ?? null;
  }

  async leads(timeoutMs = 20_000, except = 0): Promise<GroupMember> {
    await until(
      () => this.leader() !== null && this.leader()?.raftId !== except,
      'somebody leads',
      timeoutMs,
    );
    return this.leader() as GroupMember;
  }

  propose(text: string): Promise<unknown> {
    return this.atLeader((leader) => leader.propose(Buffer.from(text)));
  }

  async stop(raftId: number): Promise<void> {
    const { node, fatal } = this.member(raftId);
    this.members.delete(raftId);
    await node.stop();
    if (fatal !== null) throw new Error(`member ${raftId} has ended: ${fatal}`);
  }

  /** All running members hold the same texts; returns them. */
  async agree(timeoutMs = 20_000): Promise<string[]> {
    const texts = (): string[] => [...this.members.values()].map((one) => one.texts.join('\n'));
    const isAgreed = (): boolean => new Set(texts()).size === 1;
    await until(isAgreed, 'all hold the same', timeoutMs);
    return [...this.members.values()][0]?.texts ?? [];
  }

  async close(): Promise<void> {
    for (const relay of this.#relays.values()) relay.close();
    const fatal = [...this.members.values()].flatMap((member) => member.fatal ?? []);
    await Promise.all([...this.members.keys()].map((id) => this.stop(id)));
    if (fatal.length > 0) throw new Error(`a member has ended: ${fatal.join('; ')}`);
  }
}

export async function until(
  condition: () => boolean,
  what: string,
  timeoutMs = 20_000,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`not in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Texts of `bytes` random characters, for logs and snapshots of a size. */
export function noise(bytes: number): string {
  return randomBytes(bytes / 2).toString('hex');
}
