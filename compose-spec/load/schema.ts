// The shape of a compose file, as data: every key, its types, its limits. Written after the
// specification's JSON schema; what it accepts and refuses is the same. `validate.ts` walks it.

import { type Keys, list, mapOf, object, oneOf, type ShapeSchema, types, words } from './shapes.ts';

const NAME = /^[a-zA-Z0-9._-]+$/;
const string = types('string');
const bool = types('boolean', 'string');
const int = types('integer', 'string');
const num = types('number', 'string');
const nothing = types('null');
const strings = list(string, true);
const stringOrList = oneOf(string, strings);
const listOrDict = oneOf(
  mapOf(types('string', 'number', 'boolean', 'null'), /.+/, true),
  list(string, true),
);
const hosts = oneOf(mapOf(oneOf(string, list(string)), /.+/, true), list(string, true));
const command = oneOf(nothing, string, list(string));
const driverOpts = mapOf(types('string', 'number'));

const ulimits: ShapeSchema = mapOf(
  oneOf(int, object({ hard: int, soft: int }, { required: ['soft', 'hard'] })),
  /^[a-z]+$/,
);
const fileReferences: ShapeSchema = list(
  oneOf(string, object({ source: string, target: string, uid: string, gid: string, mode: num })),
);

const build = oneOf(
  string,
  object({
    context: string,
    dockerfile: string,
    dockerfile_inline: string,
    entitlements: list(string),
    args: listOrDict,
    ssh: listOrDict,
    labels: listOrDict,
    cache_from: list(string),
    cache_to: list(string),
    no_cache: bool,
    no_cache_filter: stringOrList,
    additional_contexts: listOrDict,
    network: string,
    provenance: types('string', 'boolean'),
    sbom: types('string', 'boolean'),
    pull: bool,
    target: string,
    shm_size: int,
    extra_hosts: hosts,
    isolation: string,
    privileged: bool,
    secrets: fileReferences,
    tags: list(string),
    ulimits,
    platforms: list(string),
  }),
);

const updateConfig = object({
  parallelism: int,
  delay: string,
  failure_action: string,
  monitor: string,
  max_failure_ratio: num,
  order: words('start-first', 'stop-first'),
});

const deviceKeys: Keys = {
  capabilities: strings,
  count: types('string', 'integer'),
  device_ids: strings,
  driver: string,
  options: listOrDict,
};

const deploy = object(
  {
    mode: string,
    endpoint_mode: string,
    replicas: int,
    labels: listOrDict,
    rollback_config: updateConfig,
    update_config: updateConfig,
    resources: object({
      limits: object({ cpus: num, memory: string, pids: int }),
      reservations: object({
        cpus: num,
        memory: string,
        generic_resources: list(
          object({ discrete_resource_spec: object({ kind: string, value: num }) }),
        ),
        devices: list(object(deviceKeys, { required: ['capabilities'] })),
      }),
    }),
    restart_policy: object({ condition: string, delay: string, max_attempts: int, window: string }),
    placement: object({
      constraints: list(string),
      preferences: list(object({ spread: string })),
      max_replicas_per_node: int,
    }),
  },
  { types: ['object', 'null'] },
);

const healthcheck = object({
  disable: bool,
  interval: string,
  retries: num,
  test: oneOf(string, list(string)),
  timeout: string,
  start_period: string,
  start_interval: string,
});

const hookKeys: Keys = {
  command,
  user: string,
  privileged: bool,
  working_dir: string,
  environment: listOrDict,
};
const hook = object(hookKeys, { required: ['command'] });
const preStartHook = object({ ...hookKeys, image: string, per_replica: bool });

const develop = object(
  {
    watch: list(
      object(
        {
          ignore: stringOrList,
          include: stringOrList,
          path: string,
          action: words('rebuild', 'sync', 'restart', 'sync+restart', 'sync+exec'),
          target: string,
          exec: hook,
          initial_sync: types('boolean'),
        },
        { required: ['path', 'action'] },
      ),
    ),
  },
  { types: ['object', 'null'] },
);

