// The Control service: authorises, runs the pure functions of this folder in a transaction at the
// leader, answers once the change is committed. Reads and watches are served by every manager. Only
// administrators' certificates are let in. Refuses to decide anything itself.
import { trustBundle } from '#manager/ca/rotation';
import type { LeaderAccess } from '#manager/host/leader-access';
import type { RaftNode } from '#manager/host/raft/raft-node';
import type { ReplicatedStore, Updated } from '#manager/host/replicated-store';
import { kindOf } from '#manager/store/kinds';
import type { ReadView } from '#manager/store/view';
import { type Role, roleOf } from '#protocol/access';
import {
  CERTIFICATE_ROLE,
  type CertificateRole,
  userCertificateRole,
} from '#protocol/certificates';
import { TswarmError } from '#protocol/errors';
import {
  type ClusterStatusResponse,
  type ControlMethods,
  ControlService,
  type DeployStackRequest,
  type IssueCertificateRequest,
  ObjectKind,
  ObjectKindText,
  type ObjectResponse,
  type ObjectUnion,
  type PlanStackResponse,
  type UpdateObjectRequest,
} from '#protocol/generated/control';
import { CredentialKind } from '#protocol/generated/specs';
import type { CallContext, CallOptions, Handlers } from '#protocol/transport/grpc';
import { formatUnlockKey } from '#protocol/unlock-key';
import { HISTORY_ENTRIES_DEFAULT, REHEARSAL_SLICE_MS } from '../limits.ts';
import { type Actor, actorOf, requireAdministrator, requireRole } from './authorise.ts';
import { controlAddressOf, managerOf, managersOf } from './managers.ts';
import { checkMayGoInClear } from './networks.ts';
import {
  type ControlWorld,
  createObject,
  describeSpec,
  removeObject,
  updateObject,
  type Written,
} from './objects.ts';
import { actOnServices } from './services.ts';
import { deployStack } from './stack-deploy.ts';
import { planStack } from './stack-plan.ts';
import { removeStack } from './stack-remove.ts';
import { publicUnion, watch } from './watch.ts';
import { why } from './why.ts';
import type { WhyContext } from './why-task.ts';

export interface ControlDeps {
  readonly replicated: ReplicatedStore;
  readonly leader: LeaderAccess;
  readonly raft: Pick<RaftNode, 'status'>;
  readonly world: ControlWorld;
  /** Node id of this manager. */
  readonly nodeId: string;
  /** Version of tswarm. */
  readonly version: string;
  /** `host:port` at which nodes reach this manager. */
  readonly controlAddress: () => string;
  /** What explanations need besides the state. */
  readonly why: WhyContext;
  /** Signs for the key of a request (PEM). */
  issueCertificate(leaf: OutsideLeaf): { readonly certificate: string; readonly caCert: string };
  /** The pieces of a backup of the state as it is now. */
  backup(): AsyncIterable<Uint8Array>;
}

/** A certificate for who is no node. */
export interface OutsideLeaf {
  readonly csr: string;
  readonly commonName: string;
  readonly role: CertificateRole;
  /** 0 = as that of a node. */
  readonly validityMicros: number;
  readonly server?: {
    readonly names: readonly string[];
    readonly addresses: readonly Uint8Array[];
  };
}

/** Lets in whom may: administrators' gateways, for somebody with at least the role that is given. */
type Admit = <Request, Response>(
  needs: Role,
  handler: (request: Request, context: CallContext, actor: Actor) => Response,
) => (request: Request, context: CallContext) => Response;

/** The handlers of the Control service. */
export function controlHandlers(deps: ControlDeps): Handlers<ControlMethods> {
  const { replicated } = deps;
  const admit: Admit = (needs, handler) => (request, context) => {
    requireAdministrator(replicated.view, context.peer);
    const actor = actorOf(replicated.view, context, deps.why.nowMicros);
    requireRole(actor, needs);
    return handler(request, context, actor);
  };
  return { ...writeHandlers(deps, admit), ...readHandlers(deps, admit) };
}

type WriteMethod =
  | 'createObject'
  | 'updateObject'
  | 'removeObject'
  | 'deployStack'
  | 'removeStack'
  | 'serviceAction';
type WriteHandlers = Pick<Handlers<ControlMethods>, WriteMethod>;

