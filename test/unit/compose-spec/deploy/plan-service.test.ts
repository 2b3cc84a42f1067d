// Goal: the fields of a service become those of its container, its tasks and its endpoint that docker compose and docker stack users expect.
// Method: small files; fields of the planned service compared. Keys, names, secrets and configs: plan-deploy.test.ts.
import { describe, expect, test } from 'vitest';
import { type PlanResult, planDeploy } from '#compose-spec/deploy/plan-deploy';
import { utf8Bytes } from '#compose-spec/deploy/utf8';
import * as specs from '#protocol/generated/specs';
import { load } from '../memory-files.ts';
import { containerOf, errorsOf, plan, planned, serviceOf } from './planned.ts';

describe('container', () => {
  test.each<[string, Partial<Record<keyof specs.ContainerSpec, unknown>>]>([
    ['command: a b', { args: ['a', 'b'], commandCleared: false, command: [] }],
    ['entrypoint: [e], command: [c]', { command: ['e'], args: ['c'] }],
    ['entrypoint: [], command: []', { command: [], entrypointCleared: true, commandCleared: true }],
    ['environment: {B: 2, A: "x=y", GONE: null}', { env: ['A=x=y', 'B=2'] }],
    ['hostname: h, domainname: d', { hostname: 'h', domainname: 'd' }],
    [
      'user: "1:2", working_dir: /w, group_add: [g, "5"]',
      { user: '1:2', dir: '/w', groups: ['g', '5'] },
    ],
    [
      'init: true, tty: true, stdin_open: true, read_only: true',
      { init: true, tty: true, openStdin: true, readOnly: true },
    ],
    [
      'stop_signal: SIGUSR1, stop_grace_period: 1m',
      { stopSignal: 'SIGUSR1', stopGracePeriod: 60e9 },
    ],
    [
      'cap_add: [net_admin], cap_drop: [ALL]',
      { capabilityAdd: ['CAP_NET_ADMIN'], capabilityDrop: ['ALL'] },
    ],
    [
      'privileged: true, shm_size: 1g, oom_score_adj: 5',
      { privileged: true, shmSize: 1024 ** 3, oomScoreAdj: 5 },
    ],
    [
      'sysctls: {net.a: 1}, ulimits: {nofile: {soft: 1, hard: 2}, nproc: 3}',
      {
        sysctls: { 'net.a': '1' },
        ulimits: [
          { name: 'nofile', soft: 1, hard: 2 },
          { name: 'nproc', soft: 3, hard: 3 },
        ],
      },
    ],
    ['extra_hosts: ["h:1.2.3.4", "g=host-gateway"]', { hosts: ['host-gateway g', '1.2.3.4 h'] }],
    [
      'dns: 1.1.1.1, dns_search: [s], dns_opt: [o]',
      { dnsConfig: { nameservers: ['1.1.1.1'], search: ['s'], options: ['o'] } },
    ],
    [
      'devices: ["/dev/a:/dev/b:r", /dev/c]',
      {
        devices: [
          { pathOnHost: '/dev/a', pathInContainer: '/dev/b', cgroupPermissions: 'r' },
          { pathOnHost: '/dev/c', pathInContainer: '/dev/c', cgroupPermissions: 'rwm' },
        ],
      },
    ],
    [
      'annotations: {a: b}, pull_policy: if_not_present',
      { annotations: { a: 'b' }, pullPolicy: 'missing' },
    ],
    [
      'healthcheck: {test: t, interval: 2s, retries: 4, start_interval: 1s}',
      {
        healthcheck: {
          test: ['CMD-SHELL', 't'],
          interval: 2e9,
          timeout: 0,
          retries: 4,
          startPeriod: 0,
          startInterval: 1e9,
        },
      },
    ],
    [
      'healthcheck: {disable: true}',
      { healthcheck: specs.HealthConfig.create({ test: ['NONE'] }) },
    ],
    ['container_name: named', { containerName: 'named' }],
    ['deploy: {mode: global}', { containerName: '' }],
  ])('%s', (fields, expected) => {
    expect(containerOf(fields)).toMatchObject(expected);
  });

  test('security options', () => {
    expect(
      containerOf('security_opt: [no-new-privileges, "seccomp:unconfined"]').privileges,
    ).toEqual(
      specs.Privileges.create({
        noNewPrivileges: true,
        seccomp: { mode: specs.SeccompMode.UNCONFINED, profile: new Uint8Array(0) },
      }),
    );
    expect(
      containerOf('security_opt: ["no-new-privileges:false"]').privileges?.noNewPrivileges,
    ).toBe(false);
  });

  test('mounts of every kind', () => {
    const fields = `volumes: ["./d:/d:ro", "vol:/v:nocopy", /anon, "ext:/e", {type: bind, source: /s, target: /b, bind: {propagation: rslave, recursive: disabled}}, {type: tmpfs, target: /t, tmpfs: {size: 1m}}], tmpfs: ["/run:size=2m,mode=1777,noexec"]`;
    const { mounts } = containerOf(
      fields,
      'volumes: {vol: {driver_opts: {type: nfs}}, ext: {external: true, name: theirs}}\n',
    );
    const { BIND, VOLUME, TMPFS } = specs.MountType;
    expect(mounts).toMatchObject([
      {
        type: BIND,
        source: '/p/d',
        target: '/d',
        readOnly: true,
        bindOptions: { createMountpoint: true },
      },
      {
        type: VOLUME,
        source: 'p_vol',
        target: '/v',
        volumeOptions: { noCopy: true, driverConfig: { name: 'local', options: { type: 'nfs' } } },
      },
      { type: VOLUME, source: '', target: '/anon' },
      { type: VOLUME, source: 'theirs', target: '/e', volumeOptions: { driverConfig: undefined } },
      {
        type: BIND,
        source: '/s',
        bindOptions: { createMountpoint: true, propagation: 'rslave', nonRecursive: true },
      },
      { type: TMPFS, target: '/t', tmpfsOptions: { sizeBytes: 1024 ** 2 } },
      {
        type: TMPFS,
        target: '/run',
        tmpfsOptions: { sizeBytes: 2 * 1024 ** 2, mode: 0o1777, flags: ['noexec'] },
      },
    ]);
  });

  test('a one-letter volume name, which reads as a drive, is explained', () => {
    const result = plan('services: {a: {image: x, volumes: ["v:/data"]}}\nvolumes: {v: {}}\n');
    expect(result).toMatchObject({
      ok: false,
      errors: [{ hint: expect.stringContaining('source: v, target: /data') }],
    });
  });
});