const dependsOn = oneOf(strings, {
  types: ['object'],
  closed: true,
  keyPattern: {
    pattern: NAME,
    schema: object(
      {
        restart: bool,
        required: types('boolean'),
        condition: words('service_started', 'service_healthy', 'service_completed_successfully'),
      },
      { required: ['condition'] },
    ),
  },
});

const serviceNetworks = oneOf(strings, {
  types: ['object'],
  closed: true,
  keyPattern: {
    pattern: NAME,
    schema: object(
      {
        aliases: strings,
        interface_name: string,
        ipv4_address: string,
        ipv6_address: string,
        link_local_ips: strings,
        mac_address: string,
        driver_opts: driverOpts,
        priority: types('number'),
        gw_priority: types('number'),
      },
      { types: ['object', 'null'] },
    ),
  },
});

const ports = list(
  oneOf(
    types('number'),
    string,
    object({
      name: string,
      mode: string,
      host_ip: string,
      target: int,
      published: types('string', 'integer'),
      protocol: string,
      app_protocol: string,
    }),
  ),
  true,
);

const mounts = list(
  oneOf(
    string,
    object(
      {
        type: words('bind', 'volume', 'tmpfs', 'cluster', 'npipe', 'image'),
        source: string,
        target: string,
        read_only: bool,
        consistency: string,
        bind: object({
          propagation: string,
          create_host_path: bool,
          recursive: words('enabled', 'disabled', 'writable', 'readonly'),
          selinux: words('z', 'Z'),
        }),
        volume: object({ labels: listOrDict, nocopy: bool, subpath: string }),
        tmpfs: object({
          size: oneOf({ types: ['integer'], minimum: 0 }, string),
          mode: num,
        }),
        image: object({ subpath: string }),
      },
      { required: ['type'] },
    ),
  ),
  true,
);

const blkioLimits = list(object({ path: string, rate: int }, { extensible: false }));

/** Every key that a service may have: 93. */
export const SERVICE_KEYS: Keys = {
  annotations: listOrDict,
  attach: bool,
  blkio_config: object(
    {
      device_read_bps: blkioLimits,
      device_read_iops: blkioLimits,
      device_write_bps: blkioLimits,
      device_write_iops: blkioLimits,
      weight: int,
      weight_device: list(object({ path: string, weight: int }, { extensible: false })),
    },
    { extensible: false },
  ),
  build,
  cap_add: strings,
  cap_drop: strings,
  cgroup: words('host', 'private'),
  cgroup_parent: string,
  command,
  configs: fileReferences,
  container_name: { types: ['string'], pattern: /[a-zA-Z0-9][a-zA-Z0-9_.-]+/ },
  cpu_count: oneOf(string, { types: ['integer'], minimum: 0 }),
  cpu_percent: oneOf(string, { types: ['integer'], minimum: 0, maximum: 100 }),
  cpu_period: num,
  cpu_quota: num,
  cpu_rt_period: num,
  cpu_rt_runtime: num,
  cpu_shares: num,
  cpus: num,
  cpuset: string,
  credential_spec: object({ config: string, file: string, registry: string }),
  depends_on: dependsOn,
  deploy,
  develop,
  device_cgroup_rules: strings,
  devices: list(
    oneOf(
      string,
      object({ source: string, target: string, permissions: string }, { required: ['source'] }),
    ),
  ),
  dns: stringOrList,
  dns_opt: strings,
  dns_search: stringOrList,
  domainname: string,
  entrypoint: command,
  env_file: oneOf(
    string,
    list(
      oneOf(
        string,
        object(
          { path: string, format: string, required: bool },
          { required: ['path'], extensible: false },
        ),
      ),
    ),
  ),
  environment: listOrDict,
  expose: list(types('string', 'number'), true),
  extends: oneOf(
    string,
    object({ service: string, file: string }, { required: ['service'], extensible: false }),
  ),
  external_links: strings,
  extra_hosts: hosts,
  gpus: oneOf(words('all'), list({ ...object(deviceKeys), closed: false })),
  group_add: list(types('string', 'number'), true),
  healthcheck,
  hostname: string,
  image: string,
  init: bool,
  ipc: string,
  isolation: string,
  label_file: oneOf(string, list(string)),
  labels: listOrDict,
  links: strings,
  logging: object({ driver: string, options: mapOf(types('string', 'number', 'null')) }),
  mac_address: string,
  mem_limit: num,
  mem_reservation: types('string', 'integer'),
  mem_swappiness: int,
  memswap_limit: num,
  models: oneOf(
    strings,
    mapOf(object({ endpoint_var: string, model_var: string }, { types: ['object', 'null'] }), NAME),
  ),
  network_mode: string,
  networks: serviceNetworks,
  oom_kill_disable: bool,
  oom_score_adj: oneOf(string, { types: ['integer'], minimum: -1000, maximum: 1000 }),
  pid: types('string', 'null'),
  pids_limit: num,
  platform: string,
  ports,
  post_start: list(hook),
  pre_start: list(preStartHook),
  pre_stop: list(hook),
  privileged: bool,
  profiles: strings,
  provider: object(
    {
      type: string,
      options: mapOf(
        oneOf(types('string', 'number', 'boolean'), list(types('string', 'number', 'boolean'))),
      ),
    },
    { required: ['type'] },
  ),
  pull_policy: {
    types: ['string'],
    pattern:
      /always|never|build|if_not_present|missing|refresh|daily|weekly|every_([0-9]+[wdhms])+/,
  },
  pull_refresh_after: string,
  read_only: bool,
  restart: string,
  runtime: string,
  scale: int,
  secrets: fileReferences,
  security_opt: strings,
  shm_size: num,
  stdin_open: bool,
  stop_grace_period: string,
  stop_signal: string,
  storage_opt: types('object'),
  sysctls: listOrDict,
  tmpfs: stringOrList,
  tty: bool,
  ulimits,
  use_api_socket: types('boolean'),
  user: string,
  userns_mode: string,
  uts: string,
  volumes: mounts,
  volumes_from: strings,
  working_dir: string,
};

