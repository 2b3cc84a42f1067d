// The container of a service: image, command, environment, user, privileges and the rest that every
// task of it has in common.

import * as specs from '#protocol/generated/specs';
import { NAMED_REFRESHES, refreshAfterMs } from '#protocol/pull-policy';
import type { Hook, Project, Service } from '../load/project.ts';
import { ownValue } from '../load/records.ts';
import { planMounts } from './mounts.ts';
import { containerLabels, containerNameTemplate, imageName } from './names.ts';
import type { PlannedObjects } from './objects.ts';
import type { Problems } from './problems.ts';
import { planHealthcheck } from './resources.ts';
import { planPrivileges } from './security.ts';
import { planSharedMode } from './shared-modes.ts';
import type { ShippedBinds } from './shipped.ts';
import { planVolumesFrom } from './volumes-from.ts';

/** The container specification of service `key`. */
export function planContainer(
  project: Project,
  key: string,
  service: Service,
  more: {
    readonly objects: PlannedObjects;
    readonly configHash: string;
    readonly imageIds: Readonly<Record<string, string>>;
    readonly problems: Problems;
    readonly binds: ShippedBinds;
    readonly severalNodes: boolean;
    readonly readFile: (path: string) => Uint8Array | undefined;
  },
): specs.ContainerSpec {
  const { objects, configHash, imageIds, problems, binds, severalNodes, readFile } = more;
  const imageId = ownValue(imageIds, key);
  const path = `services.${key}`;
  return specs.ContainerSpec.create({
    image: imageName(project, key, service),
    command: service.entrypoint ?? [],
    args: service.command ?? [],
    entrypointCleared: service.entrypoint?.length === 0,
    commandCleared: service.command?.length === 0,
    hostname: service.hostname ?? '',
    domainname: service.domainname ?? '',
    containerName: containerNameTemplate(project, key, service),
    env: variables(service.environment ?? {}),
    dir: service.working_dir ?? '',
    user: service.user ?? '',
    groups: service.group_add ?? [],
    labels: containerLabels(project, key, service, { configHash, imageId }),
    annotations: service.annotations ?? {},
    privileged: service.privileged === true,
    privileges: planPrivileges(project, key, service, { readFile, problems }),
    init: service.init,
    tty: service.tty === true,
    openStdin: service.stdin_open === true,
    readOnly: service.read_only === true,
    stopSignal: service.stop_signal ?? '',
    stopGracePeriod: service.stop_grace_period,
    mounts: planMounts(project, key, service, { problems, binds, severalNodes, imageIds }),
    healthcheck: planHealthcheck(path, service, problems),
    hosts: (service.extra_hosts ?? []).map(hostLine),
    dnsConfig: planDns(service),
    ...planFileReferences(service, objects, binds),
    sysctls: service.sysctls ?? {},
    capabilityAdd: (service.cap_add ?? []).map(capability),
    capabilityDrop: (service.cap_drop ?? []).map(capability),
    ulimits: planUlimits(service),
    oomScoreAdj: service.oom_score_adj ?? 0,
    shmSize: service.shm_size ?? 0,
    devices: planDevices(path, service, problems),
    deviceCgroupRules: service.device_cgroup_rules ?? [],
    cgroupParent: service.cgroup_parent ?? '',
    ociRuntime: service.runtime ?? '',
    storageOpt: service.storage_opt ?? {},
    deviceRequests: planDeviceRequests(service),
    volumesFrom: planVolumesFrom(project, service),
    links: planExternalLinks(`${path}.external_links`, service.external_links ?? [], problems),
    ...planNamespaces(project, key, service, problems),
    networkMode: planSharedMode(project, key, 'network_mode', problems),
    pidMode: planSharedMode(project, key, 'pid', problems) || (service.pid ?? ''),
    pullPolicy: planPullPolicy(path, service, problems),
    preStart: planHooks(`${path}.pre_start`, service.pre_start, problems),
    postStart: planHooks(`${path}.post_start`, service.post_start, problems),
    preStop: planHooks(`${path}.pre_stop`, service.pre_stop, problems),
  });
}

