// The flags of `service create` and `service update` that set one value, and how each changes a specification in Engine JSON. Only what was given changes.
// docker's names and meanings; below "ours" what docker's services lack.
import { readFileSync } from 'node:fs';
import { applyLists, child, type Options, optionName } from './spec-lists.ts';
import {
  bytes,
  duration,
  environmentFile,
  integer,
  invalidFlag,
  type JsonObject,
  labels,
  nanoCpus,
  oneOf,
  ratio,
  words,
} from './values.ts';

export interface ScalarFlag {
  readonly flag: string;
  /** '' = takes no value. */
  readonly value: string;
  readonly help: string;
  readonly only?: 'create' | 'update';
  apply(spec: JsonObject, text: string): void;
}

const CONTAINER = ['TaskTemplate', 'ContainerSpec'] as const;
const container = (spec: JsonObject): JsonObject => child(spec, ...CONTAINER);
const restart = (spec: JsonObject): JsonObject => child(spec, 'TaskTemplate', 'RestartPolicy');
const resources = (spec: JsonObject): JsonObject => child(spec, 'TaskTemplate', 'Resources');
const endpoint = (spec: JsonObject): JsonObject => child(spec, 'EndpointSpec');
const health = (spec: JsonObject): JsonObject => child(spec, ...CONTAINER, 'Healthcheck');
const isOn = (text: string): boolean => !['false', '0', 'no'].includes(text.toLowerCase());

/** A flag that puts its value under one name. */
function set(
  flag: string,
  value: string,
  help: string,
  where: (spec: JsonObject) => JsonObject,
  name: string,
  parse: (flag: string, text: string) => unknown = (_, text) => text,
): ScalarFlag {
  return {
    flag,
    value,
    help,
    apply: (spec, text) => {
      where(spec)[name] = parse(flag, text);
    },
  };
}

const on = (_: string, text: string): boolean => isOn(text);

const CONTAINER_FLAGS: readonly ScalarFlag[] = [
  set('hostname', '<name>', 'host name in the container', container, 'Hostname'),
  set('user', '<user>', 'user or uid, with :group', container, 'User'),
  set('workdir', '<folder>', 'working directory', container, 'Dir'),
  set('stop-signal', '<signal>', 'signal to stop with', container, 'StopSignal'),
  set(
    'stop-grace-period',
    '<duration>',
    'between stop signal and KILL (10s)',
    container,
    'StopGracePeriod',
    duration,
  ),
  set('init', '[bool]', 'run an init as process 1', container, 'Init', on),
  set('tty', '[bool]', 'give it a terminal', container, 'TTY', on),
  set('read-only', '[bool]', 'read-only root file system', container, 'ReadOnly', on),
  set('isolation', '<mode>', 'default; others are Windows only', container, 'Isolation', (f, t) =>
    oneOf(f, t, ['default']),
  ),
  set('oom-score-adj', '<number>', '-1000 to 1000', container, 'OomScoreAdj', (flag, text) =>
    integer(flag, text, Number.NEGATIVE_INFINITY),
  ),
  {
    flag: 'entrypoint',
    value: '<command>',
    help: 'replace the entrypoint of the image',
    apply: (spec, text) => {
      container(spec).Command = words('entrypoint', text);
    },
  },
  {
    flag: 'credential-spec',
    value: '<spec>',
    help: 'Windows only',
    apply: () => {
      throw invalidFlag('credential-spec', 'it only means something on Windows');
    },
  },
  set('health-interval', '<duration>', 'between checks (30s)', health, 'Interval', duration),
  set('health-timeout', '<duration>', 'of one check (30s)', health, 'Timeout', duration),
  set('health-retries', '<number>', 'failures until unhealthy (3)', health, 'Retries', integer),
  set(
    'health-start-period',
    '<duration>',
    'failures do not count',
    health,
    'StartPeriod',
    duration,
  ),
  set(
    'health-start-interval',
    '<duration>',
    'between checks in the start period',
    health,
    'StartInterval',
    duration,
  ),
  {
    flag: 'health-cmd',
    value: '<command>',
    help: 'command that checks the health',
    apply: (spec, text) => {
      health(spec).Test = ['CMD-SHELL', text];
    },
  },
  {
    flag: 'no-healthcheck',
    value: '',
    help: 'none, also not the one of the image',
    apply: (spec) => {
      container(spec).Healthcheck = { Test: ['NONE'] };
    },
  },
];