/** What changes the state: carried out at the leader. */
function writeHandlers(deps: ControlDeps, admit: Admit): WriteHandlers {
  const local = localWrites(deps);
  const atLeader = <K extends WriteMethod>(name: K): WriteHandlers[K] => {
    type Request = ControlMethods[K]['request'];
    type Response = ControlMethods[K]['response'];
    const here = local[name] as (request: Request, actor: Actor) => Promise<Response>;
    return admit('operator', (request: Request, context: CallContext, actor: Actor) =>
      deps.leader.run(
        context,
        ControlService,
        () => here(request, actor),
        (client, options) => {
          const call = client[name] as (
            request: Request,
            options: CallOptions,
          ) => Promise<Response>;
          return call(request, options);
        },
      ),
    ) as unknown as WriteHandlers[K];
  };
  return {
    createObject: atLeader('createObject'),
    updateObject: atLeader('updateObject'),
    removeObject: atLeader('removeObject'),
    deployStack: atLeader('deployStack'),
    removeStack: atLeader('removeStack'),
    serviceAction: atLeader('serviceAction'),
  };
}

/** Nodes and credentials: who may be here is for administrators. */
const ADMIN_REMOVES: ReadonlySet<ObjectKind> = new Set([ObjectKind.NODE, ObjectKind.CREDENTIAL]);

/** Operators may take a node out of use, but not make it a manager; the cluster is not theirs. */
function updateRole(view: ReadView, request: UpdateObjectRequest): Role {
  if (request.kind === ObjectKind.CLUSTER) return 'admin';
  if (request.kind !== ObjectKind.NODE) return 'operator';
  const isMoved = view.get('node', request.id)?.spec?.role !== request.spec?.node?.role;
  return isMoved ? 'admin' : 'operator';
}

type LocalWrites = {
  readonly [K in WriteMethod]: (
    request: ControlMethods[K]['request'],
    actor: Actor,
  ) => Promise<ControlMethods[K]['response']>;
};

function localWrites({ replicated, world }: ControlDeps): LocalWrites {
  const update: ReplicatedStore['update'] = (options, fn) =>
    replicated.update({ ...options, isFirm: true }, fn);
  return {
    createObject: async (request, actor) => {
      if (request.spec?.credential) requireRole(actor, 'admin');
      const { network } = request.spec ?? {};
      if (network) checkMayGoInClear(actor, replicated.view, [network]);
      const summary = `${describeSpec(request)}: create`;
      return answer(
        replicated,
        await update({ author: actor.name, summary }, (tx, context) =>
          createObject(tx, context, request, actor.name),
        ),
      );
    },
    updateObject: async (request, actor) => {
      requireRole(actor, updateRole(replicated.view, request));
      const what = request.rollback ? 'roll back' : 'update';
      const summary = `${describe(replicated, request)}: ${what}`;
      return answer(
        replicated,
        await update({ author: actor.name, summary }, (tx, context) =>
          updateObject(tx, context, request, world),
        ),
      );
    },
    removeObject: async (request, actor) => {
      if (ADMIN_REMOVES.has(request.kind)) requireRole(actor, 'admin');
      const summary = `${describe(replicated, request)}: remove`;
      return answer(
        replicated,
        await update({ author: actor.name, summary }, (tx, { nowMicros }) =>
          removeObject(tx, request, nowMicros),
        ),
      );
    },
    deployStack: async (request, actor) => {
      checkMayGoInClear(actor, replicated.view, request.stack?.networks ?? []);
      const summary = `stack ${request.stack?.name ?? ''}: deploy`;
      const { value, index } = await update({ author: actor.name, summary }, (tx, context) =>
        deployStack(tx, context, request),
      );
      const stack = replicated.view.get('stack', value.stack.id) ?? value.stack;
      return { changes: value.changes, warnings: value.warnings, index, stack };
    },
    removeStack: async (request, actor) => {
      const summary = `stack ${request.name}: remove`;
      const { value, index } = await update({ author: actor.name, summary }, (tx) =>
        removeStack(tx, request),
      );
      return { changes: value, index };
    },
    serviceAction: async (request, actor) => {
      const names = request.services.map(
        (id) => replicated.view.get('service', id)?.spec?.name ?? id,
      );
      const summary = `service ${names.join(', ')}: ${actionOf(request)}`;
      const { index, value } = await update({ author: actor.name, summary }, (tx, context) =>
        actOnServices(tx, context, request),
      );
      return { index, moving: value.moving };
    },
  };
}

/**
 * What only looks: answered by every manager from its own state. Where somebody could miss what was
 * acknowledged before, Raft is asked first how far this state must be.
 */
