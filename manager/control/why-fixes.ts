// What would help a task that finds no node: derived from what the filters refused. Codes with values; whoever shows them makes the words (cli/tswarm/why).
// Refuses to guess: a fix is named only where it would change a filter's answer.
import { parseConstraint } from '#manager/scheduler/constraint';
import type { Refusal } from '#manager/scheduler/explain';
import { claimedOn } from '#manager/scheduler/filters';
import { genericText } from '#manager/scheduler/generic-resources';
import type { ReadView } from '#manager/store/view';
import { WhyFix } from '#protocol/generated/control';
import { type Node, NodeState, type Task, TaskState } from '#protocol/generated/objects';
import {
  MountType,
  NodeAvailability,
  type PortConfig,
  PortProtocolText,
  PublishMode,
} from '#protocol/generated/specs';

/** Hostnames named in one fix. */
const NAMES_MAX = 3;

/**
 * Codes: bring-back-node HOST…, bring-back-data HOST VOLUME, activate-node HOST…, lower-reservation SERVICE HOST (KIND FREE TOTAL)…, add-node (KIND AMOUNT)…, label-node HOST
 * LABEL VALUE, change-constraint TEXT SERVICE, add-platform OS/ARCH, free-port PORT HOLDER SERVICE TARGET PROTOCOL, raise-max-replicas MAX SERVICE
 * NEEDED, add-plugin TYPE NAME, look-at-service NAME, look-at-logs NAME, resume-update NAME, rollback NAME, add-address NETWORK.
 */
export function fixesFor(task: Task, refusals: readonly Refusal[], view: ReadView): WhyFix[] {
  const fixes: WhyFix[] = [];
  const by = new Map<string, Refusal[]>();
  for (const refusal of refusals) {
    by.set(refusal.filter, [...(by.get(refusal.filter) ?? []), refusal]);
  }
  // Where a volume has its home no other node would do, ready or not.
  if (by.has('volume')) fixes.push(...volumeFixes(task, view));
  else fixes.push(...readyFixes(by.get('ready') ?? []));
  fixes.push(...resourceFixes(task, by.get('resource') ?? []));
  const constrained = by.get('constraint')?.[0];
  if (constrained) fixes.push(...constraintFixes(task, constrained));
  if (by.has('platform')) fixes.push(platformFix(task));
  for (const refusal of (by.get('host-port') ?? []).slice(0, 1)) {
    fixes.push(...portFixes(task, refusal, view));
  }
  if (by.has('max-replicas')) {
    fixes.push(maxReplicasFix(task, by.get('max-replicas')?.length ?? 1, view), fix('add-node'));
  }
  for (const refusal of (by.get('plugin') ?? []).slice(0, 1)) {
    fixes.push(fix('add-plugin', refusal.detail));
  }
  if (refusals.length === 0 && by.size === 0) fixes.push(fix('add-node'));
  return unique(fixes);
}

export function fix(code: string, ...values: readonly string[]): WhyFix {
  return WhyFix.create({ code, values });
}

function nameOf(node: Node): string {
  return node.description?.hostname || node.id;
}

/** The node that could give the largest part of what is asked, and what it has. */
function resourceFixes(task: Task, refusals: readonly Refusal[]): WhyFix[] {
  const asked = task.spec?.resources?.reservations;
  const nearest = nearestNode(task, refusals);
  if (!asked || !nearest) return [];
  const { info } = nearest;
  const has = info.node.description?.resources;
  const short: string[] = [];
  const needs: string[] = [];
  const compare = (kind: string, wanted: number, free: number, total: number): void => {
    if (wanted > 0) needs.push(kind, String(wanted));
    if (wanted > free) short.push(kind, String(Math.max(0, free)), String(total));
  };
  compare('cpu', asked.nanoCpus, info.nanoCpusFree, has?.nanoCpus ?? 0);
  compare('memory', asked.memoryBytes, info.memoryBytesFree, has?.memoryBytes ?? 0);
  if (claimedOn(info, task) === undefined) {
    short.push(genericText(asked.genericResources), '0', '0');
  }
  return [
    fix('lower-reservation', task.serviceName, nameOf(info.node), ...short),
    fix('add-node', ...needs),
  ];
}

function nearestNode(task: Task, refusals: readonly Refusal[]): Refusal | undefined {
  const asked = task.spec?.resources?.reservations;
  const part = (wanted: number, free: number): number =>
    wanted <= 0 ? 1 : Math.min(1, Math.max(0, free) / wanted);
  const share = ({ info }: Refusal): number =>
    claimedOn(info, task) === undefined
      ? -1
      : Math.min(
          part(asked?.nanoCpus ?? 0, info.nanoCpusFree),
          part(asked?.memoryBytes ?? 0, info.memoryBytesFree),
        );
  let best: Refusal | undefined;
  for (const refusal of refusals) if (!best || share(refusal) > share(best)) best = refusal;
  return best;
}

