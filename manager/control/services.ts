// Services: create, update, roll back, act on, remove. Pure functions over a transaction; the
// orchestrator does the rest when it sees the change. The spec version grows only when what tasks
// are made from changes, so labels, replicas and run state restart nothing.
import { replacedSpec } from '#manager/orchestrator/revisions';
import { sameBytes } from '#manager/store/kinds';
import type { DecisionContext, WriteView } from '#manager/store/view';
import { TswarmError } from '#protocol/errors';
import {
  RolloutAction,
  type ServiceActionRequest,
  type UpdateObjectRequest,
} from '#protocol/generated/control';
import {
  Endpoint,
  JobStatus,
  Service,
  Task,
  UpdateState,
  UpdateStatus,
} from '#protocol/generated/objects';
import {
  EndpointSpec,
  ReplicatedJobMode,
  ReplicatedMode,
  ServiceMode,
  ServiceSpec,
  TaskSpec,
} from '#protocol/generated/specs';
import { refuseAddressConflicts } from './addresses.ts';
import { keepExtensions } from './extensions.ts';
import { refusePortConflicts } from './ports.ts';
import { rebalance } from './rebalance.ts';
import { resolveReferences } from './references.ts';
import { invalid } from './validate-names.ts';
import { checkCount, checkServiceSpec } from './validate-service.ts';
import { refuseOldVersion } from './versions.ts';

/**
 * A spec that is checked, with references resolved and defaults filled: the form in which services
 * are kept and compared.
 */
export function prepareServiceSpec(tx: WriteView, spec: ServiceSpec): ServiceSpec {
  checkServiceSpec(spec);
  const resolved = resolveReferences(tx, spec);
  return ServiceSpec.create({ ...resolved, mode: modeOf(resolved.mode) });
}

function modeOf(mode: ServiceMode | undefined): ServiceMode {
  if (mode?.global || mode?.globalJob) return mode;
  if (mode?.replicatedJob) {
    const maxConcurrent = mode.replicatedJob.maxConcurrent ?? 1;
    const totalCompletions = mode.replicatedJob.totalCompletions ?? maxConcurrent;
    return ServiceMode.create({
      replicatedJob: ReplicatedJobMode.create({ maxConcurrent, totalCompletions }),
    });
  }
  const replicas = mode?.replicated?.replicas ?? 1;
  return ServiceMode.create({ replicated: ReplicatedMode.create({ replicas }) });
}

/**
 * Creates a service; its ports are not compared with those of others yet. @throws TswarmError
 * already_exists and what validation says.
 */
export function createService(
  tx: WriteView,
  context: DecisionContext,
  spec: ServiceSpec,
  stack = '',
): Service {
  const id = context.newId();
  const prepared = prepareServiceSpec(tx, spec);
  if (tx.byName('service', spec.name)) {
    throw new TswarmError(
      'already_exists',
      `name conflicts with an existing object: service ${spec.name} already exists`,
      { field: 'Name' },
    );
  }
  const service = Service.create({
    id,
    spec: prepared,
    endpoint: Endpoint.create({ spec: prepared.endpointSpec }),
    specVersion: { index: 1 },
    jobStatus: isJob(prepared)
      ? JobStatus.create({ jobIteration: { index: 0 }, lastExecution: context.nowMicros })
      : undefined,
    stack,
  });
  tx.create('service', service);
  return service;
}

function isJob(spec: ServiceSpec | undefined): boolean {
  return spec?.mode?.replicatedJob !== undefined || spec?.mode?.globalJob !== undefined;
}

/** The `UpdateObject` call for a service. */
export function updateService(
  tx: WriteView,
  context: DecisionContext,
  request: UpdateObjectRequest,
): Service {
  const service = tx.get('service', request.id);
  if (!service?.spec) throw new TswarmError('not_found', `service ${request.id} not found`);
  refuseOldVersion(service, request.version);
  if (request.rollback) return rollBack(tx, context, service, request.rollbackTo);
  const asked = request.spec?.service;
  if (!asked) throw invalid('Spec', 'the request carries no service specification');
  const spec = request.keepExtensions ? keepExtensions(ServiceSpec, asked, service.spec) : asked;
  const replaced = replaceSpec(tx, context, service, spec);
  const updated = withRegistryAuth(tx, replaced, request);
  refusePortConflicts(tx, updated);
  refuseAddressConflicts(tx, updated);
  return updated;
}

/**
 * The service with the credentials of a request for its image's registry. None: those that it has,
 * or had before. They are no part of the specification: others restart no task.
 */
