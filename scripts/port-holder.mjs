// Who listens on a TCP port, from /proc/net/tcp* (socket inode) and the file descriptors of all processes. The daemon has the same in TypeScript
// (daemon/ports.ts); this one must run before anything is compiled.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';

const LISTEN = '0A';

/** `nginx (pid 12)`, or `another program` when that cannot be seen from here. */
export function portHolder(port) {
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const sockets = new Set(
    ['/proc/net/tcp', '/proc/net/tcp6']
      .flatMap((path) => readText(path).split('\n').slice(1))
      .map((line) => line.trim().split(/\s+/))
      .filter((fields) => fields[3] === LISTEN && fields[1].endsWith(wanted))
      .map((fields) => `socket:[${fields[9]}]`),
  );
  const pid = readdirSync('/proc').find((name) => /^\d+$/.test(name) && holds(name, sockets));
  if (pid === undefined) return 'another program';
  const [first] = readText(`/proc/${pid}/cmdline`).split(/[\0 ]/);
  return `${basename(first).replace(/:$/, '') || readText(`/proc/${pid}/comm`).trim()} (pid ${pid})`;
}

function holds(pid, sockets) {
  try {
    const folder = `/proc/${pid}/fd`;
    return readdirSync(folder).some((name) => {
      try {
        return sockets.has(readlinkSync(`${folder}/${name}`));
      } catch {
        return false; // It was closed meanwhile.
      }
    });
  } catch {
    return false; // The process has ended meanwhile, or is another user's.
  }
}

function readText(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
