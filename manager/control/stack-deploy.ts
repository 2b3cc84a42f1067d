// `tcompose up`: from the whole project to one transaction. Objects are found by name; what belongs
// to another stack, or to none, is never taken over. Services change only where their spec differs.
// What containers hold and cannot be changed under them (a network's settings, the bytes of a
// secret) is superseded: the old object gives up its name, services go over to the new one by a
// rolling update, and the old one goes when nothing uses it any more.

import { sameBytes } from '#manager/store/kinds';
import type { StoreView, StoreWriteView } from '#manager/store/state';
import type { DecisionContext } from '#manager/store/view';
import { NO_BYTES } from '#protocol/codec';
import { TswarmError } from '#protocol/errors';
import {
  type DeployStackRequest,
  ObjectKind,
  type StackChange,
  StackChangeAction,
} from '#protocol/generated/control';
import { Config, Network, Secret, type Service, Stack, Volume } from '#protocol/generated/objects';
import {
  type ConfigSpec,
  NetworkSpec,
  type SecretSpec,
  ServiceSpec,
  StackSpec,
  TaskSpec,
  VolumeSpec,
} from '#protocol/generated/specs';
import { refuseAddressConflicts } from './addresses.ts';
import {
  checkConfigSpec,
  checkSecretSpec,
  checkVolumeSpec,
  createConfig,
  createSecret,
  createVolume,
} from './data-objects.ts';
import { checkNetworkSpec, createNetwork } from './networks.ts';
import { refusePortConflicts } from './ports.ts';
import {
  createService,
  modeName,
  prepareServiceSpec,
  replaceSpec,
  sameMessage,
  withRegistryAuth,
} from './services.ts';
import { checkDnsName, checkLabels, invalid } from './validate-names.ts';

export interface StackResult {
  readonly changes: readonly StackChange[];
  readonly warnings: readonly string[];
}

type StackKind = 'network' | 'volume' | 'secret' | 'config' | 'service';
const OBJECT_KIND = {
  network: ObjectKind.NETWORK,
  volume: ObjectKind.VOLUME,
  secret: ObjectKind.SECRET,
  config: ObjectKind.CONFIG,
  service: ObjectKind.SERVICE,
} as const;

/** One deployment in the making. */
interface Plan {
  readonly tx: StoreWriteView;
  readonly context: DecisionContext;
  readonly name: string;
  readonly changes: StackChange[];
  readonly warnings: string[];
}

/**
 * Makes the cluster's objects what the stack says. @throws TswarmError; then nothing has changed.
 */
export function deployStack(
  tx: StoreWriteView,
  context: DecisionContext,
  request: DeployStackRequest,
): StackResult & { readonly stack: Stack } {
  const spec = request.stack;
  if (!spec) throw invalid('Stack', 'the request carries no stack');
  checkDnsName(spec.name);
  checkLabels(spec.labels);
  refuseTwice(spec);
  refuseMoved(tx, spec.name, request.expectedState);
  const plan: Plan = { tx, context, name: spec.name, changes: [], warnings: [] };
  for (const network of spec.networks) deployNetwork(plan, network);
  for (const volume of spec.volumes) deployVolume(plan, volume);
  for (const secret of spec.secrets) deploySecret(plan, secret);
  for (const config of spec.configs) deployConfig(plan, config);
  handleOrphans(plan, spec, request.prune);
  const { forceRecreate, recreateOnly } = request;
  const services = spec.services.map((service) => {
    const named = recreateOnly.length === 0 || recreateOnly.includes(service.name);
    const deployed = deployService(plan, service, forceRecreate && named);
    const registryAuth = request.registryAuth[service.name] ?? new Uint8Array(0);
    return withRegistryAuth(tx, deployed, { registryAuth });
  });
  for (const service of services) {
    refusePortConflicts(tx, service);
    refuseAddressConflicts(tx, service);
  }
  return { changes: plan.changes, warnings: plan.warnings, stack: recordStack(plan, spec) };
}

