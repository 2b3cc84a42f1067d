// The identity that this manager uses now, for its listeners, its peers and the leader: loaded at
// start, kept fresh, and handed to everybody who uses it without cutting connections. Also seals it
// again, with Raft's keys, when the cluster's unlock key changes.
import { trustBundle, trustedRoots } from '#manager/ca/rotation';
import { pemBlocks } from '#protocol/certificates';
import { TswarmError } from '#protocol/errors';
import type { Cluster } from '#protocol/generated/objects';
import type { TlsIdentity } from '#protocol/transport/grpc';
import type { Clock, Log } from '#protocol/world';
import type { CertificateAuthority } from './ca-service.ts';
import { sealId } from './key-seal.ts';
import { isFresh, issueIdentity, isValid, type ManagerIdentityFiles } from './manager-identity.ts';
import type { RaftNode } from './raft/raft-node.ts';

export interface OwnIdentityDeps {
  readonly nodeId: string;
  readonly files: ManagerIdentityFiles;
  readonly authority: CertificateAuthority;
  readonly raft: Pick<RaftNode, 'setIdentity' | 'setUnlockKey'>;
  readonly clock: Clock;
  readonly log: Log;
  /** A new one is in use: listeners must take it, the leader must hear of it. */
  changed(identity: TlsIdentity): void;
}

export class OwnIdentity {
  readonly #deps: OwnIdentityDeps;
  #current: TlsIdentity | undefined;
  /** What Raft has. */
  #given: TlsIdentity | undefined;

  constructor(deps: OwnIdentityDeps) {
    this.#deps = deps;
    this.#current = deps.files.load();
  }

  /** @throws TswarmError unavailable before there is one. */
  get current(): TlsIdentity {
    if (this.#current) return this.#current;
    throw new TswarmError('unavailable', 'this manager has no certificate yet', {
      retryable: true,
    });
  }

  /** For a manager that joins: what it has, before it knows the cluster. */
  async useAsItIs(): Promise<void> {
    if (this.#current) await this.#giveToRaft(this.#current, pemBlocks(this.#current.caCert));
  }

  /**
   * Makes identity and seals what the cluster wants them to be. While the state may still lag
   * (`isCurrent` false), a pair that is valid stays: the state could be from before a new root, and
   * a pair of the old one would not be let in by the others. One call at a time.
   */
  async follow(cluster: Cluster, isCurrent: boolean): Promise<void> {
    if (!isCurrent && this.#current && isValid(this.#current, this.#deps.clock.nowMs())) {
      const roots = [...trustedRoots(cluster), ...pemBlocks(this.#current.caCert)];
      await this.#giveToRaft(this.#current, [...new Set(roots)]);
      this.#given = undefined;
      return;
    }
    await this.#followUnlockKey(cluster);
    const { nodeId, files, authority, clock, log } = this.#deps;
    const caCert = trustBundle(cluster);
    let next = this.#current;
    if (!next || !isFresh(next, cluster, clock.nowMs())) {
      next = issueIdentity(authority, cluster, nodeId);
      log.info('new certificate');
    } else if (next.caCert !== caCert) {
      next = { ...next, caCert };
    }
    if (next !== this.#current) {
      files.save(next);
      this.#current = next;
    }
    if (next === this.#given) return;
    await this.#giveToRaft(next, trustedRoots(cluster));
    this.#deps.changed(next);
  }

  async #followUnlockKey(cluster: Cluster): Promise<void> {
    const { files, raft, log } = this.#deps;
    const wanted = cluster.unlockKey.length > 0 ? cluster.unlockKey : null;
    const isSealed = files.sealId;
    if (isSealed === sealId(wanted)) return;
    // Raft's keys first: the name on this file says that both are done.
    await raft.setUnlockKey(wanted);
    files.setUnlockKey(wanted);
    log.info(wanted ? 'keys are sealed by the unlock key' : 'keys are not sealed any more');
    // The old key was on the disk in the clear.
    if (isSealed === '') this.#current = undefined;
  }

  async #giveToRaft(identity: TlsIdentity, roots: readonly string[]): Promise<void> {
    const { certificate, key } = identity;
    await this.#deps.raft.setIdentity({ certificate, key, roots });
    this.#given = identity;
  }
}
