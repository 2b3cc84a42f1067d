// What each key of a service means on a cluster of several hosts, in one line; together with support.ts the table in docs/compose-keys.md, which a test writes. Says what a reader of the
// specification could not know; where the key means the same as on one host, it says what becomes of it.

/** By key of a service. */
export const KEY_NOTES: Readonly<Record<string, string>> = {
  annotations: 'annotations of the OCI bundle',
  attach: 'whether an attached `up` shows its log; the container runs either way',
  blkio_config: 'weights and limits count on each host by itself; devices are the host’s',
  build:
    'built on the node where the command runs, from a folder, a git repository, or an archive or Dockerfile at an http address; the others take the image from it, without a registry',
  cap_add: 'in addition to the default set',
  cap_drop: 'taken from the default set',
  cgroup: 'private or host control group namespace',
  cgroup_parent: 'a path below the container hierarchy of each host',
  command: 'instead of the image’s',
  configs:
    'kept by the managers, versioned by content: a changed file rolls the services that use it',
  container_name: 'unique on the cluster; not with more than one replica',
  cpu_count: 'Windows only',
  cpu_percent: 'Windows only',
  cpu_period: 'the period of `cpu_quota`',
  cpu_quota: 'a limit on whichever host it runs',
  cpu_rt_period: 'real-time scheduling',
  cpu_rt_runtime: 'real-time scheduling',
  cpu_shares: 'relative to other containers of the same host',
  cpus: 'a limit on whichever host it runs; `deploy.resources.reservations.cpus` is what a host must have free',
  cpuset: 'numbers of processors of the host it runs on',
  credential_spec: 'Windows only',
  depends_on:
    'held by the managers across hosts: started, healthy or completed, wherever the other runs; shown as the reason while it waits',
  deploy:
    'all of it, on one node too: mode (jobs as well), replicas, placement, resources, restart_policy, update_config, rollback_config, endpoint_mode, labels',
  develop: 'watch: files are synchronised into every replica, on every host',
  device_cgroup_rules: 'on whichever host it runs',
  devices: 'paths of the host it runs on; choose hosts that have them with placement constraints',
  dns: 'instead of the host’s name servers for outside names',
  dns_opt: 'options of resolv.conf',
  dns_search: 'search domains',
  domainname: 'NIS domain name',
  entrypoint: 'instead of the image’s; drops its command too',
  env_file: 'read where the command runs; only the values travel',
  environment: 'resolved where the command runs',
  expose: 'inside a network every port is reachable, on all hosts',
  extends: 'resolved by the loader',
  external_links:
    'what the container alone calls others: names of other projects’ containers and aliases of them work on external networks that both are on, across hosts',
  extra_hosts: 'lines of /etc/hosts',
  gpus: 'devices that a driver of the host describes (CDI), or the nodes of an NVIDIA driver; without them the container fails with dockerd’s words; choose hosts that have them with placement constraints',
  group_add: 'more groups for the process',
  healthcheck: 'gates updates, depends_on, load balancing and names',
  hostname: 'host name inside the container',
  image: 'each host gets it by itself: from a registry, or from another host',
  init: 'a small init as process 1',
  ipc: 'private, shareable, the host’s, or a container’s, as with `network_mode`; a service that others join is shareable without saying so',
  isolation: 'Windows only',
  label_file: 'read where the command runs',
  labels: 'labels of containers; `deploy.labels` are the service’s',
  links: 'aliases on networks that both are on, across hosts',
  logging:
    'json-file, local (written as json-file), none, and syslog, gelf, fluentd and journald, which send it on from the host it runs on; kept there in any case and read from any host; with rotation, `tag` templates, labels and variables; drivers of one vendor (splunk, awslogs, gcplogs …) are refused',
  mac_address:
    'of the interface on the first network, or per network; endpoints are routed, not bridged: only the host sees it',
  mem_limit: 'a limit on whichever host it runs',
  mem_reservation: 'what a host must have free',
  mem_swappiness: 'on hosts with control groups v1',
  memswap_limit: 'memory and swap together',
  models: 'model runners',
  network_mode:
    'none, host (of the host it runs on), bridge, or the network of a container: `service:X` is placed beside X, replica by replica, follows it and is started again with it; `container:NAME` needs that container on its host',
  networks:
    'span all hosts, encrypted; names, aliases, addresses and names of interfaces work everywhere; link_local_ips are only the container’s own',
  oom_kill_disable: 'on hosts with control groups v1',
  oom_score_adj: 'who goes first when a host runs out of memory',
  pid: 'private, the host’s, or a container’s, as with `network_mode`',
  pids_limit: 'most processes',
  platform: 'compared with the nodes',
  ports:
    'every host answers for an ingress port and the container sees the client’s address; `mode: host` only where it runs; of a range like 8000-8010 a free one is taken, in host mode by each replica',
  post_start:
    'commands in each container after it has started; it counts as running only then, and one that fails ends it',
  pre_start:
    'containers that run to their end before it starts: once for the service, wherever there is room, or with `per_replica` on each replica’s host before its first start',
  pre_stop: 'commands in each container before its stop signal, within the grace period',
  privileged: 'all rights on the host it runs on',
  profiles: 'resolved by the loader',
  provider: 'programs outside of the cluster',
  pull_policy:
    'counts on each host by itself; daily, weekly and every_DURATION by the age of its image',
  pull_refresh_after: 'with `pull_policy: refresh`: each host by the age of its own image',
  read_only: 'a root file system that cannot be written',
  restart: 'the host restarts the same container; a host that is lost is replaced by another',
  runtime:
    'one that the host has: tswarm, runc, crun, …; a task on a host without it fails with the names that there are',
  scale: 'replicas, spread over the hosts',
  secrets:
    'kept encrypted by the managers, on a tmpfs where they are used; owner and mode count; versioned by content',
  security_opt:
    'seccomp profiles (their content goes to the hosts), no-new-privileges, systempaths; AppArmor profiles that are loaded on the host; labels mean nothing on hosts without SELinux and are refused on others',
  shm_size: 'size of /dev/shm',
  stdin_open: 'standard input stays open',
  stop_grace_period: 'time between the stop signal and the end; open connections end before it',
  stop_signal: 'instead of SIGTERM',
  storage_opt:
    'hosts refuse it, as dockerd does where the file system has no project quotas; mount a volume or a tmpfs with a size',
  sysctls: 'of the container’s namespaces',
  tmpfs: 'in memory of the host it runs on',
  tty: 'a terminal',
  ulimits: 'limits of its processes',
  use_api_socket:
    'the socket of the host’s node, which speaks the Docker API; registry credentials stay outside',
  user: 'user of the process',
  userns_mode: 'host, or none',
  uts: 'private, or the host’s',
  volumes:
    'a named volume has a home host and keeps its containers there; a bind mount of the project’s folder is sent along when it is only read, else refused on several hosts, and kept on its host when others join later; other paths are each host’s own; the files of an image come as the container’s own image does',
  volumes_from:
    'mounts of another service, which both then have where the volumes are; for anonymous ones, and for `container:NAME`, the two are placed together',
  working_dir: 'folder of the process',
};
