// tcompose up: images, one deployment, then progress until every container is as asked; attached, the logs until Ctrl-C stops the project.
import type { DeployResult } from '#api/cluster/types';
import type { PlannedImage } from '#compose-spec/deploy/plan-deploy';
import { TswarmError } from '#protocol/errors';
import { StackSpec } from '#protocol/generated/specs';
import type { Json } from '../client/http.ts';
import { EXIT, ExitError } from '../output/fail.ts';
import { ProgressDisplay } from '../output/progress.ts';
import type { ComposeContext, LoadedProject } from './context.ts';
import {
  clusterPlaces,
  type DeployOptions,
  deployStack,
  ensureCluster,
  keyOf,
  type Plan,
  planLoaded,
  planProject,
  selectServices,
} from './deploy.ts';
import { follow } from './follow.ts';
import { ensureImages } from './images.ts';
import { Interrupt } from './interrupt.ts';
import {
  runningServices,
  type Started,
  secondsOf,
  servicesOrNone,
  startServices,
} from './run-state.ts';
import { attachToLogs, endsWithFirst, stopProject } from './up-attached.ts';
import type { ProjectWatch } from './watch.ts';

export interface UpOptions {
  readonly detach?: boolean;
  readonly build?: boolean | undefined;
  readonly forceRecreate?: boolean;
  readonly removeOrphans?: boolean;
  readonly wait?: boolean;
  readonly waitTimeout?: string;
  readonly pull?: string;
  readonly scale?: readonly string[];
  readonly deps?: boolean;
  readonly noLogPrefix?: boolean;
  readonly timestamps?: boolean;
  /** `-t`: seconds for the stop at the end. */
  readonly timeout?: string;
  readonly abortOnContainerExit?: boolean;
  readonly abortOnContainerFailure?: boolean;
  readonly exitCodeFrom?: string;
  readonly attach?: readonly string[];
  readonly noAttach?: readonly string[];
  readonly attachDependencies?: boolean;
  readonly quietPull?: boolean;
  readonly quietBuild?: boolean;
  /** Replaces what the named services depend on, too. */
  readonly alwaysRecreateDeps?: boolean;
  /** What happens anyway: a new container has new anonymous volumes. */
  readonly renewAnonVolumes?: boolean;
  /** `--watch`: follows changes of files while it shows the logs. */
  readonly watch?: boolean;
  /** False: what is there already stays as it is. */
  readonly recreate?: boolean;
  /** `--plan`: the file of a saved plan. */
  readonly plan?: string;
}

export async function up(
  context: ComposeContext,
  services: readonly string[],
  options: UpOptions,
): Promise<number> {
  checkUpOptions(options);
  if (options.plan !== undefined) return upAsPlanned(context, services, options, options.plan);
  return bringUp(context, services, options, {});
}

/** `--plan`: exactly what was saved, or nothing. */
async function upAsPlanned(
  context: ComposeContext,
  services: readonly string[],
  options: UpOptions,
  path: string,
): Promise<number> {
  const { build, pull, forceRecreate, recreate, removeOrphans, scale, deps } = options;
  const changes = [build, pull, forceRecreate, removeOrphans, scale];
  const isOther =
    changes.some((value) => value !== undefined) || recreate === false || deps === false;
  if (services.length > 0 || isOther)
    throw new TswarmError(
      'invalid_argument',
      '--plan cannot be combined with services, --build, --no-build, --pull, --scale, --no-deps, --force-recreate, --no-recreate or --remove-orphans: the plan says what is done',
    );
  const { readyPlan } = await import('./plan.ts');
  const ready = await readyPlan(context, path);
  return bringUp(
    ready.context,
    ready.services,
    { ...options, ...ready.options },
    { expectedState: ready.expectedState },
  );
}

async function bringUp(
  context: ComposeContext,
  services: readonly string[],
  options: UpOptions,
  change: Change,
): Promise<number> {
  const sinceMs = Date.now();
  const watcher = options.watch ? await watcherOf(context, services) : undefined;
  const display = new ProgressDisplay('Running', context.progress);
  const interrupt = new Interrupt();
  try {
    const deployed = await deployProject(context, services, options, display, change, interrupt);
    const { stack, keys, result } = deployed;
    if (options.exitCodeFrom !== undefined && !keys.includes(options.exitCodeFrom))
      throw new TswarmError('not_found', `no such service: ${options.exitCodeFrom}`);
    const started = await startEnded(context, stack, result);
    const attached = options.detach !== true && options.wait !== true;
    const code = await waitUntilStarted(context, {
      stack,
      deployed: result,
      started,
      display,
      options,
      interrupt,
      attached,
    });
    if (code !== EXIT.ok || !attached) return code;
    display.stop();
    await watcher?.start();
    const shown = attachedKeys(keys, services, options);
    const deployedServices = result.changes.filter(({ kind }) => kind === 'service');
    const hasHistory = deployedServices.some(({ action }) => action !== 'created');
    const attachment = { stack, keys: shown, services: startedIds(result), sinceMs, hasHistory };
    return await attachToLogs(context, attachment, options, interrupt);
  } finally {
    watcher?.close();
    interrupt.dispose();
    display.stop();
  }
}

