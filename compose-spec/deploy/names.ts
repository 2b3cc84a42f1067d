// What cluster objects are called and labelled. The names and labels are those of docker compose, so
// that tools that look for them find them; service names are those of `docker stack`.
//
// Container labels hold only what changes when the container itself does: anything else (folder,
// version of the client) would replace running containers for nothing, so it goes on the service.

import type { Project, Service } from '../load/project.ts';

export const LABEL = {
  project: 'com.docker.compose.project',
  service: 'com.docker.compose.service',
  configHash: 'com.docker.compose.config-hash',
  image: 'com.docker.compose.image',
  oneOff: 'com.docker.compose.oneoff',
  slug: 'com.docker.compose.slug',
  workingDir: 'com.docker.compose.project.working_dir',
  configFiles: 'com.docker.compose.project.config_files',
  environmentFile: 'com.docker.compose.project.environment_file',
  dependsOn: 'com.docker.compose.depends_on',
  network: 'com.docker.compose.network',
  volume: 'com.docker.compose.volume',
  secret: 'com.docker.compose.secret',
  config: 'com.docker.compose.config',
  version: 'com.docker.compose.version',
  stackNamespace: 'com.docker.stack.namespace',
  stackImage: 'com.docker.stack.image',
} as const;

/** Longest name that the store takes for a secret or config. */
const OBJECT_NAME_LENGTH_MAX = 64;

/** `shop_web`: the service's name in the cluster. */
export function serviceName(project: Project, key: string): string {
  return `${project.name}_${key}`;
}

/** The image that a service runs: its own, or the one built for it. */
export function imageName(
  project: Pick<Project, 'name' | 'separator'>,
  key: string,
  service: Pick<Service, 'image'>,
): string {
  return service.image ?? `${project.name}${project.separator}${key}`;
}

/** Container names of the service; `{slot}` stands for the replica's number. */
export function containerNameTemplate(project: Project, key: string, service: Service): string {
  if (service.container_name !== undefined) return service.container_name;
  const mode = service.deploy?.mode ?? 'replicated';
  // Tasks that have no slot are named by the node that runs them.
  return mode.startsWith('global') ? '' : [project.name, key, '{slot}'].join(project.separator);
}

/** `name` with the version `hash` of its content, cut so that it fits. */
export function versionedName(name: string, hash: string): string {
  return `${name.slice(0, OBJECT_NAME_LENGTH_MAX - hash.length - 1)}-${hash}`;
}

/** Labels of containers. */
export function containerLabels(
  project: Project,
  key: string,
  service: Service,
  more: { readonly configHash: string; readonly imageId: string | undefined },
): Record<string, string> {
  return sortedRecord({
    ...service.labels,
    ...(more.imageId === undefined ? {} : { [LABEL.image]: more.imageId }),
    [LABEL.project]: project.name,
    [LABEL.service]: key,
    [LABEL.configHash]: more.configHash,
    [LABEL.oneOff]: 'False',
  });
}

/** Labels of the service itself. */
export function serviceLabels(
  project: Project,
  key: string,
  service: Service,
  more: { readonly configHash: string; readonly version: string },
): Record<string, string> {
  const dependencies = Object.entries(service.depends_on ?? {})
    .map(([name, { condition, restart }]) => `${name}:${condition}:${restart === true}`)
    .sort();
  return sortedRecord({
    ...service.deploy?.labels,
    [LABEL.project]: project.name,
    [LABEL.service]: key,
    [LABEL.configHash]: more.configHash,
    [LABEL.workingDir]: project.workingDir,
    [LABEL.configFiles]: project.configFiles.join(','),
    ...(project.envFiles.length === 0
      ? {}
      : { [LABEL.environmentFile]: project.envFiles.join(',') }),
    [LABEL.dependsOn]: dependencies.join(','),
    [LABEL.version]: more.version,
    [LABEL.stackNamespace]: project.name,
    [LABEL.stackImage]: imageName(project, key, service),
  });
}

/** Labels of a network, volume, secret or config. */
export function objectLabels(
  project: Project,
  own: Readonly<Record<string, string>> | undefined,
  kindLabel: string,
  key: string,
): Record<string, string> {
  return sortedRecord({
    ...own,
    [LABEL.project]: project.name,
    [kindLabel]: key,
    [LABEL.stackNamespace]: project.name,
  });
}

/** The record with its keys in order, so that equal content is equal text. */
export function sortedRecord<T>(record: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(
    Object.entries(record).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)),
  );
}
