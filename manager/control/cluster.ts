// The cluster object: what administrators may change of it. Settings, join tokens, autolock and its
// key, and the order to replace the root (manager/ca/rotation does the rest). Keys and roots are
// made by the host and come in through ClusterTools. Texts of swarmkit controlapi/cluster.go.
// Refuses what could only be ignored.
import { beginRotation, type NewRoot, waitingFor, withRotatedToken } from '#manager/ca/rotation';
import type { DecisionContext, WriteView } from '#manager/store/view';
import { TswarmError } from '#protocol/errors';
import type { UpdateObjectRequest } from '#protocol/generated/control';
import { type Cluster, RootCa } from '#protocol/generated/objects';
import { CaConfig, ClusterSpec } from '#protocol/generated/specs';
import { formatJoinToken, parseJoinToken } from '#protocol/join-token';
import {
  CERT_EXPIRY_NANOS_MIN,
  HEARTBEAT_NANOS_MAX,
  HEARTBEAT_NANOS_MIN,
  SNAPSHOT_INTERVAL_MIN,
} from '../limits.ts';
import { keepExtensions } from './extensions.ts';
import { checkLabels, invalid } from './validate-names.ts';
import { refuseOldVersion } from './versions.ts';

/** PEM; both empty = one is to be made. */
export interface GivenRoot {
  readonly certificate: string;
  readonly key: string;
}

/** Cryptography that the decisions here need; each call gives something new. */
export interface ClusterTools {
  /** 32 random bytes. */
  newUnlockKey(): Uint8Array;
  /**
   * A root for the cluster to rotate to: a new one, or the one given (PEM).
   * @throws TswarmError invalid_argument when the given one will not do
   */
  newRoot(cluster: Cluster, given: GivenRoot): NewRoot;
  /** What is remembered of a rotated join token. */
  tokenDigest(token: string): string;
}

/** @throws TswarmError not_found, out_of_sequence, invalid_argument, not_supported */
export function updateCluster(
  tx: WriteView,
  context: DecisionContext,
  request: UpdateObjectRequest,
  tools: ClusterTools,
): Cluster {
  const cluster = tx.get('cluster', request.id);
  if (!cluster?.spec) throw new TswarmError('not_found', `cluster ${request.id} not found`);
  refuseOldVersion(cluster, request.version);
  const asked = request.spec?.cluster ?? cluster.spec;
  const spec = request.keepExtensions ? keepExtensions(ClusterSpec, asked, cluster.spec) : asked;
  checkClusterSpec(spec, cluster.spec);
  const root = wantedRoot(spec, cluster.spec);
  if (root) refuseWhileRotating(tx, cluster);
  const withTokens: Cluster = {
    ...cluster,
    spec: storedSpec(spec, root),
    rootCa: cluster.rootCa && withNewTokens(cluster.rootCa, request, context, tools),
    unlockKey: nextUnlockKey(cluster, spec, request, tools),
  };
  const updated = root ? beginRotation(withTokens, tools.newRoot(withTokens, root)) : withTokens;
  tx.update('cluster', updated);
  return updated;
}

/** A root that is given up half-way would leave the nodes that have a certificate of it outside. */
function refuseWhileRotating(tx: WriteView, cluster: Cluster): void {
  if (!cluster.rootCa?.rootRotation) return;
  const names = waitingFor(tx).map((id) => tx.get('node', id)?.description?.hostname || id);
  throw new TswarmError(
    'failed_precondition',
    `the root is being replaced already; it waits for new certificates on ${names.join(', ')}`,
    { hint: 'Start these nodes, or remove them: tswarm node rm.' },
  );
}

/** The key of a root that was given lives in the root alone. */
function storedSpec(spec: ClusterSpec, root: GivenRoot | undefined): ClusterSpec {
  const changed = root ? { signingCaCert: root.certificate } : {};
  const caConfig =
    spec.caConfig && CaConfig.create({ ...spec.caConfig, ...changed, signingCaKey: '' });
  return ClusterSpec.create({ ...spec, name: 'default', caConfig });
}

/** The root to rotate to: one that is given anew, or `force_rotate` grew; undefined = none. */
function wantedRoot(spec: ClusterSpec, old: ClusterSpec): GivenRoot | undefined {
  const certificate = spec.caConfig?.signingCaCert ?? '';
  const key = spec.caConfig?.signingCaKey ?? '';
  const isGiven = key !== '' || certificate !== (old.caConfig?.signingCaCert ?? '');
  if (isGiven && certificate !== '') return { certificate, key };
  const isForced = (spec.caConfig?.forceRotate ?? 0) !== (old.caConfig?.forceRotate ?? 0);
  return isForced ? { certificate: '', key: '' } : undefined;
}

