// What may go wrong, or be lost, when a plan is carried out: read from the plan alone, each with a code for programs and words for people. What is certain is in the
// plan itself; here is what its author may not have thought of. Refuses to guess about programs: only what the cluster does counts.
import { changedFields, type Json } from './plan-fields.ts';

/** One object of a plan, as the managers describe it. */
export interface PlanChange {
  readonly kind: string;
  readonly name: string;
  readonly action: 'none' | 'created' | 'updated' | 'removed';
  readonly recreated: boolean;
  readonly before: Json | null;
  readonly after: Json | null;
}

/** One container of a plan. */
export interface PlanTask {
  readonly service: string;
  readonly slot: number;
  readonly action: 'keep' | 'start' | 'replace' | 'stop' | 'restart' | 'pending';
  readonly node: string;
  readonly from: string;
  readonly reason: string;
}

export interface PlanRisk {
  readonly code:
    | 'no-place'
    | 'waits-for-ever'
    | 'interruption'
    | 'mode-change'
    | 'data-left-behind'
    | 'one-node'
    | 'network-anew'
    | 'no-health-check'
    | 'removed';
  /** Name in the cluster of what it is about. */
  readonly about: string;
  readonly message: string;
  /** What to do about it; '' = nothing can be done. */
  readonly hint: string;
}

interface Plan {
  readonly changes: readonly PlanChange[];
  readonly tasks: readonly PlanTask[];
  /** Nodes that take containers. */
  readonly nodes: number;
}

/** The risks of a plan, the worst first. */
export function planRisks(plan: Plan): readonly PlanRisk[] {
  const services = plan.changes.filter(({ kind }) => kind === 'service');
  return [
    ...services.flatMap((service) => placeRisks(service, plan)),
    ...services.flatMap((service) => changeRisks(service, plan)),
    ...plan.changes.flatMap(networkRisks),
  ];
}

function tasksOf(plan: Plan, { name }: PlanChange): readonly PlanTask[] {
  return plan.tasks.filter(({ service }) => service === name);
}

// ---- where --------------------------------------------------------------------------------------

function placeRisks(service: PlanChange, plan: Plan): PlanRisk[] {
  const tasks = tasksOf(plan, service);
  const about = service.name;
  const risks: PlanRisk[] = [];
  const pending = tasks.filter(({ action }) => action === 'pending');
  const [first] = pending;
  if (first !== undefined) {
    const count = `${pending.length} of ${tasks.length}`;
    risks.push({
      code: 'no-place',
      about,
      message: `${count} containers find no node: ${first.reason}`,
      hint: 'after it is up, "tswarm why" says what each node refuses',
    });
  }
  const held = tasks.find(({ action, reason }) => action !== 'pending' && reason !== '');
  if (held !== undefined)
    risks.push({
      code: 'waits-for-ever',
      about,
      message: `does not start: ${held.reason}`,
      hint: 'look at the service that it waits for',
    });
  const there = tasks.filter(({ node, action }) => node !== '' && action !== 'stop');
  const hosts = new Set(there.map(({ node }) => node));
  const moves = there.some(({ action }) => action === 'start' || action === 'replace');
  if (moves && there.length > 1 && hosts.size === 1 && plan.nodes > 1)
    risks.push({
      code: 'one-node',
      about,
      message: `all ${there.length} containers are on ${[...hosts].join()}: they are lost together`,
      hint: 'see its constraints, or set deploy.placement.max_replicas_per_node',
    });
  return risks;
}

// ---- what changes -------------------------------------------------------------------------------

function changeRisks(service: PlanChange, plan: Plan): PlanRisk[] {
  const about = service.name;
  const tasks = tasksOf(plan, service);
  if (service.action === 'removed') {
    return [{ code: 'removed', about, message: 'its containers are removed', hint: '' }];
  }
  const replaced = tasks.filter(({ action }) => action === 'replace');
  if (service.action !== 'updated') return [];
  if (service.recreated) {
    const fields = changedFields('service', service.before, service.after);
    const mode = fields.find(({ field }) => field === 'deploy.mode');
    const message = `its mode changes${mode ? ` to ${mode.after ?? 'replicated'}` : ''}: the old service is removed, all at once, and a new one is made`;
    return [{ code: 'mode-change', about, message, hint: '' }];
  }
  if (replaced.length === 0) return [];
  const interruption = completesFor(service, plan)
    ? []
    : interruptionRisks(service, replaced.length, tasks.length);
  return [...interruption, ...dataRisks(service)];
}

