// What an instruction that runs nothing does to an image's configuration. Shared by the builder and
// by the `changes` of commit and import. A function from configuration to configuration; never
// touches files.
import { TswarmError } from '#protocol/errors';
import type { ImageHealthcheck, ImageProcessConfig } from '../images/types.ts';
import { signalNumber } from '../runtime/signals.ts';
import { parseInstruction } from './parse/dockerfile.ts';
import { expandWord, expandWords, type Scope } from './parse/expand.ts';
import { type CommandForm, type Instruction, readInstruction } from './parse/instructions.ts';

/** A configuration under construction: lists and maps are never null. */
export interface StageConfig {
  readonly user: string;
  readonly env: readonly string[];
  readonly entrypoint: readonly string[] | undefined;
  readonly cmd: readonly string[] | undefined;
  /** CMD was set by this stage, so that ENTRYPOINT leaves it. */
  readonly isCmdOwn: boolean;
  readonly workingDir: string;
  readonly exposedPorts: Readonly<Record<string, Record<string, never>>>;
  readonly volumes: Readonly<Record<string, Record<string, never>>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly stopSignal: string;
  readonly healthcheck: ImageHealthcheck | undefined;
  readonly shell: readonly string[] | undefined;
  readonly onBuild: readonly string[];
  readonly author: string;
  /** Keys of the base image that no instruction is about. */
  readonly other: Readonly<Record<string, unknown>>;
}

export const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const DEFAULT_SHELL: readonly string[] = ['/bin/sh', '-c'];

export function stageConfig(config: ImageProcessConfig, author: string): StageConfig {
  const {
    User,
    Env,
    Entrypoint,
    Cmd,
    WorkingDir,
    ExposedPorts,
    Volumes,
    Labels,
    StopSignal,
    Healthcheck,
    Shell,
    OnBuild,
    ...other
  } = config;
  return {
    user: User ?? '',
    env: Env ?? [],
    entrypoint: Entrypoint ?? undefined,
    cmd: Cmd ?? undefined,
    isCmdOwn: false,
    workingDir: WorkingDir ?? '',
    exposedPorts: emptyValues(ExposedPorts ?? {}),
    volumes: emptyValues(Volumes ?? {}),
    labels: Labels ?? {},
    stopSignal: StopSignal ?? '',
    healthcheck: Healthcheck ?? undefined,
    shell: Shell ?? undefined,
    onBuild: OnBuild ?? [],
    author,
    other,
  };
}

/** The `config` of an image configuration; what is empty is left out. */
export function processConfig(config: StageConfig): ImageProcessConfig {
  const filled = <T extends object>(key: string, map: T): Record<string, T> =>
    Object.keys(map).length > 0 ? { [key]: map } : {};
  const set = <T>(key: string, value: T | undefined): Record<string, T> =>
    value === undefined || value === '' ? {} : { [key]: value };
  return {
    ...config.other,
    ...set('User', config.user),
    ...filled('ExposedPorts', config.exposedPorts),
    Env: config.env,
    ...set('Entrypoint', config.entrypoint),
    ...set('Cmd', config.cmd),
    ...filled('Volumes', config.volumes),
    ...set('WorkingDir', config.workingDir),
    ...filled('Labels', config.labels),
    ...set('StopSignal', config.stopSignal),
    ...set('Healthcheck', config.healthcheck),
    ...set('Shell', config.shell),
    ...(config.onBuild.length > 0 ? { OnBuild: config.onBuild } : {}),
  };
}

/** Variables that the configuration's Env gives. */
export function envScope(env: readonly string[]): ReadonlyMap<string, string> {
  return new Map(
    env.map((pair) => {
      const equals = pair.indexOf('=');
      return equals < 0 ? [pair, ''] : [pair.slice(0, equals), pair.slice(equals + 1)];
    }),
  );
}

/** `env` with one variable set, in its old place when it was there. */
export function withEnv(env: readonly string[], name: string, value: string): readonly string[] {
  const pair = `${name}=${value}`;
  const at = env.findIndex((one) => one === name || one.startsWith(`${name}=`));
  return at < 0 ? [...env, pair] : env.with(at, pair);
}

