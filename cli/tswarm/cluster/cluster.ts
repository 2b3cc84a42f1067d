// tswarm info, version: this node, its cluster, and who answers.

import type { ClusterInfo } from '#api/cluster/types';
import { hasCode } from '#protocol/errors';
import { call } from '../../client/cluster-call.ts';
import type { ApiClient, Json } from '../../client/http.ts';
import { EXIT } from '../../output/fail.ts';
import { renderTemplate } from '../../output/format.ts';
import { humanSize } from '../../output/human.ts';
import { VERSION } from '../../version.ts';

/** `info` shows a node that stays pending, and why, after so long; looked at so often. */
const PENDING_WAIT_MS = 3000;
const PENDING_LOOK_MS = 200;

export async function info(
  client: ApiClient,
  options: { readonly format?: string },
): Promise<number> {
  const facts = await settledFacts(client);
  if (options.format) {
    process.stdout.write(
      options.format === 'json'
        ? `${JSON.stringify(facts)}\n`
        : `${renderTemplate(options.format, facts)}\n`,
    );
    return EXIT.ok;
  }
  const cluster = await call(client, 'GET /tswarm/v1/cluster');
  const lines: [string, unknown][] = [
    ['Name', facts.Name],
    ['Version', facts.ServerVersion],
    ['Kernel', facts.KernelVersion],
    ['Operating system', facts.OperatingSystem],
    ['Architecture', facts.Architecture],
    ['CPUs', facts.NCPU],
    ['Memory', humanSize(Number(facts.MemTotal ?? 0))],
    ['Storage driver', facts.Driver],
    ['Control groups', `${facts.CgroupDriver} v${facts.CgroupVersion}`],
    ['Runtime', facts.DefaultRuntime],
    ['Data root', facts.DockerRootDir],
    [
      'Containers',
      `${facts.Containers} (${facts.ContainersRunning} running, ${facts.ContainersPaused} paused, ${facts.ContainersStopped} stopped)`,
    ],
    ['Images', facts.Images],
    ['Cluster', cluster.state],
    ...(cluster.error ? [['  Error', cluster.error] as [string, unknown]] : []),
  ];
  if (cluster.state !== 'inactive') lines.push(...clusterLines(cluster, facts));
  for (const [name, value] of lines) process.stdout.write(`${name}: ${value ?? ''}\n`);
  for (const warning of (facts.Warnings as readonly string[] | null) ?? [])
    process.stderr.write(`WARNING: ${warning}\n`);
  return EXIT.ok;
}

/** A node that has just started, or whose leader has just changed, is asked again for a little while. */
async function settledFacts(client: ApiClient): Promise<Json> {
  const endMs = Date.now() + PENDING_WAIT_MS;
  for (;;) {
    const facts = await client.get<Json>('/info');
    const { LocalNodeState: state } = (facts.Swarm ?? {}) as { readonly LocalNodeState?: string };
    if (state !== 'pending' || Date.now() >= endMs) return facts;
    await new Promise((resolve) => setTimeout(resolve, PENDING_LOOK_MS));
  }
}

function clusterLines(cluster: ClusterInfo, facts: Json): [string, unknown][] {
  const swarm = facts.Swarm as { readonly RemoteManagers?: readonly { Addr: string }[] | null };
  const lines: [string, unknown][] = [
    ['  Cluster ID', cluster.clusterId],
    ['  Node ID', cluster.nodeId],
    ['  Manager', cluster.isManager ? (cluster.leader ? 'yes (leader)' : 'yes') : 'no'],
  ];
  if (cluster.isManager && cluster.nodes !== undefined) {
    lines.push(['  Managers', cluster.managers], ['  Nodes', cluster.nodes]);
    lines.push(['  Leader', cluster.leaderAddr || 'none: too few managers are online']);
    lines.push(['  Control address', cluster.controlAddr]);
  }
  const managers = swarm.RemoteManagers ?? [];
  lines.push(['  Manager addresses', managers.map((manager) => manager.Addr).join(', ')]);
  return lines;
}

/** Client and server; a server that cannot be reached is an error after the client's part. */
export async function version(
  client: ApiClient,
  options: { readonly format?: string },
): Promise<number> {
  let server: Json | undefined;
  let failure: unknown;
  try {
    server = await client.get<Json>('/version');
  } catch (error) {
    failure = error;
  }
  const both = { Client: { Version: VERSION, Node: process.version }, Server: server ?? null };
  if (options.format) {
    process.stdout.write(
      options.format === 'json'
        ? `${JSON.stringify(both)}\n`
        : `${renderTemplate(options.format, both)}\n`,
    );
  } else {
    process.stdout.write(
      `Client:\n Version:      ${VERSION}\n Node.js:      ${process.version}\n OS/Arch:      linux/${process.arch}\n`,
    );
    if (server) {
      process.stdout.write(
        `\nServer:\n Version:      ${server.Version}\n API version:  ${server.ApiVersion} (minimum ${server.MinAPIVersion})\n OS/Arch:      ${server.Os}/${server.Arch}\n Kernel:       ${server.KernelVersion}\n`,
      );
    }
  }
  if (failure !== undefined && !hasCode(failure, 'cancelled')) throw failure;
  return EXIT.ok;
}
