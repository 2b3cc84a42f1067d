// A container's /etc/resolv.conf. Where it has a network, its only server is the node's resolver, which knows the containers' names and asks the servers
// that the user gave (or the host's) for all others: a list of servers could not say that, because programs take the first one's word. Pure.
import { isIP } from 'node:net';
import { TswarmError } from '#protocol/errors';
import { RESOLVER_ADDRESS } from './base-rules.ts';
import type { HostResolver } from './host.ts';
import type { AttachRequest } from './types.ts';

/** `networked`: the container has an interface, so the node's resolver can be reached. */
export function resolvConf(
  asked: AttachRequest['dns'],
  host: HostResolver,
  networked: boolean,
): string {
  const search = asked.search.length > 0 ? asked.search : host.search;
  const own = asked.nameservers.length > 0 ? asked.nameservers : host.nameservers;
  const servers = networked ? [RESOLVER_ADDRESS] : own;
  const options = asked.options.length > 0 ? [...asked.options] : [...host.options];
  // Names of services have no dots and are asked as they are.
  if (networked && !options.some((option) => option.startsWith('ndots:'))) options.push('ndots:0');
  const lines = servers.map((server) => `nameserver ${server}`);
  // "." alone is how a user asks for no search domain at all.
  if (search.length > 0 && !(search.length === 1 && search[0] === '.'))
    lines.push(`search ${search.join(' ')}`);
  if (options.length > 0) lines.push(`options ${options.join(' ')}`);
  return `${lines.join('\n')}\n`;
}

/** @throws TswarmError invalid_argument */
export function checkNameservers(nameservers: readonly string[]): void {
  for (const server of nameservers) {
    if (isIP(server.split('%')[0] ?? '') !== 0) continue;
    throw new TswarmError('invalid_argument', `name server "${server}" is not an IP address`, {
      field: 'HostConfig.Dns',
    });
  }
}