/** Kinds of objects that belong to stacks. */
const STACK_KINDS = ['service', 'network', 'volume', 'secret', 'config'] as const;

/**
 * What the objects of a stack are now, as a text to compare: each change makes a higher version or
 * another count.
 */
export function stackState(view: StoreView, name: string): string {
  let newest = 0;
  let count = 0;
  const stack = view.byName('stack', name);
  const owned = STACK_KINDS.flatMap((kind) => [...view.byStack(kind, name)]);
  for (const { meta } of stack ? [stack, ...owned] : owned) {
    const index = meta?.version?.index ?? 0;
    // A change that is still in flight: nobody has planned on it.
    newest = Math.max(newest, index < 0 ? Number.MAX_SAFE_INTEGER : index);
    count += 1;
  }
  return `${newest}.${count}`;
}

function refuseMoved(view: StoreView, name: string, expected: string): void {
  if (expected === '' || expected === stackState(view, name)) return;
  throw new TswarmError(
    'failed_precondition',
    `project ${name} has changed since the plan was made`,
    {
      hint: 'Make a new plan, look at it, and apply that.',
    },
  );
}

function refuseTwice(spec: StackSpec): void {
  for (const kind of ['networks', 'volumes', 'secrets', 'configs', 'services'] as const) {
    const names = new Set<string>();
    for (const { name } of spec[kind]) {
      if (names.has(name)) throw invalid(kind, `${kind}: ${name} is there twice`);
      names.add(name);
    }
  }
}

function note(
  plan: Plan,
  kind: StackKind,
  id: string,
  name: string,
  action: StackChangeAction,
): void {
  plan.changes.push({ kind: OBJECT_KIND[kind], id, name, action });
}

/**
 * The object that has this name, if it is the stack's own. @throws TswarmError already_exists when
 * it is somebody else's.
 */
function own<T extends { readonly stack: string }>(
  plan: Plan,
  kind: StackKind,
  name: string,
  found: T | undefined,
): T | undefined {
  if (!found || found.stack === plan.name) return found;
  const owner =
    found.stack === '' ? 'does not belong to a stack' : `belongs to stack ${found.stack}`;
  throw new TswarmError('already_exists', `${kind} ${name} already exists and ${owner}`, {
    hint:
      kind === 'service'
        ? 'Remove it, or give the project another name.'
        : `Declare it with "external: true" to use it as it is, or give yours another name.`,
  });
}

/**
 * Takes the name from an object that others still use, and marks it to go when they no longer do.
 */
function supersede(
  plan: Plan,
  kind: 'network' | 'secret' | 'config',
  object: Network | Secret | Config,
): void {
  const spec = object.spec;
  if (!spec) return;
  const renamed = {
    ...object,
    pendingDelete: true,
    spec: { ...spec, name: `${spec.name}.${object.id}` },
  };
  plan.tx.update(kind, renamed as never);
}

function deployNetwork(plan: Plan, spec: NetworkSpec): void {
  checkNetworkSpec(spec);
  const { tx } = plan;
  const found = own(plan, 'network', spec.name, tx.byName('network', spec.name));
  if (!found) {
    const created = createNetwork(tx, plan.context.newId(), spec, plan.name);
    note(plan, 'network', created.id, spec.name, StackChangeAction.CREATED);
    return;
  }
  const isSame = sameMessage(
    NetworkSpec,
    withoutLabels(spec),
    found.spec && withoutLabels(found.spec),
  );
  if (isSame) {
    const updated = Network.create({ ...found, spec, pendingDelete: false });
    note(plan, 'network', found.id, spec.name, putIfChanged(plan, 'network', found, updated));
    return;
  }
  for (const service of tx.servicesUsing('network', found.id)) {
    if (service.stack === plan.name) continue;
    throw new TswarmError(
      'failed_precondition',
      `network ${spec.name}: its settings changed, but service ${service.spec?.name} outside of this stack uses it`,
      { hint: 'Detach that service first, or leave the network as it is.' },
    );
  }
  supersede(plan, 'network', found);
  const created = createNetwork(tx, plan.context.newId(), spec, plan.name);
  note(plan, 'network', created.id, spec.name, StackChangeAction.UPDATED);
}

