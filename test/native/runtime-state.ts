// What callers of the runtime read of it (states and errors as JSON), and what a container could have left on the host.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PATIENCE } from './programs.ts';
import { hierarchies, type Sandbox } from './runtime-bundle.ts';

export interface StateJson {
  ociVersion: string;
  id: string;
  status: string;
  pid?: number;
  bundle: string;
  annotations?: Record<string, string>;
}

/** What `state` says. */
export const stateOf = (box: Sandbox, id: string): StateJson =>
  JSON.parse(box.run(['state', id]).stdout) as StateJson;

export interface ErrorJson {
  code: string;
  op: string;
  path: string;
  errno: number;
  message: string;
}

/** The last line of a failed command, which is for programs. */
export const errorOf = (stderr: string): ErrorJson =>
  JSON.parse(stderr.trim().split('\n').at(-1) ?? '') as ErrorJson;

/** Waits until the condition holds. */
export async function until(check: () => boolean, what: string): Promise<void> {
  const end = Date.now() + 10_000 * PATIENCE;
  while (!check()) {
    if (Date.now() > end) throw new Error(`timed out: ${what}`);
    await new Promise((done) => setTimeout(done, 5));
  }
}

/** What a container with this id could have left on the host. */
export function leftovers(box: Sandbox, id: string): string[] {
  const found: string[] = [];
  if (existsSync(join(box.root, id))) found.push(`state ${id}`);
  for (const base of hierarchies())
    if (existsSync(join(base, box.cgroupPath(id)))) found.push(join(base, box.cgroupPath(id)));
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      if (/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))) continue; // its parent's business
      if (readFileSync(`/proc/${pid}/cgroup`, 'utf8').includes(box.cgroupPath(id)))
        found.push(`process ${pid}`);
    } catch {
      // the process has ended meanwhile
    }
  }
  if (readFileSync('/proc/self/mountinfo', 'utf8').includes(join(box.dir, id)))
    found.push('a mount below the bundle');
  return found;
}
