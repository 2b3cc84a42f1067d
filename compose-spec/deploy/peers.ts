// What other tools do with what a compose file says: docker compose 5, docker stack deploy (docker 29), podman-compose 1.2 and kompose 1.3x. Read from their sources, key by key; a test holds
// the tables against the schema. A key that is not named for a tool is done by it. `ignores` is the case that matters: the file says something, and nothing tells its author that
// it does not happen.
import type { Service } from '../load/project.ts';

export type Peer = 'compose' | 'swarm' | 'podman' | 'kompose';

export const PEERS: Readonly<Record<Peer, string>> = {
  compose: 'docker compose',
  swarm: 'docker stack deploy',
  podman: 'podman-compose',
  kompose: 'kompose',
};

/** `ignores`: without a word; `warns`: ignores it and says so; `refuses`: fails. */
export type Treatment = 'ignores' | 'warns' | 'refuses';

const list = (words: string): readonly string[] => words.trim().split(/\s+/);

/** Keys of a service, by tool and treatment. */
export const PEER_SERVICE_KEYS: Readonly<
  Record<Peer, Readonly<Partial<Record<Treatment, readonly string[]>>>>
> = {
  compose: {},
  swarm: {
    warns: list(`build cgroup_parent container_name devices domainname expose external_links ipc
      links mac_address network_mode pid privileged security_opt shm_size userns_mode`),
    refuses: list(`annotations attach blkio_config cgroup cpu_count cpu_percent cpu_period
      cpu_quota cpu_rt_period cpu_rt_runtime cpu_shares cpus cpuset develop device_cgroup_rules
      dns_opt extends gpus group_add label_file mem_limit mem_reservation mem_swappiness
      memswap_limit models oom_kill_disable pids_limit platform post_start pre_start pre_stop
      profiles provider pull_policy pull_refresh_after runtime scale storage_opt use_api_socket
      uts volumes_from`),
  },
  podman: {
    ignores: list(`attach blkio_config cgroup cgroup_parent configs cpu_count cpu_percent
      cpu_period cpu_quota cpu_rt_period cpu_rt_runtime cpuset credential_spec develop
      device_cgroup_rules domainname external_links gpus ipc isolation label_file mem_swappiness
      memswap_limit models oom_kill_disable oom_score_adj pids_limit post_start pre_start
      pre_stop provider pull_refresh_after storage_opt use_api_socket uts volumes_from`),
  },
  kompose: {
    ignores: list(`annotations attach blkio_config cgroup cpu_count cpu_percent cpu_period
      cpu_quota cpu_rt_period cpu_rt_runtime cpus credential_spec develop device_cgroup_rules
      dns_opt gpus init isolation label_file mem_reservation mem_swappiness models
      oom_kill_disable oom_score_adj pid pids_limit platform post_start pre_start pre_stop
      provider pull_policy pull_refresh_after runtime scale storage_opt use_api_socket
      userns_mode volumes_from`),
    warns: list(`cgroup_parent cpu_shares cpuset depends_on devices dns dns_search external_links
      extra_hosts ipc logging mac_address memswap_limit network_mode read_only security_opt
      shm_size stop_signal sysctls ulimits uts`),
  },
};

/** A part of a service's key that a tool treats otherwise than the key itself. */
export interface PeerRule {
  /** Below the service; `*` stands for any one key or index. */
  readonly path: string;
  readonly treatments: Readonly<Partial<Record<Peer, Treatment>>>;
  /** Whether what is written there is what the tool would do anyway. */
  readonly isUsual?: (value: unknown) => boolean;
}

const isStarted = (value: unknown): boolean => value === 'service_started';
const isReplicated = (value: unknown): boolean => value === 'replicated';

