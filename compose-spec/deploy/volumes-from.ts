// `volumes_from`: the mounts of another service in this one. They are copied where the project is planned, so that both name the same volumes, and the cluster keeps both where
// the volumes are. What has no name cannot be shared that way and is refused: anonymous volumes, and containers of nobody's service.

import type { Mount, Project, Service } from '../load/project.ts';
import { ownValue } from '../load/records.ts';
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
  for (const [index, entry] of entries.entries()) {
    const path = `services.${key}.volumes_from.${index}`;
    const [, from = '', mode = 'rw'] = /^(.*?)(?::(ro|rw))?$/.exec(entry) ?? [];
    const other = resolve(from);
    if (other === undefined) {
      const reason = from.startsWith('container:')
        ? 'containers outside of the project have no node that is known'
        : `there is no active service ${from}`;
      problems.unsupported(path, reason);
      continue;
    }
    for (const mount of other.volumes ?? []) {
      // As with docker: memory is nobody else's, and what is mounted here already stays.
      if (mount.type === 'tmpfs' || mounts.some(({ target }) => target === mount.target)) continue;
      if (isAnonymous(mount)) refuseAnonymous(path, from, mount, problems);
      else mounts.push(mode === 'ro' ? { ...mount, read_only: true } : mount);
    }
  }
  return { ...rest, volumes: mounts };
}

function isAnonymous({ type, source }: Mount): boolean {
  return type === 'volume' && (source === undefined || source === '');
}

function refuseAnonymous(path: string, from: string, mount: Mount, problems: Problems): void {
  const message = `the volume of service ${from} at ${mount.target} has no name, so that no other service can have it`;
  problems.error(path, message, `give it one: data:${mount.target}, and volumes: {data: {}}`);
}
