// The user that the manager process runs as: one of its own, so that a hole in it is not a hole in the host. Its data folder is handed over to it. Where
// that user cannot get at the program or the data (a checkout below /root, a private data root), the manager runs as root and the log says why.
import { existsSync, lchownSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { SOCKET_GROUP } from '#api/http/server';

export interface User {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** The user of that name; undefined when there is none. */
export function findUser(
  name: string,
  passwd: string = readFileSync('/etc/passwd', 'utf8'),
): User | undefined {
  for (const line of passwd.split('\n')) {
    const [found, , uid, gid] = line.split(':');
    if (found === name && name !== '') return { name, uid: Number(uid), gid: Number(gid) };
  }
  return undefined;
}

/** Whether the user's own group is the one that the sockets are for: whoever took the manager over would be root on the node. */
export function isSocketUser(
  user: User,
  groups: string = readFileSync('/etc/group', 'utf8'),
): boolean {
  return groups.split('\n').some((line) => {
    const [name, , gid] = line.split(':');
    return name === SOCKET_GROUP && Number(gid) === user.gid;
  });
}

/** The first folder on the way to `path` that the user may not pass; undefined when it can get there. */
export function blockedAt(user: User, path: string): string | undefined {
  const folders: string[] = [];
  for (let at = dirname(path); ; at = dirname(at)) {
    folders.unshift(at);
    if (at === dirname(at)) break;
  }
  return folders.find((folder) => existsSync(folder) && !mayPass(user, folder));
}

function mayPass(user: User, folder: string): boolean {
  const { mode, uid, gid } = statSync(folder);
  if (uid === user.uid) return (mode & 0o100) !== 0;
  if (gid === user.gid) return (mode & 0o010) !== 0;
  return (mode & 0o001) !== 0;
}

/** Makes the manager's folder, and what is in it from a time when it had another owner, belong to its user (root when there is none). */
export function handOver(folder: string, user: User | undefined): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const owner = user ?? { uid: 0, gid: 0 };
  if (statSync(folder).uid === owner.uid) return;
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    lchownSync(join(folder, name), owner.uid, owner.gid);
  }
  // Last, so that a change of owner that was cut short is done again.
  lchownSync(folder, owner.uid, owner.gid);
}
