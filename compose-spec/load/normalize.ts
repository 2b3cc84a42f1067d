// What compose reads between the lines (compose.md §2.6, "Normalisation"): the default network, names
// of objects, build defaults, dependencies that follow from sharing something with another service.

import { lookupIn } from './environment.ts';
import { cleanPath } from './paths.ts';
import type { Build, Dependency, Mount, Network, Project, Service, StringMap } from './project.ts';
import { mapValues } from './records.ts';
import { isWindowsAbsolute } from './volumes.ts';

/** The parts of a project that normalisation changes. */
export type ProjectParts = Pick<
  Project,
  'services' | 'networks' | 'volumes' | 'configs' | 'secrets' | 'models'
>;

/** The parts with everything implicit written out. `name` is the project's. */
export function normalizeProject(
  parts: ProjectParts,
  name: string,
  variables: StringMap,
): ProjectParts {
  const services = mapValues(parts.services, (service) => normalizeService(service, variables));
  const usesDefault = Object.values(services).some(
    (service) => service.networks !== undefined && Object.hasOwn(service.networks, 'default'),
  );
  const networks: Record<string, Network> =
    usesDefault && !Object.hasOwn(parts.networks, 'default')
      ? { ...parts.networks, default: { ipam: {} } }
      : { ...parts.networks };
  return {
    services,
    networks: withNames(networks, name),
    volumes: withNames(parts.volumes, name),
    configs: withNames(parts.configs, name),
    secrets: withNames(parts.secrets, name),
    models: parts.models,
  };
}

/** What has no name of its own is called after the project; what is external, after its key. */
function withNames<T extends { readonly name?: string; readonly external?: boolean }>(
  objects: Readonly<Record<string, T>>,
  project: string,
): Record<string, T> {
  return mapValues(objects, (object, key) => {
    if (object.name !== undefined) return object;
    return { ...object, name: object.external === true ? key : `${project}_${key}` };
  });
}

function normalizeService(service: Service, variables: StringMap): Service {
  const dependencies = implicitDependencies(service);
  const needsDefault =
    service.network_mode === undefined &&
    service.provider === undefined &&
    service.networks === undefined;
  return {
    ...service,
    ...(needsDefault ? { networks: { default: null } } : {}),
    ...(service.pull_policy === 'if_not_present' ? { pull_policy: 'missing' } : {}),
    ...(service.build === undefined ? {} : { build: normalizeBuild(service.build, variables) }),
    ...(service.environment === undefined
      ? {}
      : {
          environment: mapValues(
            service.environment,
            (value, key) => value ?? lookupIn(variables)(key) ?? null,
          ),
        }),
    ...(Object.keys(dependencies).length === 0 ? {} : { depends_on: dependencies }),
    ...(service.volumes === undefined ? {} : { volumes: service.volumes.map(cleanTarget) }),
    ...(service.pre_start === undefined
      ? {}
      : {
          pre_start: service.pre_start.map((hook) =>
            hook.image === undefined && service.image !== undefined
              ? { ...hook, image: service.image }
              : hook,
          ),
        }),
  };
}

function normalizeBuild(build: Build, variables: StringMap): Build {
  const { args, ...rest } = build;
  const known = Object.fromEntries(
    Object.entries(args ?? {}).flatMap(([key, value]) => {
      const found = value ?? lookupIn(variables)(key);
      return found === undefined ? [] : [[key, found]];
    }),
  );
  const hasFile = build.dockerfile !== undefined || build.dockerfile_inline !== undefined;
  return {
    ...rest,
    ...(hasFile ? {} : { dockerfile: 'Dockerfile' }),
    ...(Object.keys(known).length === 0 ? {} : { args: known }),
  };
}

function cleanTarget(mount: Mount): Mount {
  const { target } = mount;
  if (target === undefined || isWindowsAbsolute(target)) return mount;
  return { ...mount, target: cleanPath(target) };
}

/** `depends_on` and what follows from links, shared namespaces and shared volumes. */
function implicitDependencies(service: Service): Record<string, Dependency> {
  const dependencies = new Map<string, Dependency>(Object.entries(service.depends_on ?? {}));
  const add = (name: string, restart: boolean): void => {
    if (name === '' || dependencies.has(name)) return;
    dependencies.set(name, {
      condition: 'service_started',
      ...(restart ? { restart: true } : {}),
      required: true,
    });
  };
  for (const link of service.links ?? []) add(link.split(':', 1)[0] ?? '', true);
  for (const mode of [
    service.network_mode,
    service.ipc,
    service.pid,
    service.uts,
    service.cgroup,
  ]) {
    if (mode?.startsWith('service:') === true) add(mode.slice('service:'.length), true);
  }
  for (const source of service.volumes_from ?? []) {
    if (!source.startsWith('container:')) add(source.split(':', 1)[0] ?? '', false);
  }
  return Object.fromEntries(dependencies);
}
