// What a lab knows about itself, in one folder, so that every command works from any shell: lab.json (its nodes), per node a folder with data root, run root,
// namespaces, log and the pid of its daemon. Whether something runs is asked of the kernel, never of the file.
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const ROOT: string = join(import.meta.dirname, '../../..');
export const NODE: string = join(ROOT, `node_modules/node-linux-${process.arch}/bin/node`);

/** The lab's network; far from the default pool of container networks (10.0.0.0/8). */
export const SUBNET = '192.168.177';
export const GATEWAY = `${SUBNET}.1`;

export interface LabNode {
  /** Also its host name. */
  readonly name: string;
  readonly address: string;
}

export interface LabFile {
  readonly nodes: readonly LabNode[];
}

export interface NodePaths {
  readonly folder: string;
  readonly dataRoot: string;
  readonly runRoot: string;
  readonly netns: string;
  readonly utsns: string;
  readonly log: string;
  readonly pidFile: string;
  readonly socket: string;
  readonly clusterSocket: string;
}

export function labFolder(name: string): string {
  if (!/^[a-z0-9][a-z0-9-]{0,30}$/.test(name)) {
    throw new Error(`lab name ${JSON.stringify(name)}: use small letters, digits and dashes`);
  }
  return join(process.env.TSWARM_LAB_ROOT ?? tmpdir(), `tswarm-lab-${name}`);
}

export function pathsOf(folder: string, node: string): NodePaths {
  const own = join(folder, node);
  return {
    folder: own,
    dataRoot: join(own, 'data'),
    runRoot: join(own, 'run'),
    netns: join(own, 'netns'),
    utsns: join(own, 'utsns'),
    log: join(own, 'tswarmd.log'),
    pidFile: join(own, 'tswarmd.pid'),
    socket: join(own, 'run/docker.sock'),
    clusterSocket: join(own, 'run/cluster.sock'),
  };
}

/** Namespace of the switch that all nodes hang on. */
export function switchNetns(folder: string): string {
  return join(folder, 'switch');
}

export function readLab(folder: string): LabFile | undefined {
  const path = join(folder, 'lab.json');
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as LabFile) : undefined;
}

export function writeLab(folder: string, lab: LabFile): void {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, 'lab.json');
  writeFileSync(`${path}.tmp`, `${JSON.stringify(lab, null, 2)}\n`);
  renameSync(`${path}.tmp`, path);
}

/** All processes as (pid, command line). */
export function processes(): { readonly pid: number; readonly command: string }[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => ({ pid: Number(name), command: readProc(name, 'cmdline') }));
}

export function readProc(pid: number | string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8').replaceAll('\0', ' ').trim();
  } catch {
    return '';
  }
}

/** The daemon's pid while it lives; the data root on its command line tells it from whoever got its pid later. */
export function daemonPid(paths: NodePaths): number | undefined {
  if (!existsSync(paths.pidFile)) return undefined;
  const pid = Number(readFileSync(paths.pidFile, 'utf8'));
  const isIt = readProc(pid, 'cmdline').includes(paths.dataRoot);
  return isIt && stateOf(pid) !== 'Z' ? pid : undefined;
}

/** R, S, D, T (stopped), Z; '' when it is gone. */
export function stateOf(pid: number): string {
  const stat = readProc(pid, 'stat');
  return stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3);
}

/** The daemon and the manager process below it. */
export function controlPids(paths: NodePaths): number[] {
  const daemon = daemonPid(paths);
  if (daemon === undefined) return [];
  const children = readProc(`${daemon}/task/${daemon}`, 'children')
    .split(' ')
    .filter((text) => text !== '')
    .map(Number)
    .filter((pid) => /tswarm-manager|manager\/main/.test(readProc(pid, 'cmdline')));
  return [daemon, ...children];
}
