// What tswarmd and its manager process say to each other over the channel of `child_process.fork`
// (JSON messages). The daemon starts manager/main.ts with `--data DIR --listen ADDR:PORT
// --advertise ADDR [--raft-port N] [--uid N --gid N] [--log-level L]`, sends exactly one
// `bootstrap` or `start`, and gets exactly one `ready` or `failed`. The manager ends when the
// channel closes or at SIGTERM (it then stops cleanly); exit codes below. No private key crosses
// the channel: both sides make their own.

/** Defaults of the flags. */
export const MANAGER_PORT = 2377;

/** What an exit of the manager means. */
export const MANAGER_EXIT = {
  /** Asked to stop. */
  ok: 0,
  /** `failed` was sent, with the reason. */
  failed: 1,
  /** Wrong flags. */
  usage: 2,
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
}

export type ToManager = ManagerBootstrap | ManagerStart;

export interface ManagerReady {
  readonly type: 'ready';
  readonly clusterId: string;
  /** Node object of this host: CN of the worker's and of the manager's certificate. */
  readonly nodeId: string;
  /** PEM, '' when none was asked for. */
  readonly workerCertificate: string;
  readonly adminCertificate: string;
  readonly caCert: string;
  /** `host:port` of control, dispatcher and CA, as this host reaches it. */
  readonly controlAddress: string;
}

export interface ManagerFailed {
  readonly type: 'failed';
  /** An ErrorCode. */
  readonly code: string;
  readonly message: string;
  readonly hint: string;
}

export type FromManager = ManagerReady | ManagerFailed;