function readHandlers(
  deps: ControlDeps,
  admit: Admit,
): Omit<Handlers<ControlMethods>, WriteMethod> {
  const { replicated, leader } = deps;
  return {
    getObject: admit('viewer', async ({ kind: number, id, knownIndex }) => {
      const isEnough = knownIndex > 0 && replicated.store.changeIndex >= knownIndex;
      if (!isEnough) await leader.caughtUp();
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
    readIndex: admit('viewer', async () => {
      await leader.caughtUp();
      return { index: replicated.store.changeIndex };
    }),
    watch: admit('viewer', (request, context) => watch(replicated.store, request, context.signal)),
    clusterStatus: admit('viewer', async () => clusterStatus(deps)),
    history: admit('viewer', async ({ limit }) => {
      const count = limit > 0 ? limit : HISTORY_ENTRIES_DEFAULT;
      return { entries: replicated.store.history.slice(-count) };
    }),
    getUnlockKey: admit('admin', async () => {
      await leader.caughtUp();
      const { unlockKey } = replicated.view.cluster();
      return { unlockKey: unlockKey.length === 0 ? '' : formatUnlockKey(unlockKey) };
    }),
    backup: admit('admin', async function* () {
      await leader.caughtUp();
      for await (const data of deps.backup()) yield { data };
    }),
    issueCertificate: admit('admin', async (request) => issueCertificate(deps, request)),
    // At the leader, whose state is what a deployment would be made upon.
    planStack: admit('operator', (request, context) =>
      deps.leader.run(
        context,
        ControlService,
        () => planInSlices(replicated, request),
        (client, options) => client.planStack(request, options),
      ),
    ),
    // At the leader: it alone knows which nodes have acknowledged what.
    why: admit('viewer', (request, context) =>
      deps.leader.run(
        context,
        ControlService,
        async () => why(replicated.view, request, deps.why),
        (client, options) => client.why(request, options),
      ),
    ),
  };
}

/** @throws TswarmError not_found, invalid_argument */
function issueCertificate(
  deps: ControlDeps,
  { csr, credentialId, names, addresses }: IssueCertificateRequest,
): { certificate: string; caCert: string } {
  if (credentialId === '') {
    const role = CERTIFICATE_ROLE.gateway;
    const server = { names, addresses };
    return deps.issueCertificate({ csr, commonName: deps.nodeId, role, validityMicros: 0, server });
  }
  const spec = deps.replicated.view.get('credential', credentialId)?.spec;
  const role = spec && roleOf(spec.role);
  if (!spec || !role || spec.kind !== CredentialKind.CERTIFICATE) {
    throw new TswarmError('not_found', `certificate ${credentialId} not found`);
  }
  return deps.issueCertificate({
    csr,
    commonName: credentialId,
    role: userCertificateRole(role),
    validityMicros: Math.max(0, spec.expiresAt - deps.why.nowMicros),
  });
}

/** Lets other work run now and then: a rehearsal touches nothing that is shared. */
async function planInSlices(
  replicated: ReplicatedStore,
  request: DeployStackRequest,
): Promise<PlanStackResponse> {
  const { rehearsal, context } = replicated.rehearsal();
  const work = planStack(rehearsal, context, request);
  let sliceBegan = performance.now();
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
    if (performance.now() - sliceBegan < REHEARSAL_SLICE_MS) continue;
    await new Promise((resolve) => setImmediate(resolve));
    sliceBegan = performance.now();
  }
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
  if (request.rollout !== 0)
    return ['', 'pause update', 'resume update', 'rebalance'][request.rollout] ?? 'act';
  if (request.restart) return 'restart';
  if (request.replicas !== undefined) return `scale to ${request.replicas}`;
  return ['start', 'stop', 'pause'][request.runState] ?? 'act';
}

function clusterStatus(deps: ControlDeps): ClusterStatusResponse {
  const { replicated, raft, nodeId, version, controlAddress } = deps;
  const { view, store } = replicated;
  const cluster = view.cluster();
  const nodes = [...view.list('node')];
  const { leaderId, term, commitIndex, appliedIndex } = raft.status();
  return {
    clusterId: cluster.id,
    nodeId,
    leader: replicated.isLeading,
    managers: managersOf(view).length,
    nodes: nodes.length,
    index: store.changeIndex,
    version,
    joinTokenWorker: cluster.rootCa?.joinTokenWorker ?? '',
    joinTokenManager: cluster.rootCa?.joinTokenManager ?? '',
    caCert: trustBundle(cluster),
    controlAddr: controlAddress(),
    leaderNodeId: managerOf(view, leaderId)?.id ?? '',
    leaderAddr: controlAddressOf(view, leaderId) ?? '',
    autolock: cluster.unlockKey.length > 0,
    rootRotation: cluster.rootCa?.rootRotation !== undefined,
    raftTerm: term,
    raftCommit: commitIndex,
    raftApplied: appliedIndex,
  };
}
