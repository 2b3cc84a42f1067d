// What one node can do with its own containers, images, volumes: the interface between a worker and whoever serves the Docker Engine API.
// The worker implements it; the gateway in the same process calls it directly, another node's gateway through gRPC (same methods).
// Bodies and answers are the Engine API's JSON objects (exact PascalCase names), so that no second set of shapes has to be kept.
// Every method rejects with TswarmError; the code gives the HTTP status (error-codes.ts), the message is the Engine API's where it has one.
import type { CancelSignal } from './world.ts';

export type EngineJson = Readonly<Record<string, unknown>>;

/** Engine API filters, already parsed: name → values. */
export type EngineFilters = Readonly<Record<string, readonly string[]>>;

/** Container output: one piece, or several of one stream that are there together. */
export interface OutputFrame {
  readonly stream: 'stdout' | 'stderr';
  readonly data: Uint8Array;
  /** Where each of several pieces ends in `data`, in bytes; the last end is its length. Absent: it is one piece. */
  readonly ends?: readonly number[];
  /** The next one is there already: whoever passes them on may send both together. */
  readonly more?: boolean;
}

export interface LogOptions {
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly follow: boolean;
  readonly timestamps: boolean;
  readonly details: boolean;
  /** Microseconds since 1970; 0 = from the start / to the end. */
  readonly sinceMicros: number;
  readonly untilMicros: number;
  /** Last N lines; -1 = all. */
  readonly tail: number;
}

/** Attached to a container or an exec. With a terminal all output is `stdout`. */
export interface AttachedStream {
  readonly tty: boolean;
  /** Ends when the process has ended or the stream was detached. */
  readonly output: AsyncIterable<OutputFrame>;
  writeStdin(chunk: Uint8Array): Promise<void>;
  closeStdin(): void;
  detach(): void;
}

export interface AttachOptions {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** Replay the log before the live output. */
  readonly logs: boolean;
  readonly stream: boolean;
}

export interface ContainerEngine {
  /** `idOrName`: full id, name (with or without a leading slash), or unique id prefix; everywhere below. */
  list(options: {
    all: boolean;
    limit: number;
    size: boolean;
    filters: EngineFilters;
  }): Promise<readonly EngineJson[]>;
  /** Body of POST /containers/create. @returns {Id, Warnings} */
  create(body: EngineJson, options: { name: string; platform: string }): Promise<EngineJson>;
  inspect(idOrName: string, options: { size: boolean }): Promise<EngineJson>;
  start(idOrName: string): Promise<void>;
  /** `timeoutSeconds` undefined = the container's own; `signal` '' = its stop signal. */
  stop(idOrName: string, options: { timeoutSeconds?: number; signal: string }): Promise<void>;
  restart(idOrName: string, options: { timeoutSeconds?: number; signal: string }): Promise<void>;
  kill(idOrName: string, signal: string): Promise<void>;
  pause(idOrName: string): Promise<void>;
  unpause(idOrName: string): Promise<void>;
  rename(idOrName: string, name: string): Promise<void>;
  update(idOrName: string, body: EngineJson): Promise<EngineJson>;
  remove(idOrName: string, options: { force: boolean; volumes: boolean }): Promise<void>;
  /** Resolves at once with a promise of the result, so that the caller can send headers first. */
  wait(
    idOrName: string,
    condition: 'not-running' | 'next-exit' | 'removed',
  ): Promise<{ readonly exit: Promise<{ StatusCode: number; Error: { Message: string } | null }> }>;
  logs(
    idOrName: string,
    options: LogOptions,
    signal: CancelSignal,
  ): Promise<{ readonly tty: boolean; readonly output: AsyncIterable<OutputFrame> }>;
  attach(idOrName: string, options: AttachOptions): Promise<AttachedStream>;
  resize(idOrName: string, size: { width: number; height: number }): Promise<void>;
  top(idOrName: string, psArgs: string): Promise<EngineJson>;
  /** One object a second with `stream`; else one with a filled precpu_stats unless `oneShot`. */
  stats(
    idOrName: string,
    options: { stream: boolean; oneShot: boolean },
    signal: CancelSignal,
  ): Promise<AsyncIterable<EngineJson>>;
  changes(idOrName: string): Promise<readonly EngineJson[]>;
  exportTar(idOrName: string): Promise<AsyncIterable<Uint8Array>>;
  statPath(idOrName: string, path: string): Promise<EngineJson>;
  getArchive(
    idOrName: string,
    path: string,
  ): Promise<{ readonly stat: EngineJson; readonly tar: AsyncIterable<Uint8Array> }>;
  putArchive(
    idOrName: string,
    path: string,
    tar: AsyncIterable<Uint8Array>,
    options: { noOverwriteDirNonDir: boolean; copyUidGid: boolean },
  ): Promise<void>;
  prune(filters: EngineFilters): Promise<EngineJson>;
}

