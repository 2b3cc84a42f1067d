// What GET /tswarm/v1/events sends: one short row per object, enough for lists and overviews. Whole objects come from the calls for one object. Without news there is
// an event "alive" every 5 seconds.
// Times are RFC 3339, '' = not known. Clients (the dashboard) import these types.

export interface NodeRow {
  readonly id: string;
  readonly name: string;
  readonly role: 'manager' | 'worker';
  /** ready, down, disconnected, unknown */
  readonly state: string;
  readonly message: string;
  /** active, pause, drain */
  readonly availability: string;
  readonly addr: string;
  readonly isLeader: boolean;
  /** Of a manager: reachable, unreachable, unknown; '' for a worker. */
  readonly reachability: string;
  /** 1e9 = one core */
  readonly nanoCpus: number;
  readonly memoryBytes: number;
  readonly version: string;
  readonly platform: string;
  readonly labels: Readonly<Record<string, string>>;
}

export interface UpdateRow {
  /** updating, paused, completed, rollback_started, rollback_paused, rollback_completed, failed */
  readonly state: string;
  readonly message: string;
  readonly startedAt: string;
  readonly completedAt: string;
  /** In slots. */
  readonly updated: number;
  readonly failed: number;
  readonly total: number;
}

export interface PortRow {
  readonly target: number;
  /** 0 = not chosen yet */
  readonly published: number;
  readonly protocol: string;
  /** ingress, host */
  readonly mode: string;
}

export interface ServiceRow {
  readonly id: string;
  readonly name: string;
  readonly stack: string;
  /** replicated, global, replicated-job, global-job */
  readonly mode: string;
  readonly image: string;
  readonly running: number;
  readonly desired: number;
  /** Of a job: tasks of this iteration that ended well; of another service: those that did and are not started again. */
  readonly completed: number;
  readonly ports: readonly PortRow[];
  readonly update: UpdateRow | null;
  readonly revision: number;
  /** A task with the same number is made from the present specification. */
  readonly taskVersion: number;
  readonly createdAt: string;
  readonly updatedAt: string;
}

export interface TaskRow {
  readonly id: string;
  readonly name: string;
  readonly serviceId: string;
  readonly serviceName: string;
  readonly nodeId: string;
  /** 1..N; 0 = one per node */
  readonly slot: number;
  readonly state: string;
  readonly desired: string;
  readonly message: string;
  readonly err: string;
  readonly waitingFor: string;
  /** starting, healthy, unhealthy; '' = no health check */
  readonly health: string;
  readonly restarts: number;
  readonly isDraining: boolean;
  readonly image: string;
  readonly containerId: string;
  readonly taskVersion: number;
  /** Reserved: 1e9 = one core. */
  readonly nanoCpus: number;
  readonly memoryBytes: number;
  readonly createdAt: string;
  /** When it took its state. */
  readonly since: string;
}

export interface StackRow {
  readonly id: string;
  readonly name: string;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
}

export interface NetworkRow {
  readonly id: string;
  readonly name: string;
  readonly stack: string;
  readonly driver: string;
  readonly subnets: readonly string[];
  readonly isInternal: boolean;
  readonly isAttachable: boolean;
  readonly isIngress: boolean;
}

export interface VolumeRow {
  readonly id: string;
  readonly name: string;
  readonly stack: string;
  readonly driver: string;
  /** Where its data is; '' = not used yet. */
  readonly nodeId: string;
}

export interface SecretRow {
  readonly id: string;
  readonly name: string;
  readonly createdAt: string;
  readonly updatedAt: string;
}

export interface Rows {
  readonly node: NodeRow;
  readonly service: ServiceRow;
  readonly task: TaskRow;
  readonly stack: StackRow;
  readonly network: NetworkRow;
  readonly volume: VolumeRow;
  readonly secret: SecretRow;
  readonly config: SecretRow;
}

export type RowKind = keyof Rows;

/** Data of the event "snapshot": everything as it is at `index`. What a client had before is void. */
export type Snapshot = { readonly index: number } & {
  readonly [K in RowKind]: readonly Rows[K][];
};

/** One change; `row` is null for `remove`. */
export type RowChange = {
  readonly [K in RowKind]: {
    readonly kind: K;
    readonly action: 'create' | 'update' | 'remove';
    readonly id: string;
    readonly row: Rows[K] | null;
  };
}[RowKind];

/** Data of the event "change": all that one index changed. Its id is the index, for `since` and Last-Event-ID. */
export type ChangeBatch = readonly RowChange[];
