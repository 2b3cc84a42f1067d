// From the compose file to an accepted deployment: load, plan, images, one call. Used by up, create, scale and build.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { ClusterInfo, DeployResult, StackPlan } from '#api/cluster/types';
import { type PlannedImage, type PlanOptions, planDeploy } from '#compose-spec/deploy/plan-deploy';
import type { Nodes } from '#compose-spec/deploy/shipped';
import { toEngineJson } from '#protocol/engine-json';
import { TswarmError } from '#protocol/errors';
import { ServiceSpec, StackSpec, TaskSpec } from '#protocol/generated/specs';
import { call } from '../client/cluster-call.ts';
import type { ApiClient, Json } from '../client/http.ts';
import { registryConfigHeaders } from '../client/registry-auth.ts';
import { EXIT, ExitError } from '../output/fail.ts';
import { styleFor } from '../output/style.ts';
import { VERSION } from '../version.ts';
import {
  type ComposeContext,
  type LoadedProject,
  printErrors,
  requireServices,
} from './context.ts';
import { readTree } from './project-tree.ts';

export interface Plan {
  readonly loaded: LoadedProject;
  readonly stack: StackSpec;
  readonly images: readonly PlannedImage[];
  /** See {@link clusterPlaces}. */
  readonly nodes: Nodes | undefined;
  /** The only node that takes containers; see PlanOptions. */
  readonly home: string | undefined;
  /** `--all-resources`. */
  readonly allResources: boolean;
}

/** What a plan depends on besides the files. */
export interface PlanInput {
  readonly scale?: Readonly<Record<string, number>>;
  readonly nodes?: Nodes | undefined;
  readonly home?: string | undefined;
  readonly change?: ((project: LoadedProject['project']) => LoadedProject['project']) | undefined;
}

/** Loads and plans. All errors are printed and end the command. */
export function planProject(
  context: ComposeContext,
  services: readonly string[],
  { scale = {}, nodes, home, change }: PlanInput = {},
): Plan {
  const read = context.load(services);
  requireServices(read.project, services);
  const loaded = change ? { ...read, project: change(read.project) } : read;
  const allResources = context.options.allResources === true;
  const planned = planLoaded(loaded, { scale, nodes, home, imageIds: {}, allResources });
  return { loaded, nodes, home, allResources, ...planned };
}

/** Where containers may run: on several nodes, or only here. Neither without a cluster. */
export interface Places {
  readonly nodes: Nodes | undefined;
  /** Id of this node, when no other takes containers. */
  readonly home: string | undefined;
}

/** @throws TswarmError when the daemon does not answer */
export async function clusterPlaces(client: ApiClient): Promise<Places> {
  const { state, nodeId } = await call(client, 'GET /tswarm/v1/cluster');
  if (state !== 'active') return { nodes: undefined, home: undefined };
  const nodes = await client.get<readonly Json[]>('/nodes');
  const hostname = (node: Json): string => String((node.Description as Json).Hostname);
  const open = nodes.filter(
    (node) =>
      (node.Status as Json).State !== 'down' && (node.Spec as Json).Availability === 'active',
  );
  const here = nodes.find((node) => node.ID === nodeId);
  const isAlone = open.length === 0 || (open.length === 1 && open[0] === here);
  if (isAlone || here === undefined) return { nodes: undefined, home: nodeId };
  return { nodes: { here: hostname(here), all: open.map(hostname).sort() }, home: undefined };
}

/** What planning needs of this machine. */
export function planEnvironment(): PlanOptions {
  return {
    sha256Hex: (data) => createHash('sha256').update(data).digest('hex'),
    readFile: readBytes,
    version: VERSION,
    hostPlatform: `linux/${process.arch === 'x64' ? 'amd64' : process.arch}`,
    readTree,
  };
}

/** Plans again with the ids of the images that are there by now, so that a rebuilt image replaces its containers. */
export function planLoaded(
  loaded: LoadedProject,
  known: {
    readonly scale: Readonly<Record<string, number>>;
    readonly imageIds: Readonly<Record<string, string>>;
    readonly nodes: Nodes | undefined;
    readonly home: string | undefined;
    readonly allResources: boolean;
  },
): Pick<Plan, 'stack' | 'images'> {
  const { scale, imageIds, nodes, home, allResources } = known;
  const result = planDeploy(loaded.project, {
    ...planEnvironment(),
    locate: loaded.locate,
    scale,
    imageIds,
    allResources,
    ...(nodes === undefined ? {} : { nodes }),
    ...(home === undefined ? {} : { home }),
  });
  const style = styleFor(process.stderr, process.env);
  const firstTime = Object.keys(imageIds).length === 0;
  for (const { path, message } of firstTime ? result.notices : []) {
    process.stderr.write(`${style.yellow('Notice:')} ${path}: ${message}\n`);
  }
  if (!result.ok) {
    printErrors(result.errors);
    throw new ExitError(EXIT.failed);
  }
  return { stack: result.stack, images: result.images };
}

function readBytes(path: string): Uint8Array | undefined {
  try {
    return readFileSync(path);
  } catch {
    return undefined;
  }
}

/** The services named on the command line and, unless `noDeps`, all that they depend on; every service when none is named. `running`: names of
 * services that are in the cluster already. */
