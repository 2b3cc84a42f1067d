// The lab's pieces of kernel: one network namespace as a switch with a bridge, one network and one UTS namespace per node, a veth between them, and rules that
// lose packets on purpose. Namespaces are held by mounts over files in the lab's folder, so they outlive the command that made them.
// Nothing of the machine's own network is touched.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { GATEWAY, type LabNode, type NodePaths, SUBNET, switchNetns } from './state.ts';

const TABLE = 'tswarm_lab';
const TABLE_TEXT = `add table inet ${TABLE}\nadd chain inet ${TABLE} in { type filter hook prerouting priority -400; }\n`;

export function must(command: string, args: readonly string[], input = ''): string {
  const result = spawnSync(command, [...args], { encoding: 'utf8', input });
  if (result.error) throw result.error;
  if (result.status !== 0) {
    throw new Error(`${command} ${args.join(' ')}: ${result.stderr.trim()}`);
  }
  return result.stdout;
}

export function inNetns(netns: string, command: string, args: readonly string[]): string {
  return must('nsenter', [`--net=${netns}`, command, ...args]);
}

/** The switch: a bridge with the gateway's address. */
export function makeSwitch(folder: string): void {
  const netns = switchNetns(folder);
  writeFileSync(netns, '');
  must('unshare', [`--net=${netns}`, 'true']);
  inNetns(netns, 'ip', ['link', 'set', 'lo', 'up']);
  inNetns(netns, 'ip', ['link', 'add', 'lan', 'type', 'bridge']);
  inNetns(netns, 'ip', ['addr', 'add', `${GATEWAY}/24`, 'dev', 'lan']);
  inNetns(netns, 'ip', ['link', 'set', 'lan', 'up']);
}

/** A host of its own: network, name, and a cable to the switch. */
export function makeHost(folder: string, node: LabNode, paths: NodePaths): void {
  for (const file of [paths.netns, paths.utsns]) writeFileSync(file, '');
  must('unshare', [`--net=${paths.netns}`, `--uts=${paths.utsns}`, 'hostname', node.name]);
  const lan = switchNetns(folder);
  const port = `p-${node.name}`.slice(0, 15);
  inNetns(paths.netns, 'ip', ['link', 'set', 'lo', 'up']);
  // Made inside the switch's namespace; the other end is moved by the file of the node's.
  inNetns(lan, 'ip', ['link', 'add', port, 'type', 'veth', 'peer', 'name', 'eth0']);
  must('nsenter', [`--net=${lan}`, 'sh', '-ec', moveLink('eth0', paths.netns)]);
  inNetns(lan, 'ip', ['link', 'set', port, 'master', 'lan', 'up']);
  inNetns(paths.netns, 'ip', ['addr', 'add', `${node.address}/24`, 'dev', 'eth0']);
  inNetns(paths.netns, 'ip', ['link', 'set', 'eth0', 'up']);
  inNetns(paths.netns, 'ip', ['route', 'add', 'default', 'via', GATEWAY]);
}

/** ip(8) takes a namespace by pid: of a process that sits in it for as long as the move takes. */
function moveLink(link: string, netns: string): string {
  const move = `ip link set ${link} netns "$pid"`;
  return `nsenter --net=${netns} sleep 60 & pid=$!; while [ "$(readlink /proc/$pid/ns/net)" = "$(readlink /proc/self/ns/net)" ]; do sleep 0.01; done; ${move}; kill $pid`;
}

/** Packets that `node` gets from these addresses are lost from now on. */
export function dropFrom(paths: NodePaths, addresses: readonly string[]): void {
  const rules = addresses.map((address) => `add rule inet ${TABLE} in ip saddr ${address} drop\n`);
  must('nsenter', [`--net=${paths.netns}`, 'nft', '-f', '-'], TABLE_TEXT + rules.join(''));
}

export function heal(paths: NodePaths): void {
  const text = `add table inet ${TABLE}\ndelete table inet ${TABLE}\n`;
  must('nsenter', [`--net=${paths.netns}`, 'nft', '-f', '-'], text);
}

/** Addresses whose packets this node loses. */
export function droppedFrom(paths: NodePaths): string[] {
  const result = spawnSync(
    'nsenter',
    [`--net=${paths.netns}`, 'nft', 'list', 'table', 'inet', TABLE],
    { encoding: 'utf8' },
  );
  return [...result.stdout.matchAll(/ip saddr ([0-9.]+) drop/g)].map((match) => match[1] ?? '');
}

/** This node loses so many of the packets that come from others. (There is no netem here; delay needs it.) */
export function lose(paths: NodePaths, percent: number): void {
  const rule = `add rule inet ${TABLE} in iif eth0 numgen random mod 100 < ${percent} drop\n`;
  must('nsenter', [`--net=${paths.netns}`, 'nft', '-f', '-'], TABLE_TEXT + rule);
}

export function addressOf(index: number): string {
  return `${SUBNET}.${10 + index}`;
}
