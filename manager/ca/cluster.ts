// A new cluster: its root CA, join tokens and first node. The root's private key is in the Cluster
// object and nowhere else; the log that carries it is encrypted on disk.

import {
  Cluster,
  ManagerStatus,
  Node,
  NodeDescription,
  NodeState,
  NodeStatus,
  Reachability,
  RootCa,
} from '#protocol/generated/objects';
import {
  CaConfig,
  ClusterSpec,
  DispatcherConfig,
  EncryptionConfig,
  NodeRole,
  NodeSpec,
  OrchestrationConfig,
  RaftConfig,
  TaskDefaults,
} from '#protocol/generated/specs';
import { newId } from '#protocol/ids';
import { caDigestText, formatJoinToken } from '#protocol/join-token';
import { MESH_PORT } from '#protocol/manager-ipc';
import type { Random } from '#protocol/world';
import { makeRootCertificate } from './certificates.ts';
import type { CaCrypto, Signer } from './crypto.ts';
import { utf8Bytes } from './der.ts';
import { LEAF_VALIDITY_MICROS } from './limits.ts';

export interface NewCluster {
  readonly id: string;
  readonly crypto: CaCrypto;
  readonly rootSigner: Signer;
  /** PEM of the root's private key. */
  readonly rootKey: string;
  readonly random: Random;
  readonly nowMicros: number;
  /** CIDR; empty = 10.0.0.0/8. */
  readonly addressPools: readonly string[];
  /** 0 = 24. */
  readonly subnetSize: number;
  /** UDP; 0 = 51820. */
  readonly dataPathPort: number;
}

/** The cluster object of a new cluster, with Swarm's defaults but for the heartbeat. */
export function newCluster(args: NewCluster): Cluster {
  const serial = args.random.bytes(16);
  const caCert = makeRootCertificate(args.crypto, args.rootSigner, {
    nowMicros: args.nowMicros,
    serial,
  });
  const caDigest = rootDigest(args.crypto, caCert);
  const token = (): string => formatJoinToken({ caDigest, secret: newId(args.random) });
  return Cluster.create({
    id: args.id,
    spec: ClusterSpec.create({
      name: 'default',
      orchestration: OrchestrationConfig.create({ taskHistoryRetentionLimit: 5 }),
      raft: RaftConfig.create({
        snapshotInterval: 10_000,
        keepOldSnapshots: 0,
        // Swarm keeps 500; a manager that restarts under load then needs a snapshot each time.
        logEntriesForSlowFollowers: 5000,
        electionTick: 10,
        heartbeatTick: 1,
      }),
      dispatcher: DispatcherConfig.create({ heartbeatPeriod: 2e9 }),
      caConfig: CaConfig.create({ nodeCertExpiry: LEAF_VALIDITY_MICROS * 1000 }),
      taskDefaults: TaskDefaults.create({}),
      encryptionConfig: EncryptionConfig.create({}),
    }),
    rootCa: RootCa.create({
      caCert,
      caKey: args.rootKey,
      caCertDigest: caDigest,
      joinTokenWorker: token(),
      joinTokenManager: token(),
    }),
    defaultAddrPool: args.addressPools.length > 0 ? args.addressPools : ['10.0.0.0/8'],
    subnetSize: args.subnetSize || 24,
    dataPathPort: args.dataPathPort || MESH_PORT,
  });
}

/** The digest of a root certificate, as in its cluster's tokens. */
export function rootDigest(crypto: CaCrypto, caCert: string): string {
  return caDigestText(crypto.sha256(utf8Bytes(caCert)));
}

/** The node object of a cluster's first manager. */
export function firstNode(args: {
  readonly id: string;
  readonly hostname: string;
  readonly raftId: number;
  /** `host:port`. */
  readonly controlAddress: string;
}): Node {
  return Node.create({
    id: args.id,
    spec: NodeSpec.create({ role: NodeRole.MANAGER }),
    role: NodeRole.MANAGER,
    description: NodeDescription.create({ hostname: args.hostname }),
    status: NodeStatus.create({ state: NodeState.UNKNOWN, message: 'not heard from yet' }),
    managerStatus: ManagerStatus.create({
      leader: true,
      reachability: Reachability.REACHABLE,
      addr: args.controlAddress,
      raftId: args.raftId,
    }),
  });
}
