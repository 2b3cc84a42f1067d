// Removes every trace of a lab, also of one whose daemons were killed: processes that name its folder, what is in its nodes' control groups, mounts below the
// folder, the namespaces, the folder. Ends nothing that does not carry the lab's folder or a node's tag.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { processes, readProc } from './state.ts';

const CGROUP_ROOT = '/sys/fs/cgroup';
const ROUNDS_MAX = 100;
const ROUND_MS = 50;

export async function takeDown(folder: string): Promise<void> {
  const tags = nodeTags(folder);
  await endProcesses(folder, tags.flatMap(cgroupFolders));
  for (const socket of tags.flatMap(meshSockets)) rmSync(socket, { force: true });
  for (const tag of tags) await removeCgroups(tag);
  // Mounts may lie on mounts: from the last one back, until none is left.
  for (let round = 0; round < ROUNDS_MAX && mountsBelow(folder).length > 0; round++) {
    for (const path of mountsBelow(folder).reverse()) spawnSync('umount', ['-l', path]);
  }
  rmSync(folder, { recursive: true, force: true });
}

/** Ends everything that runs on one node, containers too, as when its power is cut. */
export async function powerOff(nodeFolder: string): Promise<void> {
  const path = join(nodeFolder, 'data/node-tag');
  const tag = existsSync(path) ? readFileSync(path, 'utf8').trim() : '';
  await endProcesses(nodeFolder, tag === '' ? [] : cgroupFolders(tag));
}

async function endProcesses(folder: string, groups: readonly string[]): Promise<void> {
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const pids = [...processesOf(folder), ...groups.flatMap(processesBelow)];
    if (pids.length === 0) return;
    for (const pid of pids) trySignal(pid);
    await new Promise((resolve) => setTimeout(resolve, ROUND_MS));
  }
}

/** What a lab left in the kernel; empty after `takeDown`. */
export function tracesOf(folder: string, tags: readonly string[]): string[] {
  return [
    ...processesOf(folder).map((pid) => `process ${pid}`),
    ...mountsBelow(folder).map((path) => `mount ${path}`),
    ...tags.flatMap(cgroupFolders).map((path) => `cgroup ${path}`),
    ...tags.flatMap(meshSockets).map((path) => `socket ${path}`),
  ];
}

/** Tags of the lab's nodes: their control groups and interfaces are named after them. */
export function nodeTags(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .map((name) => join(folder, name, 'data/node-tag'))
    .filter((path) => existsSync(path))
    .map((path) => readFileSync(path, 'utf8').trim())
    .filter((tag) => tag !== '');
}

/** Those that name the folder, and their manager processes, which have a title instead of a command line. */
function processesOf(folder: string): number[] {
  const named = processes()
    .filter(({ pid, command }) => pid !== process.pid && command.includes(`${folder}/`))
    .map(({ pid }) => pid);
  const managers = named
    .flatMap((pid) => readProc(`${pid}/task/${pid}`, 'children').split(' '))
    .filter((text) => text !== '' && readProc(text, 'cmdline').includes('tswarm-manager'))
    .map(Number);
  return [...new Set([...managers, ...named])];
}

function mountsBelow(folder: string): string[] {
  return readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((path) => path.startsWith(`${folder}/`));
}

/** wireguard-go's, which it leaves when it is killed. */
function meshSockets(tag: string): string[] {
  return [`/var/run/wireguard/w${tag}0.sock`].filter((path) => existsSync(path));
}

/** Of a node's containers; nothing may run in them any more. A process that has just ended may keep its group for a moment. */
export async function removeCgroups(tag: string): Promise<void> {
  for (let round = 0; round < ROUNDS_MAX; round++) {
    for (const group of cgroupFolders(tag)) {
      for (const path of below(group).reverse()) tryRemove(path);
    }
    if (cgroupFolders(tag).length === 0) return;
    await new Promise((resolve) => setTimeout(resolve, ROUND_MS));
  }
}

/** One for each controller with cgroup v1, one with v2. */
function cgroupFolders(tag: string): string[] {
  const mounts = readdirSync(CGROUP_ROOT).map((name) => join(CGROUP_ROOT, name));
  return [CGROUP_ROOT, ...mounts]
    .map((mount) => join(mount, `tswarm-${tag}`))
    .filter((folder) => existsSync(folder));
}

function processesBelow(group: string): number[] {
  return below(group).flatMap((path) => {
    try {
      return readFileSync(join(path, 'cgroup.procs'), 'utf8')
        .split('\n')
        .filter(Boolean)
        .map(Number);
    } catch {
      return [];
    }
  });
}

/** The folder and all below it, parents first. */
function below(folder: string): string[] {
  if (!existsSync(folder)) return [];
  const inner = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return [folder, ...inner.flatMap((entry) => below(join(folder, entry.name)))];
}

function tryRemove(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // The kernel still ends a process in it; `tracesOf` would show it.
  }
}

function trySignal(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}
