// tswarm doctor: everything that can be wrong with this node, looked at once, each fault with what to do about it. Exit code 1 while there is one. Looks only; with --repair it
// takes away what containers have left behind. Refuses nothing: what cannot be asked (a worker knows no other nodes) is left out.
import { statfsSync } from 'node:fs';
import type { NodeLeftover } from '#api/cluster/types';
import { call } from '../../client/cluster-call.ts';
import type { ApiClient, Json } from '../../client/http.ts';
import { EXIT } from '../../output/fail.ts';
import { formatList } from '../../output/format.ts';
import { humanSize } from '../../output/human.ts';
import { networkFaults } from '../network/check.ts';

interface Finding {
  readonly Check: string;
  /** Empty = nothing is wrong. */
  readonly Faults: readonly string[];
  readonly Details: string;
}

export interface DoctorOptions {
  readonly repair?: boolean;
  readonly json?: boolean;
}

/** Below both of these the disk is about to be full: a manager steps down, an image cannot be unpacked. */
const FREE_BYTES_MIN = 2 ** 30;
const FREE_SHARE_MIN = 0.05;
/** Left-overs that are shown one by one. */
const SHOWN_MAX = 10;

export async function doctor(client: ApiClient, options: DoctorOptions): Promise<number> {
  const info = await client.get<Json>('/info');
  const findings = [
    ofNode(info),
    await ofCluster(client),
    await ofNetwork(client),
    await ofLeftovers(client, options.repair === true),
  ];
  if (client.endpoint.socketPath !== '') findings.splice(1, 0, ofDisk(String(info.DockerRootDir)));
  const faults = findings.flatMap(({ Faults }) => Faults);
  if (options.json) process.stdout.write(`${JSON.stringify({ findings, faults }, null, 2)}\n`);
  else process.stdout.write(textOf(findings));
  return faults.length === 0 ? EXIT.ok : EXIT.failed;
}

function ofNode(info: Json): Finding {
  const warnings = (info.Warnings as readonly string[] | null | undefined) ?? [];
  const details = `${info.Name}: tswarm ${info.ServerVersion}, Linux ${info.KernelVersion}, cgroup v${info.CgroupVersion}`;
  return { Check: 'node', Faults: warnings, Details: details };
}

function ofDisk(folder: string): Finding {
  const { bavail, blocks, bsize } = statfsSync(folder);
  const free = bavail * bsize;
  const isLow = free < FREE_BYTES_MIN || bavail < blocks * FREE_SHARE_MIN;
  const details = `${humanSize(free)} free at ${folder}`;
  const fault = `the disk is nearly full (${details}): tswarm system df, tswarm system prune`;
  return { Check: 'disk', Faults: isLow ? [fault] : [], Details: details };
}

async function ofCluster(client: ApiClient): Promise<Finding> {
  const cluster = await call(client, 'GET /tswarm/v1/cluster');
  const Check = 'cluster';
  if (cluster.state === 'inactive') {
    return { Check, Faults: [], Details: 'in none: tswarm init, or tswarm join' };
  }
  if (cluster.state === 'locked') {
    return { Check, Faults: ['the manager is locked: tswarm unlock'], Details: '' };
  }
  if (cluster.state !== 'active') {
    return { Check, Faults: [cluster.error || `the node is ${cluster.state}`], Details: '' };
  }
  if (!cluster.isManager) return { Check, Faults: [], Details: 'worker, in session' };
  const nodes = await client.get<Json[]>('/nodes');
  const faults = nodes.flatMap((node) => nodeFaults(node));
  if (!cluster.leaderAddr && !cluster.leader) {
    faults.unshift('there is no leader: nothing can be changed until most managers are back');
  }
  const Details = `manager, ${cluster.managers} of ${cluster.nodes} nodes are managers`;
  return { Check, Faults: faults, Details };
}

function nodeFaults(node: Json): string[] {
  const name = String((node.Description as Json | undefined)?.Hostname ?? node.ID);
  const state = (node.Status as Json | undefined)?.State;
  const reachability = (node.ManagerStatus as Json | undefined)?.Reachability;
  if (reachability === 'unreachable') return [`manager ${name} cannot be reached`];
  return state === 'ready' ? [] : [`node ${name} is ${state}: tswarm why ${name}`];
}

async function ofNetwork(client: ApiClient): Promise<Finding> {
  const { report, faults } = await networkFaults(client);
  const Details =
    report.peers.length === 0
      ? 'no traffic with other nodes now'
      : `${report.peers.length} other nodes reached`;
  return { Check: 'network', Faults: faults, Details };
}

async function ofLeftovers(client: ApiClient, isRepair: boolean): Promise<Finding> {
  const before = await call(client, 'GET /tswarm/v1/node/leftovers');
  const left =
    isRepair && before.length > 0 ? await call(client, 'DELETE /tswarm/v1/node/leftovers') : before;
  const removed = before.length - left.length;
  const Details = removed > 0 ? `${removed} taken away` : 'none';
  return { Check: 'left-overs', Faults: left.length === 0 ? [] : leftoverFaults(left), Details };
}

function leftoverFaults(left: readonly NodeLeftover[]): readonly string[] {
  const shown = left.slice(0, SHOWN_MAX).map(({ kind, what }) => `${kind} ${what}`);
  const more = left.length > SHOWN_MAX ? [`and ${left.length - SHOWN_MAX} more`] : [];
  return [...shown, ...more, 'no container has these: tswarm doctor --repair'];
}

function textOf(findings: readonly Finding[]): string {
  const rows = findings.map(({ Check, Faults, Details }) => ({
    Check,
    State: Faults.length === 0 ? 'ok' : 'fault',
    Details: Faults.length === 0 ? Details : (Faults[0] ?? ''),
  }));
  const columns = [
    ['CHECK', 'Check'],
    ['STATE', 'State'],
    ['DETAILS', 'Details'],
  ] as const;
  const further = findings.flatMap(({ Check, Faults }) =>
    Faults.slice(1).map((fault) => `  ${Check}: ${fault}\n`),
  );
  return `${formatList({ columns, rows }, {})}${further.join('')}`;
}
