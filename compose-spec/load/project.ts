// The loaded project, as every consumer sees it. Field names are those of the specification, in its
// spelling, so that a path in an error message is a path in this type. Everything is in long form
// and resolved: durations in nanoseconds, sizes in bytes, paths absolute, defaults filled in. A
// field that compose-go's canonical output omits (false, 0, empty) is absent here as well.

/** Any value that JSON can hold. */
export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

/** Names or keys to plain strings. */
export type StringMap = Readonly<Record<string, string>>;
/** As {@link StringMap}; `null` is a variable that has no value anywhere. */
export type NullableStringMap = Readonly<Record<string, string | null>>;

/** A compose project after all files were read, merged, checked and normalised. */
export interface Project {
  readonly name: string;
  /** Absolute; base of every relative path in the `-f` files. */
  readonly workingDir: string;
  /** Absolute paths of the `-f` files in order; `-` is standard input. */
  readonly configFiles: readonly string[];
  /** Absolute paths of the env files that fed {@link environment}. */
  readonly envFiles: readonly string[];
  /** Variables that `${…}` saw: process over env files, and COMPOSE_PROJECT_NAME. */
  readonly environment: StringMap;
  /** Between the parts of container and image names: `_` with `--compatibility`. */
  readonly separator: '-' | '_';
  /** Profiles that were active. */
  readonly profiles: readonly string[];
  readonly services: Readonly<Record<string, Service>>;
  /** Services whose profiles are not active. */
  readonly disabledServices: Readonly<Record<string, Service>>;
  readonly networks: Readonly<Record<string, Network>>;
  readonly volumes: Readonly<Record<string, Volume>>;
  readonly configs: Readonly<Record<string, FileObject>>;
  readonly secrets: Readonly<Record<string, FileObject>>;
  readonly models: Readonly<Record<string, Model>>;
  /** Top-level `x-` keys. */
  readonly extensions: Readonly<Record<string, JsonValue>>;
}

export interface Service {
  readonly annotations?: StringMap;
  readonly attach?: boolean;
  readonly blkio_config?: BlkioConfig;
  readonly build?: Build;
  readonly cap_add?: readonly string[];
  readonly cap_drop?: readonly string[];
  readonly cgroup?: string;
  readonly cgroup_parent?: string;
  /** `null`: the image's; `[]`: none. */
  readonly command: readonly string[] | null;
  readonly configs?: readonly FileReference[];
  readonly container_name?: string;
  readonly cpu_count?: number;
  readonly cpu_percent?: number;
  readonly cpu_period?: number;
  readonly cpu_quota?: number;
  readonly cpu_rt_period?: number;
  readonly cpu_rt_runtime?: number;
  readonly cpu_shares?: number;
  /** Fractions of a processor. */
  readonly cpus?: number;
  readonly cpuset?: string;
  readonly credential_spec?: CredentialSpec;
  readonly depends_on?: Readonly<Record<string, Dependency>>;
  readonly deploy?: Deploy;
  readonly develop?: Develop;
  readonly device_cgroup_rules?: readonly string[];
  readonly devices?: readonly DeviceMapping[];
  readonly dns?: readonly string[];
  readonly dns_opt?: readonly string[];
  readonly dns_search?: readonly string[];
  readonly domainname?: string;
  /** `null`: the image's; `[]`: none. */
  readonly entrypoint: readonly string[] | null;
  /** Read and merged into `environment`; kept for `config --no-env-resolution`. */
  readonly env_file?: readonly EnvFile[];
  readonly environment?: NullableStringMap;
  readonly expose?: readonly string[];
  readonly extends?: ExtendsRef;
  readonly external_links?: readonly string[];
  /** `host=address`, sorted. */
  readonly extra_hosts?: readonly string[];
  readonly gpus?: readonly DeviceRequest[];
  readonly group_add?: readonly string[];
  readonly healthcheck?: Healthcheck;
  readonly hostname?: string;
  readonly image?: string;
  readonly init?: boolean;
  readonly ipc?: string;
  readonly isolation?: string;
  readonly label_file?: readonly string[];
  readonly labels?: StringMap;
  readonly links?: readonly string[];
  readonly logging?: Logging;
  readonly mac_address?: string;
  /** Bytes. */
  readonly mem_limit?: number;
  /** Bytes. */
  readonly mem_reservation?: number;
  readonly mem_swappiness?: number;
  /** Bytes; -1 is no limit. */
  readonly memswap_limit?: number;
  readonly models?: Readonly<Record<string, ServiceModel | null>>;
  readonly network_mode?: string;
  readonly networks?: Readonly<Record<string, ServiceNetwork | null>>;
  readonly oom_kill_disable?: boolean;
  readonly oom_score_adj?: number;
  readonly pid?: string;
  readonly pids_limit?: number;
  readonly platform?: string;
  readonly ports?: readonly Port[];
  readonly post_start?: readonly Hook[];
  readonly pre_start?: readonly Hook[];
  readonly pre_stop?: readonly Hook[];
  readonly privileged?: boolean;
  readonly profiles?: readonly string[];
  readonly provider?: Provider;
  readonly pull_policy?: string;
  readonly pull_refresh_after?: string;
  readonly read_only?: boolean;
  readonly restart?: string;
  readonly runtime?: string;
  readonly scale?: number;
  readonly secrets?: readonly FileReference[];
  readonly security_opt?: readonly string[];
  /** Bytes. */
  readonly shm_size?: number;
  readonly stdin_open?: boolean;
  /** Nanoseconds. */
  readonly stop_grace_period?: number;
  readonly stop_signal?: string;
  readonly storage_opt?: StringMap;
  readonly sysctls?: StringMap;
  readonly tmpfs?: readonly string[];
  readonly tty?: boolean;
  readonly ulimits?: Readonly<Record<string, Ulimit>>;
  readonly use_api_socket?: boolean;
  readonly user?: string;
  readonly userns_mode?: string;
  readonly uts?: string;
  readonly volumes?: readonly Mount[];
  readonly volumes_from?: readonly string[];
  readonly working_dir?: string;
}