function planHooks(
  path: string,
  hooks: readonly Hook[] = [],
  problems: Problems,
): specs.LifecycleHook[] {
  return hooks.map((hook, index) => {
    const { command, environment = {}, image = '' } = hook;
    // An image has a command of its own.
    if (image === '' && (command === null || command.length === 0))
      problems.error(`${path}.${index}.command`, 'is empty', 'say what to run in the container');
    return specs.LifecycleHook.create({
      command: command ?? [],
      user: hook.user ?? '',
      workingDir: hook.working_dir ?? '',
      image,
      privileged: hook.privileged === true,
      env: variables(environment),
    });
  });
}

/** Variables without a value anywhere are not set, as with docker compose. */
function variables(environment: NonNullable<Service['environment']>): string[] {
  return Object.entries(environment)
    .flatMap(([name, value]) => (value === null ? [] : [`${name}=${value}`]))
    .sort();
}

/** `db=10.0.0.5` as a line of /etc/hosts. */
function hostLine(entry: string): string {
  const equals = entry.indexOf('=');
  return `${entry.slice(equals + 1)} ${entry.slice(0, equals)}`;
}

function capability(name: string): string {
  const upper = name.toUpperCase();
  return upper === 'ALL' || upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
}

function planDns(service: Service): specs.DnsConfig | undefined {
  const { dns = [], dns_search: search = [], dns_opt: options = [] } = service;
  if (dns.length + search.length + options.length === 0) return undefined;
  return specs.DnsConfig.create({ nameservers: dns, search, options });
}

function planUlimits(service: Service): specs.Ulimit[] {
  return Object.entries(service.ulimits ?? {}).map(([name, limit]) =>
    typeof limit === 'number'
      ? specs.Ulimit.create({ name, soft: limit, hard: limit })
      : specs.Ulimit.create({ name, soft: limit.soft ?? 0, hard: limit.hard ?? 0 }),
  );
}

/** Permission bits of a secret or config when the file does not say. */
const FILE_MODE_DEFAULT = 0o444;

