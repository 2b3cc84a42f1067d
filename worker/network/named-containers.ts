// What rules and names are made from, of each container with an attachment. The same object for the same record, so that what was computed from it can be
// used again: a record is never changed, only replaced.
import type { AttachmentRecord } from './attachment.ts';
import type { NamedContainer } from './names.ts';

export class NamedContainers {
  readonly #known = new WeakMap<AttachmentRecord, NamedContainer>();

  of(record: AttachmentRecord): NamedContainer {
    const known = this.#known.get(record) ?? namedContainer(record);
    this.#known.set(record, known);
    return known;
  }
}

function namedContainer({
  containerId,
  request,
  result,
  interfaces,
  serving,
}: AttachmentRecord): NamedContainer {
  return {
    containerId,
    taskId: request.taskId,
    links: interfaces.map((itf) => itf.host),
    endpoints: result.endpoints,
    primary: interfaces.findIndex((itf) => itf.v4?.defaultRoute === true),
    ports: result.portStatus,
    serving,
    names: [...request.names, request.hostname].filter((name) => name !== ''),
    nameservers: request.dns.nameservers,
  };
}