export interface Build {
  /** Absolute path, or a URL that the builder fetches. */
  readonly context?: string;
  readonly dockerfile?: string;
  readonly dockerfile_inline?: string;
  readonly entitlements?: readonly string[];
  readonly args?: NullableStringMap;
  readonly ssh?: readonly string[];
  readonly labels?: StringMap;
  readonly cache_from?: readonly string[];
  readonly cache_to?: readonly string[];
  readonly no_cache?: boolean;
  readonly no_cache_filter?: readonly string[];
  readonly additional_contexts?: StringMap;
  readonly provenance?: string;
  readonly sbom?: string;
  readonly pull?: boolean;
  readonly extra_hosts?: readonly string[];
  readonly isolation?: string;
  readonly network?: string;
  readonly target?: string;
  readonly secrets?: readonly FileReference[];
  /** Bytes. */
  readonly shm_size?: number;
  readonly tags?: readonly string[];
  readonly ulimits?: Readonly<Record<string, Ulimit>>;
  readonly platforms?: readonly string[];
  readonly privileged?: boolean;
}

export interface BlkioConfig {
  readonly weight?: number;
  readonly weight_device?: readonly { readonly path?: string; readonly weight?: number }[];
  readonly device_read_bps?: readonly ThrottleDevice[];
  readonly device_read_iops?: readonly ThrottleDevice[];
  readonly device_write_bps?: readonly ThrottleDevice[];
  readonly device_write_iops?: readonly ThrottleDevice[];
}
/** `rate` is bytes or operations per second. */
export interface ThrottleDevice {
  readonly path?: string;
  readonly rate?: number;
}
export interface CredentialSpec {
  readonly config?: string;
  readonly file?: string;
  readonly registry?: string;
}
export interface Dependency {
  readonly condition: string;
  readonly restart?: boolean;
  readonly required: boolean;
}
export interface DeviceMapping {
  readonly source?: string;
  readonly target?: string;
  readonly permissions?: string;
}
export interface DeviceRequest {
  readonly capabilities?: readonly string[];
  readonly driver?: string;
  /** -1 is all. */
  readonly count?: number;
  readonly device_ids?: readonly string[];
  readonly options?: StringMap;
}
export interface EnvFile {
  readonly path: string;
  readonly required: boolean;
  readonly format?: string;
}
export interface ExtendsRef {
  readonly service: string;
  readonly file?: string;
}
export interface Healthcheck {
  readonly test?: readonly string[];
  /** Nanoseconds, as all four. */
  readonly timeout?: number;
  readonly interval?: number;
  readonly start_period?: number;
  readonly start_interval?: number;
  readonly retries?: number;
  readonly disable?: boolean;
}
export interface Hook {
  readonly command: readonly string[] | null;
  readonly image?: string;
  readonly user?: string;
  readonly privileged?: boolean;
  readonly working_dir?: string;
  readonly environment?: NullableStringMap;
  readonly per_replica?: boolean;
}
export interface Logging {
  readonly driver?: string;
  readonly options?: StringMap;
}
export interface Develop {
  readonly watch?: readonly Watch[];
}
export interface Watch {
  readonly path?: string;
  readonly action?: string;
  readonly target?: string;
  readonly exec: Hook;
  readonly include?: readonly string[];
  readonly ignore?: readonly string[];
  readonly initial_sync?: boolean;
}
export interface Port {
  readonly name?: string;
  /** `ingress` or `host`. */
  readonly mode?: string;
  readonly host_ip?: string;
  readonly target?: number;
  /** A port or a range; absent is any free port. */
  readonly published?: string;
  readonly protocol?: string;
  readonly app_protocol?: string;
}
export interface Provider {
  readonly type?: string;
  readonly options?: Readonly<Record<string, readonly string[]>>;
}
export interface ServiceModel {
  readonly endpoint_var?: string;
  readonly model_var?: string;
}
export interface ServiceNetwork {
  readonly priority?: number;
  readonly gw_priority?: number;
  readonly aliases?: readonly string[];
  readonly interface_name?: string;
  readonly ipv4_address?: string;
  readonly ipv6_address?: string;
  readonly link_local_ips?: readonly string[];
  readonly mac_address?: string;
  readonly driver_opts?: StringMap;
}
export type Ulimit = number | { readonly soft?: number; readonly hard?: number };

