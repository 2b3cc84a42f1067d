// Everything of a node that could be left over: mounts, processes, links, routes, rules, nft, cgroups, files of the data and run roots, as sorted lines
// that can be compared. Left out is what grows by itself and is nobody's left-over: the manager's log segments, container logs, contents of layers.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type CrashNode, commandOf, parentOf } from './crash-node.ts';

/** Folders whose contents are user data. */
const OPAQUE = /\/(diff|upper|merged|work|_data|init|build\/cache|raft)$/;
/** Written by log rotation, by the kernel or at every start. */
const CHANGING = /(-json\.log(\.\d+)?|tswarmd\.lock)$/;

export function snapshot(node: CrashNode): string[] {
  return [
    ...node.mounts().map((path) => `mount ${short(path, node)}`),
    ...node
      .nodeProcesses()
      .filter((pid) => !isHelper(pid, node))
      .map((pid) => `process ${processName(pid, node)}`),
    ...inside(node, ['ip', '-br', 'link']).map((line) => `link ${line.split(/[\s@]+/)[0]}`),
    ...inside(node, ['ip', 'route', 'show', 'table', 'all']).map((line) => `route ${line.trim()}`),
    ...inside(node, ['ip', 'rule']).map((line) => `rule ${line}`),
    ...nftLines(node),
    ...node.cgroups().map((path) => `cgroup ${path}`),
    ...files(node.dataRoot).map((path) => `file ${short(path, node)}`),
    ...files(node.runRoot).map((path) => `file ${short(path, node)}`),
  ].sort();
}

/** Lines that only one of two snapshots has, marked + and -. */
export function difference(before: readonly string[], after: readonly string[]): string[] {
  return [
    ...minus(after, before).map((line) => `+ ${line}`),
    ...minus(before, after).map((line) => `- ${line}`),
  ];
}

/** With multiplicity: two equal lines are two things. */
function minus(all: readonly string[], taken: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const line of taken) counts.set(line, (counts.get(line) ?? 0) + 1);
  return all.filter((line) => {
    const count = counts.get(line) ?? 0;
    counts.set(line, count - 1);
    return count <= 0;
  });
}

function inside(node: CrashNode, command: readonly string[]): string[] {
  const [program = '', ...args] = [...node.enter, ...command];
  const { stdout } = spawnSync(program, args, { encoding: 'utf8' });
  return stdout.split('\n').filter((line) => line.trim() !== '');
}

/** Elements of a set are shown on several lines in no fixed order: one line for each. */
function nftLines(node: CrashNode): string[] {
  const text = inside(node, ['nft', 'list', 'ruleset']).join('\n');
  return text
    .replace(/packets \d+ bytes \d+/g, '')
    .split(/[\n,{}]/)
    .map((line) => line.trim().replace(/^elements = /, ''))
    .filter((line) => line !== '')
    .map((line) => `nft ${line}`);
}

/** Helpers of the daemon that runs now are started at need; those of a former one are left-overs. */
function isHelper(pid: number, node: CrashNode): boolean {
  return (
    parentOf(pid) === node.pid && /tswarm-(mount|net)$/.test(commandOf(pid).split(' ')[0] ?? '')
  );
}

function processName(pid: number, node: CrashNode): string {
  const command = commandOf(pid);
  const id = /--id (\S+)/.exec(command)?.[1] ?? '';
  const [program = ''] = command.split(' ');
  const name = /main\.js|^tswarmd/.test(command) ? 'tswarmd' : (program.split('/').at(-1) ?? '');
  return short(`${name} ${id}`.trim(), node);
}

function files(root: string): string[] {
  const found: string[] = [];
  const walk = (folder: string): void => {
    for (const entry of list(folder)) {
      const path = join(folder, entry.name);
      if (CHANGING.test(path)) continue;
      found.push(path);
      if (entry.isDirectory() && !OPAQUE.test(path)) walk(path);
    }
  };
  walk(root);
  return found;
}

function list(folder: string): ReturnType<typeof readFolder> {
  try {
    return readFolder(folder);
  } catch {
    // Removed while we looked.
    return [];
  }
}

function readFolder(folder: string) {
  return readdirSync(folder, { withFileTypes: true });
}

function short(text: string, node: CrashNode): string {
  return text.replaceAll(`${node.folder}/`, '');
}