/** Loaded only here: it starts services with `up` itself. */
async function watcherOf(
  context: ComposeContext,
  services: readonly string[],
): Promise<ProjectWatch> {
  const { ProjectWatch } = await import('./watch.ts');
  // Its progress comes between lines of the logs, and must not draw over them.
  const draws = context.progress === 'auto' || context.progress === 'tty';
  return ProjectWatch.of(draws ? context.with({ progress: 'plain' }) : context, services, {});
}

/** `--no-recreate`: the services that are in the cluster already, as a deployment that changes nothing about them. */
async function presentOf(
  context: ComposeContext,
  stack: StackSpec,
): Promise<DeployResult['changes']> {
  const wanted = new Set(stack.services.map((service) => service.name));
  const there = await servicesOrNone(context, stack.name);
  return there
    .map((service) => ({ id: String(service.ID), name: String((service.Spec as Json).Name) }))
    .filter(({ name }) => wanted.has(name))
    .map(({ id, name }) => ({ kind: 'service', id, name, action: 'none' }));
}

function withoutServices(stack: StackSpec, names: ReadonlySet<string>): StackSpec {
  const services = stack.services.filter((service) => !names.has(service.name));
  return StackSpec.create({ ...stack, services });
}

/** Whose logs are shown: those of the named services, as docker compose. */
function attachedKeys(
  keys: readonly string[],
  named: readonly string[],
  options: UpOptions,
): readonly string[] {
  const { attach = [], noAttach = [], attachDependencies } = options;
  const own = named.length === 0 || attachDependencies ? keys : named;
  return (attach.length > 0 ? attach : own).filter((key) => !noAttach.includes(key));
}

function startedIds(result: DeployResult): ReadonlySet<string> {
  return new Set(result.changes.filter((c) => c.kind === 'service').map((c) => c.id));
}

export interface Deployed {
  /** Name of the stack. */
  readonly stack: string;
  /** Keys of the services that were deployed. */
  readonly keys: readonly string[];
  readonly result: DeployResult;
}

/** Last words on what is planned and on what is deployed. */
export interface Change {
  readonly project?: (project: LoadedProject['project']) => LoadedProject['project'];
  readonly stack?: (context: ComposeContext, stack: StackSpec) => Promise<StackSpec>;
  /** Of a plan: see DeployOptions. */
  readonly expectedState?: string;
}

/** Load, plan, images, one deployment: what `up`, `create` and `run` have in common. */
export async function deployProject(
  context: ComposeContext,
  services: readonly string[],
  options: UpOptions,
  display: ProgressDisplay,
  change: Change,
  interrupt: Interrupt,
): Promise<Deployed> {
  const scale = parseScale(options.scale ?? []);
  pullPolicy(options.pull);
  const places = await clusterPlaces(context.client);
  const planned = planProject(context, services, { scale, ...places, change: change.project });
  const { nodeId } = await ensureCluster(context.client);
  // A cluster that was created for this has one node.
  const plan = places.nodes ? planned : { ...planned, home: places.home ?? nodeId };
  const wanted = await wantedServices(context, plan, services, options);
  const ids = await imagesOf(context, wanted.images, options, display, interrupt);
  const request = await deployment(context, plan, services, options, {
    imageIds: Object.fromEntries(ids),
    runs: wanted.runs,
  });
  const final = (await change.stack?.(context, request.stack)) ?? request.stack;
  const result = await deployStack(context.client, final, {
    ...request.options,
    recreate: recreated(final, services, options),
    ...(change.expectedState === undefined ? {} : { expectedState: change.expectedState }),
  });
  showChanges(result, display);
  const changes = [...result.changes, ...request.kept];
  return { stack: final.name, keys: wanted.keys, result: { ...result, changes } };
}

/** The services that a command means, by key, with their images. */
export interface WantedServices {
  readonly keys: readonly string[];
  readonly images: readonly PlannedImage[];
  /** Names of services that run already, where that counts (`--no-deps`). */
  readonly runs: ReadonlySet<string>;
}

