// What the users of a simulated cluster do to it: services that come, change and go, nodes taken out of
// use and back, networks, secrets and configs, many objects at once, tokens and roots that are
// replaced, and requests for certificates from who should not get one. Each is one transaction.
import { tokenDigest } from '#manager/ca/issue';
import { withoutExpired, withRemovedNode } from '#manager/ca/removed';
import { beginRotation, issuingRoot, withRotatedToken } from '#manager/ca/rotation';
import { updateCluster } from '#manager/control/cluster';
import { createConfig, createSecret } from '#manager/control/data-objects';
import { createNetwork } from '#manager/control/networks';
import { actOnServices, createService, replaceSpec } from '#manager/control/services';
import { createAttachment } from '#manager/dispatcher/attachments';
import type { StoreWriteView } from '#manager/store/state';
import type { DecisionContext } from '#manager/store/view';
import {
  RolloutAction,
  ServiceActionRequest,
  SpecUnion,
  UpdateObjectRequest,
} from '#protocol/generated/control';
import { AttachNetworkRequest } from '#protocol/generated/dispatcher';
import { Config } from '#protocol/generated/objects';
import {
  ClusterSpec,
  ConfigReference,
  ConfigSpec,
  ContainerSpec,
  EncryptionConfig,
  EndpointSpec,
  FailureAction,
  GlobalJobMode,
  GlobalMode,
  Mount,
  MountType,
  NetworkAttachmentConfig,
  NetworkAttachmentSpec,
  NetworkSpec,
  NodeAvailability,
  PortConfig,
  ReplicatedMode,
  RestartCondition,
  RestartPolicy,
  SecretReference,
  SecretSpec,
  ServiceMode,
  ServiceSpec,
  TaskSpec,
  UpdateConfig,
  UpdateOrder,
} from '#protocol/generated/specs';
import { caDigestText, formatJoinToken } from '#protocol/join-token';
import type { Random } from '#protocol/world';
import type { Prng } from '#test/support/prng';
import { newRoot, SIM_CA_CRYPTO } from './sim-authority.ts';
import { nowMicros } from './sim-manager.ts';

/** Each is of its own kind: of what, it stays all its life. */
const SERVICES = ['web', 'api', 'jobs', 'cache', 'agent', 'batch', 'scan'] as const;
type ServiceName = (typeof SERVICES)[number];
/** These replace tasks start-first, the others stop-first. */
const START_FIRST: ReadonlySet<string> = new Set(['api', 'jobs', 'agent']);
const JOBS: ReadonlySet<string> = new Set(['batch', 'scan']);

const FAILURE_ACTIONS = [FailureAction.PAUSE, FailureAction.CONTINUE, FailureAction.ROLLBACK];

/** What a change is made with; drawn before, for a transaction may be computed twice. */
export interface Draw {
  readonly kind: number;
  readonly name: ServiceName;
  readonly replicas: number;
  readonly version: number;
  /** Of an update; 0: all at once. */
  readonly parallelism: number;
  readonly failureAction: FailureAction;
}

export function drawChange(prng: Prng): Draw {
  return {
    kind: prng.below(28),
    name: SERVICES[prng.below(SERVICES.length)] as ServiceName,
    replicas: prng.below(5),
    version: prng.below(4),
    parallelism: prng.below(3),
    failureAction: FAILURE_ACTIONS[prng.below(FAILURE_ACTIONS.length)] as FailureAction,
  };
}

/** One change by a user. */
export function changeSomething(
  tx: StoreWriteView,
  context: DecisionContext,
  draw: Draw,
  random: Random,
): void {
  const { kind, name } = draw;
  if (kind < 5) deploy(tx, context, name, draw);
  else if (kind === 5) remove(tx, name);
  else if (kind < 8) setAvailability(tx, draw.replicas, draw.version);
  else if (kind === 8) changeNetwork(tx, context, draw.version);
  else if (kind === 9) rotateRoot(tx, random);
  else if (kind === 10) rollOut(tx, context, name, draw.version);
  else if (kind === 11) touch(tx, context, name);
  else if (kind < 13) makeMany(tx, context, draw.replicas);
  else if (kind < 15) removeMany(tx, draw.version);
  else if (kind === 15) rotateToken(tx, context);
  else if (kind === 16) makeData(tx, context);
  else if (kind === 17) makeTooMuch(tx);
  else if (kind === 18) forgetNode(tx, context);
  else if (kind === 19) askForPlace(tx, context, draw.replicas);
  else if (kind === 20) lock(tx, context, draw.version, random);
  else if (kind < 23) makeMany(tx, context, draw.replicas);
  else deploy(tx, context, name, draw);
}

