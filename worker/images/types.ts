// What the rest of the worker may ask of the images: resolve, fetch, give a container its root file system, take it away again; and what images and
// builds may ask of the worker: run a build step, look at a container (commit), say that something happened.
// Implemented in image-store.ts (ImageStore, ImageService) and ../build (Builder). Refuses to know containers' configuration or networks.
import type {
  BuildLimits,
  BuildUlimit,
  EngineFilters,
  EngineJson,
  ImageEngine,
  Progress,
  RegistryAuth,
} from '#protocol/engine';
import type { Clock, Log, Random } from '#protocol/world';
import type { BlobPeers } from './blob-peers.ts';
import type { ImageSharing } from './sharing.ts';

/** `HealthConfig` of an image, durations in nanoseconds. */
export interface ImageHealthcheck {
  readonly Test?: readonly string[];
  readonly Interval?: number;
  readonly Timeout?: number;
  readonly Retries?: number;
  readonly StartPeriod?: number;
  readonly StartInterval?: number;
}

/** The `config` object of an OCI image configuration, names as in the file. */
export interface ImageProcessConfig {
  readonly User?: string;
  readonly ExposedPorts?: Readonly<Record<string, unknown>> | null;
  readonly Env?: readonly string[] | null;
  readonly Entrypoint?: readonly string[] | null;
  readonly Cmd?: readonly string[] | null;
  readonly Volumes?: Readonly<Record<string, unknown>> | null;
  readonly WorkingDir?: string;
  readonly Labels?: Readonly<Record<string, string>> | null;
  readonly StopSignal?: string;
  readonly StopTimeout?: number;
  readonly Healthcheck?: ImageHealthcheck | null;
  readonly Shell?: readonly string[] | null;
  readonly OnBuild?: readonly string[] | null;
}

/** OCI image configuration (the JSON whose digest is the image id). Unknown keys are kept. */
export interface OciImageConfig {
  readonly architecture: string;
  readonly os: string;
  readonly variant?: string;
  readonly created?: string;
  readonly author?: string;
  readonly config?: ImageProcessConfig;
  readonly rootfs: { readonly type: string; readonly diff_ids: readonly string[] };
  readonly history?: readonly Readonly<Record<string, unknown>>[];
}

export interface ImageRecord {
  /** `sha256:` and 64 hex digits: digest of the configuration. */
  readonly id: string;
  /** Familiar names, e.g. `redis:7`, `localhost:5000/web:1`. */
  readonly repoTags: readonly string[];
  /** e.g. `redis@sha256:…`. */
  readonly repoDigests: readonly string[];
  readonly config: OciImageConfig;
  /** Chain id of the topmost layer; '' for an image without layers. */
  readonly chainId: string;
  /** Unpacked size of all layers. */
  readonly sizeBytes: number;
}

export type PullPolicy = 'always' | 'missing' | 'never';

export interface EnsureOptions {
  readonly policy: PullPolicy;
  /** An image that was fetched or named longer ago is fetched anew. */
  readonly refreshAfterMs?: number;
  readonly auth?: RegistryAuth;
  readonly signal?: AbortSignal;
  /** Engine API progress lines ({status, id, progressDetail}). */
  readonly onProgress?: (line: EngineJson) => void;
}

/** Where a container's files are. All absolute; `mergedDir` is the root file system once mounted. */
export interface RootfsPaths {
  /** Topmost first, the container's init layer in front. */
  readonly lowerDirs: readonly string[];
  readonly upperDir: string;
  readonly workDir: string;
  readonly mergedDir: string;
  /** Where further images are once it is mounted, read-only, in the order in which they were asked for. */
  readonly viewDirs: readonly string[];
}

export interface ImageStore {
  /** Full id, unique id prefix, `name[:tag]`, `name@digest` or `name:tag@digest`; undefined when it is not here. Synchronous: from memory. */
  resolve(ref: string): ImageRecord | undefined;
  /**
   * The image, fetched when the policy says so. `never` and absent: TswarmError `not_found` "No such image: …".
   * Two callers of one reference share one pull. An absent image with no registry in reach: not_found or unavailable with the registry's own words.
   */
  ensure(ref: string, options: EnsureOptions): Promise<ImageRecord>;
  /**
   * Makes the container's directories (upper, work, merged) and its init layer (empty /dev/{pts,shm,console}, /proc, /sys,
   * /etc/{hosts,hostname,resolv.conf}, /etc/mtab → /proc/mounts, /.dockerenv) and counts the image as in use. Mounts nothing.
   * `views`: ids of images that are mounted beside it; they are in use as well.
   * A second call for the same container answers the same paths and changes nothing.
   */
  prepareRootfs(
    containerId: string,
    imageId: string,
    views?: readonly string[],
  ): Promise<RootfsPaths>;
  /** Mounts the overlay on `mergedDir`; nothing when it is mounted already. */
  mountRootfs(containerId: string): Promise<RootfsPaths>;
  unmountRootfs(containerId: string): Promise<void>;
  /** Unmounts, deletes the directories, gives the image free. Nothing when the container is unknown. */
  removeRootfs(containerId: string): Promise<void>;
  /** Paths of a prepared container; undefined when there are none. Synchronous. */
  rootfsOf(containerId: string): (RootfsPaths & { readonly imageId: string }) | undefined;
  /** Ids of the containers that have a root file system here (for clean-up after a crash). */
  rootfsIds(): readonly string[];
  /** Ids of the containers that use this image. */
  usersOf(imageId: string): readonly string[];
  /** Bytes and entries in the container's upper directory. */
  upperSize(containerId: string): Promise<number>;
}