function planFileReferences(
  service: Service,
  objects: PlannedObjects,
  binds: ShippedBinds,
): Pick<specs.ContainerSpec, 'secrets' | 'configs'> {
  const target = (
    name: string,
    reference: { uid?: string; gid?: string; mode?: number },
  ): specs.FileTarget =>
    specs.FileTarget.create({
      name,
      uid: reference.uid ?? '0',
      gid: reference.gid ?? '0',
      mode: reference.mode ?? FILE_MODE_DEFAULT,
    });
  return {
    secrets: (service.secrets ?? []).map((reference) => {
      const source = reference.source ?? '';
      return specs.SecretReference.create({
        secretName: ownValue(objects.secretNames, source) ?? source,
        // Swarm's form: a relative name is below /run/secrets.
        file: target((reference.target ?? source).replace(/^\/run\/secrets\//, ''), reference),
      });
    }),
    configs: [
      ...(service.configs ?? []).map((reference) => {
        const source = reference.source ?? '';
        return specs.ConfigReference.create({
          configName: ownValue(objects.configNames, source) ?? source,
          file: target(reference.target ?? `/${source}`, reference),
        });
      }),
      ...binds.references,
    ],
  };
}

function planDevices(path: string, service: Service, problems: Problems): specs.DeviceMapping[] {
  const devices: specs.DeviceMapping[] = [];
  for (const [i, { source = '', target, permissions }] of (service.devices ?? []).entries()) {
    const where = `${path}.devices.${i}`;
    const isName = /^[^/=\s]+\/[^/=\s]+=\S+$/.test(source);
    if (!source.startsWith('/') && !isName) {
      const hint = 'write /dev/NAME, or VENDOR/CLASS=NAME for a device of CDI';
      problems.error(where, `${source} is no path`, hint);
      continue;
    }
    if (permissions !== undefined && !/^[rwm]{1,3}$/.test(permissions)) {
      problems.error(where, `permissions ${JSON.stringify(permissions)} are not of r, w and m`);
      continue;
    }
    devices.push(
      specs.DeviceMapping.create({
        pathOnHost: source,
        pathInContainer: isName ? '' : (target ?? source),
        cgroupPermissions: permissions ?? 'rwm',
      }),
    );
  }
  return devices;
}

/** What each namespace key may say; those that may name other containers are in shared-modes.ts. */
const NAMESPACES = {
  ipc: ['host', 'private', 'shareable', 'none'],
  uts: ['host'],
  userns_mode: ['host'],
  cgroup: ['host', 'private'],
} as const;

function planNamespaces(
  project: Project,
  key: string,
  service: Service,
  problems: Problems,
): Pick<specs.ContainerSpec, 'ipcMode' | 'utsMode' | 'usernsMode' | 'cgroupnsMode'> {
  const mode = (field: keyof typeof NAMESPACES): string => {
    const value = service[field] ?? '';
    const known: readonly string[] = NAMESPACES[field];
    if (value === '' || known.includes(value)) return value;
    const more = field === 'ipc' ? ['service:NAME', 'container:NAME'] : [];
    const hint = `use ${[...known, ...more].join(', ')}, or leave it out`;
    problems.error(`services.${key}.${field}`, `unknown mode ${value}`, hint);
    return '';
  };
  const isShared = /^(service|container):/.test(service.ipc ?? '');
  return {
    ipcMode: isShared ? planSharedMode(project, key, 'ipc', problems) : mode('ipc'),
    utsMode: mode('uts'),
    usernsMode: mode('userns_mode'),
    cgroupnsMode: mode('cgroup'),
  };
}

/** Devices by what they are: `gpus`, which docker compose gives the capability gpu, and reserved ones. */
function planDeviceRequests(service: Service): specs.DeviceRequest[] {
  const reserved = service.deploy?.resources?.reservations?.devices ?? [];
  const all = [
    ...(service.gpus ?? []).map((gpu) => ({
      ...gpu,
      capabilities: [...new Set([...(gpu.capabilities ?? []), 'gpu'])],
    })),
    ...reserved,
  ];
  return all.map((request) =>
    specs.DeviceRequest.create({
      driver: request.driver ?? '',
      count: request.count ?? 0,
      deviceIds: request.device_ids ?? [],
      capabilities: request.capabilities ?? [],
      options: request.options ?? {},
    }),
  );
}

function planPullPolicy(path: string, service: Service, problems: Problems): string {
  const policy = pullPolicyOf(service);
  // What is built here is not to be taken from a registry.
  if (policy === 'build') return 'never';
  const known = ['', 'always', 'missing', 'never'].includes(policy);
  if (known || refreshAfterMs(policy) !== undefined) return policy;
  const key = policy.startsWith('every_') ? 'pull_refresh_after' : 'pull_policy';
  const hint =
    key === 'pull_policy'
      ? 'use always, missing, never, build, daily, weekly or every_12h'
      : 'write a duration like 1d12h';
  problems.error(`${path}.${key}`, `unknown value ${service[key]}`, hint);
  return '';
}

/** `daily`, `weekly` and `refresh` in the form every_DURATION; without a duration, refresh is what docker compose makes of it. */
export function pullPolicyOf(service: Service): string {
  const { pull_policy: policy = '', pull_refresh_after: after } = service;
  if (policy === 'refresh') return after === undefined ? 'missing' : `every_${after}`;
  return ownValue(NAMED_REFRESHES, policy) ?? policy;
}

/** What this container alone calls containers of others. Their own names are known on networks that both are on. */
function planExternalLinks(path: string, links: readonly string[], problems: Problems): string[] {
  return links.flatMap((link, index) => {
    const [name = '', alias = name, ...rest] = link.split(':');
    if (name === '' || alias === '' || rest.length > 0) {
      problems.error(`${path}.${index}`, `${link} is no link`, 'write NAME or NAME:ALIAS');
      return [];
    }
    problems.notice(`${path}.${index}`, `${name} is found on networks that both are on`);
    return alias === name ? [] : [`${name}:${alias}`];
  });
}