function readyFixes(refusals: readonly Refusal[]): WhyFix[] {
  const names = (match: (node: Node) => boolean): string[] =>
    refusals
      .map(({ info }) => info.node)
      .filter(match)
      .map(nameOf)
      .slice(0, NAMES_MAX);
  const down = names((node) => node.status?.state !== NodeState.READY);
  const closed = names(
    (node) =>
      node.status?.state === NodeState.READY && node.spec?.availability !== NodeAvailability.ACTIVE,
  );
  const fixes: WhyFix[] = [];
  if (closed.length > 0) fixes.push(fix('activate-node', ...closed));
  if (down.length > 0) fixes.push(fix('bring-back-node', ...down));
  return fixes;
}

/** A label that a node lacks can be given to it; everything else is as it is. */
function constraintFixes(task: Task, { info, detail }: Refusal): WhyFix[] {
  const texts = task.spec?.placement?.constraints ?? [];
  const text = texts.find((one) => detail.startsWith(`${one}:`)) ?? '';
  if (text === '') return [];
  const { key, operator, values } = parseConstraint(text);
  const label = /^node\.labels\.(.+)$/i.exec(key)?.[1];
  const [value = ''] = values;
  const canLabel = label !== undefined && ['==', 'in', 'exists'].includes(operator);
  const labelled = canLabel && !value.includes('*');
  return [
    ...(labelled ? [fix('label-node', nameOf(info.node), label, value)] : []),
    fix('change-constraint', text, task.serviceName),
  ];
}

function platformFix(task: Task): WhyFix {
  const platforms = task.spec?.placement?.platforms ?? [];
  return fix('add-platform', ...platforms.map(({ os, architecture }) => `${os}/${architecture}`));
}

function portFixes(task: Task, { info }: Refusal, view: ReadView): WhyFix[] {
  const fixes: WhyFix[] = [];
  const mine = hostPorts(task);
  for (const other of view.tasksByNode(info.node.id)) {
    const ended = (other.status?.state ?? TaskState.NEW) > TaskState.RUNNING;
    if (ended || other.id === task.id) continue;
    for (const { publishedPort: port, protocol } of hostPorts(other)) {
      const taken = mine.find((one) => one.publishedPort === port && one.protocol === protocol);
      if (!taken) continue;
      const target = [String(taken.targetPort), PortProtocolText.get(protocol) ?? 'tcp'];
      fixes.push(fix('free-port', String(port), other.serviceName, task.serviceName, ...target));
    }
  }
  return fixes;
}

function hostPorts(task: Task): PortConfig[] {
  return (task.endpoint?.ports ?? []).filter(
    (port) => port.publishMode === PublishMode.HOST && port.publishedPort > 0,
  );
}

/** `nodes`: how many would do but for the limit. */
function maxReplicasFix(task: Task, nodes: number, view: ReadView): WhyFix {
  const max = task.spec?.placement?.maxReplicas ?? 0;
  const mode = view.get('service', task.serviceId)?.spec?.mode;
  const replicas = mode?.replicated?.replicas ?? mode?.replicatedJob?.maxConcurrent ?? 1;
  const needed = Math.max(max + 1, Math.ceil(replicas / Math.max(1, nodes)));
  return fix('raise-max-replicas', String(max), task.serviceName, String(needed));
}

/** A volume's home is where its data is: that node has to come back, or the data be given up. */
function volumeFixes(task: Task, view: ReadView): WhyFix[] {
  const fixes: WhyFix[] = [];
  for (const mount of task.spec?.containerSpec?.mounts ?? []) {
    if (mount.type !== MountType.VOLUME) continue;
    const home = view.get('node', view.byName('volume', mount.source)?.nodeId ?? '');
    if (!home) continue;
    if (home.status?.state !== NodeState.READY) {
      fixes.push(fix('bring-back-data', nameOf(home), mount.source));
    } else if (home.spec?.availability !== NodeAvailability.ACTIVE) {
      fixes.push(fix('activate-node', nameOf(home)));
    }
  }
  return fixes;
}

function unique(fixes: readonly WhyFix[]): WhyFix[] {
  const seen = new Set<string>();
  return fixes.filter(({ code, values }) => {
    const key = JSON.stringify([code, ...values]);
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}