export function selectServices(
  stack: StackSpec,
  names: readonly string[],
  noDeps: boolean,
  running: ReadonlySet<string>,
): StackSpec {
  if (names.length === 0) return stack;
  const byName = new Map(stack.services.map((service) => [service.name, service]));
  const byKey = new Map(stack.services.map((service) => [keyOf(service), service]));
  const wanted = new Set<string>();
  const add = (service: ServiceSpec | undefined): void => {
    if (!service || wanted.has(service.name)) return;
    wanted.add(service.name);
    if (noDeps) return;
    for (const dependency of service.taskTemplate?.dependsOn ?? [])
      add(byName.get(dependency.service));
  };
  for (const name of names) add(byKey.get(name));
  return StackSpec.create({
    ...stack,
    services: stack.services
      .filter((service) => wanted.has(service.name))
      .map((service) =>
        noDeps ? withoutDependencies(service, new Set([...wanted, ...running])) : service,
      ),
  });
}

/** `--no-deps`: what neither runs nor is started with it is not waited for. */
function withoutDependencies(service: ServiceSpec, present: ReadonlySet<string>): ServiceSpec {
  const { taskTemplate } = service;
  if (!taskTemplate) return service;
  const dependsOn = taskTemplate.dependsOn.filter((other) => present.has(other.service));
  return ServiceSpec.create({
    ...service,
    taskTemplate: TaskSpec.create({ ...taskTemplate, dependsOn }),
  });
}

/** Key of a planned service in its compose file. */
export function keyOf(service: ServiceSpec): string {
  return service.labels['com.docker.compose.service'] ?? service.name;
}

/** Creates the single-node cluster on a machine that has none, and says so. */
export async function ensureCluster(client: ApiClient): Promise<ClusterInfo> {
  const info = await call(client, 'GET /tswarm/v1/cluster');
  if (info.state === 'active') return info;
  if (info.state === 'inactive') {
    process.stderr.write('This host is in no cluster yet: creating a single-node cluster.\n');
    return call(client, 'POST /tswarm/v1/cluster/init', { body: { embedded: true } });
  }
  if (info.state === 'pending')
    return call(client, 'GET /tswarm/v1/cluster', { query: { wait: true } });
  throw new TswarmError(
    'failed_precondition',
    `the cluster is ${info.state}${info.error ? `: ${info.error}` : ''}`,
  );
}

/** How a stack is deployed. */
export interface DeployOptions {
  readonly prune: boolean;
  /** Names of services to replace although nothing has changed. */
  readonly recreate: readonly string[];
  /** Names of all services of the file, of which the stack may be a part. */
  readonly all: ReadonlySet<string>;
  /** Of a plan: refused when the project has changed since. */
  readonly expectedState?: string;
}

/** A part of the file says nothing about the other services: then only those outside the file are orphans. */
function isPart(stack: StackSpec, options: DeployOptions): boolean {
  return stack.services.length < options.all.size;
}

function deployQuery(stack: StackSpec, options: DeployOptions): URLSearchParams {
  const prune = options.prune && !isPart(stack, options);
  const query = new URLSearchParams({ prune: String(prune) });
  if (options.recreate.length > 0) query.set('forceRecreate', 'true');
  for (const name of options.recreate) query.append('recreate', name);
  if (options.expectedState !== undefined) query.set('expectedState', options.expectedState);
  return query;
}

/** What deployStack would do with the same arguments. Changes nothing. */
export async function planStack(
  client: ApiClient,
  stack: StackSpec,
  options: DeployOptions,
): Promise<StackPlan> {
  const path = `/tswarm/v1/stacks/${encodeURIComponent(stack.name)}/plan`;
  const plan = await client.post<StackPlan>(`${path}?${deployQuery(stack, options)}`, {
    body: toEngineJson(StackSpec, stack),
  });
  if (!isPart(stack, options)) return plan;
  return { ...plan, warnings: plan.warnings.filter((warning) => !warning.startsWith(ORPHANS)) };
}

/** Sends the stack; the manager takes it in one transaction. */
export async function deployStack(
  client: ApiClient,
  stack: StackSpec,
  options: DeployOptions,
): Promise<DeployResult> {
  const partial = isPart(stack, options);
  const query = deployQuery(stack, options);
  const images = stack.services.map(({ taskTemplate }) => taskTemplate?.containerSpec?.image ?? '');
  const result = await client.post<DeployResult>(
    `/tswarm/v1/stacks/${encodeURIComponent(stack.name)}/deploy?${query}`,
    {
      body: toEngineJson(StackSpec, stack),
      // The nodes pull for themselves, with what this user may see.
      headers: await registryConfigHeaders(images, process.env),
    },
  );
  const style = styleFor(process.stderr, process.env);
  for (const warning of result.warnings) {
    if (partial && warning.startsWith(ORPHANS)) continue;
    process.stderr.write(`${style.yellow('Warning:')} ${warning}\n`);
  }
  if (partial) await orphansOfPart(client, stack.name, options);
  return result;
}

/** How the manager's warning about orphans begins. */
const ORPHANS = 'services that are no longer in the file';

async function orphansOfPart(
  client: ApiClient,
  stack: string,
  options: { readonly prune: boolean; readonly all: ReadonlySet<string> },
): Promise<void> {
  const detail = await client.get<{ services: readonly Json[] }>(
    `/tswarm/v1/stacks/${encodeURIComponent(stack)}`,
  );
  const orphans = detail.services.filter(
    (service) => !options.all.has(String((service.Spec as Json).Name)),
  );
  if (orphans.length === 0) return;
  if (options.prune) {
    for (const orphan of orphans) await client.delete(`/services/${orphan.ID}`);
    return;
  }
  const names = orphans.map((orphan) => (orphan.Spec as Json).Name).join(', ');
  const style = styleFor(process.stderr, process.env);
  process.stderr.write(
    `${style.yellow('Warning:')} ${ORPHANS} go on running: ${names}; remove them with --remove-orphans\n`,
  );
}
