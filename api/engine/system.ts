// GET /_ping, /version, /info, /system/df and POST /auth. /info is the worker's own part plus where the node stands with its cluster.
import { statSync } from 'node:fs';
import { arch, release } from 'node:os';
import type { EngineJson } from '#protocol/engine';
import { formatTime } from '#protocol/engine-json';
import type { Context, Handler, Route } from '../context.ts';
import type { Reply } from '../http/reply.ts';
import { textKey } from '../http/request.ts';
import { API_VERSION_MAX, API_VERSION_MIN } from '../limits.ts';
import { clusterJson } from './shapes.ts';

/** When this program was compiled: its own file says it. */
const BUILT_AT: string = statSync(import.meta.filename).mtime.toISOString();
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

export function systemRoutes(context: Context): readonly Route[] {
  const ping: Handler = async (_request, reply) => {
    reply.header('Cache-Control', 'no-cache, no-store, must-revalidate');
    reply.header('Pragma', 'no-cache');
    reply.header('Builder-Version', '1');
    reply.header('Swarm', swarmHeader(context));
    reply.text(200, 'OK');
  };
  return [
    { method: 'GET', pattern: '/_ping', handler: ping },
    { method: 'HEAD', pattern: '/_ping', handler: ping },
    { method: 'GET', pattern: '/version', handler: async (_r, reply) => version(context, reply) },
    {
      method: 'GET',
      pattern: '/info',
      handler: async (_r, reply) => reply.json(200, await info(context)),
    },
    {
      method: 'GET',
      pattern: '/system/df',
      handler: async (_r, reply) => reply.json(200, await context.engine.diskUsage()),
    },
    {
      method: 'POST',
      pattern: '/auth',
      handler: async (request, reply) => {
        const body = (await request.optionalJson()) ?? {};
        reply.json(
          200,
          await context.engine.authenticate({
            username: textKey(body, 'username'),
            password: textKey(body, 'password'),
            serverAddress: textKey(body, 'serveraddress'),
            identityToken: textKey(body, 'identitytoken'),
          }),
        );
      },
    },
  ];
}

function swarmHeader(context: Context): string {
  const { state, isManager } = context.node.state();
  return state === 'active' ? `active/${isManager ? 'manager' : 'worker'}` : state;
}

function version(context: Context, reply: Reply): void {
  const common = {
    Version: context.version,
    ApiVersion: API_VERSION_MAX,
    MinAPIVersion: API_VERSION_MIN,
    GitCommit: '',
    GoVersion: `node ${process.version}`,
    Os: 'linux',
    Arch: ARCHITECTURES[arch()] ?? arch(),
    KernelVersion: release(),
    BuildTime: BUILT_AT,
  };
  const { Version, ...details } = common;
  reply.json(200, {
    Platform: { Name: 'tswarm' },
    Components: [
      { Name: 'Engine', Version, Details: { ...details, Experimental: 'false' } },
      // Our own clients look for this name before they talk to whatever DOCKER_HOST points at.
      { Name: 'tswarm', Version, Details: {} },
    ],
    ...common,
  });
}

/** The whole of GET /info. Clients print a warning for each of the booleans that is missing, so what a kernel always has is filled in. */
async function info(context: Context): Promise<EngineJson> {
  const own = await context.engine.info();
  return {
    OSType: 'linux',
    MemoryLimit: true,
    SwapLimit: true,
    CpuCfsPeriod: true,
    CpuCfsQuota: true,
    CPUShares: true,
    CPUSet: true,
    PidsLimit: true,
    OomKillDisable: true,
    IPv4Forwarding: true,
    BridgeNfIptables: true,
    BridgeNfIp6tables: true,
    Debug: false,
    ExperimentalBuild: false,
    LiveRestoreEnabled: true,
    IndexServerAddress: 'https://index.docker.io/v1/',
    HttpProxy: '',
    HttpsProxy: '',
    NoProxy: '',
    Labels: [],
    Isolation: '',
    Warnings: null,
    ...own,
    SystemTime: formatTime(Math.round(context.clock.nowMs() * 1000)),
    ServerVersion: context.version,
    Swarm: swarmInfo(context),
  };
}

function swarmInfo(context: Context): EngineJson {
  const state = context.node.state();
  const base = {
    NodeID: state.nodeId,
    NodeAddr: state.nodeAddr,
    LocalNodeState: state.state,
    ControlAvailable: state.isManager && state.state === 'active',
    Error: state.error,
    RemoteManagers:
      state.remoteManagers.length === 0
        ? null
        : state.remoteManagers.map((m) => ({ NodeID: m.nodeId, Addr: m.addr })),
  };
  const session = context.node.session();
  if (!session?.cache.isReady || !base.ControlAvailable) return base;
  const [cluster] = session.cache.all('cluster');
  let managers = 0;
  for (const node of session.cache.all('node')) if (node.managerStatus) managers++;
  return {
    ...base,
    Nodes: session.cache.count('node'),
    Managers: managers,
    Cluster: cluster ? clusterJson(cluster, undefined) : null,
  };
}
