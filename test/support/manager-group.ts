// Several real managers in processes of their own, on loopback, as their daemons would run them: join
// by token, become manager, sign requests over IPC, unlock, kill, start again. Each node has its keys
// and certificates here; no worker runs.
import { type ChildProcess, fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type * as grpc from '@grpc/grpc-js';
import { type GeneratedKey, generateKey } from '#manager/host/node-crypto';
import { certificateRequest } from '#protocol/certificates';
import { NodeCaService } from '#protocol/generated/ca';
import {
  type ControlMethods,
  ControlService,
  CreateObjectRequest,
  ObjectKind,
  type ObjectUnion,
  SpecUnion,
  UpdateObjectRequest,
  WatchRequest,
} from '#protocol/generated/control';
import type { Cluster, Node } from '#protocol/generated/objects';
import { type ClusterSpec, NetworkSpec, NodeRole, type NodeSpec } from '#protocol/generated/specs';
import type { FromManager, ManagerReady, ManagerRequest, ToManager } from '#protocol/manager-ipc';
import { type Client, clientOf, connectChannel, type TlsIdentity } from '#protocol/transport/grpc';

const MAIN = new URL('../../manager/main.ts', import.meta.url).pathname;
export type ControlClient = Client<ControlMethods>;

/** What a manager process said last, besides what is answered by itself. */
type Outcome = Exclude<FromManager, { readonly type: 'sign' }>;

export class ManagerNode {
  readonly folder: string;
  readonly name: string;
  readonly #group: ManagerGroup;
  adminKey: GeneratedKey = generateKey();
  workerKey: GeneratedKey = generateKey();
  /** Of the worker. */
  workerCertificate = '';
  caCert = '';
  nodeId = '';
  ready: ManagerReady | undefined;
  /** Exit code of the last process. */
  exitCode: number | null | undefined;
  #child: ChildProcess | undefined;
  #channels: grpc.Client[] = [];
  #outcomes: Outcome[] = [];
  #wake: (() => void) | undefined;
  #ports: readonly string[] | undefined;

  constructor(group: ManagerGroup, name: string) {
    this.#group = group;
    this.name = name;
    this.folder = mkdtempSync(join(tmpdir(), `tswarm-group-${name}-`));
  }

  get isRunning(): boolean {
    return this.#child !== undefined;
  }

  /** Joins the cluster as a node, by token. */
  async joinNode(token: string, at: ManagerNode): Promise<void> {
    const address = at.controlAddress;
    const stranger = connectChannel(address, { caCert: at.caCert }, 'swarm-manager');
    try {
      const answer = await clientOf(NodeCaService, stranger).issueNodeCertificate({
        csr: certificateRequest(this.workerKey.signer),
        token,
        availability: 0,
        hostname: this.name,
        role: 0,
        nowMicros: 0,
      });
      this.workerCertificate = answer.certificate;
      this.caCert = answer.caCert;
      this.nodeId = answer.nodeId;
    } finally {
      stranger.close();
    }
  }

  get controlAddress(): string {
    if (!this.ready) throw new Error(`${this.name} was never ready`);
    return this.ready.controlAddress;
  }

  csrs(): { readonly workerCsr: string; readonly adminCsr: string } {
    return {
      workerCsr: certificateRequest(this.workerKey.signer),
      adminCsr: certificateRequest(this.adminKey.signer),
    };
  }

  /** Starts the process with a request and waits until it is ready. */
  async start(request: ManagerRequest, newPorts = false): Promise<ManagerReady> {
    this.launch(request, newPorts);
    const outcome = await this.outcome();
    if (outcome.type !== 'ready') throw new Error(`${this.name}: ${JSON.stringify(outcome)}`);
    return outcome;
  }

  restart(over: { readonly forceNewCluster?: boolean } = {}): Promise<ManagerReady> {
    return this.start({ type: 'start', ...this.csrs(), ...over });
  }

  join(managers: readonly ManagerNode[]): Promise<ManagerReady> {
    return this.start(this.joinRequest(managers));
  }

  joinRequest(managers: readonly ManagerNode[]): ManagerRequest {
    return {
      type: 'join',
      nodeId: this.nodeId,
      clusterId: managers[0]?.ready?.clusterId ?? '',
      caCert: this.caCert,
      managers: managers.map((manager) => manager.controlAddress),
      adminCsr: certificateRequest(this.adminKey.signer),
    };
  }

  /** Starts the process; `outcome` gives what it says. */
  launch(request: ManagerRequest, newPorts = false): void {
    const ports =
      this.#ports === undefined || newPorts
        ? ['--listen', '127.0.0.1:0', '--raft-listen', '127.0.0.1:0']
        : this.#ports;
    const level = process.env.TSWARM_TEST_LOG ?? 'error';
    const child = fork(
      MAIN,
      ['--data', this.folder, ...ports, '--log-level', level, '--log-format', 'text'],
      { execArgv: ['--conditions=source'] },
    );
    this.#child = child;
    this.exitCode = undefined;
    this.#outcomes = [];
    child.on('message', (message: FromManager) => {
      if (message.type === 'sign') void this.#sign(child, message.csr);
      else this.#say(message);
    });
    child.on('exit', (code) => {
      if (this.#child !== child) return;
      this.#child = undefined;
      this.exitCode = code;
      const text = { code: 'internal', message: `ended with ${code}`, hint: '' };
      this.#say({ type: 'failed', ...text });
    });
    child.send(request satisfies ToManager);
  }

  /** The next thing that the process says. */
  async outcome(): Promise<Outcome> {
    while (this.#outcomes.length === 0) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const outcome = this.#outcomes.shift() as Outcome;
    if (outcome.type === 'ready') this.#take(outcome);
    return outcome;
  }

  unlock(key: string): void {
    this.#child?.send({ type: 'unlock', key } satisfies ToManager);
  }

  /** Until the process has ended by itself. */
  async ended(): Promise<number | null> {
    while (this.#child) await new Promise((resolve) => setTimeout(resolve, 10));
    return this.exitCode ?? null;
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    for (const channel of this.#channels.splice(0)) channel.close();
    this.#child?.kill(signal);
    await this.ended();
  }

  pause(): void {
    this.#child?.kill('SIGSTOP');
  }

  resume(): void {
    this.#child?.kill('SIGCONT');
  }

  admin(): TlsIdentity {
    const certificate = this.ready?.adminCertificate ?? '';
    return { caCert: this.caCert, certificate, key: this.adminKey.pem };
  }

  worker(): TlsIdentity {
    return { caCert: this.caCert, certificate: this.workerCertificate, key: this.workerKey.pem };
  }

  channel(identity: TlsIdentity, address: string = this.controlAddress): grpc.Client {
    const channel = connectChannel(address, identity, 'swarm-manager');
    this.#channels.push(channel);
    return channel;
  }

  get control(): ControlClient {
    return clientOf(ControlService, this.channel(this.admin()));
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  #take(ready: ManagerReady): void {
    this.ready = ready;
    this.nodeId = ready.nodeId;
    this.caCert = ready.caCert;
    if (ready.workerCertificate !== '') this.workerCertificate = ready.workerCertificate;
    this.#ports = ['--listen', ready.controlAddress, '--raft-listen', ready.raftAddress];
    for (const channel of this.#channels.splice(0)) channel.close();
  }

  async #sign(child: ChildProcess, csr: string): Promise<void> {
    let answer: ToManager;
    try {
      const at = this.#group.anyRunning(this);
      const { certificate, caCert } = await clientOf(
        NodeCaService,
        this.channel(this.worker(), at.controlAddress),
      ).issueNodeCertificate({
        csr,
        token: '',
        availability: 0,
        hostname: '',
        role: NodeRole.MANAGER,
        nowMicros: 0,
      });
      answer = { type: 'signed', certificate, caCert, error: null };
    } catch (error) {
      const text = { code: 'internal', message: String(error), hint: '' };
      answer = { type: 'signed', certificate: '', caCert: '', error: text };
    }
    if (child.connected) child.send(answer);
  }

  #say(outcome: Outcome): void {
    this.#outcomes.push(outcome);
    this.#wake?.();
  }
}

export class ManagerGroup {
  readonly nodes: ManagerNode[] = [];
  #created = 0;

  add(): ManagerNode {
    this.#created++;
    const node = new ManagerNode(this, `m${this.#created}`);
    this.nodes.push(node);
    return node;
  }

  anyRunning(except?: ManagerNode): ManagerNode {
    const node = this.nodes.find((n) => n !== except && n.isRunning && n.ready);
    if (!node) throw new Error('no manager runs');
    return node;
  }

  /** A cluster of `count` managers, the first of which leads. */
  async create(count: number): Promise<ManagerNode[]> {
    const first = this.add();
    await first.start({
      type: 'bootstrap',
      ...first.csrs(),
      hostname: first.name,
      addressPools: [],
      subnetSize: 0,
    });
    for (let i = 1; i < count; i++) await this.joinManager();
    return [...this.nodes];
  }

  /** One more node that is a manager from the start. */
  async joinManager(): Promise<ManagerNode> {
    const at = this.anyRunning();
    const { joinTokenManager } = await at.control.clusterStatus({});
    const node = this.add();
    await node.joinNode(joinTokenManager, at);
    await node.join(this.nodes.filter((n) => n !== node && n.isRunning));
    return node;
  }

  /** The manager that leads, once all that run agree. */
  async leader(timeoutMs = 10_000): Promise<ManagerNode> {
    const deadlineMs = performance.now() + timeoutMs;
    for (;;) {
      for (const node of this.nodes) {
        if (!node.isRunning || !node.ready) continue;
        const status = await node.control.clusterStatus({}, { timeoutMs: 2000 }).catch(() => null);
        if (status?.leader) return node;
      }
      if (performance.now() > deadlineMs) throw new Error('nobody leads');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async close(): Promise<void> {
    for (const node of this.nodes) node.resume();
    await Promise.all(this.nodes.map((node) => node.kill()));
    for (const node of this.nodes.splice(0)) node.remove();
  }
}

/** The objects of a kind, as one manager has them. */
export async function objectsAt(
  control: ControlClient,
  kind: ObjectKind,
): Promise<readonly ObjectUnion[]> {
  const found: ObjectUnion[] = [];
  for await (const message of control.watch(WatchRequest.create({ kinds: [kind] }))) {
    for (const { object } of message.events) if (object) found.push(object);
    if (message.snapshotEnd) break;
  }
  return found;
}

export async function nodesAt(control: ControlClient): Promise<Node[]> {
  return (await objectsAt(control, ObjectKind.NODE)).flatMap(({ node }) => node ?? []);
}

export async function clusterAt(control: ControlClient): Promise<Cluster> {
  const [first] = (await objectsAt(control, ObjectKind.CLUSTER)).flatMap((o) => o.cluster ?? []);
  if (!first) throw new Error('no cluster object');
  return first;
}

export async function createNetwork(control: ControlClient, name: string): Promise<number> {
  const spec = SpecUnion.create({ network: NetworkSpec.create({ name }) });
  const { index } = await control.createObject(CreateObjectRequest.create({ spec }));
  return index;
}

/** Changes a node's spec, again when another change came in between. */
export async function updateNodeSpec(
  control: ControlClient,
  id: string,
  change: Partial<NodeSpec>,
): Promise<void> {
  for (;;) {
    const { object } = await control.getObject({ kind: ObjectKind.NODE, id, knownIndex: 0 });
    const node = object?.node;
    if (!node?.spec) throw new Error(`node ${id} is gone`);
    const version = node.meta?.version?.index ?? 0;
    const spec = SpecUnion.create({ node: { ...node.spec, ...change } });
    const request = UpdateObjectRequest.create({ kind: ObjectKind.NODE, id, version, spec });
    try {
      await control.updateObject(request);
      return;
    } catch (error) {
      if ((error as { code?: string }).code !== 'out_of_sequence') throw error;
    }
  }
}

export async function updateClusterSpec(
  control: ControlClient,
  change: Partial<ClusterSpec>,
  over: Partial<UpdateObjectRequest> = {},
): Promise<void> {
  for (;;) {
    const cluster = await clusterAt(control);
    if (!cluster.spec) throw new Error('the cluster has no spec');
    const version = cluster.meta?.version?.index ?? 0;
    const spec = SpecUnion.create({ cluster: { ...cluster.spec, ...change } });
    const base = { kind: ObjectKind.CLUSTER, id: cluster.id, version, spec };
    try {
      await control.updateObject(UpdateObjectRequest.create({ ...base, ...over }));
      return;
    } catch (error) {
      if ((error as { code?: string }).code !== 'out_of_sequence') throw error;
    }
  }
}
