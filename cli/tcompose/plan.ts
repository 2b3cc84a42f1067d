// tcompose plan and diff: what `up` would do now, asked of the managers with the very call that `up` makes, and nothing changed: no image is pulled or built, no cluster
// created. `plan --out` saves it; `up --plan` carries out exactly that, or refuses when files, images or the project have changed since.

import type { StackPlan } from '#api/cluster/types';
import { planRisks } from '#compose-spec/deploy/plan-risks';
import { TswarmError } from '#protocol/errors';
import { call } from '../client/cluster-call.ts';
import type { Json } from '../client/http.ts';
import { EXIT } from '../output/fail.ts';
import { styleFor } from '../output/style.ts';
import type { ComposeContext, GlobalOptions } from './context.ts';
import { clusterPlaces, type Plan, planProject, planStack } from './deploy.ts';
import { presentImage, wayOf } from './images.ts';
import { readPlan, refuseChanged, type SavedPlan, writePlan } from './plan-file.ts';
import { diffText, jsonPlan, planText } from './plan-text.ts';
import {
  type Deployment,
  deployment,
  parseScale,
  pullPolicy,
  type UpOptions,
  wantedServices,
} from './up.ts';

export interface PlanOptions extends UpOptions {
  /** `text` or `json`. */
  readonly format?: string;
  /** Save the plan here. */
  readonly out?: string;
  readonly detailedExitcode?: boolean;
}

/** Exit code of `--detailed-exitcode` when there is something to do (as terraform's). */
export const EXIT_CHANGES = 2;

/** What stands for the id of an image that is not there yet. */
export const UNKNOWN_IMAGE: Readonly<Record<'build' | 'pull', string>> = {
  build: '(known after the build)',
  pull: '(known after the pull)',
};

/** A plan with what it was made from. */
export interface MadePlan {
  readonly project: Plan;
  readonly deployment: Deployment;
  readonly plan: StackPlan;
  /** Image ids by key of the service; see UNKNOWN_IMAGE. */
  readonly imageIds: Readonly<Record<string, string>>;
  /** False: this host is in no cluster, and `up` would create one. */
  readonly hasCluster: boolean;
}

export async function plan(
  context: ComposeContext,
  services: readonly string[],
  options: PlanOptions,
): Promise<number> {
  checkFormat(options.format);
  const made = await makePlan(context, services, options);
  if (options.out !== undefined) {
    if (!made.hasCluster)
      throw new TswarmError('failed_precondition', 'a plan can be saved only for a cluster', {
        hint: 'Create one with "tswarm init" first.',
      });
    writePlan(options.out, context, services, options, made);
  }
  if (options.format === 'json')
    process.stdout.write(`${JSON.stringify(jsonPlan(made), null, 2)}\n`);
  else {
    const style = styleFor(process.stdout, process.env);
    const columns = process.stdout.isTTY ? process.stdout.columns : Number.POSITIVE_INFINITY;
    process.stdout.write(planText(made, planRisks(made.plan), { style, columns }));
    if (options.out !== undefined)
      process.stdout.write(`Saved. To carry out exactly this: tcompose up --plan ${options.out}\n`);
  }
  return exitOf(made, options);
}

export async function diff(
  context: ComposeContext,
  services: readonly string[],
  options: PlanOptions,
): Promise<number> {
  checkFormat(options.format);
  const made = await makePlan(context, services, options);
  if (options.format === 'json') {
    const { project, changes } = jsonPlan(made);
    process.stdout.write(`${JSON.stringify({ project, changes }, null, 2)}\n`);
  } else process.stdout.write(diffText(made, styleFor(process.stdout, process.env)));
  return exitOf(made, options);
}

function checkFormat(format = 'text'): void {
  if (format === 'text' || format === 'json') return;
  throw new TswarmError('invalid_argument', `--format ${format}: must be text or json`);
}

function exitOf({ plan }: MadePlan, options: PlanOptions): number {
  return options.detailedExitcode === true && hasChanges(plan) ? EXIT_CHANGES : EXIT.ok;
}

/** Whether `up` would change an object or touch a container. */
export function hasChanges({ changes, tasks }: StackPlan): boolean {
  return (
    changes.some(({ action }) => action !== 'none') ||
    tasks.some(({ action }) => action !== 'keep' && action !== 'pending')
  );
}

