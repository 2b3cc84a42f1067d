// What is wrong now, worst first, in sentences with a way to the page that says more. Pure.
import type { NodeRow, ServiceRow, TaskRow } from '#api/cluster/feed-types';
import { plural } from './format.ts';
import { type ClusterState, capacityOf, type Topic } from './state.ts';
import { reasonOf } from './task-words.ts';

export interface Finding {
  readonly severity: 'bad' | 'warn';
  readonly text: string;
  /** Page of the dashboard. */
  readonly link: string;
}

/** From here on a node is nearly full. */
const FULL_SHARE = 0.9;

/** All of them, by looking at everything. */
export function findings(state: ClusterState): Finding[] {
  return new Findings().update(state, [
    'nodes',
    ...state.all('node').map(({ id }) => `node:${id}` as const),
    ...state.all('service').map(({ id }) => `service:${id}` as const),
  ]);
}

/** Findings kept over changes: only what was touched is looked at again. */
export class Findings {
  readonly #byTopic = new Map<Topic, readonly Finding[]>();
  #all: Finding[] = [];

  /** What is wrong after changes of these topics; the same list when nothing of it has changed. */
  update(state: ClusterState, touched: Iterable<Topic>): Finding[] {
    let isChanged = false;
    let areNodesTouched = false;
    for (const topic of touched) {
      if (topic === 'node' || topic === 'nodes') areNodesTouched = true;
      const found = foundAt(state, topic);
      if (found) isChanged = this.#put(topic, found) || isChanged;
    }
    if (areNodesTouched)
      isChanged = this.#put('nodes', managerFindings(managersOf(state))) || isChanged;
    if (isChanged) this.#all = inOrder([...this.#byTopic]);
    return this.#all;
  }

  #put(topic: Topic, found: readonly Finding[]): boolean {
    const before = this.#byTopic.get(topic) ?? [];
    if (JSON.stringify(before) === JSON.stringify(found)) return false;
    if (found.length === 0) this.#byTopic.delete(topic);
    else this.#byTopic.set(topic, found);
    return true;
  }
}

/** Undefined for topics that say nothing about one node or service. */
function foundAt(state: ClusterState, topic: Topic): readonly Finding[] | undefined {
  const [kind = '', id = ''] = topic.split(':');
  if (id === '') return undefined;
  if (kind === 'node') {
    const node = state.get('node', id);
    return node ? nodeFindings(state, node) : [];
  }
  if (kind !== 'service') return undefined;
  const service = state.get('service', id);
  return service ? serviceFindings(state, service) : [];
}

/** The worst first; of the same weight managers, then nodes, then services. */
function inOrder(entries: readonly (readonly [Topic, readonly Finding[]])[]): Finding[] {
  const weight = (topic: Topic, { severity }: Finding): number =>
    (severity === 'warn' ? 4 : 0) + (topic === 'nodes' ? 0 : topic.startsWith('node') ? 1 : 2);
  return entries
    .flatMap(([topic, found]) => found.map((one) => ({ one, weight: weight(topic, one) })))
    .sort(
      (a, b) =>
        a.weight - b.weight ||
        a.one.text.localeCompare(b.one.text) ||
        a.one.link.localeCompare(b.one.link),
    )
    .map(({ one }) => one);
}

function managersOf(state: ClusterState): readonly NodeRow[] {
  return state.all('node').filter((node) => node.role === 'manager');
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
  const sick = state.sickOf(service.id);
  if (sick > 0) {
    const text = `Service ${service.name}: the health check of ${plural(sick, 'task')} fails`;
    return [{ severity: 'bad', text, link }];
  }
  if (isMoving || isJob || service.running + service.completed >= service.desired) return [];
  const severity = service.running === 0 ? 'bad' : 'warn';
  const reason = firstReason(state.waitingOf(service.id));
  const text = `Service ${service.name}: ${service.running} of ${service.desired} running${reason}`;
  return [{ severity, text, link }];
}

function firstReason(waiting: Iterable<TaskRow>): string {
  for (const task of waiting) {
    const reason = reasonOf(task);
    if (reason !== '') return `: ${reason}`;
  }
  return '';
}
