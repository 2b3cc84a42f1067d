// Who has a TCP port: from /proc/net/tcp* (socket inode) and the file descriptors of all processes. Only asked when a bind failed, so that the error can
// say whom to stop.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { basename } from 'node:path';
import { TswarmError } from '#protocol/errors';

const LISTEN = '0A';

/** @throws already_exists `port 2377 is taken by nginx (pid 12)`, invalid_argument for an address that is not of this host. */
export async function checkPortFree(host: string, port: number): Promise<void> {
  const code = await tryBind(host, port);
  if (code === undefined) return;
  if (code === 'EADDRINUSE') {
    throw new TswarmError('already_exists', `port ${port} is taken by ${holderOf(port)}`, {
      field: 'listenAddr',
      hint: 'Stop it, or choose another one with --listen-addr.',
    });
  }
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') {
    throw new TswarmError(
      'invalid_argument',
      `listenAddr: ${host} is not an address of this host`,
      {
        field: 'listenAddr',
      },
    );
  }
  throw new TswarmError('invalid_argument', `cannot listen on ${host}:${port}: ${code}`, {
    field: 'listenAddr',
  });
}

/** True when nothing listens there. */
export async function isPortFree(host: string, port: number): Promise<boolean> {
  return (await tryBind(host, port)) === undefined;
}

/** A port that is free now. Whoever takes it must be ready to find it taken after all. */
export function freePort(host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, host, () => {
      const address = server.address();
      const port = typeof address === 'object' && address ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}

function tryBind(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'error'));
    server.listen(port, host, () => server.close(() => resolve(undefined)));
  });
}

/** `nginx (pid 12)`, or `another process` when that cannot be seen from here. */
export function holderOf(port: number): string {
  const inodes = listeningInodes(port);
  if (inodes.size > 0) {
    for (const pid of readdirSync('/proc')) {
      if (/^\d+$/.test(pid) && holdsSocket(pid, inodes)) return `${nameOf(pid)} (pid ${pid})`;
    }
  }
  return 'another process';
}

function listeningInodes(port: number): ReadonlySet<string> {
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const out = new Set<string>();
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    let text = '';
    try {
      text = readFileSync(table, 'utf8');
    } catch {
      continue;
    }
    for (const line of text.split('\n').slice(1)) {
      const fields = line.trim().split(/\s+/);
      if (fields[3] === LISTEN && fields[1]?.endsWith(wanted) && fields[9]) out.add(fields[9]);
    }
  }
  return out;
}

function holdsSocket(pid: string, inodes: ReadonlySet<string>): boolean {
  let names: string[];
  try {
    names = readdirSync(`/proc/${pid}/fd`);
  } catch {
    return false;
  }
  return names.some((name) => {
    try {
      const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${name}`))?.[1];
      return inode !== undefined && inodes.has(inode);
    } catch {
      return false;
    }
  });
}

/** The program as people know it: argv[0] without its folder (Node's own name for its main thread would say nothing). */
function nameOf(pid: string): string {
  try {
    const [first = ''] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split(/[\0 ]/);
    const name = basename(first).replace(/:$/, '');
    return name === '' ? readFileSync(`/proc/${pid}/comm`, 'utf8').trim() : name;
  } catch {
    return 'a process';
  }
}
