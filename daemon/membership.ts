// This node as a member: node.json, its certificate, and what the managers say about it in the session. Keeps all three on disk as they change: managers
// that moved, a new root, a renewed certificate. Changes come one after the other; none while the node leaves. Decides nothing about roles (node-controller).
import { join } from 'node:path';
import { hasCode, messageOf, TswarmError } from '#protocol/errors';
import type { SessionMessage } from '#protocol/generated/dispatcher';
import type { Node } from '#protocol/generated/objects';
import { NodeRole } from '#protocol/generated/specs';
import type { Clock, Log, Random } from '#protocol/world';
import { requestCertificate } from '#worker/identity/join';
import { lifeOf, type NodeIdentity, NodeIdentityFile } from '#worker/identity/node-identity';
import { Renewal } from '#worker/identity/renewal';
import { Lock } from '#worker/queue';
import type { Worker } from '#worker/worker';
import { type NodeRecord, readNodeRecord, removeNodeRecord, writeNodeRecord } from './node-file.ts';

export interface MembershipDeps {
  readonly dataRoot: string;
  readonly worker: Worker;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** The managers said something about this node; what it means for node.json is written already. */
  heard(): Promise<void>;
  /** Certificates are to be renewed now: the root is being changed. */
  renewNow(): void;
}

export class Membership {
  readonly #deps: MembershipDeps;
  readonly #identityFile: NodeIdentityFile;
  readonly #changes: Lock = new Lock();
  #record: NodeRecord | undefined;
  #identity: NodeIdentity | undefined;
  /** Of the present certificate: reading one takes a while, and the state is asked for often. */
  #life:
    | { readonly certificate: string; readonly fromMs: number; readonly toMs: number }
    | undefined;
  #renewal: Renewal | undefined;
  #node: Node | undefined;
  #hasSession = false;
  #isConnected = false;
  #sessionError: unknown;
  #leaving = false;

  constructor(deps: MembershipDeps) {
    this.#deps = deps;
    this.#identityFile = new NodeIdentityFile(join(deps.dataRoot, 'identity'));
  }

  get record(): NodeRecord | undefined {
    return this.#record;
  }

  get identity(): NodeIdentity | undefined {
    return this.#identity;
  }

  /** This node's object as last heard. */
  get node(): Node | undefined {
    return this.#node;
  }

  /** True once there was a session since the start. */
  get hasSession(): boolean {
    return this.#hasSession;
  }

  get isConnected(): boolean {
    return this.#isConnected;
  }

  /** Why there is no session; undefined when there is one, or nothing was tried yet. */
  get sessionError(): unknown {
    return this.#sessionError;
  }

  get isLeaving(): boolean {
    return this.#leaving;
  }

  /** Control addresses of the managers. */
  get managers(): readonly string[] {
    return this.#record?.managers.map(({ addr }) => addr) ?? [];
  }

