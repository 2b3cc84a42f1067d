// The networks, volumes, secrets and configs of a project as cluster objects. Secrets and configs
// carry a hash of their content in the name: new content is a new object, and the services that use
// it are updated like for any other change of their specification.

import type { ConfigSpec, NetworkSpec, SecretSpec, VolumeSpec } from '#protocol/generated/specs';
import * as specs from '#protocol/generated/specs';
import type { FileObject, Network, Project, Volume } from '../load/project.ts';
import {
  CONFIG_BYTES_MAX,
  CONFIG_HASH_DIGITS,
  SECRET_BYTES_MAX,
  SECRET_HASH_DIGITS,
} from './limits.ts';
import { LABEL, objectLabels, versionedName } from './names.ts';
import type { PlanOptions } from './plan-deploy.ts';
import type { Problems } from './problems.ts';
import { utf8Bytes } from './utf8.ts';

/** Networks that every node has by itself. */
const NODE_NETWORKS = new Set(['host', 'none', 'bridge']);

/** Top-level objects in cluster form, and what services call them. */
export interface PlannedObjects {
  readonly networks: readonly NetworkSpec[];
  readonly volumes: readonly VolumeSpec[];
  readonly secrets: readonly SecretSpec[];
  readonly configs: readonly ConfigSpec[];
  /** Names in the cluster by key in the file. */
  readonly secretNames: Readonly<Record<string, string>>;
  readonly configNames: Readonly<Record<string, string>>;
}

/** The objects that must exist already, by kind. */
export interface ExternalObjects {
  readonly networks: readonly string[];
  readonly volumes: readonly string[];
  readonly secrets: readonly string[];
  readonly configs: readonly string[];
}

/** Plans all top-level objects of `project`. */
export function planObjects(
  project: Project,
  options: PlanOptions,
  problems: Problems,
): PlannedObjects {
  const secrets = planFiles(project, 'secrets', options, problems);
  const configs = planFiles(project, 'configs', options, problems);
  return {
    networks: own(project.networks).map(([key, it]) => planNetwork(project, key, it, problems)),
    volumes: own(project.volumes).map(([key, it]) => planVolume(project, key, it, problems)),
    secrets: secrets.files.map(({ name, labels, data, object }) =>
      specs.SecretSpec.create({ name, labels, data, templating: driver(object.template_driver) }),
    ),
    configs: configs.files.map(({ name, labels, data, object }) =>
      specs.ConfigSpec.create({ name, labels, data, templating: driver(object.template_driver) }),
    ),
    secretNames: secrets.names,
    configNames: configs.names,
  };
}

/** Names of the objects that the project does not create. */
export function externalObjects(project: Project): ExternalObjects {
  const names = (
    objects: Readonly<Record<string, { readonly name?: string; readonly external?: boolean }>>,
  ): string[] =>
    Object.entries(objects).flatMap(([key, { name, external }]) =>
      external === true ? [name ?? key] : [],
    );
  return {
    networks: names(project.networks).filter((name) => !NODE_NETWORKS.has(name)),
    volumes: names(project.volumes),
    secrets: names(project.secrets),
    configs: names(project.configs),
  };
}

function own<T extends { readonly external?: boolean }>(
  objects: Readonly<Record<string, T>>,
): [string, T][] {
  return Object.entries(objects).filter(([, { external }]) => external !== true);
}

function driver(name: string | undefined): specs.Driver | undefined {
  return name === undefined ? undefined : specs.Driver.create({ name });
}

/** What the cluster's networks know; the managers check the values. */
const NETWORK_OPTIONS: ReadonlySet<string> = new Set([
  'backend',
  'encrypted',
  'com.docker.network.driver.mtu',
]);

function planNetwork(
  project: Project,
  key: string,
  network: Network,
  problems: Problems,
): NetworkSpec {
  const path = `networks.${key}`;
  const { driver: wanted = 'overlay' } = network;
  if (wanted === 'bridge' || wanted === 'default') {
    problems.notice(
      `${path}.driver`,
      'a bridge network ends at one host; the network of the cluster is used, which reaches all',
    );
  } else if (wanted !== 'overlay') {
    problems.error(`${path}.driver`, `no such network driver: ${wanted}`, 'leave `driver` out');
  }
  if (network.enable_ipv4 === false)
    problems.unsupported(`${path}.enable_ipv4`, 'networks have IPv4');
  const options = Object.keys(network.driver_opts ?? {}).filter(
    (name) => !NETWORK_OPTIONS.has(name),
  );
  for (const name of options) problems.unsupported(`${path}.driver_opts.${name}`, 'unknown option');
  const { ipam } = network;
  if (ipam.driver !== undefined && ipam.driver !== 'default') {
    problems.unsupported(`${path}.ipam.driver`, 'addresses are given out by the cluster');
  }
  const pools = (ipam.config ?? []).map((pool) =>
    specs.IpamConfig.create({
      subnet: pool.subnet ?? '',
      ipRange: pool.ip_range ?? '',
      gateway: pool.gateway ?? '',
      auxAddresses: pool.aux_addresses ?? {},
    }),
  );
  return specs.NetworkSpec.create({
    name: network.name ?? '',
    labels: objectLabels(project, network.labels, LABEL.network, key),
    driverConfig: specs.Driver.create({ name: 'overlay', options: network.driver_opts ?? {} }),
    ipv6Enabled: network.enable_ipv6 === true,
    internal: network.internal === true,
    attachable: network.attachable === true,
    ipam:
      pools.length === 0
        ? undefined
        : specs.IpamOptions.create({
            driver: 'default',
            config: pools,
            options: ipam.options ?? {},
          }),
  });
}

