// What the runtime's parts share: options, the host's facts, and the other areas of the worker behind their interfaces. Made once by the wiring.
import type { Clock, Log, Random } from '#protocol/world';
import type { EventSink, ImageStore } from '../images/types.ts';
import type { LogForwarding } from '../logs/forward/forwarding.ts';
import type { MountHelper } from '../mount/mount-helper.ts';
import type { NetworkManager } from '../network/types.ts';
import type { VolumeStore } from '../volumes/volume-store.ts';
import type { Container, ContainerTable } from './container.ts';
import type { ContainerFiles } from './container-files.ts';
import type { HostFacts } from './host-facts.ts';
import type { FileReference, HealthRecord } from './record.ts';
import type { ExitInfo } from './shim-client.ts';
import type { UserLookup } from './user-lookup.ts';

export interface RuntimeOptions {
  /** Folder of the native programs. */
  readonly nativeDir: string;
  /** OCI runtime: tswarm-runtime, or runc or crun. */
  readonly runtimePath: string;
  /** Further runtimes of this host by name, and the node's own. */
  readonly runtimes: Readonly<Record<string, string>>;
  /** `--root` of the runtime; in the run folder. */
  readonly runtimeRoot: string;
  /** First 8 characters of the node id: cgroups are `/tswarm-<tag>/<container>`. */
  readonly nodeTag: string;
}

/** Data of secrets and configs, from memory only. */
export interface FileSource {
  /** Undefined when it has not been assigned (any more). A template is evaluated for the reader. */
  read(file: FileReference, reader: FileReader): Uint8Array | undefined;
}

/** The container that a secret or config is for. */
export interface FileReader {
  readonly taskId: string;
  /** `NAME=value`. */
  readonly env: readonly string[];
}

/** What happened to a container; the agent and the API's waiters look at these. */
export type ContainerChange =
  | { readonly type: 'started'; readonly container: Container }
  | {
      readonly type: 'exited';
      readonly container: Container;
      readonly exit: ExitInfo;
      /** A person asked for it through the Engine API. */
      readonly byUser: boolean;
      /** Why it ended when the exit status does not say ('' = it does). */
      readonly reason: string;
    }
  | { readonly type: 'health'; readonly container: Container; readonly health: HealthRecord }
  | { readonly type: 'paused'; readonly container: Container; readonly paused: boolean }
  | { readonly type: 'removed'; readonly container: Container };

export interface RuntimeDeps {
  readonly options: RuntimeOptions;
  readonly host: HostFacts;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly events: EventSink;
  readonly images: ImageStore;
  readonly network: NetworkManager;
  readonly volumes: VolumeStore;
  readonly mounts: Pick<MountHelper, 'tmpfs' | 'unmount'>;
  readonly files: ContainerFiles;
  readonly table: ContainerTable;
  readonly users: UserLookup;
  readonly fileSource: FileSource;
  /** Logs that are sent elsewhere. */
  readonly forwarding: Pick<LogForwarding, 'open' | 'follow' | 'finish' | 'release'>;
  changed(change: ContainerChange): void;
}