/** What the program of a command form is called with. */
export function commandLine(form: CommandForm, config: StageConfig): readonly string[] {
  return form.form === 'exec' ? form.args : [...(config.shell ?? DEFAULT_SHELL), form.text];
}

/**
 * The configuration after the instruction; undefined for one that does more than change the
 * configuration (FROM, ARG, RUN, COPY, ADD).
 */
export function changeConfig(
  config: StageConfig,
  instruction: Instruction,
  scope: Scope,
  escapeChar: string,
): StageConfig | undefined {
  const expand = (word: string): string => expandWord(word, scope, escapeChar);
  switch (instruction.kind) {
    case 'env': {
      // All values of one instruction see what was before it.
      let env = config.env;
      for (const pair of instruction.pairs)
        env = withEnv(env, expand(pair.name), expand(pair.value));
      return { ...config, env };
    }
    case 'label': {
      const pairs = instruction.pairs.map((pair) => [expand(pair.name), expand(pair.value)]);
      return { ...config, labels: { ...config.labels, ...Object.fromEntries(pairs) } };
    }
    case 'cmd':
      return { ...config, cmd: commandLine(instruction.command, config), isCmdOwn: true };
    case 'entrypoint': {
      const entrypoint = commandLine(instruction.command, config);
      return { ...config, entrypoint, cmd: config.isCmdOwn ? config.cmd : undefined };
    }
    case 'shell':
      return { ...config, shell: instruction.args };
    case 'workdir':
      return { ...config, workingDir: joinDir(config.workingDir, expand(instruction.text)) };
    case 'user':
      return { ...config, user: expand(instruction.text) };
    case 'expose': {
      const ports = instruction.items.flatMap((item) => expandWords(item, scope, escapeChar));
      const keys = ports.flatMap((port) => exposedPorts(port, instruction.line));
      const added = Object.fromEntries(keys.map((key) => [key, {}]));
      return { ...config, exposedPorts: { ...config.exposedPorts, ...added } };
    }
    case 'volume': {
      const paths = instruction.items.map((item) => volumePath(expand(item), instruction.line));
      const added = Object.fromEntries(paths.map((path) => [path, {}]));
      return { ...config, volumes: { ...config.volumes, ...added } };
    }
    case 'stopsignal':
      return { ...config, stopSignal: stopSignal(expand(instruction.text), instruction.line) };
    case 'healthcheck':
      return { ...config, healthcheck: healthcheck(instruction) };
    case 'onbuild':
      return { ...config, onBuild: [...config.onBuild, instruction.text] };
    case 'maintainer':
      return { ...config, author: instruction.text };
    default:
      return undefined;
  }
}

const CHANGE_KEYWORDS: ReadonlySet<string> = new Set([
  'cmd',
  'entrypoint',
  'env',
  'expose',
  'healthcheck',
  'label',
  'onbuild',
  'user',
  'volume',
  'workdir',
  'stopsignal',
]);

/**
 * `changes` of commit and import: Dockerfile instructions that change the configuration. @throws
 * TswarmError `invalid_argument`
 */
export function applyChanges(
  config: ImageProcessConfig,
  changes: readonly string[],
): ImageProcessConfig {
  let stage = stageConfig(config, '');
  for (const change of changes) {
    const instruction = readInstruction(parseInstruction(change), '\\');
    const changed = CHANGE_KEYWORDS.has(instruction.kind)
      ? changeConfig(stage, instruction, envScope(stage.env), '\\')
      : undefined;
    if (changed === undefined) {
      const keyword = instruction.kind.toUpperCase();
      throw new TswarmError('invalid_argument', `${keyword} is not a valid change command`, {
        field: 'changes',
        hint: 'CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME and WORKDIR are.',
      });
    }
    stage = changed;
  }
  return processConfig(stage);
}