export async function wantedServices(
  context: ComposeContext,
  plan: Plan,
  services: readonly string[],
  options: UpOptions,
): Promise<WantedServices> {
  const alone = options.deps === false;
  const runs = alone ? await runningServices(context, plan.stack.name) : new Set<string>();
  const selected = selectServices(plan.stack, services, alone, runs);
  const keys = new Set(selected.services.map(keyOf));
  return { keys: [...keys], images: plan.images.filter(({ service }) => keys.has(service)), runs };
}

/** What is sent, and the services that stay as they are because of `--no-recreate`. */
export interface Deployment {
  readonly stack: StackSpec;
  readonly options: DeployOptions;
  readonly kept: DeployResult['changes'];
}

/** The one call that `up` makes, and that `plan` asks about. */
export async function deployment(
  context: ComposeContext,
  plan: Plan,
  services: readonly string[],
  options: UpOptions,
  known: {
    readonly imageIds: Readonly<Record<string, string>>;
    readonly runs: ReadonlySet<string>;
  },
): Promise<Deployment> {
  const { stack } = planLoaded(plan.loaded, {
    scale: parseScale(options.scale ?? []),
    imageIds: known.imageIds,
    nodes: plan.nodes,
    home: plan.home,
    allResources: plan.allResources,
  });
  const wanted = selectServices(stack, services, options.deps === false, known.runs);
  const kept = options.recreate === false ? await presentOf(context, wanted) : [];
  const chosen = withoutServices(wanted, new Set(kept.map(({ name }) => name)));
  return {
    stack: chosen,
    kept,
    options: {
      prune: options.removeOrphans === true,
      recreate: recreated(chosen, services, options),
      all: new Set(stack.services.map((service) => service.name)),
    },
  };
}

/** Builds and pulls; Ctrl-C ends it at once. */
async function imagesOf(
  context: ComposeContext,
  images: readonly PlannedImage[],
  options: UpOptions,
  display: ProgressDisplay,
  interrupt: Interrupt,
): Promise<ReadonlyMap<string, string>> {
  const stop = new AbortController();
  interrupt.onInterrupt(() => stop.abort());
  const build = options.build === undefined ? 'missing' : options.build ? 'always' : 'never';
  const pull = pullPolicy(options.pull);
  const wanted = {
    build,
    pull,
    signal: stop.signal,
    quiet: options.quietPull === true,
    quietBuild: options.quietBuild === true,
    parallel: context.parallel,
  } as const;
  try {
    const ids = await ensureImages(context.client, images, wanted, display);
    if (interrupt.count === 0) return ids;
  } catch (error) {
    if (interrupt.count === 0) throw error;
  }
  throw interrupted(display, 'nothing was started');
}

/** Names in the cluster of the services that are replaced although nothing has changed. Without names on the command line all are meant. */
function recreated(
  stack: StackSpec,
  keys: readonly string[],
  { forceRecreate, alwaysRecreateDeps }: UpOptions,
): readonly string[] {
  const isNamed = (key: string): boolean => keys.length === 0 || keys.includes(key);
  return stack.services
    .filter((service) =>
      isNamed(keyOf(service)) ? forceRecreate === true : alwaysRecreateDeps === true,
    )
    .map((service) => service.name);
}

function interrupted(display: ProgressDisplay, state: string): ExitError {
  display.stop();
  process.stderr.write(`Interrupted: ${state}.\n`);
  return new ExitError(EXIT.interrupted);
}

export function pullPolicy(text: string | undefined): '' | 'always' | 'missing' | 'never' {
  if (text === undefined || text === '' || text === 'policy') return '';
  if (text === 'always' || text === 'missing' || text === 'never') return text;
  throw new TswarmError('invalid_argument', `--pull ${text}: must be always, missing or never`);
}

/** "web=3" pairs. @throws TswarmError invalid_argument */
export function parseScale(pairs: readonly string[]): Record<string, number> {
  const scale: Record<string, number> = {};
  for (const pair of pairs) {
    const [, name, count] = /^([^=]+)=(\d+)$/.exec(pair) ?? [];
    if (name === undefined || count === undefined) {
      throw new TswarmError('invalid_argument', `--scale ${pair}: write SERVICE=NUMBER`);
    }
    scale[name] = Number(count);
  }
  return scale;
}

const KIND_WORDS: Readonly<Record<string, string>> = {
  network: 'Network',
  volume: 'Volume',
  secret: 'Secret',
  config: 'Config',
};
const ACTION_WORDS: Readonly<Record<string, string>> = {
  created: 'Created',
  updated: 'Updated',
  removed: 'Removed',
};