export interface ExecEngine {
  /** Body of POST /containers/{id}/exec. @returns {Id} */
  create(container: string, body: EngineJson): Promise<EngineJson>;
  start(
    id: string,
    options: { detach: boolean; tty: boolean; size?: { width: number; height: number } },
  ): Promise<AttachedStream | undefined>;
  resize(id: string, size: { width: number; height: number }): Promise<void>;
  inspect(id: string): Promise<EngineJson>;
}

/** JSON lines of the Engine API's progress streams ({status,id,progressDetail} / {stream} / {errorDetail,error} / {aux}). */
export type Progress = AsyncIterable<EngineJson>;

export interface RegistryAuth {
  readonly username: string;
  readonly password: string;
  readonly serverAddress: string;
  readonly identityToken: string;
}

export interface ImageEngine {
  list(options: {
    all: boolean;
    filters: EngineFilters;
    digests: boolean;
  }): Promise<readonly EngineJson[]>;
  inspect(ref: string): Promise<EngineJson>;
  history(ref: string): Promise<readonly EngineJson[]>;
  /** Fails before the first line when the reference is malformed. */
  pull(
    ref: string,
    options: { platform: string; auth?: RegistryAuth },
    signal: CancelSignal,
  ): Promise<Progress>;
  push(ref: string, options: { auth?: RegistryAuth }, signal: CancelSignal): Promise<Progress>;
  /** docker-archive or OCI layout, plain or compressed. */
  load(tar: AsyncIterable<Uint8Array>, options: { quiet: boolean }): Promise<Progress>;
  save(refs: readonly string[]): Promise<AsyncIterable<Uint8Array>>;
  importTar(
    tar: AsyncIterable<Uint8Array>,
    options: { repo: string; tag: string; message: string; changes: readonly string[] },
  ): Promise<Progress>;
  tag(ref: string, target: { repo: string; tag: string }): Promise<void>;
  remove(
    ref: string,
    options: { force: boolean; noPrune: boolean },
  ): Promise<readonly EngineJson[]>;
  prune(filters: EngineFilters): Promise<EngineJson>;
  commit(options: {
    container: string;
    repo: string;
    tag: string;
    comment: string;
    author: string;
    pause: boolean;
    changes: readonly string[];
    config: EngineJson;
  }): Promise<EngineJson>;
  /** Registry look-up: digest and platforms (GET /distribution). */
  distribution(ref: string, auth?: RegistryAuth): Promise<EngineJson>;
  /** Classic POST /build: the context as a tar stream. */
  build(
    context: AsyncIterable<Uint8Array>,
    options: BuildOptions,
    signal: CancelSignal,
  ): Promise<Progress>;
  /** POST /build/prune: forgets steps of builds that no image stands on. @returns {CachesDeleted, SpaceReclaimed} */
  pruneBuilds(filters: EngineFilters): Promise<EngineJson>;
}

export interface BuildOptions {
  readonly dockerfile: string;
  readonly tags: readonly string[];
  readonly target: string;
  readonly buildArgs: Readonly<Record<string, string | null>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly noCache: boolean;
  readonly pull: boolean;
  readonly quiet: boolean;
  /** Tells of each step when it happens (BuildStepEvent), beside the text, in which stages wait for each other. */
  readonly events: boolean;
  readonly networkMode: string;
  readonly extraHosts: readonly string[];
  readonly shmBytes: number;
  readonly platform: string;
  /** Credentials for the images that it begins with, by registry (`registryServerOf`). */
  readonly registryAuths: Readonly<Record<string, RegistryAuth>>;
  /** Stages whose steps are run although they are in the cache. */
  readonly noCacheFilter: readonly string[];
  readonly ulimits: readonly BuildUlimit[];
  readonly limits: BuildLimits;
  /** What steps may ask for beyond the usual, as BuildKit names it: `security.insecure`. */
  readonly entitlements: readonly string[];
  /** By id; in memory only, until a step mounts one. */
  readonly secrets: ReadonlyMap<string, Uint8Array>;
  /** Sockets of SSH agents of this host by id. */
  readonly sshAgents: Readonly<Record<string, string>>;
  /** http or https address of the context: an archive or a Dockerfile; absent or '' = the context is sent. */
  readonly remote?: string;
  /** Further contexts by name: `docker-image://REF`, an http or https address, or '' for a folder that comes along with the context (BUILD_CONTEXTS_FOLDER). */
  readonly contexts: Readonly<Record<string, string>>;
}