function withoutLabels(spec: NetworkSpec): NetworkSpec {
  return { ...spec, labels: {} };
}

function putIfChanged<K extends 'network' | 'volume' | 'secret' | 'config'>(
  plan: Plan,
  kind: K,
  before: Network | Volume | Secret | Config,
  after: Network | Volume | Secret | Config,
): StackChangeAction {
  const type = { network: Network, volume: Volume, config: Config, secret: Secret }[kind];
  if (sameBytes(type.encode(before as never), type.encode(after as never)))
    return StackChangeAction.NONE;
  plan.tx.update(kind, after as never);
  return StackChangeAction.UPDATED;
}

function deployVolume(plan: Plan, spec: VolumeSpec): void {
  checkVolumeSpec(spec);
  const { tx } = plan;
  const existing = tx.byName('volume', spec.name);
  if (existing?.stack === '') {
    plan.warnings.push(
      `volume ${spec.name} already exists and was not created by this stack; it is used as it is`,
    );
    note(plan, 'volume', existing.id, spec.name, StackChangeAction.NONE);
    return;
  }
  const found = own(plan, 'volume', spec.name, existing);
  if (!found) {
    const created = createVolume(tx, plan.context.newId(), spec, plan.name);
    note(plan, 'volume', created.id, spec.name, StackChangeAction.CREATED);
    return;
  }
  if (
    !sameMessage(VolumeSpec, { ...spec, labels: {} }, found.spec && { ...found.spec, labels: {} })
  ) {
    throw new TswarmError(
      'failed_precondition',
      `volume ${spec.name}: its driver or driver options changed, but it holds data already`,
      { hint: 'Remove the volume first, or give the new one another name.' },
    );
  }
  const updated = Volume.create({ ...found, spec, pendingDelete: false });
  note(plan, 'volume', found.id, spec.name, putIfChanged(plan, 'volume', found, updated));
}

function deploySecret(plan: Plan, spec: SecretSpec): void {
  const { tx } = plan;
  const found = own(plan, 'secret', spec.name, tx.byName('secret', spec.name));
  // A new one is checked where it is created.
  if (found) checkSecretSpec(spec);
  if (found?.spec && sameBytes(found.spec.data, spec.data)) {
    const updated = { ...found, spec, pendingDelete: false };
    note(plan, 'secret', found.id, spec.name, putIfChanged(plan, 'secret', found, updated));
    return;
  }
  if (found) supersede(plan, 'secret', found);
  const created = createSecret(tx, plan.context.newId(), spec, plan.name);
  note(
    plan,
    'secret',
    created.id,
    spec.name,
    found ? StackChangeAction.UPDATED : StackChangeAction.CREATED,
  );
}

function deployConfig(plan: Plan, spec: ConfigSpec): void {
  const { tx } = plan;
  const found = own(plan, 'config', spec.name, tx.byName('config', spec.name));
  // A new one is checked where it is created.
  if (found) checkConfigSpec(spec);
  if (found?.spec && sameBytes(found.spec.data, spec.data)) {
    const updated = { ...found, spec, pendingDelete: false };
    note(plan, 'config', found.id, spec.name, putIfChanged(plan, 'config', found, updated));
    return;
  }
  if (found) supersede(plan, 'config', found);
  const created = createConfig(tx, plan.context.newId(), spec, plan.name);
  note(
    plan,
    'config',
    created.id,
    spec.name,
    found ? StackChangeAction.UPDATED : StackChangeAction.CREATED,
  );
}