  /** What the last run left. */
  async load(): Promise<NodeRecord | undefined> {
    this.#record = await readNodeRecord(this.#deps.dataRoot);
    if (this.#record) {
      this.#leaving = this.#record.phase === 'leaving';
      this.#identity = await this.#identityFile.load();
      if (!this.#identity) {
        this.#sessionError = new TswarmError('data_loss', 'the certificate of this node is gone', {
          hint: 'Leave the cluster and join again.',
        });
      }
    } else await this.#identityFile.remove();
    return this.#record;
  }

  /** Part of its certificate's life that has passed; infinite without one. */
  get lifePassed(): number {
    if (!this.#identity) return Number.POSITIVE_INFINITY;
    if (this.#life?.certificate !== this.#identity.certificate) {
      const { certificate } = this.#identity;
      this.#life = { certificate, ...lifeOf(certificate) };
    }
    const { fromMs, toMs } = this.#life;
    return (this.#deps.clock.nowMs() - fromMs) / (toMs - fromMs);
  }

  async setRecord(record: NodeRecord): Promise<void> {
    await writeNodeRecord(this.#deps.dataRoot, record);
    this.#record = record;
  }

  async setIdentity(identity: NodeIdentity): Promise<void> {
    await this.#identityFile.save(identity);
    this.#identity = identity;
    this.#deps.worker.setIdentity(identity);
  }

  /** The worker begins to look for a session. Does nothing when it has begun, or while there is no certificate. */
  async joinWorker(): Promise<void> {
    const [record, identity] = [this.#record, this.#identity];
    if (!record || !identity || this.#renewal) return;
    await this.#deps.worker.join({
      nodeId: record.nodeId,
      clusterId: record.clusterId,
      identity,
      managers: this.managers,
      observer: {
        sessionMessage: (message) => this.#hear(message),
        sessionChanged: (connected, reason) => {
          this.#isConnected = connected;
          if (connected) this.#hasSession = true;
          // What a leader said of this node counts until one takes it in again, not until another manager names the leader.
          const isRefused = hasCode(this.#sessionError, 'permission_denied');
          if (connected) this.#sessionError = undefined;
          else if (namesLeader(reason))
            return; // It goes there next.
          else if (!isRefused || hasCode(reason, 'permission_denied')) this.#sessionError = reason;
        },
      },
    });
    this.#renewal = new Renewal({
      clock: this.#deps.clock,
      random: this.#deps.random,
      log: this.#deps.log.child('renewal'),
      current: () => this.#identity ?? identity,
      managers: () => this.managers,
      // One after the other: a new root that is heard of meanwhile must not bring the old pair back.
      renewed: (renewed) => this.change(() => this.setIdentity({ ...identity, ...renewed })),
    });
    this.#renewal.start();
  }

  /** A manager's certificate, for its own key. */
  signForManager(csr: string): Promise<{ certificate: string; caCert: string }> {
    const identity = this.#identity;
    if (!identity) throw new TswarmError('no_cluster', 'this node has no certificate');
    return requestCertificate(this.managers, identity, csr, NodeRole.MANAGER);
  }

  /** Runs `work` after the changes that are under way. */
  change<T>(work: () => Promise<T>): Promise<T> {
    return this.#changes.run(work);
  }

  /** The same for who does not wait; not while leaving. */
  later(work: () => Promise<void>): void {
    this.#changes
      .run(async () => {
        if (!this.#leaving) await work();
      })
      .catch((error: unknown) => {
        this.#deps.log.error('membership', { reason: messageOf(error) });
      });
  }

  #hear(message: SessionMessage): void {
    this.#node = message.node;
    if (message.renewCertificate) {
      this.#renewal?.now();
      this.#deps.renewNow();
    }
    this.later(async () => {
      await this.#keepManagers(message);
      const identity = this.#identity;
      if (identity && message.caCert !== '' && message.caCert !== identity.caCert) {
        await this.setIdentity({ ...identity, caCert: message.caCert });
      }
      await this.#deps.heard();
    });
  }

  async #keepManagers(message: SessionMessage): Promise<void> {
    const record = this.#record;
    const managers = message.managers.map(({ nodeId, addr }) => ({ nodeId, addr }));
    if (!record || managers.length === 0) return;
    if (JSON.stringify(managers) === JSON.stringify(record.managers)) return;
    await this.setRecord({ ...record, managers });
  }

  /** Ends what runs here; the session is the worker's. */
  async stop(): Promise<void> {
    await this.#renewal?.stop();
    this.#renewal = undefined;
    await this.#changes.idle();
  }

  /** From now on nothing that the managers say counts. Written down, so that a leave is finished after a kill. */
  async beginLeaving(): Promise<void> {
    this.#leaving = true;
    await this.#changes.run(async () => {
      const record = this.#record;
      if (record) await this.setRecord({ ...record, phase: 'leaving' });
    });
  }

  /** In no cluster any more. */
  async forget(): Promise<void> {
    await this.#identityFile.remove();
    await removeNodeRecord(this.#deps.dataRoot);
    this.#record = undefined;
    this.#identity = undefined;
    this.#node = undefined;
    this.#hasSession = false;
    this.#isConnected = false;
    this.#sessionError = undefined;
    this.#leaving = false;
  }
}

/** A manager that does not lead and says who does: nothing is wrong, the session goes there next. */
function namesLeader(reason: unknown): boolean {
  return (
    reason instanceof TswarmError && reason.code === 'no_leader' && reason.redirect !== undefined
  );
}
