// Groups that containers ask for by `--cgroup-parent`. One that is not there is made by the runtime with the first container; it is noted before, and goes with the last container
// that asks for it. A group that somebody else has made (with limits of its own) is never noted, so it stays; one in which somebody else has something stays as well.
// The notes are in the run folder: after a reboot the groups are gone with them.
import { existsSync, rmdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { readJsonFile, writeFileAtomic } from '../files.ts';
import { Lock } from '../queue.ts';
import { cgroupMounts } from './cgroup-roots.ts';
import type { Container } from './container.ts';
import type { RuntimeDeps } from './deps.ts';

/** Parent as the container has it → absolute folders that this node makes for it, outermost first. */
type Notes = Readonly<Record<string, readonly string[]>>;

/** The notes are read, changed and written in one step. */
const changes = new Lock();

/** Before a container's group is made. */
export function noteCgroupParent(container: Container, deps: RuntimeDeps): Promise<void> {
  return changes.run(() => note(container, deps));
}

/** Removes what no container asks for any more. */
export function sweepCgroupParents(deps: RuntimeDeps): Promise<void> {
  return changes.run(() => sweep(deps));
}

/** Folders that were made for containers' parents. */
export async function notedCgroupParents(deps: RuntimeDeps): Promise<readonly string[]> {
  return Object.values(await readNotes(deps)).flat();
}

async function note(container: Container, deps: RuntimeDeps): Promise<void> {
  const parent = container.record.hostConfig.CgroupParent;
  const names = parent.split('/').filter((name) => name !== '');
  // The runtime refuses these itself.
  if (names.length === 0 || names.includes('..')) return;
  const missing = cgroupMounts(deps.host)
    .filter((mount) => existsSync(mount))
    .flatMap((mount) => names.map((_, index) => join(mount, ...names.slice(0, index + 1))))
    .filter((folder) => !existsSync(folder));
  if (missing.length === 0) return;
  const notes = await readNotes(deps);
  const known = notes[parent] ?? [];
  await writeNotes(deps, { ...notes, [parent]: [...new Set([...known, ...missing])] });
}

async function sweep(deps: RuntimeDeps): Promise<void> {
  const notes = await readNotes(deps);
  const used = new Set(deps.table.list().map(({ record }) => record.hostConfig.CgroupParent));
  const left: Record<string, readonly string[]> = {};
  for (const [parent, folders] of Object.entries(notes)) {
    const rest = used.has(parent) ? folders : folders.toReversed().filter((path) => !remove(path));
    if (rest.length > 0) left[parent] = used.has(parent) ? rest : rest.toReversed();
  }
  if (JSON.stringify(left) !== JSON.stringify(notes)) await writeNotes(deps, left);
}

/** @returns false when something is in it */
function remove(folder: string): boolean {
  try {
    rmdirSync(folder);
    return true;
  } catch {
    return !existsSync(folder);
  }
}

function notesPath({ options }: RuntimeDeps): string {
  return join(dirname(options.runtimeRoot), 'cgroup-parents.json');
}

async function readNotes(deps: RuntimeDeps): Promise<Notes> {
  return ((await readJsonFile(notesPath(deps))) as Notes | undefined) ?? {};
}

async function writeNotes(deps: RuntimeDeps, notes: Notes): Promise<void> {
  await writeFileAtomic(notesPath(deps), JSON.stringify(notes));
}
