// Containers that share a namespace with the container of another service (Compose's `network_mode: service:X`), said once for the managers, which place their tasks on one node, and for the
// node, which joins them. A mode is text as Docker has it: service:NAME is a service of the cluster, container:NAME a container of the node.
import type { ContainerSpec } from '#protocol/generated/specs';

const SERVICE = 'service:';

/** Name of the service whose namespace a mode is; '' = none. */
export function serviceOfMode(mode: string): string {
  return mode.startsWith(SERVICE) ? mode.slice(SERVICE.length) : '';
}

/** The mode that is the namespace of a service's container. */
export function modeOfService(name: string): string {
  return `${SERVICE}${name}`;
}

/** Names of the services beside whose tasks those of this specification stand, each once. */
export function companionServices(spec: ContainerSpec | undefined): readonly string[] {
  // Nearly always none: no list is made for it.
  if (!spec?.networkMode && !spec?.pidMode && !spec?.ipcMode && !spec?.volumesFrom.length)
    return NONE;
  const owners = spec.volumesFrom.map((entry) => volumesOwner(entry).mode);
  const modes = [spec.networkMode, spec.pidMode, spec.ipcMode, ...owners];
  const names = modes.map(serviceOfMode).filter((name) => name !== '');
  return [...new Set(names)];
}

/** `service:db:ro` as the mode of that container, and how its mounts are had. */
export function volumesOwner(entry: string): { readonly mode: string; readonly access: string } {
  const [, mode = entry, access = ''] = /^(.*?)(?::(ro|rw))?$/s.exec(entry) ?? [];
  return { mode, access };
}

const NONE: readonly string[] = [];
