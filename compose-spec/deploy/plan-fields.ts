// The differences between two specifications, under the names that the compose file has for them. Input is Engine JSON, so that nothing can be left out: a field
// without a name here is shown under its own, in snake case. Lists whose entries have a key (ports, mounts, variables) are compared by that key.
import { LABEL } from './names.ts';

export type Json = Readonly<Record<string, unknown>>;

/** One difference. `before` is absent for something new, `after` for something gone. */
export interface FieldChange {
  /** `environment.DEBUG`, `deploy.replicas` */
  readonly field: string;
  readonly before?: string;
  readonly after?: string;
}

/** Differences between two specifications of one kind, sorted by field. */
export function changedFields(
  kind: string,
  before: Json | null,
  after: Json | null,
): readonly FieldChange[] {
  const flatten = kind === 'service' ? serviceFields : objectFields;
  const [old, fresh] = [flatten(before ?? {}), flatten(after ?? {})];
  const changes: FieldChange[] = [];
  for (const field of new Set([...old.keys(), ...fresh.keys()])) {
    const [a, b] = [old.get(field), fresh.get(field)];
    if (a === b) continue;
    changes.push({
      field,
      ...(a === undefined ? {} : { before: a }),
      ...(b === undefined ? {} : { after: b }),
    });
  }
  const derived = changes.filter(({ field }) => !DERIVED.has(field));
  return (derived.length > 0 ? derived : changes).sort(byField);
}

function byField(a: FieldChange, b: FieldChange): number {
  return a.field < b.field ? -1 : a.field > b.field ? 1 : 0;
}

/** Field of a service's image by content: another id under the same name. */
export const IMAGE_CONTENT = 'image (content)';

/** The same, for images that were made in the cluster. */
const IMAGE_ID = 'image (id)';

/** What says the same as another field; shown only where nothing else differs. */
const DERIVED: ReadonlySet<string> = new Set([
  IMAGE_ID,
  `labels.${LABEL.configHash}`,
  `deploy.labels.${LABEL.configHash}`,
  `deploy.labels.${LABEL.version}`,
  `deploy.labels.${LABEL.stackImage}`,
  `deploy.labels.${LABEL.workingDir}`,
  `deploy.labels.${LABEL.configFiles}`,
  `deploy.labels.${LABEL.environmentFile}`,
  `deploy.labels.${LABEL.dependsOn}`,
]);

// ---- services -----------------------------------------------------------------------------------

/** Prefixes of Engine paths → of compose keys; the longest counts. '' = the path is its own name. */
const NAMES: Readonly<Record<string, string>> = {
  Labels: 'deploy.labels',
  'TaskTemplate.ContainerSpec': '',
  'TaskTemplate.ContainerSpec.ImageID': IMAGE_ID,
  'TaskTemplate.ContainerSpec.Command': 'entrypoint',
  'TaskTemplate.ContainerSpec.Args': 'command',
  'TaskTemplate.ContainerSpec.Env': 'environment',
  'TaskTemplate.ContainerSpec.Dir': 'working_dir',
  'TaskTemplate.ContainerSpec.Groups': 'group_add',
  'TaskTemplate.ContainerSpec.OpenStdin': 'stdin_open',
  'TaskTemplate.ContainerSpec.Mounts': 'volumes',
  'TaskTemplate.ContainerSpec.Hosts': 'extra_hosts',
  'TaskTemplate.ContainerSpec.DNSConfig.Nameservers': 'dns',
  'TaskTemplate.ContainerSpec.DNSConfig.Search': 'dns_search',
  'TaskTemplate.ContainerSpec.DNSConfig.Options': 'dns_opt',
  'TaskTemplate.ContainerSpec.CapabilityAdd': 'cap_add',
  'TaskTemplate.ContainerSpec.CapabilityDrop': 'cap_drop',
  'TaskTemplate.ContainerSpec.IpcMode': 'ipc',
  'TaskTemplate.ContainerSpec.PidMode': 'pid',
  'TaskTemplate.ContainerSpec.UtsMode': 'uts',
  'TaskTemplate.Resources.Limits': 'deploy.resources.limits',
  'TaskTemplate.Resources.Reservations': 'deploy.resources.reservations',
  'TaskTemplate.Resources.SwapBytes': 'memswap_limit',
  'TaskTemplate.Resources.MemorySwappiness': 'mem_swappiness',
  'TaskTemplate.Resources.CpusetCpus': 'cpuset',
  'TaskTemplate.Resources.BlkioWeight': 'blkio_config.weight',
  'TaskTemplate.Resources': '',
  'TaskTemplate.RestartPolicy': 'deploy.restart_policy',
  'TaskTemplate.EngineRestart': 'restart',
  'TaskTemplate.Placement': 'deploy.placement',
  'TaskTemplate.Placement.MaxReplicas': 'deploy.placement.max_replicas_per_node',
  'TaskTemplate.LogDriver.Name': 'logging.driver',
  'TaskTemplate.LogDriver.Options': 'logging.options',
  'TaskTemplate.ForceUpdate': 'forced updates',
  TaskTemplate: '',
  'Mode.Replicated': 'deploy',
  Mode: 'deploy.mode',
  UpdateConfig: 'deploy.update_config',
  RollbackConfig: 'deploy.rollback_config',
  'EndpointSpec.Mode': 'deploy.endpoint_mode',
  EndpointSpec: '',
  RunState: 'state',
};