const RESOURCE_FLAGS: readonly ScalarFlag[] = [
  set('limit-cpu', '<cpus>', 'at most', (s) => child(resources(s), 'Limits'), 'NanoCPUs', nanoCpus),
  set(
    'limit-memory',
    '<bytes>',
    'at most',
    (s) => child(resources(s), 'Limits'),
    'MemoryBytes',
    bytes,
  ),
  set('limit-pids', '<number>', 'processes', (s) => child(resources(s), 'Limits'), 'Pids', integer),
  set(
    'reserve-cpu',
    '<cpus>',
    'kept free for it',
    (s) => child(resources(s), 'Reservations'),
    'NanoCPUs',
    nanoCpus,
  ),
  set(
    'reserve-memory',
    '<bytes>',
    'kept free for it',
    (s) => child(resources(s), 'Reservations'),
    'MemoryBytes',
    bytes,
  ),
  set(
    'memory-swap',
    '<bytes>',
    'swap besides the memory limit; -1 = unlimited',
    resources,
    'SwapBytes',
    bytes,
  ),
  set(
    'memory-swappiness',
    '<percent>',
    '0 to 100; -1 = default',
    resources,
    'MemorySwappiness',
    (f, t) => integer(f, t, -1),
  ),
];

const POLICY_FLAGS: readonly ScalarFlag[] = [
  set('restart-condition', '<word>', 'none, on-failure or any', restart, 'Condition', (f, t) =>
    oneOf(f, t, ['none', 'on-failure', 'any']),
  ),
  set('restart-delay', '<duration>', 'between attempts (5s)', restart, 'Delay', duration),
  set('restart-max-attempts', '<number>', '0 = unlimited', restart, 'MaxAttempts', integer),
  set('restart-window', '<duration>', 'in which attempts count', restart, 'Window', duration),
  ...updateFlags('update', 'UpdateConfig'),
  ...updateFlags('rollback', 'RollbackConfig'),
  set(
    'replicas-max-per-node',
    '<number>',
    '0 = unlimited',
    (s) => child(s, 'TaskTemplate', 'Placement'),
    'MaxReplicas',
    integer,
  ),
  {
    flag: 'log-driver',
    value: '<name>',
    help: 'logging driver',
    apply: (spec, text) => {
      child(spec, 'TaskTemplate', 'LogDriver').Name = text;
    },
  },
  set('endpoint-mode', '<mode>', 'vip or dnsrr', endpoint, 'Mode', (f, t) =>
    oneOf(f, t, ['vip', 'dnsrr']),
  ),
];

function updateFlags(prefix: 'update' | 'rollback', key: string): ScalarFlag[] {
  const config = (spec: JsonObject): JsonObject => {
    // docker's defaults: a raw specification without a number means all at once.
    spec[key] ??= { Parallelism: 1, FailureAction: 'pause', Monitor: 5e9, Order: 'stop-first' };
    return child(spec, key);
  };
  const actions = prefix === 'update' ? ['pause', 'continue', 'rollback'] : ['pause', 'continue'];
  const flag = (name: string): string => `${prefix}-${name}`;
  return [
    set(flag('parallelism'), '<number>', 'tasks at once; 0 = all', config, 'Parallelism', integer),
    set(flag('delay'), '<duration>', 'after each task', config, 'Delay', duration),
    set(flag('monitor'), '<duration>', 'watch each new task (5s)', config, 'Monitor', duration),
    set(flag('max-failure-ratio'), '<0..1>', 'tolerated', config, 'MaxFailureRatio', ratio),
    set(flag('failure-action'), '<word>', actions.join(', '), config, 'FailureAction', (f, t) =>
      oneOf(f, t, actions),
    ),
    set(flag('order'), '<word>', 'stop-first or start-first', config, 'Order', (f, t) =>
      oneOf(f, t, ['stop-first', 'start-first']),
    ),
    set(
      flag('progress-deadline'),
      '<duration>',
      'ends as failed without progress (10m)',
      config,
      'ProgressDeadline',
      duration,
    ),
  ];
}

/** What docker's services lack. */
const OUR_FLAGS: readonly ScalarFlag[] = [
  set('privileged', '[bool]', 'all capabilities and devices', container, 'Privileged', on),
  set('shm-size', '<bytes>', 'size of /dev/shm (64m)', container, 'ShmSize', bytes),
  set('ipc', '<mode>', 'private, shareable, none or host', container, 'IpcMode'),
  set('pid', '<mode>', 'host', container, 'PidMode'),
  set('uts', '<mode>', 'host', container, 'UtsMode'),
  set('userns', '<mode>', 'host', container, 'UsernsMode'),
  set('cgroup-parent', '<path>', 'control group to run below', container, 'CgroupParent'),
  set('cpuset-cpus', '<list>', 'run on these only: 0-2,4', resources, 'CpusetCpus'),
  set(
    'drain-timeout',
    '<duration>',
    'for open connections before the stop (10s)',
    (s) => s,
    'DrainTimeout',
    duration,
  ),
  set(
    'session-affinity',
    '<word>',
    'source: one task for all connections of a client; or none',
    endpoint,
    'SessionAffinity',
    (f, t) => oneOf(f, t, ['none', 'source']),
  ),
  set(
    'prefer-same-node',
    '[bool]',
    "tasks of the caller's node, while one of them serves",
    endpoint,
    'PreferSameNode',
    on,
  ),
];