export interface Mount {
  readonly type?: string;
  readonly source?: string;
  readonly target?: string;
  readonly read_only?: boolean;
  readonly consistency?: string;
  readonly bind?: {
    readonly selinux?: string;
    readonly propagation?: string;
    readonly create_host_path?: boolean;
    readonly recursive?: string;
  };
  readonly volume?: {
    readonly labels?: StringMap;
    readonly nocopy?: boolean;
    readonly subpath?: string;
  };
  /** `size` in bytes, `mode` as a number. */
  readonly tmpfs?: { readonly size?: number; readonly mode?: number };
  readonly image?: { readonly subpath?: string };
}
export interface FileReference {
  readonly source?: string;
  readonly target?: string;
  readonly uid?: string;
  readonly gid?: string;
  /** Permission bits as a number. */
  readonly mode?: number;
}

export interface Deploy {
  readonly mode?: string;
  readonly replicas?: number;
  readonly labels?: StringMap;
  readonly update_config?: UpdateConfig;
  readonly rollback_config?: UpdateConfig;
  readonly resources: {
    readonly limits?: Resource;
    readonly reservations?: Resource;
  };
  readonly restart_policy?: RestartPolicy;
  readonly placement: Placement;
  readonly endpoint_mode?: string;
}
export interface UpdateConfig {
  readonly parallelism?: number;
  /** Nanoseconds. */
  readonly delay?: number;
  readonly failure_action?: string;
  /** Nanoseconds. */
  readonly monitor?: number;
  readonly max_failure_ratio?: number;
  readonly order?: string;
}
export interface Resource {
  /** Fractions of a processor. */
  readonly cpus?: number;
  /** Bytes. */
  readonly memory?: number;
  readonly pids?: number;
  readonly devices?: readonly DeviceRequest[];
  readonly generic_resources?: readonly {
    readonly discrete_resource_spec?: { readonly kind: string; readonly value: number };
  }[];
}
export interface RestartPolicy {
  readonly condition?: string;
  /** Nanoseconds. */
  readonly delay?: number;
  readonly max_attempts?: number;
  /** Nanoseconds. */
  readonly window?: number;
}
export interface Placement {
  readonly constraints?: readonly string[];
  readonly preferences?: readonly { readonly spread?: string }[];
  readonly max_replicas_per_node?: number;
}

export interface Network {
  readonly name?: string;
  readonly driver?: string;
  readonly driver_opts?: StringMap;
  readonly ipam: Ipam;
  readonly external?: boolean;
  readonly internal?: boolean;
  readonly attachable?: boolean;
  readonly labels?: StringMap;
  readonly enable_ipv4?: boolean;
  readonly enable_ipv6?: boolean;
}
export interface Ipam {
  readonly driver?: string;
  readonly config?: readonly {
    readonly subnet?: string;
    readonly gateway?: string;
    readonly ip_range?: string;
    readonly aux_addresses?: StringMap;
  }[];
  readonly options?: StringMap;
}
export interface Volume {
  readonly name?: string;
  readonly driver?: string;
  readonly driver_opts?: StringMap;
  readonly external?: boolean;
  readonly labels?: StringMap;
}
/** A config or a secret. */
export interface FileObject {
  readonly name?: string;
  /** Absolute path of the content. */
  readonly file?: string;
  /** Variable that holds the content. */
  readonly environment?: string;
  /** The content itself: written in the file, or taken from `environment`. Never printed for secrets. */
  readonly content?: string;
  readonly external?: boolean;
  readonly labels?: StringMap;
  readonly driver?: string;
  readonly driver_opts?: StringMap;
  readonly template_driver?: string;
}
export interface Model {
  readonly name?: string;
  readonly model?: string;
  readonly context_size?: number;
  readonly runtime_flags?: readonly string[];
}
