// The Control service: authorises, runs the pure functions of this folder in a transaction, answers
// once the change is committed. Only administrators' certificates are let in. Refuses to decide
// anything itself.
import type { ReplicatedStore, Updated } from '#manager/host/replicated-store';
import { kindOf } from '#manager/store/kinds';
import { TswarmError } from '#protocol/errors';
import {
  type ClusterStatusResponse,
  type ControlMethods,
  ObjectKindText,
  type ObjectResponse,
  type ObjectUnion,
} from '#protocol/generated/control';
import { NodeRole } from '#protocol/generated/specs';
import type { CallContext, Handlers } from '#protocol/transport/grpc';
import { HISTORY_ENTRIES_DEFAULT } from '../limits.ts';
import { requireAdministrator } from './nodes-cluster.ts';
import { createObject, describeSpec, removeObject, updateObject, type Written } from './objects.ts';
import { actOnServices } from './services.ts';
import { deployStack } from './stack-deploy.ts';
import { removeStack } from './stack-remove.ts';
import { publicUnion, watch } from './watch.ts';

export interface ControlDeps {
  readonly replicated: ReplicatedStore;
  /** Node id of this manager. */
  readonly nodeId: string;
  /** Version of tswarm. */
  readonly version: string;
  /** `host:port` at which nodes reach this manager. */
  readonly controlAddress: () => string;
}

const AUTHOR = 'admin';

/** The handlers of the Control service. */
export function controlHandlers(deps: ControlDeps): Handlers<ControlMethods> {
  const { replicated } = deps;
  const admin = <Request, Response>(
    handler: (request: Request, context: CallContext) => Response,
  ): ((request: Request, context: CallContext) => Response) => {
    return (request, context) => {
      requireAdministrator(replicated.view, context.peer);
      return handler(request, context);
    };
  };
  const update: ReplicatedStore['update'] = (options, fn) => replicated.update(options, fn);
  return {
    createObject: admin(async (request) => {
      const summary = `${describeSpec(request)}: create`;
      return answer(
        replicated,
        await update({ author: AUTHOR, summary }, (tx, context) =>
          createObject(tx, context, request),
        ),
      );
    }),
    updateObject: admin(async (request) => {
      const what = request.rollback ? 'roll back' : 'update';
      const summary = `${describe(replicated, request)}: ${what}`;
      return answer(
        replicated,
        await update({ author: AUTHOR, summary }, (tx, context) =>
          updateObject(tx, context, request),
        ),
      );
    }),
    removeObject: admin(async (request) => {
      const summary = `${describe(replicated, request)}: remove`;
      return answer(
        replicated,
        await update({ author: AUTHOR, summary }, (tx) => removeObject(tx, request)),
      );
    }),
    getObject: admin(async ({ kind: number, id }) => {
      const kind = kindOf(number);
      const object = kind && replicated.view.get(kind, id);
      if (!kind || !object) {
        throw new TswarmError(
          'not_found',
          `${ObjectKindText.get(number) ?? 'object'} ${id} not found`,
        );
      }
      const index = replicated.store.changeIndex;
      return { object: publicUnion(kind, object), index, warnings: [] };
    }),
    deployStack: admin(async (request) => {
      const summary = `stack ${request.stack?.name ?? ''}: deploy`;
      const { value, index } = await update({ author: AUTHOR, summary }, (tx, context) =>
        deployStack(tx, context, request),
      );
      const stack = replicated.view.get('stack', value.stack.id) ?? value.stack;
      return { changes: value.changes, warnings: value.warnings, index, stack };
    }),
    removeStack: admin(async (request) => {
      const summary = `stack ${request.name}: remove`;
      const { value, index } = await update({ author: AUTHOR, summary }, (tx) =>
        removeStack(tx, request),
      );
      return { changes: value, index };
    }),
    serviceAction: admin(async (request) => {
      const names = request.services.map(
        (id) => replicated.view.get('service', id)?.spec?.name ?? id,
      );
      const summary = `service ${names.join(', ')}: ${actionOf(request)}`;
      const { index } = await update({ author: AUTHOR, summary }, (tx, context) =>
        actOnServices(tx, context, request),
      );
      return { index };
    }),
    watch: admin((request, context) => watch(replicated.store, request, context.signal)),
    clusterStatus: admin(async () => clusterStatus(deps)),
    history: admin(async ({ limit }) => {
      const count = limit > 0 ? limit : HISTORY_ENTRIES_DEFAULT;
      return { entries: replicated.store.history.slice(-count) };
    }),
    getUnlockKey: admin(async () => ({ unlockKey: '' })),
    backup: admin(() => {
      throw new TswarmError('not_supported', 'backups are not supported yet');
    }),
    why: admin(() => {
      throw new TswarmError('not_supported', 'explanations are not supported yet');
    }),
  };
}

/** The object as this change left it; as it is when there was nothing to change. */
function answer(
  replicated: ReplicatedStore,
  { value, index, changes }: Updated<Written>,
): ObjectResponse {
  const change = changes.find(({ kind, id }) => kind === value.kind && id === value.id);
  const after = change ? change.after : replicated.view.get(value.kind, value.id);
  const object: ObjectUnion | undefined = after && publicUnion(value.kind, after);
  return { object, index, warnings: [] };
}

function describe(
  replicated: ReplicatedStore,
  request: { readonly kind: number; readonly id: string },
): string {
  const kind = kindOf(request.kind as Parameters<typeof kindOf>[0]);
  if (!kind) return request.id;
  const object = replicated.view.get(kind, request.id) as
    | { readonly spec?: { readonly name?: string } }
    | undefined;
  return `${kind} ${object?.spec?.name || request.id}`;
}

function actionOf(request: {
  readonly setRunState: boolean;
  readonly runState: number;
  readonly restart: boolean;
  readonly replicas: number | undefined;
  readonly rollout: number;
}): string {
  if (request.rollout !== 0) return ['', 'pause update', 'resume update'][request.rollout] ?? 'act';
  if (request.restart) return 'restart';
  if (request.replicas !== undefined) return `scale to ${request.replicas}`;
  return ['start', 'stop', 'pause'][request.runState] ?? 'act';
}

function clusterStatus({
  replicated,
  nodeId,
  version,
  controlAddress,
}: ControlDeps): ClusterStatusResponse {
  const { view, store } = replicated;
  const cluster = view.cluster();
  const nodes = [...view.list('node')];
  return {
    clusterId: cluster.id,
    nodeId,
    leader: replicated.isLeading,
    managers: nodes.filter((node) => node.spec?.role === NodeRole.MANAGER).length,
    nodes: nodes.length,
    index: store.changeIndex,
    version,
    joinTokenWorker: cluster.rootCa?.joinTokenWorker ?? '',
    joinTokenManager: cluster.rootCa?.joinTokenManager ?? '',
    caCert: cluster.rootCa?.caCert ?? '',
    controlAddr: controlAddress(),
    leaderNodeId: replicated.isLeading ? nodeId : '',
    leaderAddr: replicated.isLeading ? controlAddress() : '',
    autolock: cluster.unlockKey.length > 0,
    rootRotation: cluster.rootCa?.rootRotation !== undefined,
  };
}