export function withRegistryAuth(
  tx: WriteView,
  service: Service,
  request: Pick<UpdateObjectRequest, 'registryAuth'> & Partial<UpdateObjectRequest>,
): Service {
  const asked = request.previousRegistryAuth ? service.previousRegistryAuth : service.registryAuth;
  const registryAuth = request.registryAuth.length > 0 ? request.registryAuth : asked;
  if (sameBytes(registryAuth, service.registryAuth)) return service;
  const updated = Service.create({
    ...service,
    registryAuth,
    previousRegistryAuth: service.registryAuth,
  });
  tx.update('service', updated);
  return updated;
}

/** Replaces a service's spec, keeping the old one to roll back to. */
export function replaceSpec(
  tx: WriteView,
  context: DecisionContext,
  service: Service,
  spec: ServiceSpec,
): Service {
  if (spec.name !== service.spec?.name) {
    throw new TswarmError('not_implemented_change', 'renaming services is not supported', {
      field: 'Name',
      hint: 'Create a service with the new name and remove the old one.',
    });
  }
  const prepared = prepareServiceSpec(tx, spec);
  if (modeName(prepared.mode) !== modeName(service.spec.mode)) {
    throw new TswarmError('not_implemented_change', 'service mode change is not allowed', {
      field: 'Mode',
      hint: 'Remove the service and create it anew.',
    });
  }
  // The same again is no revision of its own.
  const isSame = sameMessage(ServiceSpec, service.spec, prepared);
  const updated = Service.create({
    ...service,
    ...(isSame
      ? { previousSpec: service.spec }
      : replacedSpec(service, prepared, context.nowMicros)),
    specVersion: nextSpecVersion(service, prepared),
    updateStatus: undefined,
    jobStatus: isJob(prepared) ? nextIteration(service, context) : undefined,
  });
  tx.update('service', updated);
  return updated;
}

function rollBack(
  tx: WriteView,
  context: DecisionContext,
  service: Service,
  revision: number | undefined,
): Service {
  const spec = specToReturnTo(service, revision);
  // What it refers to may have been removed since.
  const prepared = prepareServiceSpec(tx, spec);
  const updated = Service.create({
    ...service,
    ...replacedSpec(service, prepared, context.nowMicros),
    specVersion: nextSpecVersion(service, prepared),
    updateStatus: UpdateStatus.create({
      state: UpdateState.ROLLBACK_STARTED,
      message: 'manually requested rollback',
      startedAt: context.nowMicros,
    }),
    jobStatus: isJob(prepared) ? nextIteration(service, context) : undefined,
  });
  tx.update('service', updated);
  refusePortConflicts(tx, updated);
  refuseAddressConflicts(tx, updated);
  return updated;
}

function specToReturnTo(service: Service, revision: number | undefined): ServiceSpec {
  if (revision === undefined) {
    if (service.previousSpec) return service.previousSpec;
    throw new TswarmError(
      'failed_precondition',
      `service ${service.id} does not have a previous spec`,
    );
  }
  const found = service.revisions.find((one) => one.revision === revision)?.spec;
  if (found) return found;
  const kept = service.revisions.map((one) => one.revision).join(', ');
  throw new TswarmError('not_found', `service ${service.spec?.name} has no revision ${revision}`, {
    field: 'RollbackTo',
    hint:
      revision === service.revision
        ? 'It is the present one.'
        : `Kept are: ${kept === '' ? 'none' : kept}.`,
  });
}

export function modeName(mode: ServiceMode | undefined): string {
  if (mode?.global) return 'global';
  if (mode?.replicatedJob) return 'replicated job';
  return mode?.globalJob ? 'global job' : 'replicated';
}

/** One more than before when what tasks are made from (template, ports) differs. */
function nextSpecVersion(service: Service, spec: ServiceSpec): { readonly index: number } {
  const index = service.specVersion?.index ?? 0;
  const old = service.spec;
  const changed =
    !sameMessage(TaskSpec, old?.taskTemplate, spec.taskTemplate) ||
    !sameMessage(EndpointSpec, old?.endpointSpec, spec.endpointSpec);
  return { index: changed ? index + 1 : index };
}

function nextIteration(service: Service, context: DecisionContext): JobStatus {
  const index = (service.jobStatus?.jobIteration?.index ?? 0) + 1;
  return JobStatus.create({ jobIteration: { index }, lastExecution: context.nowMicros });
}

/** Equality of contents; an absent message and one with only defaults are the same. */
export function sameMessage<T>(
  type: { create(): T; encode(message: T): Uint8Array },
  a: T | undefined,
  b: T | undefined,
): boolean {
  return a === b || sameBytes(type.encode(a ?? type.create()), type.encode(b ?? type.create()));
}

