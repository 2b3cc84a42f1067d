// GET /healthz (the process lives), /readyz (the node can do its work, or why not) and /metrics (Prometheus). The answer is put together from counters that
// are kept, one call to the manager for what Raft is at, and the engine's own counts of containers. A manager that does not answer is missing from the
// metrics, and is what `tswarm_manager_up 0` means; the rest is still there.
import { readdirSync } from 'node:fs';
import { TswarmError } from '#protocol/errors';
import { type Context, type Route, requireSession } from '../context.ts';
import { callOptions } from '../control.ts';
import type { ApiRequest } from '../http/request.ts';
import { CacheWatch } from './cache-watch.ts';
import { byLabel, EXPOSITION_TYPE, expositionOf, type Family, single } from './exposition.ts';
import type { RequestMetrics } from './request-metrics.ts';

const METRICS_CALL_MS = 2_000;
const MICROS_PER_SECOND = 1e6;

export function metricsRoutes(context: Context, requests: RequestMetrics): readonly Route[] {
  const watch = new CacheWatch();
  return [
    {
      method: 'GET',
      pattern: '/healthz',
      handler: async (_request, reply) => reply.text(200, 'ok\n'),
    },
    {
      method: 'GET',
      pattern: '/readyz',
      handler: async (request, reply) => {
        const fault = await faultOf(context, request);
        reply.text(fault === '' ? 200 : 503, fault === '' ? 'ok\n' : `${fault}\n`);
      },
    },
    {
      method: 'GET',
      pattern: '/metrics',
      handler: async (request, reply) => {
        const families = [
          ...nodeFamilies(context),
          ...(await containerFamilies(context)),
          ...(await managerFamilies(context, request)),
          ...watch.families(context.node.session()?.cache),
          ...requests.families(),
        ];
        reply.text(200, expositionOf(families), EXPOSITION_TYPE);
      },
    },
  ];
}

/** Why the node is not ready, in one sentence; '' = it is. A node in no cluster serves its containers. */
async function faultOf(context: Context, request: ApiRequest): Promise<string> {
  const { state, error, isManager } = context.node.state();
  if (state === 'inactive') return '';
  if (state !== 'active') return error === '' ? `the cluster on this node is ${state}` : error;
  if (!isManager) return '';
  try {
    const { control } = requireSession(context);
    const options = { ...callOptions(request), timeoutMs: METRICS_CALL_MS };
    const { leaderNodeId } = await control.clusterStatus({}, options);
    return leaderNodeId === '' ? 'the cluster has no leader: too few managers are online' : '';
  } catch (failure) {
    if (failure instanceof TswarmError) return failure.message;
    throw failure;
  }
}

function nodeFamilies(context: Context): readonly Family[] {
  const { nodeId, isManager, state } = context.node.state();
  const { user, system } = process.cpuUsage();
  return [
    {
      name: 'tswarm_build_info',
      type: 'gauge',
      help: 'Always 1; the version is in the label.',
      samples: [{ labels: { version: context.version }, value: 1 }],
    },
    {
      name: 'tswarm_node_info',
      type: 'gauge',
      help: 'Always 1; what this node is.',
      samples: [
        { labels: { node_id: nodeId, role: isManager ? 'manager' : 'worker', state }, value: 1 },
      ],
    },
    single(
      'counter',
      'process_cpu_seconds_total',
      'Processor time of tswarmd, in seconds.',
      (user + system) / MICROS_PER_SECOND,
    ),
    single(
      'gauge',
      'process_resident_memory_bytes',
      'Resident memory of tswarmd.',
      process.memoryUsage.rss(),
    ),
    single(
      'gauge',
      'process_start_time_seconds',
      'Start of tswarmd, in seconds since 1970.',
      context.clock.nowMs() / 1000 - process.uptime(),
    ),
    single('gauge', 'process_open_fds', 'Open file descriptors of tswarmd.', openDescriptors()),
  ];
}

function openDescriptors(): number {
  try {
    return readdirSync('/proc/self/fd').length;
  } catch {
    return Number.NaN;
  }
}

async function containerFamilies(context: Context): Promise<readonly Family[]> {
  const info = await context.engine.info();
  const number = (key: string): number => Number(info[key] ?? 0);
  return [
    byLabel(
      { name: 'tswarm_containers', type: 'gauge', help: 'Containers on this node, by state.' },
      'state',
      [
        ['running', number('ContainersRunning')],
        ['paused', number('ContainersPaused')],
        ['stopped', number('ContainersStopped')],
      ],
    ),
    single('gauge', 'tswarm_images', 'Images on this node.', number('Images')),
  ];
}

async function managerFamilies(context: Context, request: ApiRequest): Promise<readonly Family[]> {
  if (!context.node.state().isManager) return [];
  const up = (value: 0 | 1): Family =>
    single('gauge', 'tswarm_manager_up', 'Whether the manager on this node answers.', value);
  try {
    const { control } = requireSession(context);
    const options = { ...callOptions(request), timeoutMs: METRICS_CALL_MS };
    const status = await control.clusterStatus({}, options);
    const gauge = (name: string, help: string, value: number): Family =>
      single('gauge', name, help, value);
    return [
      up(1),
      gauge('tswarm_raft_term', 'Raft term.', status.raftTerm),
      gauge('tswarm_raft_commit_index', 'Last committed log entry.', status.raftCommit),
      gauge('tswarm_raft_applied_index', 'Last applied log entry.', status.raftApplied),
      gauge('tswarm_raft_is_leader', 'Whether this node leads.', status.leader ? 1 : 0),
      gauge(
        'tswarm_raft_has_leader',
        'Whether a leader is known here.',
        status.leaderNodeId === '' ? 0 : 1,
      ),
      gauge('tswarm_managers', 'Managers of the cluster.', status.managers),
    ];
  } catch (error) {
    if (error instanceof TswarmError) return [up(0)];
    throw error;
  }
}
