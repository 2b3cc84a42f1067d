// tcompose run: one command in a container of its own, made as the service's are. Its dependencies are started first. In the cluster it is a service of
// one task, outside the stack: no name of the stack leads to it (unless asked), and an `up` does not know it; `down` takes it along by its labels.
// It is made stopped, joined, and then started, so that no output is missed.

import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { LABEL } from '#compose-spec/deploy/names';
import { parseDotenv } from '#compose-spec/load/dotenv';
import { parseShortPorts } from '#compose-spec/load/ports';
import { parseShortVolume } from '#compose-spec/load/volumes';
import { toEngineJson } from '#protocol/engine-json';
import { hasCode, messageOf, TswarmError } from '#protocol/errors';
import {
  ContainerSpec,
  EndpointSpec,
  EngineRestart,
  EngineRestartPolicy,
  NetworkAttachmentConfig,
  ReplicatedMode,
  RunState,
  ServiceMode,
  ServiceSpec,
  StackSpec,
  TaskSpec,
} from '#protocol/generated/specs';
import { call } from '../client/cluster-call.ts';
import type { Json } from '../client/http.ts';
import { EXIT } from '../output/fail.ts';
import { ProgressDisplay } from '../output/progress.ts';
import { attachTo } from './attach.ts';
import type { ComposeContext, LoadedProject } from './context.ts';
import { keyOf } from './deploy.ts';
import { follow, plainReason } from './follow.ts';
import { Interrupt } from './interrupt.ts';
import { removeServices, whenStack } from './stack-watch.ts';
import { deployProject } from './up.ts';

export interface RunOptions {
  readonly detach?: boolean;
  readonly rm?: boolean;
  readonly name?: string;
  readonly entrypoint?: string;
  readonly env?: readonly string[];
  /** Files as of `env_file`; `env` counts more. */
  readonly envFromFile?: readonly string[];
  readonly label?: readonly string[];
  readonly user?: string;
  readonly workdir?: string;
  readonly volume?: readonly string[];
  readonly publish?: readonly string[];
  readonly servicePorts?: boolean;
  readonly useAliases?: boolean;
  readonly capAdd?: readonly string[];
  readonly capDrop?: readonly string[];
  readonly deps?: boolean;
  readonly build?: boolean;
  readonly pull?: string;
  readonly interactive?: boolean;
  readonly tty?: boolean;
  readonly quiet?: boolean;
  readonly quietPull?: boolean;
  readonly quietBuild?: boolean;
  readonly removeOrphans?: boolean;
}

type Project = LoadedProject['project'];
type Service = Project['services'][string];

export async function run(
  context: ComposeContext,
  key: string,
  command: readonly string[],
  options: RunOptions,
): Promise<number> {
  const slug = randomBytes(6).toString('hex');
  const tty = options.tty !== false && process.stdin.isTTY && process.stdout.isTTY;
  const detach = options.detach === true;
  let separator = '-';
  const adjusted = (project: Project): Project => {
    separator = project.separator;
    const service = project.services[key];
    if (!service) return project;
    const changed = overridden(service, command, options, {
      tty: tty && !detach,
      stdin: options.interactive !== false && !detach,
    });
    return { ...project, services: { ...project.services, [key]: changed } };
  };
  let template: ServiceSpec | undefined;
  const others = async (_context: ComposeContext, stack: StackSpec): Promise<StackSpec> => {
    template = stack.services.find((service) => keyOf(service) === key);
    const services = stack.services.filter((service) => service !== template);
    return StackSpec.create({ ...stack, services });
  };
  const mode = options.quiet ? 'quiet' : context.progress;
  const display = new ProgressDisplay('Running', mode);
  const interrupt = new Interrupt();
  try {
    const change = { project: adjusted, stack: others };
    const { stack, result } = await deployProject(
      context,
      [key],
      options,
      display,
      change,
      interrupt,
    );
    if (!template) throw new TswarmError('not_found', `no such service: ${key}`);
    const services = new Set(result.changes.filter((c) => c.kind === 'service').map((c) => c.id));
    const started = await follow({
      client: context.client,
      stack,
      display,
      goal: 'started',
      services,
      minIndex: result.index,
    });
    display.stop();
    for (const failure of started.failures) process.stderr.write(`Error: ${failure}\n`);
    if (!started.ok) return EXIT.failed;
    interrupt.dispose();
    const spec = oneOff(template, { project: stack, key, slug, separator }, options);
    return await runOnce(context, stack, spec, options);
  } finally {
    interrupt.dispose();
    display.stop();
  }
}

