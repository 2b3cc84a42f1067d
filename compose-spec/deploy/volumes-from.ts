// `volumes_from`: the mounts of another service in this one. Those that have a name are copied where the project is planned, so that both name the same volumes, and the cluster keeps both where
// the volumes are. What has no name (anonymous volumes, containers that are no service of the project) is joined on the node: `volumes_from` of the project that comes out of here names only
// that, and the cluster places the two containers together.

import { modeOfService, volumesOwner } from '#protocol/companions';
import type { Mount, Project, Service } from '../load/project.ts';
import { ownValue } from '../load/records.ts';
import { serviceName } from './names.ts';
import type { Problems } from './problems.ts';

/** The project with the mounts that `volumes_from` asks for. */
export function withVolumesFrom(project: Project, problems: Problems): Project {
  const done = new Map<string, Service>();
  const resolve = (key: string): Service | undefined => {
    const known = done.get(key);
    if (known) return known;
    const service = ownValue(project.services, key);
    if (service === undefined) return undefined;
    // A circle is the loader's to refuse: volumes_from is a dependency.
    done.set(key, service);
    const resolved = withOthers(key, service, resolve, problems);
    done.set(key, resolved);
    return resolved;
  };
  const services = Object.keys(project.services).map((key) => [key, resolve(key)] as const);
  return { ...project, services: Object.fromEntries(services) as Project['services'] };
}

function withOthers(
  key: string,
  service: Service,
  resolve: (key: string) => Service | undefined,
  problems: Problems,
): Service {
  const { volumes_from: entries = [], ...rest } = service;
  if (entries.length === 0) return service;
  const mounts = [...(service.volumes ?? [])];
  const joined: string[] = [];
  for (const [index, entry] of entries.entries()) {
    const path = `services.${key}.volumes_from.${index}`;
    const { mode: from, access } = volumesOwner(entry);
    const other = resolve(from);
    if (from.startsWith('container:')) {
      const name = from.slice('container:'.length);
      problems.notice(path, `${name} has to be on the node where this service runs`);
      joined.push(entry);
      continue;
    }
    if (other === undefined) {
      problems.error(path, `there is no active service ${from}`, 'activate its profile');
      continue;
    }
    joined.push(...(other.volumes_from ?? []).map((inherited) => withAccess(inherited, access)));
    if (other.volumes?.some(isAnonymous) === true) joined.push(withAccess(from, access));
    for (const mount of other.volumes ?? []) {
      // As with docker: memory is nobody else's, and what is mounted here already stays.
      if (mount.type === 'tmpfs' || mounts.some(({ target }) => target === mount.target)) continue;
      if (!isAnonymous(mount)) mounts.push(access === 'ro' ? { ...mount, read_only: true } : mount);
    }
  }
  return { ...rest, volumes: mounts, ...(joined.length > 0 ? { volumes_from: joined } : {}) };
}

function withAccess(entry: string, access: string): string {
  const { mode } = volumesOwner(entry);
  return access === 'ro' ? `${mode}:ro` : entry;
}

function isAnonymous({ type, source }: Mount): boolean {
  return type === 'volume' && (source === undefined || source === '');
}

/** Keys of the services whose containers a service has to stand beside for their volumes. */
export function volumeOwners({ volumes_from: entries = [] }: Service): readonly string[] {
  const owners = entries.map((entry) => volumesOwner(entry).mode);
  return owners.filter((owner) => !owner.startsWith('container:'));
}

/** What the node joins: mounts that have no name. */
export function planVolumesFrom(
  project: Project,
  { volumes_from: entries = [] }: Service,
): string[] {
  return entries.map((entry) => {
    const { mode, access } = volumesOwner(entry);
    if (mode.startsWith('container:')) return entry;
    const owner = modeOfService(serviceName(project, mode));
    return access === '' ? owner : `${owner}:${access}`;
  });
}