/** Loads, plans, and asks. @throws as `up` does before it changes anything */
export async function makePlan(
  context: ComposeContext,
  services: readonly string[],
  options: UpOptions,
  saved?: SavedPlan,
): Promise<MadePlan> {
  pullPolicy(options.pull);
  const places = await clusterPlaces(context.client);
  const scale = parseScale(options.scale ?? []);
  const project = planProject(context, services, { scale, ...places });
  const hasCluster = await isInCluster(context);
  if (!hasCluster) {
    const known = { imageIds: {}, runs: new Set<string>() };
    const all = await deployment(context, project, services, options, known);
    return { project, deployment: all, plan: everythingNew(all), imageIds: {}, hasCluster };
  }
  const wanted = await wantedServices(context, project, services, options);
  const present = await plannedIds(context, wanted.images, options);
  const imageIds = Object.fromEntries(
    Object.entries(present).map(([key, id]) => [key, unknownThen(saved, key) ?? id]),
  );
  const known = { imageIds, runs: wanted.runs };
  const asked = await deployment(context, project, services, options, known);
  const answer = await planStack(context.client, asked.stack, asked.options);
  return { project, deployment: asked, plan: answer, imageIds, hasCluster };
}

/** An image that the saved plan was to build or to pull: any id is as planned. */
function unknownThen(saved: SavedPlan | undefined, key: string): string | undefined {
  const id = saved?.images[key];
  return id === UNKNOWN_IMAGE.build || id === UNKNOWN_IMAGE.pull ? id : undefined;
}

/** What `up --plan` carries out: the project, services and flags of the plan, if they still come to the same. */
export async function readyPlan(
  context: ComposeContext,
  path: string,
): Promise<{
  readonly context: ComposeContext;
  readonly services: readonly string[];
  readonly options: UpOptions;
  readonly expectedState: string;
}> {
  const saved = readPlan(path);
  refuseOtherProject(context.options);
  enterFolder(saved.folder);
  const own = context.with(saved.globals);
  refuseChanged(saved, await makePlan(own, saved.services, saved.options, saved));
  const { services, options, state } = saved;
  return { context: own, services, options, expectedState: state };
}

function refuseOtherProject({
  file,
  projectName,
  profile,
  envFile,
  projectDirectory,
}: GlobalOptions): void {
  if ([file, projectName, profile, envFile, projectDirectory].every((value) => value === undefined))
    return;
  throw new TswarmError(
    'invalid_argument',
    '--plan cannot be combined with -f, -p, --profile, --env-file or --project-directory: the plan says which project it is for',
  );
}

/** Relative paths of the plan are meant from where it was made. */
function enterFolder(folder: string): void {
  try {
    process.chdir(folder);
  } catch {
    throw new TswarmError(
      'failed_precondition',
      `the plan was made in ${folder}, which is not there`,
      {
        hint: 'Carry it out on the host where it was made, or make a new one.',
      },
    );
  }
}

async function isInCluster(context: ComposeContext): Promise<boolean> {
  const { state } = await call(context.client, 'GET /tswarm/v1/cluster');
  if (state === 'active') return true;
  if (state === 'inactive') return false;
  throw new TswarmError('failed_precondition', `the cluster is ${state}`, {
    hint: 'Look with "tswarm info".',
  });
}

async function plannedIds(
  context: ComposeContext,
  images: Plan['images'],
  options: UpOptions,
): Promise<Readonly<Record<string, string>>> {
  const build = options.build === undefined ? 'missing' : options.build ? 'always' : 'never';
  const how = { build, pull: pullPolicy(options.pull) } as const;
  const ids = await Promise.all(
    images.map(async (image) => {
      const present = await presentImage(context.client, image.image);
      const id = present?.id;
      const way = wayOf(image, present, how);
      return [image.service, way === 'present' ? (id ?? '') : UNKNOWN_IMAGE[way]] as const;
    }),
  );
  return Object.fromEntries(ids);
}

/** Without a cluster everything is new, and where it runs is plain. */
function everythingNew({ stack }: Deployment): StackPlan {
  const of = (
    kind: StackPlan['changes'][number]['kind'],
    specs: readonly { readonly name: string }[],
  ): StackPlan['changes'] =>
    specs.map(({ name }) => ({
      kind,
      name,
      action: 'created',
      recreated: false,
      before: null,
      after: {} as Json,
    }));
  return {
    changes: [
      ...of('network', stack.networks),
      ...of('volume', stack.volumes),
      ...of('secret', stack.secrets),
      ...of('config', stack.configs),
      ...of('service', stack.services),
    ],
    tasks: [],
    warnings: [],
    state: '',
    durationMs: 0,
    complete: true,
    nodes: 0,
    revision: 0,
  };
}
