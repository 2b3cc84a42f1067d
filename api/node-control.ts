// What the daemon implements for the gateway: where this node stands with its cluster, and how that changes. The gateway never starts
// processes, never touches keys; it asks here.
import type { Duplex } from 'node:stream';
import type { ObjectCache } from './cache/object-cache.ts';
import type { ClusterState } from './cluster/types.ts';
import type { ControlClient } from './control.ts';

export interface NodeState {
  readonly state: ClusterState;
  /** Why, when `state` is `error`; '' otherwise. */
  readonly error: string;
  /** '' while in no cluster. */
  readonly nodeId: string;
  readonly clusterId: string;
  readonly isManager: boolean;
  /** Its cluster listens on this host's loopback only, as the one that a first `tcompose up` makes; `init` opens it to other hosts. */
  readonly isHostOnly: boolean;
  /** Host part of the address that others reach this node at; '' while in no cluster. */
  readonly nodeAddr: string;
  /** `host:port` of the manager that this node commands. */
  readonly controlAddr: string;
  /** Managers as this node knows them. */
  readonly remoteManagers: readonly { readonly nodeId: string; readonly addr: string }[];
}

export interface InitOptions {
  /** `host:port`, `host`, `:port` or ''. */
  readonly listenAddr: string;
  readonly advertiseAddr: string;
  /** 127.0.0.1 and, when 2377 is taken, any free port. */
  readonly embedded: boolean;
  readonly defaultAddrPool: readonly string[];
  /** Prefix length of the subnets cut from the pool; 0 = default. */
  readonly subnetSize: number;
  readonly availability: 'active' | 'pause' | 'drain';
  /** UDP port of the data path; 0 = default. */
  readonly dataPathPort: number;
  /** On a manager of a cluster that has lost its quorum: go on alone. */
  readonly forceNewCluster: boolean;
}

export interface RestoreOptions {
  readonly listenAddr: string;
  readonly advertiseAddr: string;
  /** The backup. */
  readonly data: AsyncIterable<Uint8Array>;
  /** Of a backup of a locked cluster; else ''. */
  readonly unlockKey: string;
}

export interface JoinOptions {
  readonly listenAddr: string;
  readonly advertiseAddr: string;
  readonly remoteAddrs: readonly string[];
  readonly joinToken: string;
  readonly availability: 'active' | 'pause' | 'drain';
}

/** The way to the manager, there while this node may command it. */
export interface ClusterSession {
  readonly control: ControlClient;
  readonly cache: ObjectCache;
  /** A connection to another node's docker.sock. Always returns; that the node cannot be reached is the stream's error. */
  dial(nodeId: string): Duplex;
}

export interface NodeControl {
  state(): NodeState;
  session(): ClusterSession | undefined;
  /** A new cluster, or the one of this host alone opened to others. Resolves with the node's id once the node is ready for tasks. */
  init(options: InitOptions): Promise<string>;
  join(options: JoinOptions): Promise<void>;
  leave(options: { force: boolean }): Promise<void>;
  unlock(key: string): Promise<void>;
  /** A new cluster from a backup. Resolves with the node's id once the node is ready for tasks. */
  restore(options: RestoreOptions): Promise<string>;
}