function showChanges(deployed: DeployResult, display: ProgressDisplay): void {
  for (const change of deployed.changes) {
    const kind = KIND_WORDS[change.kind];
    const action = ACTION_WORDS[change.action];
    if (kind && action) display.update(`${kind} ${change.name}`, 'done', action);
  }
}

/** `up` starts again what has ended, as docker compose does. */
async function startEnded(
  context: ComposeContext,
  stack: string,
  deployed: DeployResult,
): Promise<Started> {
  const services = deployed.changes.filter((c) => c.kind === 'service' && c.action !== 'removed');
  return startServices(context, stack, new Set(services.map((c) => c.id)), false);
}

interface Waiting {
  readonly stack: string;
  readonly deployed: DeployResult;
  readonly started: Started;
  readonly display: ProgressDisplay;
  readonly options: UpOptions;
  readonly interrupt: Interrupt;
  readonly attached: boolean;
}

/** @throws TswarmError invalid_argument for values that mean nothing and flags that do not go together */
function checkUpOptions(options: UpOptions): void {
  waitSeconds(options.waitTimeout);
  if (options.timeout !== undefined) secondsOf('-t', options.timeout);
  const refuse = (message: string): never => {
    throw new TswarmError('invalid_argument', message);
  };
  const aborts = endsWithFirst(options);
  const attaches = (options.attach ?? []).length > 0 || options.attachDependencies === true;
  for (const [flag, isSet] of [
    ['--detach', options.detach],
    ['--wait', options.wait],
  ] as const) {
    if (isSet && (aborts || attaches || options.watch))
      refuse(
        `${flag} cannot be combined with --abort-on-container-exit, --abort-on-container-failure, --exit-code-from, --attach, --attach-dependencies or --watch`,
      );
  }
  if (options.forceRecreate && options.recreate === false)
    refuse('--force-recreate and --no-recreate are incompatible');
  if (options.alwaysRecreateDeps && options.recreate === false)
    refuse('--always-recreate-deps and --no-recreate are incompatible');
  if (options.renewAnonVolumes && options.recreate === false)
    refuse('--no-recreate and --renew-anon-volumes are incompatible');
  if (options.build === false && options.watch) refuse('--no-build and --watch are incompatible');
  if (options.abortOnContainerExit && options.abortOnContainerFailure)
    refuse('--abort-on-container-failure cannot be combined with --abort-on-container-exit');
}

/** 0 = no limit. @throws TswarmError invalid_argument */
function waitSeconds(text: string | undefined): number {
  if (text === undefined) return 0;
  if (/^\d{1,7}$/.test(text)) return Number(text);
  throw new TswarmError('invalid_argument', `--wait-timeout ${text}: must be a number of seconds`);
}

async function waitUntilStarted(context: ComposeContext, waiting: Waiting): Promise<number> {
  const { display, options, interrupt, deployed } = waiting;
  const services = new Set(deployed.changes.filter((c) => c.kind === 'service').map((c) => c.id));
  const signal = new AbortController();
  interrupt.onInterrupt(() => signal.abort());
  const seconds = waitSeconds(options.waitTimeout);
  const timer =
    seconds > 0 ? setTimeout(() => signal.abort(new Error('timeout')), seconds * 1000) : undefined;
  const result = await follow({
    client: context.client,
    stack: waiting.stack,
    display,
    goal: options.wait === true ? 'healthy' : waiting.attached ? 'ran' : 'started',
    services,
    minIndex: Math.max(deployed.index, waiting.started.index),
    settled: waiting.started.settled,
    signal: signal.signal,
  });
  clearTimeout(timer);
  display.stop();
  if (result.ok) return EXIT.ok;
  if (interrupt.count > 0) return stopAfterInterrupt(context, waiting);
  if (signal.signal.aborted) {
    process.stderr.write(`Error: application not healthy after ${seconds}s\n`);
    return EXIT.failed;
  }
  for (const failure of result.failures) process.stderr.write(`Error: ${failure}\n`);
  return EXIT.failed;
}

async function stopAfterInterrupt(context: ComposeContext, waiting: Waiting): Promise<number> {
  const { options, interrupt } = waiting;
  if (waiting.attached) {
    await stopProject(context, waiting.stack, options, interrupt);
  } else {
    process.stderr.write(
      `Interrupted: ${waiting.stack} goes on starting in the background; "tcompose down" removes it.\n`,
    );
  }
  return EXIT.interrupted;
}
