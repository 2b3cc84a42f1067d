// What is wrong now, worst first, in sentences with a way to the page that says more. Pure.
import type { NodeRow, ServiceRow, TaskRow } from '#api/cluster/feed-types';
import { plural } from './format.ts';
import { type ClusterState, capacityOf, isWanted, reasonOf } from './state.ts';

export interface Finding {
  readonly severity: 'bad' | 'warn';
  readonly text: string;
  /** Page of the dashboard. */
  readonly link: string;
}

/** From here on a node is nearly full. */
const FULL_SHARE = 0.9;

export function findings(state: ClusterState): Finding[] {
  const all = [
    ...managerFindings(state.all('node').filter((node) => node.role === 'manager')),
    ...state.all('node').flatMap((node) => nodeFindings(state, node)),
    ...state.all('service').flatMap((service) => serviceFindings(state, service)),
  ];
  return all.sort((a, b) => Number(a.severity === 'warn') - Number(b.severity === 'warn'));
}

function managerFindings(managers: readonly NodeRow[]): Finding[] {
  if (managers.length === 0) return [];
  const away = managers.filter((node) => node.reachability !== 'reachable');
  const spare = managers.length - away.length - (Math.floor(managers.length / 2) + 1);
  if (away.length === 0) {
    if (managers.length !== 2) return [];
    const text =
      'Two managers are no safer than one: if either fails, nothing can be changed. Promote a third node.';
    return [{ severity: 'warn', text, link: '#/nodes' }];
  }
  const names = away.map((node) => node.name).join(', ');
  const what = `${plural(away.length, 'manager')} of ${managers.length} cannot be reached: ${names}.`;
  if (spare < 0) {
    const text = `${what} Nothing can be changed until more than half of them are back; what runs goes on.`;
    return [{ severity: 'bad', text, link: '#/nodes' }];
  }
  const left = spare === 0 ? 'None more may fail.' : `${plural(spare, 'more')} may fail.`;
  return [{ severity: spare === 0 ? 'bad' : 'warn', text: `${what} ${left}`, link: '#/nodes' }];
}

function nodeFindings(state: ClusterState, node: NodeRow): Finding[] {
  const link = `#/nodes/${node.id}`;
  if (node.state !== 'ready') {
    const reason = node.message === '' ? '' : `: ${node.message}`;
    return [{ severity: 'bad', text: `Node ${node.name} is ${node.state}${reason}`, link }];
  }
  const { nanoCpus, nanoCpusReserved, memoryBytes, memoryBytesReserved } = capacityOf(state, node);
  const full = [
    nanoCpusReserved > FULL_SHARE * nanoCpus ? 'processors' : '',
    memoryBytesReserved > FULL_SHARE * memoryBytes ? 'memory' : '',
  ].filter((what) => what !== '');
  if (full.length === 0 || nanoCpus === 0) return [];
  const text = `Node ${node.name} is nearly full: ${full.join(' and ')} reserved`;
  return [{ severity: 'warn', text, link }];
}

const STUCK: Readonly<Record<string, string>> = {
  paused: 'its update is halted',
  rollback_paused: 'its rollback is halted',
  failed: 'its update failed',
  rollback_completed: 'its update failed and was rolled back',
};

function serviceFindings(state: ClusterState, service: ServiceRow): Finding[] {
  const link = `#/services/${service.id}`;
  const stuck = STUCK[service.update?.state ?? ''];
  const isMoving =
    service.update?.state === 'updating' || service.update?.state === 'rollback_started';
  const isJob = service.mode.endsWith('-job');
  if (stuck !== undefined) {
    const text = `Service ${service.name}: ${stuck}. ${service.update?.message ?? ''}`.trimEnd();
    return [{ severity: 'bad', text, link }];
  }
  const tasks = state.tasksOfService(service.id).filter(isWanted);
  const sick = tasks.filter((task) => task.health === 'unhealthy');
  if (sick.length > 0) {
    const text = `Service ${service.name}: the health check of ${plural(sick.length, 'task')} fails`;
    return [{ severity: 'bad', text, link }];
  }
  if (isMoving || isJob || service.running >= service.desired) return [];
  const severity = service.running === 0 ? 'bad' : 'warn';
  const reason = firstReason(tasks);
  const text = `Service ${service.name}: ${service.running} of ${service.desired} running${reason}`;
  return [{ severity, text, link }];
}

function firstReason(tasks: readonly TaskRow[]): string {
  const reason = tasks
    .filter((task) => task.state !== 'running')
    .map(reasonOf)
    .find((text) => text !== '');
  return reason === undefined ? '' : `: ${reason}`;
}
