// `network_mode`, `pid` and `ipc` that name another container: `service:X` is the container of X beside which the cluster places each of this service's, on one node; `container:NAME` is whichever
// container has that name on the node. As with docker, who is in another container's network has no ports, names or name servers of its own: they are said where they would be without effect. A service
// whose ipc others join is shareable without being told so; one that says `private` is refused.

import { modeOfService } from '#protocol/companions';
import type { Project, Service } from '../load/project.ts';
import { ownValue } from '../load/records.ts';
import { replicasOf } from './endpoints.ts';
import { serviceName } from './names.ts';
import type { Problems } from './problems.ts';
import { volumeOwners } from './volumes-from.ts';

const SERVICE = 'service:';
const CONTAINER = 'container:';

/** Whether the service is in another container's network. */
export function isInOtherNetwork({ network_mode: mode = '' }: Service): boolean {
  return mode.startsWith(SERVICE) || mode.startsWith(CONTAINER);
}

/** Keys of the services beside whose containers those of a service stand. */
export function companionKeys(service: Service): readonly string[] {
  const modes = [service.network_mode, service.pid, service.ipc];
  const owners = modes.flatMap((mode) =>
    mode?.startsWith(SERVICE) === true ? [mode.slice(SERVICE.length)] : [],
  );
  return [...owners, ...volumeOwners(service)];
}

/** The project in which each service whose ipc another one joins can be joined. */
export function withShareableIpc(project: Project, problems: Problems): Project {
  const services: Record<string, Service> = { ...project.services };
  for (const [key, { ipc = '' }] of Object.entries(project.services)) {
    const owner = ipc.startsWith(SERVICE) ? ipc.slice(SERVICE.length) : '';
    const other = ownValue(services, owner);
    if (other === undefined) continue;
    const { ipc: mode } = other;
    if (mode === undefined) services[owner] = { ...other, ipc: 'shareable' };
    else if (mode === 'private' || mode === 'none') {
      const hint = `set services.${owner}.ipc to shareable, or leave it out`;
      problems.error(`services.${key}.ipc`, `the ipc of ${owner} is ${mode}`, hint);
    }
  }
  return { ...project, services };
}

/** The mode at `field` when it names a container, '' when it does not. */
export function planSharedMode(
  project: Project,
  key: string,
  field: 'network_mode' | 'pid' | 'ipc',
  problems: Problems,
): string {
  const service = ownValue(project.services, key);
  const mode = service?.[field] ?? '';
  const path = `services.${key}.${field}`;
  if (service === undefined) return '';
  if (mode.startsWith(CONTAINER)) {
    const message = `${mode.slice(CONTAINER.length)} has to be on the node where this service runs; choose the node with deploy.placement.constraints`;
    problems.notice(path, message);
    return mode;
  }
  if (!mode.startsWith(SERVICE)) {
    if (field === 'pid' && mode !== '' && mode !== 'host') {
      problems.error(path, `unknown mode ${mode}`, 'use host, service:NAME or container:NAME');
    }
    return '';
  }
  const other = mode.slice(SERVICE.length);
  const target = ownValue(project.services, other);
  if (target === undefined) {
    problems.error(path, `there is no active service ${other}`, 'activate its profile');
    return '';
  }
  checkCounts(path, service, other, target, problems);
  return modeOfService(serviceName(project, other));
}

/** Refuses containers that would stand beside another one for its volumes, where there are not as many of those. */
export function checkVolumeOwners(project: Project, key: string, problems: Problems): void {
  const service = ownValue(project.services, key);
  for (const owner of service === undefined ? [] : volumeOwners(service)) {
    const target = ownValue(project.services, owner);
    if (service === undefined || target === undefined) continue;
    checkCounts(`services.${key}.volumes_from`, service, owner, target, problems);
  }
}

/** Each container stands beside one: of as many, of a single one, or of one on each node. */
function checkCounts(
  path: string,
  service: Service,
  other: string,
  target: Service,
  problems: Problems,
): void {
  const [isGlobal, isOtherGlobal] = [isPerNode(service), isPerNode(target)];
  if (isGlobal !== isOtherGlobal) {
    const [here, there] = [isGlobal, isOtherGlobal].map((it) => (it ? 'each node' : 'some nodes'));
    const message = `its containers are on ${here} and those of ${other} on ${there}`;
    problems.error(path, message, 'give both services the same deploy.mode');
    return;
  }
  const [count, otherCount] = [replicasOf(service), replicasOf(target)];
  if (isGlobal || otherCount <= 1 || count === otherCount) return;
  const message = `${count} containers cannot each stand beside one of the ${otherCount} of ${other}`;
  problems.error(path, message, `give both services the same number of replicas, or ${other} one`);
}

function isPerNode({ deploy }: Service): boolean {
  return deploy?.mode?.startsWith('global') === true;
}

/** What cannot be said beside another container's network, and dockerd's words for it. */
const CONFLICTS = {
  ports: 'port publishing and the container type network mode',
  hostname: 'hostname and the network mode',
  extra_hosts: 'custom host-to-IP mapping and the network mode',
  dns: 'dns and the network mode',
  dns_search: 'dns and the network mode',
  dns_opt: 'dns and the network mode',
  mac_address: 'mac-address and the network mode',
  external_links: 'container type network can’t be used with links',
} as const;

/** Refuses what has no effect in another container's network. */
export function checkOtherNetwork(path: string, service: Service, problems: Problems): void {
  if (!isInOtherNetwork(service)) return;
  const [, owner = ''] = /^[^:]+:(.*)$/.exec(service.network_mode ?? '') ?? [];
  for (const [field, words] of Object.entries(CONFLICTS)) {
    const value = service[field as keyof typeof CONFLICTS];
    if (value === undefined || Object.keys(value).length === 0) continue;
    problems.error(`${path}.${field}`, `conflicting options: ${words}`, `say it at ${owner}`);
  }
}