/**
 * Stop, start, pause, restart and scale: what Compose does to services without a new version of
 * them; and rebalancing. @returns how many tasks move to other nodes.
 */
export function actOnServices(
  tx: WriteView,
  context: DecisionContext,
  request: ServiceActionRequest,
): { readonly moving: number } {
  if (request.services.length === 0) throw invalid('Services', 'no service is named');
  let moving = 0;
  checkCount(request.replicas, 'Replicas');
  for (const id of request.services) {
    const service = tx.get('service', id) ?? tx.byName('service', id);
    if (!service?.spec) throw new TswarmError('not_found', `service ${id} not found`);
    if (request.rollout === RolloutAction.REBALANCE) {
      moving += rebalance(tx, context, service);
      continue;
    }
    if (request.rollout !== RolloutAction.NONE) {
      tx.update('service', steered(service, request.rollout, context));
      continue;
    }
    let spec = service.spec;
    if (request.setRunState) spec = ServiceSpec.create({ ...spec, runState: request.runState });
    if (request.replicas !== undefined) {
      spec = scaled(spec, request.replicas);
      checkServiceSpec(spec);
    }
    const restartRequest = request.restart
      ? requestRestart(tx, service, request.restartTasks)
      : service.restartRequest;
    if (spec === service.spec && restartRequest === service.restartRequest) continue;
    tx.update('service', Service.create({ ...service, spec, restartRequest }));
  }
  return { moving };
}

/**
 * Restarts the service's tasks that are named, or all by the service's own counter. @returns the
 * service's counter: ahead of each task's when all are meant, untouched when some are.
 */
function requestRestart(tx: WriteView, service: Service, only: readonly string[]): number {
  const tasks = [...tx.tasksByService(service.id)];
  if (only.length === 0) {
    const counters = tasks.map((task) => task.restartRequest);
    return Math.max(service.restartRequest, ...counters) + 1;
  }
  for (const task of tasks) {
    if (!only.includes(task.id)) continue;
    const restartRequest = Math.max(task.restartRequest, service.restartRequest) + 1;
    // Whoever names tasks has looked at them: one that was started meanwhile is not disturbed.
    const restartAfterRun = task.status?.run ?? 0;
    tx.update('task', Task.create({ ...task, restartRequest, restartAfterRun }));
  }
  return service.restartRequest;
}

const PAUSABLE: Readonly<Record<number, UpdateState>> = {
  [UpdateState.UPDATING]: UpdateState.PAUSED,
  [UpdateState.ROLLBACK_STARTED]: UpdateState.ROLLBACK_PAUSED,
};
const RESUMABLE: Readonly<Record<number, UpdateState>> = {
  [UpdateState.PAUSED]: UpdateState.UPDATING,
  [UpdateState.FAILED]: UpdateState.UPDATING,
  [UpdateState.ROLLBACK_PAUSED]: UpdateState.ROLLBACK_STARTED,
};

/** Halts an update where it is, or lets it go on. What failed before does not count any more then. */
function steered(service: Service, action: RolloutAction, context: DecisionContext): Service {
  const pauses = action === RolloutAction.PAUSE;
  const before = service.updateStatus?.state ?? UpdateState.NONE;
  const state = (pauses ? PAUSABLE : RESUMABLE)[before];
  if (state === undefined) {
    const name = service.spec?.name ?? service.id;
    const what = pauses ? 'no update is under way' : 'no update is paused';
    throw new TswarmError('failed_precondition', `service ${name}: ${what}`, {
      hint: `Look with: tswarm why ${name}`,
    });
  }
  const now = context.nowMicros;
  const updateStatus = pauses
    ? UpdateStatus.create({
        ...service.updateStatus,
        state,
        message: 'paused by hand',
        completedAt: now,
      })
    : UpdateStatus.create({
        ...service.updateStatus,
        state,
        message: 'resumed by hand',
        startedAt: now,
        completedAt: 0,
        progressAt: now,
        failed: 0,
      });
  return Service.create({ ...service, updateStatus });
}

function scaled(spec: ServiceSpec, replicas: number): ServiceSpec {
  if (spec.mode?.replicated) {
    return ServiceSpec.create({
      ...spec,
      mode: ServiceMode.create({ replicated: ReplicatedMode.create({ replicas }) }),
    });
  }
  throw new TswarmError(
    'invalid_argument',
    `service ${spec.name}: scale can only be used with replicated mode`,
    { field: 'Replicas' },
  );
}