function deploy(tx: StoreWriteView, context: DecisionContext, name: ServiceName, draw: Draw): void {
  const network = tx.byName('network', 'back');
  const hasNetwork = network !== undefined && name !== 'jobs';
  const known = tx.byName('service', name);
  // Networks of a service that runs stay as they are.
  const networks = known
    ? (known.spec?.taskTemplate?.networks ?? [])
    : hasNetwork
      ? [NetworkAttachmentConfig.create({ target: network.id })]
      : [];
  const data = name === 'api' ? dataOf(tx) : ContainerSpec.create({});
  const port = PortConfig.create({ targetPort: 80, publishedPort: 8080 });
  const spec = ServiceSpec.create({
    name,
    mode: modeOf(name, draw),
    taskTemplate: TaskSpec.create({
      containerSpec: ContainerSpec.create({ ...data, image: `image:${draw.version}` }),
      restartPolicy: policyOf(name),
      networks,
    }),
    ...(JOBS.has(name) ? {} : rolloutOf(name, draw)),
    endpointSpec: EndpointSpec.create({ ports: name === 'cache' ? [port] : [] }),
    drainTimeout: 2e8,
  });
  if (known) replaceSpec(tx, context, known, spec);
  else createService(tx, context, spec);
}

function modeOf(name: ServiceName, { replicas, parallelism }: Draw): ServiceMode {
  switch (name) {
    case 'agent':
      return ServiceMode.create({ global: GlobalMode.create({}) });
    case 'scan':
      return ServiceMode.create({ globalJob: GlobalJobMode.create({}) });
    case 'batch': {
      const replicatedJob = { maxConcurrent: parallelism + 1, totalCompletions: replicas + 1 };
      return ServiceMode.create({ replicatedJob });
    }
    default:
      return ServiceMode.create({ replicated: ReplicatedMode.create({ replicas }) });
  }
}

function policyOf(name: ServiceName): RestartPolicy {
  const isTriedAnew = name !== 'api' && !JOBS.has(name);
  const condition = isTriedAnew ? RestartCondition.ANY : RestartCondition.ON_FAILURE;
  return RestartPolicy.create({ condition, delay: 3e8, maxAttempts: name === 'api' ? 2 : 0 });
}

function rolloutOf(
  name: ServiceName,
  { parallelism, failureAction }: Draw,
): Pick<ServiceSpec, 'updateConfig' | 'rollbackConfig'> {
  const order = START_FIRST.has(name) ? UpdateOrder.START_FIRST : UpdateOrder.STOP_FIRST;
  const config = { parallelism, monitor: 1e8, order };
  return {
    updateConfig: UpdateConfig.create({ ...config, failureAction }),
    rollbackConfig: UpdateConfig.create(config),
  };
}

export function touch(tx: StoreWriteView, context: DecisionContext, name: string): void {
  const known = tx.byName('service', name);
  const template = known?.spec?.taskTemplate;
  if (!known?.spec || !template) return;
  const taskTemplate = { ...template, forceUpdate: template.forceUpdate + 1 };
  replaceSpec(tx, context, known, { ...known.spec, taskTemplate });
}

function remove(tx: StoreWriteView, name: string): void {
  const known = tx.byName('service', name);
  if (known) tx.remove('service', known.id);
}

function setAvailability(tx: StoreWriteView, which: number, kind: number): void {
  const nodes = [...tx.list('node')];
  const node = nodes[which % Math.max(1, nodes.length)];
  if (!node?.spec) return;
  const all = [NodeAvailability.ACTIVE, NodeAvailability.DRAIN, NodeAvailability.PAUSE];
  const availability = all[kind] ?? NodeAvailability.ACTIVE;
  tx.update('node', { ...node, spec: { ...node.spec, availability } });
}

/** As when a node is removed that was not part of anything any more: its certificate may still be good. */
function forgetNode(tx: StoreWriteView, context: DecisionContext): void {
  const cluster = withoutExpired(tx.cluster(), context.nowMicros);
  tx.update('cluster', withRemovedNode(cluster, context.newId(), context.nowMicros));
}

/** A node asks for a place for a container of its own, on a network that is not made for that. */
function askForPlace(tx: StoreWriteView, context: DecisionContext, which: number): void {
  const nodes = [...tx.list('node')];
  const node = nodes[which % Math.max(1, nodes.length)];
  const container = NetworkAttachmentSpec.create({ containerId: 'c'.repeat(64) });
  const network = NetworkAttachmentConfig.create({ target: 'back' });
  const request = AttachNetworkRequest.create({ network, container });
  if (node) createAttachment(tx, context, node.id, request);
}

function changeNetwork(tx: StoreWriteView, context: DecisionContext, kind: number): void {
  const known = tx.byName('network', 'back');
  if (!known) createNetwork(tx, context.newId(), NetworkSpec.create({ name: 'back' }));
  else if (kind === 0 && [...tx.servicesUsing('network', known.id)].length === 0) {
    const isUsed = [...tx.list('task')].some((task) =>
      task.networkAttachments.some(({ networkId }) => networkId === known.id),
    );
    if (!isUsed) tx.remove('network', known.id);
  }
}

