// tcompose up: images, one deployment, then progress until every container is as asked; attached, the logs until Ctrl-C stops the project.
import type { DeployResult } from '#api/cluster/types';
import type { PlannedImage } from '#compose-spec/deploy/plan-deploy';
import { TswarmError } from '#protocol/errors';
import type { StackSpec } from '#protocol/generated/specs';
import { EXIT, ExitError } from '../output/fail.ts';
import { ProgressDisplay } from '../output/progress.ts';
import type { ComposeContext, LoadedProject } from './context.ts';
import {
  deployStack,
  ensureCluster,
  keyOf,
  planLoaded,
  planProject,
  selectServices,
} from './deploy.ts';
import { follow } from './follow.ts';
import { ensureImages } from './images.ts';
import { showLogs } from './logs.ts';
import { projectContainers } from './ps.ts';
import { runningServices, type Started, setRunState, startServices } from './run-state.ts';

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
}

export async function up(
  context: ComposeContext,
  services: readonly string[],
  options: UpOptions,
): Promise<number> {
  waitSeconds(options.waitTimeout);
  const display = new ProgressDisplay('Running', context.progress);
  const interrupt = new Interrupt();
  try {
    const deployed = await deployProject(context, services, options, display, {}, interrupt);
    const { stack, keys, result } = deployed;
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
    return await attach(context, stack, keys, options, interrupt);
  } finally {
    interrupt.dispose();
    display.stop();
  }
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
  const plan = planProject(context, services, scale, change.project);
  await ensureCluster(context.client);
  const alone = options.deps === false;
  const runs = alone ? await runningServices(context, plan.stack.name) : new Set<string>();
  const selected = selectServices(plan.stack, services, alone, runs);
  const keys = new Set(selected.services.map(keyOf));
  const images = plan.images.filter((image) => keys.has(image.service));
  const ids = await imagesOf(context, images, options, display, interrupt);
  const { stack } = planLoaded(plan.loaded, scale, Object.fromEntries(ids));
  const chosen = selectServices(stack, services, alone, runs);
  const final = (await change.stack?.(context, chosen)) ?? chosen;
  const result = await deployStack(context.client, final, {
    prune: options.removeOrphans === true,
    recreate: options.forceRecreate === true ? namedServices(final, services) : [],
    all: new Set(stack.services.map((service) => service.name)),
  });
  showChanges(result, display);
  return { stack: final.name, keys: [...keys], result };
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
  const wanted = { build, pull: pullPolicy(options.pull), signal: stop.signal } as const;
  try {
    const ids = await ensureImages(context.client, images, wanted, display);
    if (interrupt.count === 0) return ids;
  } catch (error) {
    if (interrupt.count === 0) throw error;
  }
  throw interrupted(display, 'nothing was started');
}

/** Names in the cluster of the services that were named; of all when none was. Dependencies that come along are not meant. */
function namedServices(stack: StackSpec, keys: readonly string[]): readonly string[] {
  return stack.services
    .filter((service) => keys.length === 0 || keys.includes(keyOf(service)))
    .map((service) => service.name);
}

function interrupted(display: ProgressDisplay, state: string): ExitError {
  display.stop();
  process.stderr.write(`Interrupted: ${state}.\n`);
  return new ExitError(EXIT.interrupted);
}

function pullPolicy(text: string | undefined): '' | 'always' | 'missing' | 'never' {
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
    goal: options.wait === true ? 'healthy' : 'started',
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
  if (waiting.attached) {
    process.stderr.write('Gracefully Stopping... press Ctrl+C again to force\n');
    await setRunState(context, waiting.stack, [], 'stopped');
  } else {
    process.stderr.write(
      `Interrupted: ${waiting.stack} goes on starting in the background; "tcompose down" removes it.\n`,
    );
  }
  return EXIT.interrupted;
}

async function attach(
  context: ComposeContext,
  stack: string,
  keys: readonly string[],
  options: UpOptions,
  interrupt: Interrupt,
): Promise<number> {
  const logs = new AbortController();
  interrupt.onInterrupt(() => logs.abort());
  process.stderr.write(`Attaching to ${keys.join(', ')}\n`);
  await showLogs(context, {
    stack,
    services: keys,
    follow: true,
    tail: 'all',
    prefix: options.noLogPrefix !== true,
    timestamps: options.timestamps === true,
    signal: logs.signal,
  });
  if (interrupt.count === 0) return EXIT.ok;
  process.stderr.write('Gracefully Stopping... press Ctrl+C again to force\n');
  const display = new ProgressDisplay('Stopping', context.progress);
  try {
    interrupt.onInterrupt(() => void killAll(context, stack));
    const index = await setRunState(context, stack, [], 'stopped');
    await follow({
      client: context.client,
      stack,
      display,
      goal: 'stopped',
      minIndex: index,
    });
  } finally {
    display.stop();
  }
  return EXIT.interrupted;
}

/** The second Ctrl-C: no more grace. Containers that ended meanwhile are no failure. */
async function killAll(context: ComposeContext, stack: string): Promise<void> {
  const containers = await projectContainers(context, stack, false);
  const query = { signal: 'SIGKILL' };
  await Promise.allSettled(
    containers.map(({ Id }) => context.client.post(`/containers/${Id}/kill`, { query })),
  );
}

/** Ctrl-C and SIGTERM as something to ask and to wait for; a third one ends the process at once. */
export class Interrupt {
  count = 0;
  #listener: (() => void) | undefined;
  readonly #handler = (): void => {
    this.count += 1;
    if (this.count > 2) process.exit(EXIT.interrupted);
    this.#listener?.();
  };

  constructor() {
    process.on('SIGINT', this.#handler).on('SIGTERM', this.#handler);
  }

  /** The listener for the next interruption; replaces the one before. */
  onInterrupt(listener: () => void): void {
    this.#listener = listener;
  }

  dispose(): void {
    process.off('SIGINT', this.#handler).off('SIGTERM', this.#handler);
  }
}