/** Everything of the Engine API that is about images, except building. */
export type ImageApi = Omit<ImageEngine, 'build' | 'pruneBuilds'>;

export interface ImageService {
  readonly store: ImageStore;
  readonly api: ImageApi;
  /** What other nodes get, and how this one takes from them. */
  readonly sharing: ImageSharing;
  /** Other nodes that blobs may come from; undefined = none. */
  setPeers(peers: BlobPeers | undefined): void;
  /** POST /auth. */
  authenticate(auth: RegistryAuth): Promise<EngineJson>;
  /** The `Images` list of GET /system/df and the bytes of all layers. */
  diskUsage(): Promise<{ readonly images: readonly EngineJson[]; readonly layersBytes: number }>;
  /** Finishes or cancels what is under way; unmounts nothing. */
  stop(): Promise<void>;
}

/** A container as `commit` and image removal see it. */
export interface ContainerInfo {
  readonly id: string;
  /** Without the leading slash. */
  readonly name: string;
  readonly imageId: string;
  readonly running: boolean;
  /** What the container was made with, merged with the image's: the base of a committed image's `config`. */
  readonly processConfig: ImageProcessConfig;
}

/** The worker's containers. `resolve` takes a full id, a name or a unique id prefix; undefined when there is none. */
export interface ContainerDirectory {
  resolve(idOrName: string): ContainerInfo | undefined;
  list(): readonly ContainerInfo[];
  /** Does something while the container's processes stand still; see Containers.frozen. */
  frozen<T>(id: string, work: () => Promise<T>): Promise<T>;
}

/** One `RUN` of a build: a command in a prepared root file system, in the same runtime as every container. */
export interface BuildStep {
  /** Container id (64 hex digits) under which `prepareRootfs` was called; mounted by the runner, left unmounted, not removed. */
  readonly containerId: string;
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
  readonly user: string;
  /** '' or `default` = bridge; `host`; `none`. */
  readonly networkMode: string;
  /** `name:ip`. */
  readonly extraHosts: readonly string[];
  /** 0 = 64 MiB. */
  readonly shmBytes: number;
  readonly mounts: readonly {
    readonly type: 'bind' | 'tmpfs';
    /** Host path of a bind; '' for tmpfs. */
    readonly source: string;
    readonly target: string;
    readonly readonly: boolean;
    readonly sizeBytes?: number;
  }[];
  readonly ulimits: readonly BuildUlimit[];
  readonly limits: BuildLimits;
  /** All rights on the host. */
  readonly privileged: boolean;
  /** Image id that the root file system was made from. */
  readonly imageId: string;
}

export interface BuildStepRunner {
  /** Resolves when the command has ended, with its exit code (128+n for a signal); leaves no process, mount, network or cgroup. */
  run(
    step: BuildStep,
    onOutput: (stream: 'stdout' | 'stderr', data: Uint8Array) => void,
    signal: AbortSignal,
  ): Promise<{ readonly exitCode: number; readonly oomKilled: boolean }>;
  /** Before a build begins. @throws invalid_argument for limits that no container may have */
  check?(limits: BuildLimits): void;
  /** Ends and removes what steps of an earlier process left, their root file systems included. */
  recover?(): Promise<void>;
}

export interface Builder {
  build(
    context: AsyncIterable<Uint8Array>,
    options: Parameters<ImageEngine['build']>[1],
    signal: Parameters<ImageEngine['build']>[2],
  ): Promise<Progress>;
  /** Removes what an interrupted build left behind; called once at start. */
  recover(): Promise<void>;
  /** Ids of the root file systems of builds that are going on; a step that runs something is a container of the same id. */
  stepIds(): Promise<readonly string[]>;
  /** Forgets cached steps that no image stands on (POST /build/prune). @returns {CachesDeleted, SpaceReclaimed} */
  pruneCache(filters: EngineFilters): Promise<EngineJson>;
}

/** Something that `GET /events` shows. Attributes besides `name`/`image` as in the Engine API. */
export interface EngineEvent {
  readonly type: 'container' | 'image' | 'volume' | 'network' | 'daemon' | 'builder';
  readonly action: string;
  readonly actorId: string;
  readonly attributes: Readonly<Record<string, string>>;
}

export interface EventSink {
  emit(event: EngineEvent): void;
}

export interface ImageOptions {
  /** Absolute: `<dataRoot>/images`. All of it belongs to the images. */
  readonly dataDir: string;
  /** Absolute: `<runRoot>/images`; gone after a reboot. */
  readonly runDir: string;
  /** Folder of the native programs (`tswarm-layer`). */
  readonly nativeDir: string;
  /** Registries spoken to in plain HTTP besides loopback ones. */
  readonly insecureRegistries: readonly string[];
  /** Mirrors of docker.io, tried in order. */
  readonly registryMirrors: readonly string[];
  /** `amd64`, `arm64`, … */
  readonly architecture: string;
}

export interface ImageDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly events: EventSink;
  readonly containers: ContainerDirectory;
}