function rotateRoot(tx: StoreWriteView, random: Random): void {
  const cluster = tx.cluster();
  if (cluster.rootCa?.rootRotation) return; // One at a time, as manager/control/cluster says.
  const next = newRoot(random, nowMicros(), issuingRoot(cluster));
  const caCertDigest = caDigestText(SIM_CA_CRYPTO.sha256(Buffer.from(next.caCert)));
  tx.update('cluster', beginRotation(cluster, { ...next, caCertDigest }));
}

const ROLLOUTS = [
  RolloutAction.PAUSE,
  RolloutAction.RESUME,
  RolloutAction.REBALANCE,
  RolloutAction.REBALANCE,
];

/** An update is halted or goes on; tasks move to where they are better placed. */
function rollOut(tx: StoreWriteView, context: DecisionContext, name: string, which: number): void {
  const rollout = ROLLOUTS[which % ROLLOUTS.length] ?? RolloutAction.REBALANCE;
  actOnServices(tx, context, ServiceActionRequest.create({ services: [name], rollout }));
}

/** Autolock is turned on or off, or gets another key. */
function lock(tx: StoreWriteView, context: DecisionContext, which: number, random: Random): void {
  const cluster = tx.cluster();
  const autoLockManagers = which > 0;
  const spec = ClusterSpec.create({
    ...cluster.spec,
    encryptionConfig: EncryptionConfig.create({ autoLockManagers }),
  });
  const request = UpdateObjectRequest.create({
    id: cluster.id,
    version: cluster.meta?.version?.index ?? 0,
    spec: SpecUnion.create({ cluster: spec }),
    rotateUnlockKey: autoLockManagers && which > 1,
  });
  updateCluster(tx, context, request, {
    newUnlockKey: () => random.bytes(32),
    newRoot: () => {
      throw new Error('no root was asked for');
    },
    tokenDigest: (token) => tokenDigest(SIM_CA_CRYPTO, token),
  });
}

const MANY = 60;
/** Now and then: enough for a third level. */
const VERY_MANY = 900;

/** Objects enough for maps of several levels. */
function makeMany(tx: StoreWriteView, context: DecisionContext, start: number): void {
  const count = start === 4 ? VERY_MANY : MANY;
  for (let i = 0; i < count; i++) {
    const name = `many-${start}-${i}`;
    const known = tx.byName('config', name);
    const labels = { at: String(context.nowMicros) };
    if (known?.spec) tx.update('config', { ...known, spec: { ...known.spec, labels } });
    else createConfig(tx, context.newId(), ConfigSpec.create({ name, data: Uint8Array.of(i) }));
  }
}

function removeMany(tx: StoreWriteView, which: number): void {
  for (const config of [...tx.list('config')]) {
    const name = config.spec?.name ?? '';
    if (name.startsWith('many-') && name.length % 4 !== which) tx.remove('config', config.id);
  }
}

function rotateToken(tx: StoreWriteView, context: DecisionContext): void {
  const cluster = tx.cluster();
  const { rootCa } = cluster;
  if (!rootCa) return;
  const digest = tokenDigest(SIM_CA_CRYPTO, rootCa.joinTokenWorker);
  const secret = context.newId();
  const joinTokenWorker = formatJoinToken({ caDigest: rootCa.caCertDigest, secret });
  const rotatedTokens = withRotatedToken(rootCa, digest);
  tx.update('cluster', { ...cluster, rootCa: { ...rootCa, joinTokenWorker, rotatedTokens } });
}

/** What tasks of one service need on their nodes. */
function makeData(tx: StoreWriteView, context: DecisionContext): void {
  const data = Uint8Array.of(1, 2, 3);
  const secret = SecretSpec.create({ name: 'key', data });
  if (!tx.byName('secret', 'key')) createSecret(tx, context.newId(), secret);
  const config = ConfigSpec.create({ name: 'conf', data });
  if (!tx.byName('config', 'conf')) createConfig(tx, context.newId(), config);
}

function dataOf(tx: StoreWriteView): ContainerSpec {
  const secret = tx.byName('secret', 'key');
  const config = tx.byName('config', 'conf');
  if (!secret || !config) return ContainerSpec.create({});
  return ContainerSpec.create({
    secrets: [SecretReference.create({ secretId: secret.id, secretName: 'key' })],
    configs: [ConfigReference.create({ configId: config.id, configName: 'conf' })],
    mounts: [Mount.create({ type: MountType.VOLUME, source: 'data', target: '/data' })],
  });
}

/** More than fits into a change: refused, and nothing of it is left. */
function makeTooMuch(tx: StoreWriteView): void {
  const data = new Uint8Array(2 * 1024 * 1024);
  const spec = ConfigSpec.create({ name: 'large', data });
  tx.create('config', Config.create({ id: 'large', spec }));
}