/** The service as the command line changes it. */
function overridden(
  service: Service,
  command: readonly string[],
  options: RunOptions,
  streams: { readonly tty: boolean; readonly stdin: boolean },
): Service {
  const { entrypoint, user, workdir, capAdd = [], capDrop = [] } = options;
  const ports = options.servicePorts ? (service.ports ?? []) : [];
  // As docker: another entrypoint drops the service's command with it.
  const own = entrypoint === undefined ? service.command : [];
  const { container_name: _name, deploy, scale: _scale, ...rest } = service;
  return {
    ...rest,
    ...(deploy?.resources
      ? { deploy: { resources: deploy.resources, placement: deploy.placement } }
      : {}),
    command: command.length > 0 ? command : own,
    entrypoint:
      entrypoint === undefined ? service.entrypoint : entrypoint.split(/\s+/).filter(Boolean),
    environment: {
      ...service.environment,
      ...variablesOf(options.envFromFile ?? []),
      ...pairs(options.env ?? [], process.env),
    },
    labels: { ...service.labels, ...filled(pairs(options.label ?? [], {})) },
    ...(user === undefined ? {} : { user }),
    ...(workdir === undefined ? {} : { working_dir: workdir }),
    cap_add: [...(service.cap_add ?? []), ...capAdd],
    cap_drop: [...(service.cap_drop ?? []), ...capDrop],
    ports: [...ports, ...(options.publish ?? []).flatMap(portsOf)],
    volumes: [...(service.volumes ?? []), ...(options.volume ?? []).map(mountOf)],
    tty: streams.tty,
    stdin_open: streams.stdin,
    restart: 'no',
  };
}

/** The variables of env files; later files win. @throws TswarmError naming the file, and the line that is wrong */
function variablesOf(paths: readonly string[]): Record<string, string> {
  const variables = new Map<string, string>();
  for (const path of paths) {
    let text: string;
    try {
      text = readFileSync(path, 'utf8');
    } catch (error) {
      throw new TswarmError('invalid_argument', `--env-from-file ${path}: ${messageOf(error)}`);
    }
    const lookup = (name: string): string | undefined => process.env[name] ?? variables.get(name);
    const parsed = parseDotenv(text, { lookup, onUnset: () => {} });
    if (!parsed.ok) {
      const where = `--env-from-file ${path}: line ${parsed.line}`;
      throw new TswarmError('invalid_argument', `${where}: ${parsed.message}`);
    }
    for (const [name, value] of parsed.variables) variables.set(name, value);
  }
  return Object.fromEntries(variables);
}

/** KEY=VALUE; a bare KEY takes its value from the environment. */
function pairs(
  words: readonly string[],
  environment: NodeJS.ProcessEnv,
): Record<string, string | null> {
  return Object.fromEntries(
    words.map((word) => {
      const at = word.indexOf('=');
      if (at < 0) return [word, environment[word] ?? null];
      return [word.slice(0, at), word.slice(at + 1)];
    }),
  );
}

function filled(values: Readonly<Record<string, string | null>>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, value ?? '']));
}

type Port = NonNullable<Service['ports']>[number];

function portsOf(text: string): Port[] {
  const parsed = parseShortPorts(text);
  if (!parsed.ok) throw new TswarmError('invalid_argument', `-p ${text}: ${parsed.message}`);
  return parsed.ports.map(({ hostIp, published, target, protocol }) => ({
    mode: 'ingress',
    target,
    protocol,
    ...(hostIp === undefined ? {} : { host_ip: hostIp }),
    ...(published === undefined ? {} : { published }),
  }));
}

type Mount = NonNullable<Service['volumes']>[number];