/** Names of single words in Engine paths that are not their snake case. */
const WORDS: Readonly<Record<string, string>> = {
  NanoCPUs: 'cpus',
  MemoryBytes: 'memory',
  OOMScoreAdj: 'oom_score_adj',
  TTY: 'tty',
  OomScoreAdj: 'oom_score_adj',
};

const NANOSECONDS = /(?:Delay|Monitor|Window|Interval|Timeout|StartPeriod|GracePeriod|Deadline)$/;

function serviceFields(spec: Json): Map<string, string> {
  const fields = new Map<string, string>();
  const put = (path: string, value: unknown): void => {
    if (path === 'Name') return;
    const keyed = typeof value === 'object' && value !== null ? keyedList(path, value) : undefined;
    if (keyed !== undefined) {
      for (const [key, text] of keyed) fields.set(`${composeName(path)}.${key}`, text);
    } else if (isRecord(value)) {
      const entries = Object.entries(value);
      if (entries.length === 0 && path.startsWith('Mode.')) fields.set('deploy.mode', word(path));
      const isMap = MAPS.has(path);
      for (const [key, item] of entries) {
        if (isMap) putLabel(fields, composeName(path), key, String(item));
        else put(path === '' ? key : `${path}.${key}`, item);
      }
    } else fields.set(composeName(path), textOf(path, value));
  };
  put('', spec);
  return fields;
}

/** Records whose keys are the user's. */
const MAPS: ReadonlySet<string> = new Set([
  'Labels',
  'TaskTemplate.ContainerSpec.Labels',
  'TaskTemplate.ContainerSpec.Annotations',
  'TaskTemplate.ContainerSpec.Sysctls',
  'TaskTemplate.LogDriver.Options',
]);

/** The label that says which image a container was made from is about the image. */
function putLabel(fields: Map<string, string>, prefix: string, key: string, value: string): void {
  if (prefix === 'labels' && key === LABEL.image) fields.set(IMAGE_CONTENT, shortImage(value));
  else fields.set(`${prefix}.${key}`, value);
}