export const SCALAR_FLAGS: readonly ScalarFlag[] = [
  ...CONTAINER_FLAGS,
  ...RESOURCE_FLAGS,
  ...POLICY_FLAGS,
  ...OUR_FLAGS,
];

/** Flags that are repeatable and neither lists of the specification with -add and -rm, nor scalars. */
export const REPEATED_FLAGS = ['cap-add', 'cap-drop', 'log-opt', 'security-opt'] as const;

/** Applies all flags to a specification (empty for create). */
export function applyFlags(spec: JsonObject, options: Options): void {
  // What the service had before is no conflict: only what is asked for now.
  const checks = SCALAR_FLAGS.filter(({ flag }) => flag.startsWith('health-'));
  if (options.healthcheck === false && checks.some(({ flag }) => options[optionName(flag)])) {
    throw invalidFlag('no-healthcheck', 'conflicts with the --health-* options');
  }
  for (const scalar of SCALAR_FLAGS) {
    const value = options[optionName(scalar.flag)];
    // `--no-healthcheck` is what commander calls healthcheck = false.
    const given =
      scalar.flag === 'no-healthcheck' ? options.healthcheck === false : value !== undefined;
    if (given) scalar.apply(spec, String(value ?? ''));
  }
  const files = list(options, 'envFile');
  if (files.length > 0) {
    const env = child(spec, ...CONTAINER);
    env.Env = [...((env.Env as string[] | undefined) ?? []), ...files.flatMap(environmentFile)];
  }
  applyLists(spec, options);
  applyCapabilities(spec, options);
  if (list(options, 'logOpt').length > 0) {
    const driver = child(spec, 'TaskTemplate', 'LogDriver');
    driver.Options = {
      ...(driver.Options as object | undefined),
      ...labels(list(options, 'logOpt')),
    };
  }
  if (list(options, 'securityOpt').length > 0) applySecurity(spec, list(options, 'securityOpt'));
}

export function list(options: Options, name: string): readonly string[] {
  const value = options[name];
  return Array.isArray(value) ? (value as string[]) : [];
}

/** Adding a capability takes it from the dropped ones, and the other way round. */
function applyCapabilities(spec: JsonObject, options: Options): void {
  const added = list(options, 'capAdd').map(capability);
  const dropped = list(options, 'capDrop').map(capability);
  if (added.length === 0 && dropped.length === 0) return;
  const at = container(spec);
  const was = (name: string): string[] =>
    ((at[name] as string[] | undefined) ?? []).map(capability);
  const add = new Set([...was('CapabilityAdd'), ...added].filter((cap) => !dropped.includes(cap)));
  const drop = new Set(
    [...was('CapabilityDrop'), ...dropped].filter((cap) => !added.includes(cap)),
  );
  at.CapabilityAdd = [...add].sort();
  at.CapabilityDrop = [...drop].sort();
}

function capability(text: string): string {
  const name = text.toUpperCase();
  return name === 'ALL' || name.startsWith('CAP_') ? name : `CAP_${name}`;
}

/** docker run's --security-opt in the words of a service's privileges. */
function applySecurity(spec: JsonObject, options: readonly string[]): void {
  const privileges = child(spec, ...CONTAINER, 'Privileges');
  for (const option of options) {
    const [key = '', value = ''] = option.split(/[=:](.*)/s);
    if (key === 'no-new-privileges') privileges.NoNewPrivileges = value !== 'false';
    else if (key === 'apparmor' && value === 'unconfined') {
      privileges.AppArmor = { Mode: 'disabled' };
    } else if (key === 'seccomp' && value === 'unconfined') {
      privileges.Seccomp = { Mode: 'unconfined' };
    } else if (key === 'seccomp' && value !== '') {
      privileges.Seccomp = { Mode: 'custom', Profile: seccompProfile(value) };
    } else if (key === 'label' && value === 'disable') {
      privileges.SELinuxContext = { Disable: true };
    } else {
      throw invalidFlag(
        'security-opt',
        `"${option}" is not supported for services`,
        'Known are no-new-privileges, seccomp=unconfined, seccomp=FILE, apparmor=unconfined, label=disable.',
      );
    }
  }
}

/** Many times Docker's own profile; the specification of a service is one message. */
const PROFILE_BYTES_MAX = 256 * 1024;

/** A profile of this machine, as it goes into the specification. */
function seccompProfile(path: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
    JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    const what = error instanceof SyntaxError ? 'is not JSON' : 'cannot be read';
    throw invalidFlag('security-opt', `seccomp profile ${path} ${what}`);
  }
  if (bytes.length > PROFILE_BYTES_MAX) {
    throw invalidFlag('security-opt', `seccomp profile ${path} is larger than 256 KiB`);
  }
  return bytes.toString('base64');
}