function mountOf(text: string): Mount {
  const parsed = parseShortVolume(text);
  if (!parsed.ok) throw new TswarmError('invalid_argument', `-v ${text}: ${parsed.message}`);
  const { type, source, target, readOnly } = parsed.volume;
  if (type === 'bind' && source !== undefined && !source.startsWith('/')) {
    throw new TswarmError('invalid_argument', `-v ${text}: the path must be absolute`, {
      hint: 'Write "$PWD/…".',
    });
  }
  return {
    type,
    target,
    ...(source === undefined ? {} : { source }),
    ...(readOnly === true ? { read_only: true } : {}),
    ...(type === 'bind' ? { bind: { create_host_path: true } } : {}),
  };
}

/** What a one-off's name is made of. */
interface OneOffName {
  readonly project: string;
  readonly key: string;
  readonly slug: string;
  readonly separator: string;
}

/** The planned service as one that stands alone, runs once and has not been started. */
function oneOff(
  template: ServiceSpec,
  { project, key, slug, separator }: OneOffName,
  options: RunOptions,
): ServiceSpec {
  const task = template.taskTemplate ?? TaskSpec.create();
  const container = task.containerSpec ?? ContainerSpec.create();
  const labels = { [LABEL.oneOff]: 'True', [LABEL.slug]: slug };
  return ServiceSpec.create({
    ...template,
    name: `${project}_${key}_run_${slug}`,
    labels: { ...template.labels, ...labels },
    mode: ServiceMode.create({ replicated: ReplicatedMode.create({ replicas: 1 }) }),
    updateConfig: undefined,
    rollbackConfig: undefined,
    endpointSpec: template.endpointSpec && EndpointSpec.create(template.endpointSpec),
    runState: RunState.STOPPED,
    taskTemplate: TaskSpec.create({
      ...task,
      engineRestart: EngineRestartPolicy.create({ name: EngineRestart.NO }),
      dependsOn: options.deps === false ? [] : task.dependsOn,
      networks: task.networks.map((network) =>
        NetworkAttachmentConfig.create({
          ...network,
          aliases: options.useAliases ? network.aliases : [],
        }),
      ),
      containerSpec: ContainerSpec.create({
        ...container,
        containerName: options.name ?? [project, key, 'run', slug].join(separator),
        labels: { ...container.labels, ...labels },
        stdinOnce: true,
      }),
    }),
  });
}

/** Makes the service, joins its container, starts it, and waits for its end. @returns the exit code */
async function runOnce(
  context: ComposeContext,
  stack: string,
  spec: ServiceSpec,
  options: RunOptions,
): Promise<number> {
  const { client } = context;
  const body = toEngineJson(ServiceSpec, spec);
  const { ID } = await client.post<{ ID: string }>('/services/create', { body });
  let code: number = EXIT.failed;
  try {
    const id = await containerOf(context, stack, ID);
    const start = async (): Promise<void> => {
      const body = { services: [ID], runState: 'running' } as const;
      await call(client, 'POST /tswarm/v1/services/action', { body });
    };
    if (options.detach) {
      await start();
      process.stdout.write(`${spec.taskTemplate?.containerSpec?.containerName ?? id}\n`);
      return EXIT.ok;
    }
    code = await attachTo(context, id, {
      logs: true,
      stdin: options.interactive !== false,
      joined: start,
    });
    await sayWhy(context, id);
    return code;
  } finally {
    if (options.rm && !options.detach) await removeServices(client, stack, [ID]);
  }
}

/** Id of the service's container, once it is there. @throws TswarmError when it cannot be made */
async function containerOf(
  context: ComposeContext,
  stack: string,
  serviceId: string,
): Promise<string> {
  return whenStack(context.client, stack, (model) => {
    const task = model.tasks().find((one) => one.serviceId === serviceId);
    if (task === undefined) return undefined;
    if (task.containerId !== '') return task.containerId;
    if (task.state !== 'rejected' && task.state !== 'failed') return undefined;
    throw new TswarmError('failed_precondition', plainReason(task.error));
  });
}

/** The reason of a start that failed. */
async function sayWhy(context: ComposeContext, id: string): Promise<void> {
  try {
    const { State } = await context.client.get<{ State: Json }>(`/containers/${id}/json`);
    const reason = String(State.Error ?? '');
    if (reason !== '') process.stderr.write(`Error: ${plainReason(reason)}\n`);
  } catch (error) {
    if (!hasCode(error, 'not_found')) throw error;
  }
}