function planVolume(project: Project, key: string, volume: Volume, problems: Problems): VolumeSpec {
  return specs.VolumeSpec.create({
    name: volume.name ?? '',
    labels: objectLabels(project, volume.labels, LABEL.volume, key),
    driver: volumeDriver(volume, `volumes.${key}`, problems),
  });
}

/** The driver of a volume; only `local` is there. */
export function volumeDriver(volume: Volume, path: string, problems?: Problems): specs.Driver {
  const { driver: name = 'local', driver_opts: options = {} } = volume;
  if (name !== 'local' && problems !== undefined) {
    problems.error(
      `${path}.driver`,
      `no such volume driver: ${name}`,
      'use `local`, with driver_opts for file systems like NFS',
    );
  }
  return specs.Driver.create({ name: 'local', options });
}

interface PlannedFile {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly data: Uint8Array;
  readonly object: FileObject;
}

function planFiles(
  project: Project,
  section: 'secrets' | 'configs',
  options: PlanOptions,
  problems: Problems,
): { readonly files: PlannedFile[]; readonly names: Record<string, string> } {
  const isSecret = section === 'secrets';
  const files: PlannedFile[] = [];
  const names: [string, string][] = [];
  const idle = isSecret ? buildOnlySecrets(project) : new Set<string>();
  for (const [key, object] of Object.entries(project[section])) {
    // What only builds are given is none of the cluster's business.
    if (idle.has(key)) continue;
    const path = `${section}.${key}`;
    const name = object.name ?? key;
    if (object.external === true) {
      names.push([key, name]);
      continue;
    }
    if (object.driver !== undefined) {
      problems.unsupported(`${path}.driver`, 'secrets are kept by the cluster itself');
      continue;
    }
    const data = contentOf(object, path, project, options, problems);
    if (data === undefined) continue;
    const bytesMax = isSecret ? SECRET_BYTES_MAX : CONFIG_BYTES_MAX;
    if (data.length === 0)
      problems.error(path, 'has no content', 'the cluster does not keep empty ones');
    else if (data.length > bytesMax) {
      const hint = 'mount it as a volume instead';
      problems.error(path, `has ${data.length} bytes; at most ${bytesMax} are kept`, hint);
    }
    const digits = isSecret ? SECRET_HASH_DIGITS : CONFIG_HASH_DIGITS;
    const versioned = versionedName(name, options.sha256Hex(data).slice(0, digits));
    names.push([key, versioned]);
    const label = isSecret ? LABEL.secret : LABEL.config;
    files.push({
      name: versioned,
      labels: objectLabels(project, object.labels, label, key),
      data,
      object,
    });
  }
  return { files, names: Object.fromEntries(names) };
}

function buildOnlySecrets({ services }: Project): ReadonlySet<string> {
  const all = Object.values(services);
  const built = all.flatMap(({ build }) => (build?.secrets ?? []).map(({ source = '' }) => source));
  const used = new Set(all.flatMap(({ secrets = [] }) => secrets.map(({ source = '' }) => source)));
  return new Set(built.filter((key) => !used.has(key)));
}

function contentOf(
  object: FileObject,
  path: string,
  project: Project,
  options: PlanOptions,
  problems: Problems,
): Uint8Array | undefined {
  if (object.content !== undefined) return utf8Bytes(object.content);
  if (object.environment !== undefined) {
    const value = project.environment[object.environment];
    if (value !== undefined) return utf8Bytes(value);
    const hint = `set ${object.environment} in the environment or in .env`;
    problems.error(`${path}.environment`, `variable ${object.environment} is not set`, hint);
    return undefined;
  }
  if (object.file === undefined) return undefined;
  const data = options.readFile(object.file);
  if (data === undefined) {
    problems.error(
      `${path}.file`,
      `${object.file} is missing or cannot be read`,
      undefined,
      'file',
    );
  }
  return data;
}
