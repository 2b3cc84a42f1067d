// For each object of the project: its fields, and how each is read from the tree and printed. One
// table drives both directions (`bind.ts`, `canonical-json.ts`), so they cannot disagree, and the
// compiler checks every table against the type that it describes.

import type * as P from './project.ts';

/** How a field is read and printed. `…Kept` keeps false or 0, which are left out otherwise. */
export type Field =
  | 'string'
  | 'bool'
  | 'boolKept'
  | 'int'
  | 'intKept'
  | 'float'
  | 'bytes'
  | 'duration'
  | 'durationKept'
  | 'fileMode'
  | 'deviceCount'
  | 'strings'
  | 'command'
  | 'healthTest'
  | 'hosts'
  | 'ssh'
  | 'map'
  | 'nullableMap'
  | 'providerOptions'
  | 'ulimits'
  | {
      readonly kind: 'object' | 'objectAlways' | 'list' | 'dict' | 'nullableDict';
      readonly of: Table;
    };

/** Fields by key; printed in the order of the keys' texts. */
export type Table = Readonly<Record<string, Field>>;

/** A table that has exactly the fields of `T`. */
type TableOf<T> = { readonly [K in keyof T]-?: Field };

const object = (of: Table): Field => ({ kind: 'object', of });
const always = (of: Table): Field => ({ kind: 'objectAlways', of });
const list = (of: Table): Field => ({ kind: 'list', of });
const dict = (of: Table): Field => ({ kind: 'dict', of });
const nullableDict = (of: Table): Field => ({ kind: 'nullableDict', of });

const FILE_REFERENCE: TableOf<P.FileReference> = {
  source: 'string',
  target: 'string',
  uid: 'string',
  gid: 'string',
  mode: 'fileMode',
};

const BUILD: TableOf<P.Build> = {
  context: 'string',
  dockerfile: 'string',
  dockerfile_inline: 'string',
  entitlements: 'strings',
  args: 'nullableMap',
  ssh: 'ssh',
  labels: 'map',
  cache_from: 'strings',
  cache_to: 'strings',
  no_cache: 'bool',
  no_cache_filter: 'strings',
  additional_contexts: 'map',
  provenance: 'string',
  sbom: 'string',
  pull: 'bool',
  extra_hosts: 'hosts',
  isolation: 'string',
  network: 'string',
  target: 'string',
  secrets: list(FILE_REFERENCE),
  shm_size: 'bytes',
  tags: 'strings',
  ulimits: 'ulimits',
  platforms: 'strings',
  privileged: 'bool',
};

const THROTTLE: TableOf<P.ThrottleDevice> = { path: 'string', rate: 'bytes' };

const BLKIO: TableOf<P.BlkioConfig> = {
  weight: 'int',
  weight_device: list({ path: 'string', weight: 'int' }),
  device_read_bps: list(THROTTLE),
  device_read_iops: list(THROTTLE),
  device_write_bps: list(THROTTLE),
  device_write_iops: list(THROTTLE),
};

const CREDENTIAL_SPEC: TableOf<P.CredentialSpec> = {
  config: 'string',
  file: 'string',
  registry: 'string',
};
const DEPENDENCY: TableOf<P.Dependency> = {
  condition: 'string',
  restart: 'bool',
  required: 'boolKept',
};
const DEVICE: TableOf<P.DeviceMapping> = {
  source: 'string',
  target: 'string',
  permissions: 'string',
};
const DEVICE_REQUEST: TableOf<P.DeviceRequest> = {
  capabilities: 'strings',
  driver: 'string',
  count: 'deviceCount',
  device_ids: 'strings',
  options: 'map',
};
const ENV_FILE: TableOf<P.EnvFile> = { path: 'string', required: 'boolKept', format: 'string' };
const EXTENDS: TableOf<P.ExtendsRef> = { service: 'string', file: 'string' };

