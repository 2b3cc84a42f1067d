// Subnets for networks, ports and virtual addresses for services. A fault leaves the object as it is and shows on the tasks that wait for it.
import { NODE_LOCAL_NETWORKS } from '#manager/allocator/allocator';
import { messageOf } from '#protocol/errors';
import {
  Endpoint,
  type EndpointVip,
  Network,
  Service as ServiceType,
} from '#protocol/generated/objects';
import { EndpointSpec, type PortConfig } from '#protocol/generated/specs';
import type { Pass, Service } from './types.ts';

/** A network without subnets gets them. */
export function allocateNetwork(pass: Pass, network: Network): void {
  const driver = network.spec?.driverConfig?.name ?? '';
  if (NODE_LOCAL_NETWORKS.has(driver)) return;
  const { memory, tx } = pass;
  try {
    const ipam = memory.allocator.networkIpam(network, tx);
    const after = Network.create({ ...network, ipam });
    tx.update('network', after);
    memory.allocator.apply({ kind: 'network', before: network, after });
  } catch {
    // What asks for an address there is told why (taskAttachments).
  }
}

/** Ports and virtual addresses. @returns the service, changed when they are others */
export function allocateService(pass: Pass, service: Service): Service {
  const spec = service.spec?.endpointSpec;
  let ports: readonly PortConfig[];
  let virtualIps: readonly EndpointVip[];
  try {
    ports = pass.memory.allocator.servicePorts(service, pass.tx);
    virtualIps = pass.memory.allocator.virtualIps(service, pass.tx);
  } catch (error) {
    pass.memory.serviceFaults.set(service.id, messageOf(error));
    return service;
  }
  pass.memory.serviceFaults.delete(service.id);
  const endpoint = Endpoint.create({ spec: spec ?? EndpointSpec.create(), ports, virtualIps });
  if (sameEndpoint(endpoint, service.endpoint)) return service;
  const after = ServiceType.create({ ...service, endpoint });
  pass.tx.update('service', after);
  pass.memory.allocator.apply({ kind: 'service', before: service, after });
  return after;
}

function sameEndpoint(a: Endpoint, b: Endpoint | undefined): boolean {
  if (!b) return false;
  const left = Endpoint.encode(a);
  const right = Endpoint.encode(b);
  return left.length === right.length && left.every((byte, index) => byte === right[index]);
}