export interface BuildUlimit {
  readonly name: string;
  readonly soft: number;
  readonly hard: number;
}

/** `id` of the lines of a build whose `aux` is a BuildStepEvent. */
export const BUILD_STEP_LINE = 'tswarm.build.step';

/** A step began, wrote something or came to its end. Stages run side by side: their events are mixed. */
export interface BuildStepEvent {
  /** Its name, or its number. */
  readonly stage: string;
  /** In its stage, from 1. */
  readonly step: number;
  readonly steps: number;
  /** `cancelled`: another step has failed. */
  readonly state: 'running' | 'cached' | 'done' | 'failed' | 'cancelled';
  /** The instruction; with the first event of a step alone. */
  readonly text?: string;
  /** What it wrote since its last event. */
  readonly output?: string;
}

/** What each RUN of a build may use, as of a container. 0 and '' = no limit. */
export interface BuildLimits {
  readonly memoryBytes: number;
  /** Memory and swap; -1 = no limit, 0 = twice the memory. */
  readonly memorySwapBytes: number;
  readonly cpuShares: number;
  readonly cpuPeriodUs: number;
  readonly cpuQuotaUs: number;
  readonly cpusetCpus: string;
  readonly cpusetMems: string;
  readonly cgroupParent: string;
}

export const NO_BUILD_LIMITS: BuildLimits = {
  memoryBytes: 0,
  memorySwapBytes: 0,
  cpuShares: 0,
  cpuPeriodUs: 0,
  cpuQuotaUs: 0,
  cpusetCpus: '',
  cpusetMems: '',
  cgroupParent: '',
};

/** Folder in the archive of a build's context in which each further context has a folder. */
export const BUILD_CONTEXTS_FOLDER = '.tswarm-contexts';

/** Name under which a Dockerfile from outside the context (or an inline one) travels in it, no file of the context itself; with `.dockerignore` at the end the ignore file of its own. */
export const FOREIGN_DOCKERFILE = '.dockerfile.tswarm';

export interface VolumeEngine {
  list(filters: EngineFilters): Promise<EngineJson>;
  create(body: EngineJson): Promise<EngineJson>;
  inspect(name: string): Promise<EngineJson>;
  remove(name: string, force: boolean): Promise<void>;
  prune(filters: EngineFilters): Promise<EngineJson>;
}

/** Networks of this node only (bridge, host, none); the cluster's come from the manager. */
export interface LocalNetworkEngine {
  list(filters: EngineFilters): Promise<readonly EngineJson[]>;
  inspect(idOrName: string): Promise<EngineJson>;
  create(body: EngineJson): Promise<EngineJson>;
  remove(idOrName: string): Promise<void>;
  /** `name`: of a network of the cluster, of which a node knows the id alone. */
  connect(idOrName: string, body: EngineJson, name?: string): Promise<void>;
  disconnect(idOrName: string, body: EngineJson, name?: string): Promise<void>;
  prune(filters: EngineFilters): Promise<EngineJson>;
  /** How this node reaches the others: `{mtuBytes, peers: [{nodeId, hostname, endpoint, handshakeSeconds, sent, received, rttMs, faults}], faults}`. */
  check(): Promise<EngineJson>;
}

export interface Leftover {
  readonly kind: 'folder' | 'mount' | 'cgroup' | 'process' | 'interface' | 'namespace';
  /** Path, name, or process id and program. */
  readonly what: string;
}

export interface NodeEngine {
  readonly containers: ContainerEngine;
  readonly exec: ExecEngine;
  readonly images: ImageEngine;
  readonly volumes: VolumeEngine;
  readonly networks: LocalNetworkEngine;
  /** The node's part of GET /info (counts, kernel, limits, storage driver, …). */
  info(): Promise<EngineJson>;
  /** What containers have left on this host that no container has: kind and path, name or process. */
  leftovers(): Promise<readonly Leftover[]>;
  /** Takes them away. @returns what is still there */
  removeLeftovers(): Promise<readonly Leftover[]>;
  /** GET /system/df. */
  diskUsage(): Promise<EngineJson>;
  /** Events of this node in the Engine API's form, from `sinceMicros` (0 = only new ones). */
  events(
    options: { sinceMicros: number; untilMicros: number; filters: EngineFilters },
    signal: CancelSignal,
  ): AsyncIterable<EngineJson>;
  /** Checks credentials against a registry (POST /auth). */
  authenticate(auth: RegistryAuth): Promise<EngineJson>;
}