/** `path` seen from the folder `base`; always absolute and clean. */
export function joinDir(base: string, path: string): string {
  const parts: string[] = [];
  const text = path.startsWith('/') ? path : `${base}/${path}`;
  for (const part of text.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return `/${parts.join('/')}`;
}

const PORT = /^(\d+)(?:-(\d+))?(?:\/(tcp|udp|sctp))?$/i;
const PORT_MAX = 65_535;

function exposedPorts(text: string, line: number): readonly string[] {
  // `ip:host:container` is accepted and only the container's port counts.
  const [, first = '', last = first, protocol = 'tcp'] = PORT.exec(text.replace(/^.*:/, '')) ?? [];
  const from = Number(first);
  const to = Number(last || first);
  if (first === '' || from < 1 || to < from || to > PORT_MAX) {
    throw new TswarmError('invalid_argument', `invalid containerPort: ${text}`, {
      field: `Dockerfile:${line}`,
    });
  }
  return Array.from({ length: to - from + 1 }, (_, i) => `${from + i}/${protocol.toLowerCase()}`);
}

function volumePath(path: string, line: number): string {
  if (path.trim() !== '') return path;
  throw new TswarmError('invalid_argument', 'VOLUME specified can not be an empty string', {
    field: `Dockerfile:${line}`,
  });
}

/** As written, a variable put in; @throws when no program could be sent it. */
function stopSignal(text: string, line: number): string {
  try {
    signalNumber(text);
    return text;
  } catch (cause) {
    throw new TswarmError('invalid_argument', `Invalid signal: ${text}`, {
      cause,
      field: `Dockerfile:${line}`,
      hint: 'Write a name such as SIGTERM, or a number from 1 to 64.',
    });
  }
}

function healthcheck(instruction: Extract<Instruction, { kind: 'healthcheck' }>): ImageHealthcheck {
  const { command, options, line } = instruction;
  if (command === undefined) return { Test: ['NONE'] };
  // The shell of CMD-SHELL is the image's, found when it runs.
  const test = command.form === 'exec' ? ['CMD', ...command.args] : ['CMD-SHELL', command.text];
  const nanos = (name: string, text: string): number | undefined =>
    text === '' ? undefined : durationNanos(name, text, line);
  const retries = options.retries === '' ? undefined : Number(options.retries);
  if (retries !== undefined && (!Number.isInteger(retries) || retries < 0)) {
    throw new TswarmError(
      'invalid_argument',
      `--retries must be a whole number from 0 on, not ${options.retries}`,
      {
        field: `Dockerfile:${line}`,
      },
    );
  }
  return {
    Test: test,
    ...optional('Interval', nanos('interval', options.interval)),
    ...optional('Timeout', nanos('timeout', options.timeout)),
    ...optional('StartPeriod', nanos('start-period', options.startPeriod)),
    ...optional('StartInterval', nanos('start-interval', options.startInterval)),
    ...optional('Retries', retries),
  };
}

function optional(key: string, value: number | undefined): Record<string, number> {
  return value === undefined ? {} : { [key]: value };
}

const UNIT_NANOS: Readonly<Record<string, number>> = {
  h: 3600e9,
  m: 60e9,
  s: 1e9,
  ms: 1e6,
  us: 1e3,
  µs: 1e3,
  ns: 1,
};

function durationNanos(name: string, text: string, line: number): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?|\.\d+)(ms|us|µs|ns|h|m|s)/g)];
  const nanos = parts.reduce(
    (sum, [, n, unit]) => sum + Number(n) * (UNIT_NANOS[unit ?? ''] ?? 0),
    0,
  );
  const isWhole = parts.map((part) => part[0]).join('') === text;
  if (isWhole && (nanos === 0 || nanos >= 1e6)) return Math.round(nanos);
  if (text === '0') return 0;
  throw new TswarmError(
    'invalid_argument',
    `HEALTHCHECK --${name}=${text}: is not a duration of at least 1ms such as 30s`,
    { field: `Dockerfile:${line}` },
  );
}

function emptyValues(
  map: Readonly<Record<string, unknown>>,
): Record<string, Record<string, never>> {
  return Object.fromEntries(Object.keys(map).map((key) => [key, {}]));
}