const HEALTHCHECK: TableOf<P.Healthcheck> = {
  test: 'healthTest',
  timeout: 'durationKept',
  interval: 'durationKept',
  start_period: 'durationKept',
  start_interval: 'durationKept',
  retries: 'intKept',
  disable: 'bool',
};
const HOOK: TableOf<P.Hook> = {
  command: 'command',
  image: 'string',
  user: 'string',
  privileged: 'bool',
  working_dir: 'string',
  environment: 'nullableMap',
  per_replica: 'bool',
};
const LOGGING: TableOf<P.Logging> = { driver: 'string', options: 'map' };
const WATCH: TableOf<P.Watch> = {
  path: 'string',
  action: 'string',
  target: 'string',
  exec: always(HOOK),
  include: 'strings',
  ignore: 'strings',
  initial_sync: 'bool',
};
const DEVELOP: TableOf<P.Develop> = { watch: list(WATCH) };
const PORT: TableOf<P.Port> = {
  name: 'string',
  mode: 'string',
  host_ip: 'string',
  target: 'int',
  published: 'string',
  protocol: 'string',
  app_protocol: 'string',
};
const PROVIDER: TableOf<P.Provider> = { type: 'string', options: 'providerOptions' };
const SERVICE_MODEL: TableOf<P.ServiceModel> = { endpoint_var: 'string', model_var: 'string' };
const SERVICE_NETWORK: TableOf<P.ServiceNetwork> = {
  priority: 'int',
  gw_priority: 'int',
  aliases: 'strings',
  interface_name: 'string',
  ipv4_address: 'string',
  ipv6_address: 'string',
  link_local_ips: 'strings',
  mac_address: 'string',
  driver_opts: 'map',
};
const MOUNT: TableOf<P.Mount> = {
  type: 'string',
  source: 'string',
  target: 'string',
  read_only: 'bool',
  consistency: 'string',
  bind: object({
    selinux: 'string',
    propagation: 'string',
    create_host_path: 'bool',
    recursive: 'string',
  }),
  volume: object({ labels: 'map', nocopy: 'bool', subpath: 'string' }),
  tmpfs: object({ size: 'bytes', mode: 'int' }),
  image: object({ subpath: 'string' }),
};

const UPDATE_CONFIG: TableOf<P.UpdateConfig> = {
  parallelism: 'intKept',
  delay: 'duration',
  failure_action: 'string',
  monitor: 'duration',
  max_failure_ratio: 'float',
  order: 'string',
};
const RESOURCE: TableOf<P.Resource> = {
  cpus: 'float',
  memory: 'bytes',
  pids: 'int',
  devices: list(DEVICE_REQUEST),
  generic_resources: list({
    discrete_resource_spec: object({ kind: 'string', value: 'intKept' }),
  }),
};
const RESTART_POLICY: TableOf<P.RestartPolicy> = {
  condition: 'string',
  delay: 'durationKept',
  max_attempts: 'intKept',
  window: 'durationKept',
};
const PLACEMENT: TableOf<P.Placement> = {
  constraints: 'strings',
  preferences: list({ spread: 'string' }),
  max_replicas_per_node: 'int',
};
const DEPLOY: TableOf<P.Deploy> = {
  mode: 'string',
  replicas: 'intKept',
  labels: 'map',
  update_config: object(UPDATE_CONFIG),
  rollback_config: object(UPDATE_CONFIG),
  resources: always({ limits: object(RESOURCE), reservations: object(RESOURCE) }),
  restart_policy: object(RESTART_POLICY),
  placement: always(PLACEMENT),
  endpoint_mode: 'string',
};

