// The project that a verb for what runs is about: of the files, or, as with docker compose, by its name alone: with `-p NAME` and no `-f` no file is read, so
// that a project can be looked at, stopped and removed from anywhere. What the files would say is taken from the cluster then. Verbs that make something
// need the files.
import { hookKeys, hookOwner } from '#compose-spec/deploy/pre-start';
import type { Project, Service } from '#compose-spec/load/project';
import { projectNameFault } from '#compose-spec/load/project-name';
import { hasCode, TswarmError } from '#protocol/errors';
import { call } from '../client/cluster-call.ts';
import type { Json } from '../client/http.ts';
import { composeKey } from '../client/stack-model.ts';
import { type ComposeContext, requireServices } from './context.ts';

/** What verbs for running things look at. */
type KnownService = Pick<Service, 'image' | 'volumes' | 'depends_on'>;

export interface KnownProject extends Pick<Project, 'name' | 'separator' | 'volumes'> {
  readonly services: Readonly<Record<string, KnownService>>;
  readonly disabledServices: Readonly<Record<string, unknown>>;
}

/** @throws TswarmError not_found for one of `keys` that it does not have */
export async function knownProject(
  context: ComposeContext,
  keys: readonly string[] = [],
): Promise<KnownProject> {
  const { projectName, file } = context.options;
  const isByName = projectName !== undefined && file === undefined;
  const project = isByName ? await fromCluster(context, projectName) : fromFiles(context, keys);
  requireServices(project, keys);
  return project;
}

/** With those of the named services that hooks have become: `ps` shows them, so they can be asked for. */
function fromFiles(context: ComposeContext, keys: readonly string[]): KnownProject {
  const named = keys.filter((key) => hookOwner(key) !== key);
  if (named.length === 0) return context.load(keys).project;
  const { project } = context.load(keys.map(hookOwner));
  const hooks = Object.entries(project.services).flatMap(([key, service]) =>
    hookKeys(key, service)
      .filter((hook) => named.includes(hook))
      .map((hook) => [hook, service.image === undefined ? {} : { image: service.image }] as const),
  );
  return { ...project, services: { ...project.services, ...Object.fromEntries(hooks) } };
}

/** Its name, for verbs that need nothing else of it. */
export async function projectName(
  context: ComposeContext,
  keys: readonly string[] = [],
): Promise<string> {
  return (await knownProject(context, keys)).name;
}

/** One that is not there has no services. */
async function fromCluster(context: ComposeContext, name: string): Promise<KnownProject> {
  const found = await servicesOf(context, name);
  // Asked first: a stack of "docker stack deploy" may have a name that no project can have.
  const fault = found.length === 0 ? projectNameFault(name) : undefined;
  if (fault) {
    const { message, ...hint } = fault;
    throw new TswarmError('invalid_argument', message, hint);
  }
  const services = Object.fromEntries(
    found.map((service) => {
      const container = containerSpecOf(service);
      const volumes = mountsOf(container).map((mount) => ({
        type: 'volume',
        source: volumeKey(mount, name),
        target: String(mount.Target),
      }));
      return [composeKey(service), { image: String(container.Image ?? ''), volumes }];
    }),
  );
  const mounts = found.map(containerSpecOf).flatMap(mountsOf);
  const volumes = Object.fromEntries(
    mounts.map((mount) => [volumeKey(mount, name), { name: String(mount.Source) }]),
  );
  return { name, services, disabledServices: {}, volumes, separator: '-' };
}

async function servicesOf(context: ComposeContext, name: string): Promise<readonly Json[]> {
  try {
    return (await call(context.client, 'GET /tswarm/v1/stacks/{name}', { params: { name } }))
      .services;
  } catch (error) {
    if (hasCode(error, 'not_found') || hasCode(error, 'no_cluster')) return [];
    throw error;
  }
}

function containerSpecOf(service: Json): Json {
  const template = ((service.Spec as Json).TaskTemplate ?? {}) as Json;
  return (template.ContainerSpec ?? {}) as Json;
}

/** Of named volumes. */
function mountsOf(container: Json): readonly Json[] {
  const mounts = (container.Mounts ?? []) as readonly Json[];
  return mounts.filter(({ Type, Source }) => Type === 'volume' && Source !== undefined);
}

/** The volume's key in the file. */
function volumeKey({ Source }: Json, project: string): string {
  const name = String(Source);
  return name.startsWith(`${project}_`) ? name.slice(project.length + 1) : name;
}
