// What this version does with each of the 93 keys of a service. Nothing is dropped in silence: a key
// is done, emulated by something with the same effect, or refused by name with the reason. A test
// holds this table against the schema.

/** What becomes of a key. */
export type Support =
  | { readonly kind: 'done' }
  /** Done by other means; `how` says which. */
  | { readonly kind: 'emulated'; readonly how: string }
  /** Does nothing when a project is deployed; `why` goes into a notice. */
  | { readonly kind: 'idle'; readonly why: string }
  | { readonly kind: 'refused'; readonly reason: string };

const DONE: Support = { kind: 'done' };
const emulated = (how: string): Support => ({ kind: 'emulated', how });
const idle = (why: string): Support => ({ kind: 'idle', why });
const refused = (reason: string): Support => ({ kind: 'refused', reason });

const WINDOWS = 'it only means something on Windows';
const REAL_TIME = 'real-time scheduling of control groups is off in current kernels';

/** By key of a service. */
export const SERVICE_SUPPORT: Readonly<Record<string, Support>> = {
  annotations: DONE,
  attach: DONE,
  blkio_config: DONE,
  build: DONE,
  cap_add: DONE,
  cap_drop: DONE,
  cgroup: DONE,
  cgroup_parent: DONE,
  command: DONE,
  configs: DONE,
  container_name: DONE,
  cpu_count: refused(WINDOWS),
  cpu_percent: refused(WINDOWS),
  cpu_period: emulated('with `cpu_quota`, as a number of processors'),
  cpu_quota: emulated('as a number of processors: the quota in each period'),
  cpu_rt_period: refused(REAL_TIME),
  cpu_rt_runtime: refused(REAL_TIME),
  cpu_shares: DONE,
  cpus: DONE,
  cpuset: DONE,
  credential_spec: refused(WINDOWS),
  depends_on: DONE,
  deploy: DONE,
  develop: DONE,
  device_cgroup_rules: DONE,
  devices: DONE,
  dns: DONE,
  dns_opt: DONE,
  dns_search: DONE,
  domainname: DONE,
  entrypoint: DONE,
  env_file: DONE,
  environment: DONE,
  expose: emulated('every port is reachable inside a network'),
  extends: DONE,
  external_links: DONE,
  extra_hosts: DONE,
  gpus: DONE,
  group_add: DONE,
  healthcheck: DONE,
  hostname: DONE,
  image: DONE,
  init: DONE,
  ipc: DONE,
  isolation: refused(WINDOWS),
  label_file: DONE,
  labels: DONE,
  links: emulated('the other service gets the alias on the networks that both are on'),
  logging: DONE,
  mac_address: DONE,
  mem_limit: DONE,
  mem_reservation: emulated('as deploy.resources.reservations.memory'),
  mem_swappiness: DONE,
  memswap_limit: DONE,
  models: refused('there is no model runner'),
  network_mode: DONE,
  networks: DONE,
  oom_kill_disable: DONE,
  oom_score_adj: DONE,
  pid: DONE,
  pids_limit: DONE,
  platform: DONE,
  ports: DONE,
  post_start: DONE,
  pre_start: emulated(
    'each hook is a service that runs once, before this one; with `per_replica` a container before each replica’s',
  ),
  pre_stop: DONE,
  privileged: DONE,
  profiles: DONE,
  provider: refused('programs outside the cluster are not run'),
  pull_policy: DONE,
  pull_refresh_after: DONE,
  read_only: DONE,
  restart: DONE,
  runtime: DONE,
  scale: DONE,
  secrets: DONE,
  security_opt: DONE,
  shm_size: DONE,
  stdin_open: DONE,
  stop_grace_period: DONE,
  stop_signal: DONE,
  storage_opt: DONE,
  sysctls: DONE,
  tmpfs: DONE,
  tty: DONE,
  ulimits: DONE,
  use_api_socket: emulated('as a mount of /var/run/docker.sock'),
  user: DONE,
  userns_mode: DONE,
  uts: DONE,
  volumes: DONE,
  volumes_from: DONE,
  working_dir: DONE,
};

/** By key of `build`. */
export const BUILD_SUPPORT: Readonly<Record<string, Support>> = {
  additional_contexts: DONE,
  args: DONE,
  cache_from: idle('steps are cached by content on the nodes'),
  cache_to: idle('steps are cached by content on the nodes'),
  context: DONE,
  dockerfile: DONE,
  dockerfile_inline: DONE,
  entitlements: DONE,
  extra_hosts: DONE,
  isolation: refused(WINDOWS),
  labels: DONE,
  network: DONE,
  no_cache: DONE,
  no_cache_filter: DONE,
  platforms: DONE,
  privileged: DONE,
  provenance: idle('images carry no attestations'),
  pull: DONE,
  sbom: idle('images carry no attestations'),
  secrets: DONE,
  shm_size: DONE,
  ssh: DONE,
  tags: DONE,
  target: DONE,
  ulimits: DONE,
};