const external: ShapeSchema = {
  ...object({ name: string }),
  types: ['boolean', 'string', 'object'],
};
const openExternal: ShapeSchema = { ...external, closed: false };
const orNull: Partial<ShapeSchema> = { types: ['object', 'null'] };

const network = object(
  {
    name: string,
    driver: string,
    driver_opts: driverOpts,
    ipam: object({
      driver: string,
      config: list(
        object({
          subnet: string,
          ip_range: string,
          gateway: string,
          aux_addresses: mapOf(string, /^.+$/, true),
        }),
      ),
      options: mapOf(string, /^.+$/, true),
    }),
    external,
    internal: bool,
    enable_ipv4: bool,
    enable_ipv6: bool,
    attachable: bool,
    labels: listOrDict,
  },
  orNull,
);
const volume = object(
  { name: string, driver: string, driver_opts: driverOpts, external, labels: listOrDict },
  orNull,
);
const secret = object({
  name: string,
  environment: string,
  file: string,
  external: openExternal,
  labels: listOrDict,
  driver: string,
  driver_opts: driverOpts,
  template_driver: string,
});
const config = object({
  name: string,
  content: string,
  environment: string,
  file: string,
  external: openExternal,
  labels: listOrDict,
  template_driver: string,
});
const model = object(
  { name: string, model: string, context_size: types('integer'), runtime_flags: list(string) },
  { required: ['model'] },
);

/** A whole compose file. */
export const COMPOSE_FILE: ShapeSchema = object({
  version: string,
  name: string,
  include: list(
    oneOf(
      string,
      object(
        { path: stringOrList, env_file: stringOrList, project_directory: string },
        { extensible: false },
      ),
    ),
  ),
  services: mapOf(object(SERVICE_KEYS), NAME, true),
  models: mapOf(model, NAME),
  networks: mapOf(network, NAME),
  volumes: mapOf(volume, NAME, true),
  secrets: mapOf(secret, NAME, true),
  configs: mapOf(config, NAME, true),
});