/** Parts of keys. */
export const PEER_RULES: readonly PeerRule[] = [
  {
    path: 'depends_on.*.condition',
    treatments: { swarm: 'refuses', podman: 'ignores' },
    isUsual: isStarted,
  },
  {
    // The list form; the map form is the rule above.
    path: 'depends_on.*',
    treatments: { swarm: 'ignores' },
    isUsual: (value) => !isStarted((value as { condition?: unknown } | null)?.condition),
  },
  {
    path: 'depends_on.*.restart',
    treatments: { podman: 'ignores' },
    isUsual: (value) => value !== true,
  },
  {
    path: 'deploy.mode',
    treatments: { compose: 'ignores', podman: 'ignores' },
    isUsual: isReplicated,
  },
  { path: 'deploy.labels', treatments: { compose: 'ignores', podman: 'ignores' } },
  { path: 'deploy.endpoint_mode', treatments: { compose: 'ignores', podman: 'ignores' } },
  { path: 'deploy.update_config', treatments: { compose: 'ignores', podman: 'ignores' } },
  {
    path: 'deploy.rollback_config',
    treatments: { compose: 'ignores', podman: 'ignores', kompose: 'ignores' },
  },
  { path: 'deploy.placement.constraints', treatments: { compose: 'ignores', podman: 'ignores' } },
  { path: 'deploy.placement.preferences', treatments: { compose: 'ignores', podman: 'ignores' } },
  {
    path: 'deploy.placement.max_replicas_per_node',
    treatments: { compose: 'ignores', podman: 'ignores', kompose: 'ignores' },
  },
  { path: 'deploy.restart_policy.condition', treatments: { podman: 'ignores' } },
  {
    path: 'deploy.restart_policy.delay',
    treatments: { compose: 'ignores', podman: 'ignores', kompose: 'ignores' },
  },
  {
    path: 'deploy.restart_policy.max_attempts',
    treatments: { podman: 'ignores', kompose: 'ignores' },
  },
  {
    path: 'deploy.restart_policy.window',
    treatments: { compose: 'ignores', podman: 'ignores', kompose: 'ignores' },
  },
  {
    path: 'deploy.resources.limits.pids',
    treatments: { podman: 'ignores', kompose: 'ignores' },
  },
  {
    path: 'deploy.resources.reservations.cpus',
    treatments: { compose: 'ignores', podman: 'ignores' },
  },
  {
    path: 'deploy.resources.reservations.generic_resources',
    treatments: { compose: 'ignores', podman: 'ignores', kompose: 'ignores' },
  },
  {
    path: 'deploy.resources.reservations.devices',
    treatments: { swarm: 'refuses', kompose: 'ignores' },
  },
  { path: 'healthcheck.start_interval', treatments: { podman: 'ignores', kompose: 'ignores' } },
  { path: 'networks.*.ipv4_address', treatments: { swarm: 'ignores', kompose: 'ignores' } },
  { path: 'networks.*.ipv6_address', treatments: { swarm: 'ignores', kompose: 'ignores' } },
  { path: 'networks.*.mac_address', treatments: { swarm: 'refuses', podman: 'ignores' } },
  { path: 'networks.*.priority', treatments: { swarm: 'refuses' } },
  { path: 'networks.*.gw_priority', treatments: { swarm: 'refuses', podman: 'ignores' } },
  { path: 'networks.*.interface_name', treatments: { swarm: 'refuses', podman: 'ignores' } },
  { path: 'networks.*.link_local_ips', treatments: { swarm: 'refuses', podman: 'ignores' } },
  { path: 'ports.*.host_ip', treatments: { swarm: 'warns' } },
  {
    path: 'ports.*.mode',
    treatments: { podman: 'ignores', kompose: 'ignores' },
    isUsual: (value) => value !== 'host',
  },
  ...['secrets', 'configs'].flatMap((key) =>
    ['uid', 'gid', 'mode'].map(
      (part): PeerRule => ({
        path: `${key}.*.${part}`,
        treatments: {
          compose: 'warns',
          ...(key === 'secrets' ? { podman: 'warns' } : {}),
          kompose: 'ignores',
        },
      }),
    ),
  ),
];

/** Parts of top-level objects and the file itself. */
export const PEER_TOP_RULES: readonly PeerRule[] = [
  { path: 'configs.*.content', treatments: { swarm: 'refuses', podman: 'ignores' } },
  { path: 'configs.*.environment', treatments: { swarm: 'refuses', podman: 'ignores' } },
  { path: 'secrets.*.environment', treatments: { swarm: 'refuses' } },
  { path: 'networks.*.enable_ipv4', treatments: { swarm: 'refuses', podman: 'ignores' } },
  { path: 'networks.*.enable_ipv6', treatments: { swarm: 'refuses', kompose: 'ignores' } },
  { path: 'networks.*.internal', treatments: { kompose: 'ignores' }, isUsual: (v) => v !== true },
  { path: 'networks.*.driver_opts', treatments: { kompose: 'ignores' } },
  { path: 'networks.*.ipam.config', treatments: { kompose: 'ignores' } },
  { path: 'volumes.*.driver_opts', treatments: { kompose: 'warns' } },
];

/** What each tool does with one key of a service. */
export function treatmentsOf(key: string): Readonly<Partial<Record<Peer, Treatment>>> {
  const found: Partial<Record<Peer, Treatment>> = {};
  for (const peer of Object.keys(PEERS) as Peer[]) {
    for (const treatment of ['ignores', 'warns', 'refuses'] as const)
      if (PEER_SERVICE_KEYS[peer][treatment]?.includes(key)) found[peer] = treatment;
  }
  return found;
}

/** Every value below `value` that `path` names, with its own path. */
export function* valuesAt(
  value: unknown,
  path: readonly string[],
  at = '',
): Generator<readonly [path: string, value: unknown]> {
  const [part, ...rest] = path;
  if (part === undefined) {
    yield [at, value];
    return;
  }
  if (typeof value !== 'object' || value === null) return;
  const entries = Object.entries(value as Service);
  for (const [key, item] of entries) {
    if (part !== '*' && part !== key) continue;
    if (item === undefined || (item === null && rest.length > 0)) continue;
    yield* valuesAt(item, rest, at === '' ? key : `${at}.${key}`);
  }
}
