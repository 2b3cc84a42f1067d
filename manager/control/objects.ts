// Create, update and remove for objects of every kind: one switch that leads to the kind's own
// module. Pure.
import { kindOf } from '#manager/store/kinds';
import type { StoreWriteView } from '#manager/store/state';
import type { DecisionContext, Kind } from '#manager/store/view';
import { TswarmError } from '#protocol/errors';
import type {
  CreateObjectRequest,
  RemoveObjectRequest,
  UpdateObjectRequest,
} from '#protocol/generated/control';
import { refuseAddressConflicts } from './addresses.ts';
import { type ClusterTools, updateCluster } from './cluster.ts';
import { createCredential } from './credentials.ts';
import {
  createConfig,
  createSecret,
  createVolume,
  removeData,
  removeVolume,
  updateConfig,
  updateSecret,
} from './data-objects.ts';
import type { Member } from './managers.ts';
import { createNetwork, networkUser } from './networks.ts';
import { removeNode, updateNode } from './nodes.ts';
import { refusePortConflicts } from './ports.ts';
import { createService, updateService, withRegistryAuth } from './services.ts';
import { invalid } from './validate-names.ts';

/** What was written: enough to find it in the committed changes. */
export interface Written {
  readonly kind: Kind;
  readonly id: string;
}

/** What some decisions need beside the store. */
export interface ControlWorld {
  /** The Raft group as the leader sees it now. */
  members(): readonly Member[];
  readonly tools: ClusterTools;
}

/** Name of the object in a request's spec, and its kind, for the history. */
export function describeSpec(request: CreateObjectRequest): string {
  const union = request.spec;
  for (const kind in union) {
    const spec = union[kind as keyof typeof union] as { readonly name: string } | undefined;
    if (spec !== undefined) return `${kind} ${spec.name}`;
  }
  return 'nothing';
}

/** @throws TswarmError invalid_argument, already_exists, not_found (references), not_supported. */
export function createObject(
  tx: StoreWriteView,
  context: DecisionContext,
  request: CreateObjectRequest,
  author = '',
): Written {
  const { spec } = request;
  if (spec?.service) {
    const created = createService(tx, context, spec.service);
    const service = withRegistryAuth(tx, created, request);
    refusePortConflicts(tx, service);
    refuseAddressConflicts(tx, service);
    return { kind: 'service', id: service.id };
  }
  const id = context.newId();
  if (spec?.network) createNetwork(tx, id, spec.network);
  else if (spec?.secret) createSecret(tx, id, spec.secret);
  else if (spec?.config) createConfig(tx, id, spec.config);
  else if (spec?.volume) createVolume(tx, id, spec.volume);
  else if (spec?.credential) {
    const { secretDigest } = request;
    const { nowMicros } = context;
    const { credential } = spec;
    createCredential(tx, id, { spec: credential, secretDigest, owner: author, nowMicros });
    return { kind: 'credential', id };
  } else throw invalid('Spec', 'objects of this kind are not created by hand');
  const kind = spec.network
    ? 'network'
    : spec.secret
      ? 'secret'
      : spec.config
        ? 'config'
        : 'volume';
  return { kind, id };
}

/**
 * @throws TswarmError out_of_sequence, not_found, not_implemented_change and what the kind's
 * validation says.
 */
export function updateObject(
  tx: StoreWriteView,
  context: DecisionContext,
  request: UpdateObjectRequest,
  world: ControlWorld,
): Written {
  const kind = kindOf(request.kind);
  const { id, version, spec } = request;
  switch (kind) {
    case 'service':
      updateService(tx, context, request);
      break;
    case 'node':
      updateNode(tx, request, world.members());
      break;
    case 'cluster':
      updateCluster(tx, context, request, world.tools);
      break;
    case 'secret':
      if (!spec?.secret) throw invalid('Spec', 'the request carries no secret specification');
      updateSecret(tx, id, version, spec.secret);
      break;
    case 'config':
      if (!spec?.config) throw invalid('Spec', 'the request carries no config specification');
      updateConfig(tx, id, version, spec.config);
      break;
    default:
      throw new TswarmError('not_implemented_change', `a ${kind ?? 'thing'} cannot be updated`, {
        hint: 'Remove it and create it anew.',
      });
  }
  return { kind, id };
}

/**
 * @throws TswarmError not_found; failed_precondition, invalid_argument or conflict while something
 * uses the object.
 */
export function removeObject(
  tx: StoreWriteView,
  request: RemoveObjectRequest,
  nowMicros: number,
): Written {
  const kind = kindOf(request.kind);
  const { id } = request;
  switch (kind) {
    case 'service':
      if (!tx.get('service', id)) throw new TswarmError('not_found', `service ${id} not found`);
      tx.remove('service', id);
      break;
    case 'network':
      removeNetwork(tx, id);
      break;
    case 'secret':
    case 'config':
      removeData(tx, kind, id);
      break;
    case 'volume':
      removeVolume(tx, id);
      break;
    case 'credential':
      if (!tx.get('credential', id)) throw new TswarmError('not_found', `${id} not found`);
      tx.remove('credential', id);
      break;
    case 'node':
      removeNode(tx, id, request.force, nowMicros);
      break;
    default:
      throw invalid('Kind', `a ${kind ?? 'thing'} cannot be removed by hand`);
  }
  return { kind, id };
}

function removeNetwork(tx: StoreWriteView, id: string): void {
  const network = tx.get('network', id);
  if (!network) throw new TswarmError('not_found', `network ${id} not found`);
  const user = networkUser(tx, id);
  if (user) {
    const name = network.spec?.name ?? id;
    throw new TswarmError('failed_precondition', `network ${name} is in use by ${user}`);
  }
  tx.remove('network', id);
}