function deployService(plan: Plan, spec: ServiceSpec, forceRecreate: boolean): Service {
  const { tx, context } = plan;
  const found = own(plan, 'service', spec.name, tx.byName('service', spec.name));
  if (!found?.spec) {
    const created = createService(tx, context, spec, plan.name);
    note(plan, 'service', created.id, spec.name, StackChangeAction.CREATED);
    return created;
  }
  const counted = withForceUpdate(spec, found.spec, forceRecreate);
  const prepared = prepareServiceSpec(tx, counted);
  if (sameMessage(ServiceSpec, prepared, found.spec)) {
    note(plan, 'service', found.id, spec.name, StackChangeAction.NONE);
    return found;
  }
  let service: Service;
  if (modeName(prepared.mode) === modeName(found.spec.mode)) {
    service = replaceSpec(tx, context, found, prepared);
  } else {
    tx.remove('service', found.id);
    service = createService(tx, context, counted, plan.name);
  }
  note(plan, 'service', service.id, spec.name, StackChangeAction.UPDATED);
  return service;
}

/** The counter of forced updates is not the file's business: it goes on from where it is. */
function withForceUpdate(spec: ServiceSpec, old: ServiceSpec, forceRecreate: boolean): ServiceSpec {
  if (!spec.taskTemplate) return spec;
  const forceUpdate = (old.taskTemplate?.forceUpdate ?? 0) + (forceRecreate ? 1 : 0);
  return ServiceSpec.create({
    ...spec,
    taskTemplate: TaskSpec.create({ ...spec.taskTemplate, forceUpdate }),
  });
}

/** Objects of the stack that are no longer in the file. */
function handleOrphans(plan: Plan, spec: StackSpec, prune: boolean): void {
  const { tx } = plan;
  const wanted = (kind: 'networks' | 'secrets' | 'configs' | 'services'): Set<string> =>
    new Set(spec[kind].map(({ name }) => name));
  const services = wanted('services');
  const orphans = [...tx.byStack('service', plan.name)].filter(
    (service) => !services.has(service.spec?.name ?? ''),
  );
  if (!prune) {
    if (orphans.length === 0) return;
    const names = orphans.map((service) => service.spec?.name).join(', ');
    plan.warnings.push(
      `services that are no longer in the file go on running: ${names}; remove them with --remove-orphans`,
    );
    return;
  }
  for (const service of orphans) {
    tx.remove('service', service.id);
    note(plan, 'service', service.id, service.spec?.name ?? '', StackChangeAction.REMOVED);
  }
  const kinds = [
    ['network', wanted('networks')],
    ['secret', wanted('secrets')],
    ['config', wanted('configs')],
  ] as const;
  for (const [kind, names] of kinds) {
    for (const object of [...tx.byStack(kind, plan.name)]) {
      if (names.has(object.spec?.name ?? '') || object.pendingDelete) continue;
      tx.update(kind, { ...object, pendingDelete: true } as never);
      note(plan, kind, object.id, object.spec?.name ?? '', StackChangeAction.REMOVED);
    }
  }
}

function recordStack(plan: Plan, spec: StackSpec): Stack {
  const { tx } = plan;
  const kept = StackSpec.create({
    ...spec,
    secrets: spec.secrets.map((secret) => ({ ...secret, data: NO_BYTES })),
    configs: spec.configs.map((config) => ({ ...config, data: NO_BYTES })),
  });
  const found = tx.byName('stack', plan.name);
  if (!found) {
    const created = Stack.create({ id: plan.context.newId(), spec: kept, revision: 1 });
    tx.create('stack', created);
    return created;
  }
  const changed = plan.changes.some((change) => change.action !== StackChangeAction.NONE);
  if (!changed && sameMessage(StackSpec, kept, found.spec)) return found;
  const updated = Stack.create({ ...found, spec: kept, revision: found.revision + 1 });
  tx.update('stack', updated);
  return updated;
}
