// What tswarmd and its manager process say to each other over the channel of `child_process.fork`
// (JSON messages). The daemon starts manager/main.ts with `--data DIR --listen ADDR:PORT
// --advertise ADDR:PORT [--raft-listen ADDR:PORT] [--raft-advertise ADDR:PORT] [--uid N --gid N]
// [--log-level L]`, sends exactly one of bootstrap, start, join, restore, and gets exactly one
// `ready` or `failed`; in between the manager may ask (`sign`, `locked`) and is answered. The
// manager ends when the channel closes or at SIGTERM (it then stops cleanly); exit codes below. No
// private key crosses the channel: both sides make their own.

/** UDP port of the mesh between nodes where neither the cluster nor the node has another; WireGuard's own tools use it. */
export const MESH_PORT = 51_820;

/** What an exit of the manager means. */
export const MANAGER_EXIT = {
  /** Asked to stop. */
  ok: 0,
  /** `failed` was sent, with the reason. */
  failed: 1,
  /** Wrong flags. */
  usage: 2,
  /**
   * This manager is not a member of the Raft group any more (demoted, removed, replaced): its folder
   * is of no use. Delete it once the session shows the node as a worker; until then start nothing.
   */
  removed: 3,
  /**
   * A write to disk failed, or a bug was found: what was acknowledged is on disk; start it again.
   */
  fatal: 70,
} as const;

/**
 * Creates a one-manager cluster in an empty data folder. On a folder that already holds this
 * cluster it acts as `start`.
 */
export interface ManagerBootstrap {
  readonly type: 'bootstrap';
  /** PEM. Only the public key counts. */
  readonly workerCsr: string;
  /** PEM. Certificate of the local gateway (OU swarm-admin). */
  readonly adminCsr: string;
  readonly hostname: string;
  /** IPv4 pools (CIDR) that networks are cut from; empty = 10.0.0.0/8. */
  readonly addressPools: readonly string[];
  /** Prefix length of one network; 0 = 24. */
  readonly subnetSize: number;
  /** UDP port of the data path; 0 or absent = 51820. */
  readonly dataPathPort?: number;
}

/** Starts from the data folder. */
export interface ManagerStart {
  readonly type: 'start';
  /** PEM; '' = none wanted. A new administrator's certificate is signed for this key. */
  readonly adminCsr: string;
  /**
   * PEM; '' = none wanted. The certificate of this host's worker is signed anew (also when the old
   * one has expired).
   */
  readonly workerCsr: string;
  /**
   * Recovery from a lost quorum: this manager goes on alone with the state that it has; the other
   * managers become workers when they come back. `--advertise` may be a new address.
   */
  readonly forceNewCluster?: boolean;
}

/**
 * Makes this node, which is in the cluster already as a worker, a manager. Acts as `start` on a
 * folder where an earlier `join` got as far as having the log. Every step can be repeated.
 */
export interface ManagerJoin {
  readonly type: 'join';
  readonly nodeId: string;
  readonly clusterId: string;
  /** PEM, as the node trusts it now; may be several blocks. */
  readonly caCert: string;
  /** Control addresses `host:port` of known managers; any of them will do. */
  readonly managers: readonly string[];
  /** PEM; the administrator's certificate comes with `ready`. */
  readonly adminCsr: string;
}

/**
 * Fills an empty data folder from a backup: a cluster whose only manager is this one, with the
 * backup's cluster id, objects, root and tokens, at the addresses of the flags. Then as `start`.
 */
export interface ManagerRestore {
  readonly type: 'restore';
  /** Absolute path; must be readable to the manager's user. Not deleted. */
  readonly file: string;
  /** `SWMKEY-1-…`, for a backup of a cluster with autolock; else ''. */
  readonly unlockKey: string;
  readonly workerCsr: string;
  readonly adminCsr: string;
  readonly hostname: string;
}

/** Answer to `sign`. */
export interface ManagerSigned {
  readonly type: 'signed';
  /** PEM, leaf first; '' when it failed. */
  readonly certificate: string;
  /** PEM, the roots that came with it. */
  readonly caCert: string;
  readonly error: ManagerError | null;
}

/** Answer to `locked`; may be sent again after `locked` came again with an error. */
export interface ManagerUnlock {
  readonly type: 'unlock';
  /** `SWMKEY-1-…`, as the user typed it. */
  readonly key: string;
}

export type ManagerRequest = ManagerBootstrap | ManagerStart | ManagerJoin | ManagerRestore;
export type ToManager = ManagerRequest | ManagerSigned | ManagerUnlock;

export interface ManagerReady {
  readonly type: 'ready';
  readonly clusterId: string;
  /** Node object of this host: CN of the worker's and of the manager's certificate. */
  readonly nodeId: string;
  /** PEM, '' when none was asked for. */
  readonly workerCertificate: string;
  readonly adminCertificate: string;
  /** PEM; while the root is rotated several blocks, all of them trusted. */
  readonly caCert: string;
  /** `host:port` of control, dispatcher and CA, as other hosts reach it. */
  readonly controlAddress: string;
  /** `host:port` of the Raft listener, as other managers reach it. */
  readonly raftAddress: string;
}

export interface ManagerError {
  /** An ErrorCode. */
  readonly code: string;
  readonly message: string;
  readonly hint: string;
}

export interface ManagerFailed extends ManagerError {
  readonly type: 'failed';
}

/**
 * Asks for a certificate for the manager's own key: call NodeCa.IssueNodeCertificate with role
 * MANAGER, without a token, over the worker's certificate, and answer with `signed`.
 */
export interface ManagerSign {
  readonly type: 'sign';
  /** PEM. */
  readonly csr: string;
}

/** The keys are sealed by the unlock key: answer with `unlock` when the user has given it. */
export interface ManagerLocked {
  readonly type: 'locked';
  /** Why the last `unlock` did not do; null the first time. */
  readonly error: ManagerError | null;
}

export type FromManager = ManagerReady | ManagerFailed | ManagerSign | ManagerLocked;