/** Another waits for its end: it is not there to stay, so it is not missed. */
function completesFor({ name }: PlanChange, plan: Plan): boolean {
  const dependencies = plan.changes.flatMap(({ after }) => {
    const template = (after?.TaskTemplate ?? {}) as Json;
    return (template.DependsOn ?? []) as readonly Json[];
  });
  return dependencies.some((one) => one.Service === name && one.Condition === 'completed');
}

/** Whether there is a moment without any container. */
function interruptionRisks(service: PlanChange, replaced: number, total: number): PlanRisk[] {
  const about = service.name;
  const config = (service.after?.UpdateConfig ?? {}) as Json;
  const isStartFirst = config.Order === 'start-first';
  const parallelism = Number(config.Parallelism ?? (service.after?.UpdateConfig ? 0 : 1));
  const atOnce = parallelism === 0 ? total : parallelism;
  const risks: PlanRisk[] = [];
  if (!isStartFirst && atOnce >= total && replaced >= total) {
    const what =
      total === 1
        ? 'its only container is stopped before the new one starts'
        : `all ${total} containers at once are stopped before the new ones start`;
    risks.push({
      code: 'interruption',
      about,
      message: `is away for a moment: ${what}`,
      hint: 'update_config: { order: start-first } keeps it up',
    });
  }
  const test = ((containerOf(service.after).Healthcheck ?? {}) as Json).Test;
  const isPublished = endpointPorts(service.after).length > 0;
  if (isPublished && test === undefined && total > 1 && !isStopped(service))
    risks.push({
      code: 'no-health-check',
      about,
      message:
        'the file gives it no health check: unless its image has one, the update goes on as soon as a process runs',
      hint: 'add healthcheck',
    });
  return risks;
}

function isStopped(service: PlanChange): boolean {
  return service.after?.RunState === 'stopped';
}

function containerOf(spec: Json | null): Json {
  return ((spec?.TaskTemplate as Json | undefined)?.ContainerSpec ?? {}) as Json;
}

function endpointPorts(spec: Json | null): readonly unknown[] {
  return ((spec?.EndpointSpec as Json | undefined)?.Ports ?? []) as readonly unknown[];
}

/** Data that stays with the container that goes. */
function dataRisks(service: PlanChange): PlanRisk[] {
  const mounts = (spec: Json | null): readonly Json[] =>
    (containerOf(spec).Mounts ?? []) as readonly Json[];
  const risks: PlanRisk[] = [];
  const fresh = mounts(service.after);
  for (const mount of mounts(service.before)) {
    if (mount.Type !== 'volume') continue;
    const target = String(mount.Target);
    const other = fresh.find((one) => one.Target === mount.Target);
    const isAnonymous = mount.Source === undefined || mount.Source === '';
    if (isAnonymous)
      risks.push({
        code: 'data-left-behind',
        about: service.name,
        message: `the volume at ${target} has no name: the new container begins with an empty one`,
        hint: 'give it a name under volumes',
      });
    else if (other?.Source !== mount.Source)
      risks.push({
        code: 'data-left-behind',
        about: service.name,
        message: `${target} was the volume ${mount.Source} and is ${other ? `${other.Source ?? 'another'} now` : 'none now'}; the old volume and its data stay`,
        hint: '',
      });
  }
  return risks;
}

function networkRisks({ kind, name, recreated, before, after }: PlanChange): PlanRisk[] {
  if (kind !== 'network' || !recreated) return [];
  const fields = changedFields('network', before, after).map(({ field }) => field);
  const message = `is made anew (${fields.join(', ')}): addresses on it change, and its containers are replaced`;
  return [{ code: 'network-anew', about: name, message, hint: '' }];
}
