// What rules and names are made from, of each container with an attachment. The same object for the same record, so that what was computed from it can be
// used again: a record is never changed, only replaced.
import type { AttachmentRecord } from './attachment.ts';
import { isDnsName, type NamedContainer } from './names.ts';

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
    aliases: aliasesOf(request.links ?? []),
  };
}

/** `NAME:ALIAS` as alias → name, in lower case as names are looked up. What is no name of DNS nobody can ask for. */
function aliasesOf(links: readonly string[]): Readonly<Record<string, string>> {
  const pairs = links.flatMap((link) => {
    const [name = '', alias = name] = link.toLowerCase().split(':', 2);
    return alias !== name && isDnsName(name) && isDnsName(alias) ? [[alias, name] as const] : [];
  });
  return Object.fromEntries(pairs);
}