function nextUnlockKey(
  cluster: Cluster,
  spec: ClusterSpec,
  request: UpdateObjectRequest,
  tools: ClusterTools,
): Uint8Array {
  const isOn = spec.encryptionConfig?.autoLockManagers === true;
  if (!isOn) {
    if (!request.rotateUnlockKey) return new Uint8Array();
    throw new TswarmError(
      'failed_precondition',
      'cannot rotate because autolock is not turned on',
      {
        field: 'EncryptionConfig.AutoLockManagers',
        hint: 'Turn it on with `tswarm update --autolock`; that gives a new key too.',
      },
    );
  }
  const isNew = cluster.unlockKey.length === 0 || request.rotateUnlockKey;
  return isNew ? tools.newUnlockKey() : cluster.unlockKey;
}

function checkClusterSpec(spec: ClusterSpec, old: ClusterSpec): void {
  if (spec.name !== '' && spec.name !== 'default') {
    throw invalid('Name', 'swarm spec must be named "default"');
  }
  checkLabels(spec.labels);
  const expiry = spec.caConfig?.nodeCertExpiry ?? 0;
  if (expiry !== 0 && expiry < CERT_EXPIRY_NANOS_MIN) {
    throw invalid('CAConfig.NodeCertExpiry', 'minimum certificate expiry time is: 1h0m0s');
  }
  const isKeyGiven = (spec.caConfig?.signingCaKey ?? '') !== '';
  if (isKeyGiven && (spec.caConfig?.signingCaCert ?? '') === '') {
    throw invalid('CAConfig.SigningCACert', 'a key was given without its certificate');
  }
  const period = spec.dispatcher?.heartbeatPeriod ?? 0;
  if (period !== 0 && (period < HEARTBEAT_NANOS_MIN || period > HEARTBEAT_NANOS_MAX)) {
    throw invalid('Dispatcher.HeartbeatPeriod', 'invalid heartbeat period: 100ms to 1h');
  }
  checkRaft(spec, old);
}

function checkRaft(spec: ClusterSpec, old: ClusterSpec): void {
  const interval = spec.raft?.snapshotInterval ?? 0;
  if (interval !== 0 && interval < SNAPSHOT_INTERVAL_MIN) {
    throw invalid('Raft.SnapshotInterval', `at least ${SNAPSHOT_INTERVAL_MIN} log entries`);
  }
  if ((spec.raft?.logEntriesForSlowFollowers ?? 0) < 0) {
    throw invalid('Raft.LogEntriesForSlowFollowers', 'must not be negative');
  }
  if ((spec.raft?.keepOldSnapshots ?? 0) !== (old.raft?.keepOldSnapshots ?? 0)) {
    throw notChangeable('Raft.KeepOldSnapshots', 'Take backups with `tswarm backup` instead.');
  }
  for (const key of ['electionTick', 'heartbeatTick'] as const) {
    const value = spec.raft?.[key] ?? 0;
    if (value === 0 || value === (old.raft?.[key] ?? 0)) continue;
    const field = key === 'electionTick' ? 'Raft.ElectionTick' : 'Raft.HeartbeatTick';
    throw notChangeable(field, 'Leave it as it is.');
  }
}

function notChangeable(field: string, hint: string): TswarmError {
  return new TswarmError('not_supported', `${field} cannot be changed`, { field, hint });
}

function withNewTokens(
  root: RootCa,
  request: UpdateObjectRequest,
  context: DecisionContext,
  tools: ClusterTools,
): RootCa {
  let next = root;
  const rotate = (token: string): string => {
    const rotatedTokens = [...withRotatedToken(next, tools.tokenDigest(token))];
    next = RootCa.create({ ...next, rotatedTokens });
    // An id has as many random bits as a token's secret, in the same form.
    return formatJoinToken({ caDigest: parseJoinToken(token).caDigest, secret: context.newId() });
  };
  if (request.rotateWorkerToken) {
    const joinTokenWorker = rotate(root.joinTokenWorker);
    next = RootCa.create({ ...next, joinTokenWorker });
  }
  if (request.rotateManagerToken) {
    const joinTokenManager = rotate(root.joinTokenManager);
    next = RootCa.create({ ...next, joinTokenManager });
  }
  return next;
}