describe('tasks', () => {
  const { EngineRestart, RestartCondition } = specs;
  test.each([
    ['user: u', { engineRestart: { name: EngineRestart.NO } }],
    ['restart: "no"', { engineRestart: { name: EngineRestart.NO } }],
    ['restart: always', { engineRestart: { name: EngineRestart.ALWAYS } }],
    ['restart: unless-stopped', { engineRestart: { name: EngineRestart.UNLESS_STOPPED } }],
    [
      'restart: "on-failure:3"',
      { engineRestart: { name: EngineRestart.ON_FAILURE, maximumRetryCount: 3 } },
    ],
    ['deploy: {resources: {limits: {memory: 64m}}}', { engineRestart: { name: EngineRestart.NO } }],
    [
      'deploy: {update_config: {}}',
      { engineRestart: undefined, restartPolicy: { condition: RestartCondition.ANY } },
    ],
    [
      'restart: always, deploy: {restart_policy: {condition: on-failure, delay: 5s, max_attempts: 3, window: 1m}}',
      {
        engineRestart: undefined,
        restartPolicy: {
          condition: RestartCondition.ON_FAILURE,
          delay: 5e9,
          maxAttempts: 3,
          window: 60e9,
        },
      },
    ],
  ])('%s', (fields, expected) => {
    expect(serviceOf(fields).taskTemplate).toMatchObject(expected);
  });

  test('resources from new and old keys', () => {
    const { taskTemplate } = serviceOf(
      'cpus: 0.5, mem_limit: 64m, pids_limit: 9, mem_reservation: 32m',
    );
    expect(taskTemplate?.resources).toMatchObject({
      limits: { nanoCpus: 5e8, memoryBytes: 64 * 1024 ** 2, pids: 9 },
      reservations: { memoryBytes: 32 * 1024 ** 2 },
    });
    const deploy =
      'deploy: {resources: {limits: {cpus: "1.5", memory: 1g}, reservations: {cpus: "0.25"}}}';
    expect(serviceOf(deploy).taskTemplate?.resources).toMatchObject({
      limits: { nanoCpus: 15e8, memoryBytes: 1024 ** 3 },
      reservations: { nanoCpus: 25e7 },
    });
  });

  test('mode, placement, updates', () => {
    expect(serviceOf('scale: 3').mode).toMatchObject({ replicated: { replicas: 3 } });
    expect(serviceOf('deploy: {mode: global}').mode).toMatchObject({ global: {} });
    expect(serviceOf('deploy: {mode: replicated-job, replicas: 2}').mode).toMatchObject({
      replicatedJob: { maxConcurrent: 2, totalCompletions: 2 },
    });
    const { taskTemplate, updateConfig, rollbackConfig } = serviceOf(
      'deploy: {placement: {constraints: [a==b], preferences: [{spread: node.labels.z}], max_replicas_per_node: 2}, update_config: {parallelism: 0, delay: 1s, failure_action: rollback, monitor: 5s, max_failure_ratio: 0.5, order: start-first}, rollback_config: {}}',
    );
    expect(taskTemplate?.placement).toMatchObject({
      constraints: ['a==b'],
      preferences: [{ spread: { spreadDescriptor: 'node.labels.z' } }],
      maxReplicas: 2,
    });
    expect(updateConfig).toMatchObject({
      parallelism: 0,
      delay: 1e9,
      failureAction: specs.FailureAction.ROLLBACK,
      monitor: 5e9,
      maxFailureRatio: 0.5,
      order: specs.UpdateOrder.START_FIRST,
    });
    expect(rollbackConfig).toMatchObject({
      parallelism: 1,
      failureAction: specs.FailureAction.PAUSE,
    });
  });

  test('ports and endpoint', () => {
    const { endpointSpec } = serviceOf(
      'ports: ["80:8080", "127.0.0.1:53:53/udp", "9000", {target: 22, published: 2222, mode: host, name: ssh}]',
    );
    const { TCP, UDP } = specs.PortProtocol;
    const { HOST, INGRESS } = specs.PublishMode;
    expect(endpointSpec?.ports).toMatchObject([
      { targetPort: 8080, publishedPort: 80, protocol: TCP, publishMode: INGRESS, hostIp: '' },
      { targetPort: 53, publishedPort: 53, protocol: UDP, hostIp: '127.0.0.1' },
      { targetPort: 9000, publishedPort: 0 },
      { name: 'ssh', targetPort: 22, publishedPort: 2222, publishMode: HOST },
    ]);
    expect(serviceOf('deploy: {endpoint_mode: dnsrr}').endpointSpec?.mode).toBe(
      specs.EndpointMode.DNSRR,
    );
  });

  test('network modes, priorities and addresses', () => {
    expect(serviceOf('network_mode: host').taskTemplate?.networks).toMatchObject([
      { target: 'host', aliases: [] },
    ]);
    const { taskTemplate } = serviceOf(
      'networks: {low: , high: {priority: 9, ipv4_address: 10.0.0.5, gw_priority: 2}}',
      'networks: {low: {external: true}, high: {}}\n',
    );
    expect(taskTemplate?.networks).toMatchObject([
      { target: 'p_high', ipv4Address: '10.0.0.5', gwPriority: 2 },
      { target: 'low' },
    ]);
  });

  test('--scale counts more than the file', () => {
    const { stack } = planned('services: {a: {image: x, scale: 2}}\n', { scale: { a: 5 } });
    expect(stack.services[0]?.mode?.replicated?.replicas).toBe(5);
    expect(plan('services: {a: {image: x}}\n', { scale: { b: 5 } })).toMatchObject({
      ok: false,
      errors: [{ message: 'services.b: no such service: b' }],
    });
  });

  test.each([
    [
      'mem_limit: 5m',
      'services.a.mem_limit: 5242880 bytes are less than the smallest memory limit, 6 MiB',
    ],
    [
      'mem_limit: 64m, mem_reservation: 65m',
      'services.a.mem_limit: is less than the memory that is reserved',
    ],
    ['restart: sometimes', 'services.a.restart: unknown policy sometimes'],
    ['restart: "always:3"', 'services.a.restart: always:3 makes no sense'],
    ['deploy: {mode: sometimes}', 'services.a.deploy.mode: unknown mode sometimes'],
    [
      'deploy: {mode: global, replicas: 2}',
      'services.a.deploy.replicas: cannot be set with mode global',
    ],
    [
      'deploy: {restart_policy: {condition: x}}',
      'services.a.deploy.restart_policy.condition: unknown condition x',
    ],
    [
      'deploy: {rollback_config: {failure_action: rollback}}',
      'services.a.deploy.rollback_config.failure_action: unknown action rollback',
    ],
    [
      'deploy: {endpoint_mode: dnsrr}, ports: ["80:80"]',
      'services.a.deploy.endpoint_mode: a service without a virtual address cannot publish ports on all nodes',
    ],
    [
      'platform: linux/arm64',
      'services.a.platform: linux/arm64 does not run on the nodes here, which are linux/amd64',
    ],
    [
      'ports: ["80:1", "80:2"]',
      'services.a.ports.1: port 80/tcp is published by this service already',
    ],
    [
      'scale: 2, networks: {default: {ipv4_address: 10.0.0.2}}',
      'services.a.networks.default: address 10.0.0.2 cannot belong to 2 replicas',
    ],
    ['tmpfs: "run"', 'services.a.tmpfs.0: "run" is not an absolute path'],
    [
      'healthcheck: {test: t, interval: 1us}',
      'services.a.healthcheck: interval of 1µs is shorter than 1ms',
    ],
  ])('%s is refused', (fields, message) => {
    expect(errorsOf(fields)).toEqual([message]);
  });

  test('one port belongs to one service, but to one address each', () => {
    const two = (b: string): PlanResult =>
      plan(
        `services:\n  a: {image: x, ports: ["127.0.0.1:80:80"]}\n  b: {image: x, ports: ["${b}"]}\n`,
      );
    expect(two('80:80')).toMatchObject({
      ok: false,
      errors: [{ message: 'services.b.ports.0: port 80/tcp is published by service a already' }],
    });
    expect(two('127.0.0.2:80:80').ok).toBe(true);
    expect(two('80:80/udp').ok).toBe(true);
  });

  test('dependencies that are switched off are not waited for', () => {
    const result = load(
      'services:\n  a: {image: x, depends_on: {b: {condition: service_started, required: false}}}\n  b: {image: x, profiles: [off]}\n',
    );
    if (!result.ok) throw new Error('refused');
    const { stack } = planDeploy(result.project, {
      sha256Hex: () => 'h',
      readFile: () => undefined,
      version: '',
    }) as PlanResult & { ok: true };
    expect(stack.services).toHaveLength(1);
    expect(stack.services[0]?.taskTemplate?.dependsOn).toEqual([]);
  });

  test('text is encoded as UTF-8', () => {
    const text = 'aé€😀\u0000\ud800';
    expect(utf8Bytes(text)).toEqual(new TextEncoder().encode(text));
  });
});

