// The three files that an engine gives every container: /etc/hosts, /etc/hostname, /etc/resolv.conf. Content here, writing in place (same inode, so that a
// running container that has them bind-mounted sees the change).
import { writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { AttachedEndpoint } from '../network/types.ts';

const HOSTS_HEAD = [
  '127.0.0.1\tlocalhost',
  '::1\tlocalhost ip6-localhost ip6-loopback',
  'fe00::\tip6-localnet',
  'ff00::\tip6-mcastprefix',
  'ff02::1\tip6-allnodes',
  'ff02::2\tip6-allrouters',
];

export interface HostsInput {
  readonly hostname: string;
  readonly domainname: string;
  readonly endpoints: readonly AttachedEndpoint[];
  /** `name:address`, as `--add-host`; `host-gateway` is the host's address. */
  readonly extraHosts: readonly string[];
  readonly hostGateway: string;
}

/** The content of /etc/hosts. */
export function hostsFile(input: HostsInput): string {
  const lines = [...HOSTS_HEAD];
  for (const extra of input.extraHosts) {
    const { name, address } = splitExtraHost(extra);
    const resolved = address === 'host-gateway' ? input.hostGateway : address;
    if (resolved !== '') lines.push(`${resolved}\t${name}`);
  }
  const names =
    input.domainname === ''
      ? input.hostname
      : `${input.hostname}.${input.domainname} ${input.hostname}`;
  if (names !== '') {
    for (const endpoint of input.endpoints) {
      if (endpoint.ipv4 !== '') lines.push(`${endpoint.ipv4}\t${names}`);
      if (endpoint.ipv6 !== '') lines.push(`${endpoint.ipv6}\t${names}`);
    }
  }
  return `${lines.join('\n')}\n`;
}

/** `name:address` (IPv6 may be in brackets), or `name=address`. */
export function splitExtraHost(text: string): { readonly name: string; readonly address: string } {
  const cut = text.search(/[:=]/);
  const name = cut < 0 ? text : text.slice(0, cut);
  const address = cut < 0 ? '' : text.slice(cut + 1).replace(/^\[(.*)\]$/, '$1');
  return { name, address };
}

/** The host's own file, for containers in the host's network namespace; '' when the host has none. */
export async function hostFile(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}

/** Writes into the existing inode. */
export async function writeInPlace(path: string, content: string): Promise<void> {
  writeFileSync(path, content, { mode: 0o644 });
}