function isRecord(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function composeName(path: string): string {
  let prefix = path;
  while (prefix !== '') {
    const name = NAMES[prefix];
    if (name !== undefined) {
      const rest = snake(path.slice(prefix.length).replace(/^\./, ''));
      return name === '' || rest === '' ? `${name}${rest}` : `${name}.${rest}`;
    }
    prefix = prefix.slice(0, Math.max(0, prefix.lastIndexOf('.')));
  }
  return snake(path);
}

function snake(path: string): string {
  return path
    .split('.')
    .map((part) => WORDS[part] ?? part.replace(/(?<=[a-z0-9])(?=[A-Z])/g, '_').toLowerCase())
    .join('.');
}

function word(path: string): string {
  return snake(path.slice('Mode.'.length)).replace('_', '-');
}

function textOf(path: string, value: unknown): string {
  const [name = ''] = path.split('.').slice(-1);
  if (typeof value === 'number') {
    if (name === 'NanoCPUs') return String(value / 1e9);
    if (NANOSECONDS.test(name)) return durationText(value);
    if (/Bytes$|ShmSize$/.test(name)) return bytesText(value);
  }
  if (name === 'ImageID') return shortImage(String(value));
  if (!Array.isArray(value)) return String(value);
  return `[${value.map((item) => (typeof item === 'object' ? JSON.stringify(item) : String(item))).join(', ')}]`;
}

function durationText(nanos: number): string {
  if (nanos % 60e9 === 0 && nanos > 0) return `${nanos / 60e9}m`;
  return nanos % 1e9 === 0 ? `${nanos / 1e9}s` : `${nanos / 1e6}ms`;
}

function bytesText(bytes: number): string {
  for (const [unit, size] of [
    ['g', 2 ** 30],
    ['m', 2 ** 20],
    ['k', 2 ** 10],
  ] as const)
    if (bytes !== 0 && bytes % size === 0) return `${bytes / size}${unit}`;
  return String(bytes);
}

function shortImage(id: string): string {
  return id.startsWith('sha256:') ? id.slice('sha256:'.length).slice(0, 12) : id;
}

// ---- lists with keys ----------------------------------------------------------------------------

type Keyed = readonly (readonly [key: string, text: string])[];

function keyedList(path: string, value: object): Keyed | undefined {
  if (!Array.isArray(value)) return undefined;
  const list = value as readonly Json[];
  switch (path) {
    case 'TaskTemplate.ContainerSpec.Env':
      return (value as readonly string[]).map((line) => split(line));
    case 'TaskTemplate.ContainerSpec.Mounts':
      return list.map((mount) => [String(mount.Target), mountText(mount)]);
    case 'TaskTemplate.ContainerSpec.Secrets':
      return list.map((one) => [targetOf(one, '/run/secrets/'), String(one.SecretName)]);
    case 'TaskTemplate.ContainerSpec.Configs':
      return list.map((one) => [targetOf(one, '/'), String(one.ConfigName)]);
    case 'TaskTemplate.ContainerSpec.Ulimits':
      return list.map((one) => [String(one.Name), `${one.Soft}:${one.Hard}`]);
    case 'TaskTemplate.Networks':
      return list.flatMap(networkFields);
    case 'TaskTemplate.DependsOn':
      return list.flatMap(dependencyFields);
    case 'EndpointSpec.Ports':
      return list.map(portField);
    default:
      return undefined;
  }
}

function split(line: string): readonly [string, string] {
  const at = line.indexOf('=');
  return at === -1 ? [line, ''] : [line.slice(0, at), line.slice(at + 1)];
}

function targetOf(one: Json, folder: string): string {
  const name = String((one.File as Json | undefined)?.Name ?? '');
  return name.startsWith('/') ? name : `${folder}${name}`;
}

function mountText(mount: Json): string {
  const { Type, Source, Target: _target, ReadOnly, Consistency: _consistency, ...rest } = mount;
  const options = Object.entries(rest).filter(([, value]) => hasContent(value));
  const words = [
    `${Type ?? 'bind'} ${Source ?? '(anonymous)'}`,
    ...(ReadOnly === true ? ['ro'] : []),
    ...options.map(([, value]) => JSON.stringify(value)),
  ];
  return words.join(' ');
}

function hasContent(value: unknown): boolean {
  return isRecord(value) ? Object.values(value).some(hasContent) : value !== undefined;
}

function networkFields(one: Json): Keyed {
  const { Target, Aliases = [], ...rest } = one;
  const name = String(Target);
  const own: Keyed = [
    [name, `attached as ${(Aliases as readonly string[]).join(', ') || 'itself'}`],
  ];
  const more = Object.entries(rest).map(
    ([key, value]) => [`${name}.${snake(key)}`, textOf(key, flat(value))] as const,
  );
  return [...own, ...more];
}

function flat(value: unknown): unknown {
  return isRecord(value) ? JSON.stringify(value) : value;
}

const CONDITIONS: Readonly<Record<string, string>> = {
  started: 'service_started',
  healthy: 'service_healthy',
  completed: 'service_completed_successfully',
};

function dependencyFields(one: Json): Keyed {
  const name = String(one.Service);
  return [
    [`${name}.condition`, CONDITIONS[String(one.Condition)] ?? String(one.Condition)],
    ...(one.Restart === true ? [[`${name}.restart`, 'true'] as const] : []),
    ...(one.Required === true ? [] : [[`${name}.required`, 'false'] as const]),
  ];
}

function portField(one: Json): readonly [string, string] {
  const published = one.PublishedPort === undefined ? 'any port' : String(one.PublishedPort);
  const ip = one.HostIP === undefined ? '' : `${one.HostIP}:`;
  const mode = one.PublishMode === 'host' ? ' of the host' : '';
  const protocol = String(one.Protocol ?? 'tcp');
  return [`${one.TargetPort}/${protocol}`, `published at ${ip}${published}${mode}`];
}

// ---- networks, volumes, secrets, configs --------------------------------------------------------

function objectFields(spec: Json): Map<string, string> {
  const fields = new Map<string, string>();
  const put = (path: string, value: unknown): void => {
    if (path === 'Name' || path === 'Data') return;
    if (!isRecord(value)) {
      fields.set(objectName(path), textOf(path, value));
      return;
    }
    for (const [key, item] of Object.entries(value)) {
      if (path === 'Labels') fields.set(`labels.${key}`, String(item));
      else put(path === '' ? key : `${path}.${key}`, item);
    }
  };
  put('', spec);
  return fields;
}

const OBJECT_NAMES: Readonly<Record<string, string>> = {
  'DriverConfig.Name': 'driver',
  'DriverConfig.Options': 'driver_opts',
  'Driver.Name': 'driver',
  'Driver.Options': 'driver_opts',
  'Templating.Name': 'template_driver',
  IPAMOptions: 'ipam',
  IPv6Enabled: 'enable_ipv6',
};

function objectName(path: string): string {
  for (const [prefix, name] of Object.entries(OBJECT_NAMES)) {
    if (path === prefix) return name;
    if (path.startsWith(`${prefix}.`)) return `${name}.${snake(path.slice(prefix.length + 1))}`;
  }
  return snake(path);
}
