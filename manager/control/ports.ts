// Published ports against those of other services: a port published in ingress mode exists on every
// node, so no other service may have it, in either mode. Two services may share a port in host
// mode; the scheduler keeps them apart. swarmkit controlapi checkPortConflicts.
import type { ReadView } from '#manager/store/view';
import type { Service } from '#protocol/generated/objects';
import { type PortConfig, PublishMode } from '#protocol/generated/specs';
import { invalid } from './validate-names.ts';

/** @throws TswarmError invalid_argument that names the port and who has it. */
export function refusePortConflicts(view: ReadView, asking: Service): void {
  const wanted = new Map<string, PublishMode>();
  for (const port of asking.spec?.endpointSpec?.ports ?? []) {
    if (port.publishedPort !== 0) wanted.set(keyOf(port), port.publishMode);
  }
  if (wanted.size === 0) return;
  for (const service of view.list('service')) {
    if (service.id === asking.id) continue;
    for (const port of takenPorts(service)) {
      const mode = wanted.get(keyOf(port));
      if (mode === undefined || port.publishedPort === 0) continue;
      const bothHost = mode === PublishMode.HOST && port.publishMode === PublishMode.HOST;
      if (bothHost) continue;
      const how = port.publishMode === PublishMode.HOST ? 'a host-published' : 'an ingress';
      throw invalid(
        'EndpointSpec.Ports',
        `port '${port.publishedPort}' is already in use by service '${service.spec?.name}' (${service.id}) as ${how} port`,
        'Publish another port, or remove it from that service.',
      );
    }
  }
}

/**
 * What the service asks for, and what the allocator chose where it left the choice. What it asked
 * for before is free again.
 */
function takenPorts(service: Service): PortConfig[] {
  const asked = service.spec?.endpointSpec?.ports ?? [];
  const open = asked.filter((port) => port.publishedPort === 0);
  const chosen = (service.endpoint?.ports ?? []).filter((port) =>
    open.some((o) => o.targetPort === port.targetPort && o.protocol === port.protocol),
  );
  return [...asked, ...chosen];
}

function keyOf(port: PortConfig): string {
  return `${port.publishedPort}/${port.protocol}`;
}