/** A service. */
export const SERVICE: TableOf<P.Service> = {
  annotations: 'map',
  attach: 'boolKept',
  blkio_config: object(BLKIO),
  build: object(BUILD),
  cap_add: 'strings',
  cap_drop: 'strings',
  cgroup: 'string',
  cgroup_parent: 'string',
  command: 'command',
  configs: list(FILE_REFERENCE),
  container_name: 'string',
  cpu_count: 'int',
  cpu_percent: 'float',
  cpu_period: 'int',
  cpu_quota: 'int',
  cpu_rt_period: 'int',
  cpu_rt_runtime: 'int',
  cpu_shares: 'int',
  cpus: 'float',
  cpuset: 'string',
  credential_spec: object(CREDENTIAL_SPEC),
  depends_on: dict(DEPENDENCY),
  deploy: object(DEPLOY),
  develop: object(DEVELOP),
  device_cgroup_rules: 'strings',
  devices: list(DEVICE),
  dns: 'strings',
  dns_opt: 'strings',
  dns_search: 'strings',
  domainname: 'string',
  entrypoint: 'command',
  env_file: list(ENV_FILE),
  environment: 'nullableMap',
  expose: 'strings',
  extends: object(EXTENDS),
  external_links: 'strings',
  extra_hosts: 'hosts',
  gpus: list(DEVICE_REQUEST),
  group_add: 'strings',
  healthcheck: object(HEALTHCHECK),
  hostname: 'string',
  image: 'string',
  init: 'boolKept',
  ipc: 'string',
  isolation: 'string',
  label_file: 'strings',
  labels: 'map',
  links: 'strings',
  logging: object(LOGGING),
  mac_address: 'string',
  mem_limit: 'bytes',
  mem_reservation: 'bytes',
  mem_swappiness: 'bytes',
  memswap_limit: 'bytes',
  models: nullableDict(SERVICE_MODEL),
  network_mode: 'string',
  networks: nullableDict(SERVICE_NETWORK),
  oom_kill_disable: 'bool',
  oom_score_adj: 'int',
  pid: 'string',
  pids_limit: 'int',
  platform: 'string',
  ports: list(PORT),
  post_start: list(HOOK),
  pre_start: list(HOOK),
  pre_stop: list(HOOK),
  privileged: 'bool',
  profiles: 'strings',
  provider: object(PROVIDER),
  pull_policy: 'string',
  pull_refresh_after: 'string',
  read_only: 'bool',
  restart: 'string',
  runtime: 'string',
  scale: 'intKept',
  secrets: list(FILE_REFERENCE),
  security_opt: 'strings',
  shm_size: 'bytes',
  stdin_open: 'bool',
  stop_grace_period: 'durationKept',
  stop_signal: 'string',
  storage_opt: 'map',
  sysctls: 'map',
  tmpfs: 'strings',
  tty: 'bool',
  ulimits: 'ulimits',
  use_api_socket: 'bool',
  user: 'string',
  userns_mode: 'string',
  uts: 'string',
  volumes: list(MOUNT),
  volumes_from: 'strings',
  working_dir: 'string',
};

const IPAM: TableOf<P.Ipam> = {
  driver: 'string',
  config: list({ subnet: 'string', gateway: 'string', ip_range: 'string', aux_addresses: 'map' }),
  options: 'map',
};

/** A top-level network. */
export const NETWORK: TableOf<P.Network> = {
  name: 'string',
  driver: 'string',
  driver_opts: 'map',
  ipam: always(IPAM),
  external: 'bool',
  internal: 'bool',
  attachable: 'bool',
  labels: 'map',
  enable_ipv4: 'boolKept',
  enable_ipv6: 'boolKept',
};

/** A top-level volume. */
export const VOLUME: TableOf<P.Volume> = {
  name: 'string',
  driver: 'string',
  driver_opts: 'map',
  external: 'bool',
  labels: 'map',
};

/** A top-level config or secret. */
export const FILE_OBJECT: TableOf<P.FileObject> = {
  name: 'string',
  file: 'string',
  environment: 'string',
  content: 'string',
  external: 'bool',
  labels: 'map',
  driver: 'string',
  driver_opts: 'map',
  template_driver: 'string',
};

/** A top-level model. */
export const MODEL: TableOf<P.Model> = {
  name: 'string',
  model: 'string',
  context_size: 'int',
  runtime_flags: 'strings',
};