describe('what a container gets of its host', () => {
  test('namespaces, devices, control group and cpus', () => {
    const fields =
      'ipc: host, pid: host, uts: host, userns_mode: host, cgroup_parent: /batch, device_cgroup_rules: ["c 10:200 rwm"]';
    expect(containerOf(fields)).toMatchObject({
      ipcMode: 'host',
      pidMode: 'host',
      utsMode: 'host',
      usernsMode: 'host',
      cgroupParent: '/batch',
      deviceCgroupRules: ['c 10:200 rwm'],
    });
    const resources =
      'cpuset: "0-2,4", cpu_shares: 512, mem_swappiness: 10, mem_limit: 64m, memswap_limit: 96m, oom_kill_disable: true, blkio_config: {weight: 300}';
    expect(serviceOf(resources).taskTemplate?.resources).toMatchObject({
      cpusetCpus: '0-2,4',
      cpuShares: 512,
      memorySwappiness: 10,
      swapBytes: 32 * 1024 * 1024,
      oomKillDisable: true,
      blkioWeight: 300,
    });
    expect(serviceOf('tty: true').taskTemplate?.resources).toBeUndefined();
  });

  test('limits of block devices, one entry for each', () => {
    const config =
      'blkio_config: {weight_device: [{path: /dev/sda, weight: 200}], device_read_bps: [{path: /dev/sda, rate: 1m}], device_write_iops: [{path: /dev/sdb, rate: 30}]}';
    const none = { weight: 0, readBps: 0, writeBps: 0, readIops: 0, writeIops: 0 };
    expect(serviceOf(config).taskTemplate?.resources?.blkioDevices).toEqual([
      { ...none, path: '/dev/sda', weight: 200, readBps: 1_048_576 },
      { ...none, path: '/dev/sdb', writeIops: 30 },
    ]);
  });

  test.each([
    ['gpus: all', { driver: '', count: -1, deviceIds: [], capabilities: ['gpu'], options: {} }],
    [
      'gpus: [{driver: nvidia, device_ids: ["0"], capabilities: [utility]}]',
      {
        driver: 'nvidia',
        count: 0,
        deviceIds: ['0'],
        capabilities: ['utility', 'gpu'],
        options: {},
      },
    ],
    [
      'deploy: {resources: {reservations: {devices: [{driver: cdi, device_ids: ["v.com/c=x"], capabilities: [cdi]}]}}}',
      { driver: 'cdi', count: 0, deviceIds: ['v.com/c=x'], capabilities: ['cdi'], options: {} },
    ],
  ])('%s as a request for devices', (fields, request) => {
    expect(containerOf(fields).deviceRequests).toEqual([request]);
  });

  test('runtime, storage_opt, cgroup, a device by its CDI name', () => {
    const fields =
      'runtime: crun, storage_opt: {size: 1G}, cgroup: private, devices: ["vendor.com/net=a"]';
    expect(containerOf(fields)).toMatchObject({
      ociRuntime: 'crun',
      storageOpt: { size: '1G' },
      cgroupnsMode: 'private',
      devices: [{ pathOnHost: 'vendor.com/net=a', pathInContainer: '', cgroupPermissions: 'rwm' }],
    });
  });

  test('MAC addresses: the service’s is that of its first network', () => {
    const own = 'mac_address: "02:00:00:00:00:01"';
    expect(serviceOf(own).taskTemplate?.networks).toMatchObject([
      { macAddress: '02:00:00:00:00:01' },
    ]);
    const perNetwork = 'networks: {default: {mac_address: "02:00:00:00:00:02"}}';
    expect(serviceOf(`${own}, ${perNetwork}`).taskTemplate?.networks).toMatchObject([
      { macAddress: '02:00:00:00:00:02' },
    ]);
  });

  test.each([
    ['pull_policy: daily', 'every_1d'],
    ['pull_policy: weekly', 'every_1w'],
    ['pull_policy: every_1d12h', 'every_1d12h'],
    ['pull_policy: refresh, pull_refresh_after: 36h', 'every_36h'],
    ['pull_policy: refresh', 'missing'],
  ])('%s is %s for the nodes', (fields, policy) => {
    expect(containerOf(fields).pullPolicy).toBe(policy);
  });

  test('the socket, as a mount', () => {
    expect(containerOf('use_api_socket: true').mounts).toMatchObject([
      { source: '/var/run/docker.sock', target: '/var/run/docker.sock' },
    ]);
  });

  test.each([
    ['ipc: world', 'services.a.ipc: unknown mode world'],
    ['uts: "container:b"', 'services.a.uts: unknown mode container:b'],
    ['memswap_limit: 64m', 'services.a.memswap_limit: needs a limit of the memory beside it'],
    [
      'mem_limit: 64m, memswap_limit: 32m',
      'services.a.memswap_limit: is less than the memory limit',
    ],
  ])('%s is refused', (fields, message) => {
    expect(errorsOf(fields).join('\n')).toContain(message);
  });
});
