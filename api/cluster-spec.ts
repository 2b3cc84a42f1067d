// What both APIs need to know of the one cluster object: finding it, changing parts of its settings, and what to say to a manager that wants to leave. The
// words of the guard are Swarm's; the sums behind it too (moby daemon/cluster/noderunner and swarm.go).
import { fromEngineJson, toEngineJson } from '#protocol/engine-json';
import { TswarmError } from '#protocol/errors';
import { ObjectKind, SpecUnion, UpdateObjectRequest } from '#protocol/generated/control';
import { type Cluster, Reachability } from '#protocol/generated/objects';
import { ClusterSpec } from '#protocol/generated/specs';
import { type Context, requireSession } from './context.ts';
import { type Asker, callOptions, written } from './control.ts';
import type { ClusterSession } from './node-control.ts';

type Json = Readonly<Record<string, unknown>>;

/** The one cluster object. @throws unavailable when it is not known yet. */
export function clusterOf(session: ClusterSession): Cluster {
  const [cluster] = session.cache.all('cluster');
  if (!cluster) throw new TswarmError('unavailable', 'the cluster object is not known yet');
  return cluster;
}

export interface Rotations {
  readonly workerToken: boolean;
  readonly managerToken: boolean;
  readonly unlockKey: boolean;
}

export const NO_ROTATION: Rotations = { workerToken: false, managerToken: false, unlockKey: false };

/** Writes a whole specification. `version`: the index that it was made from. */
export async function updateCluster(
  session: ClusterSession,
  update: { readonly spec: ClusterSpec; readonly version: number; readonly rotate: Rotations },
  asker: Asker,
): Promise<void> {
  const { spec, version, rotate } = update;
  const answer = session.control.updateObject(
    UpdateObjectRequest.create({
      kind: ObjectKind.CLUSTER,
      id: clusterOf(session).id,
      version,
      spec: SpecUnion.create({ cluster: spec }),
      rotateWorkerToken: rotate.workerToken,
      rotateManagerToken: rotate.managerToken,
      rotateUnlockKey: rotate.unlockKey,
      keepExtensions: true,
    }),
    callOptions(asker),
  );
  await written(session, answer);
}

/** Changes the settings that `part` (Engine JSON) names, leaves the others, and rotates what is asked for. */
export async function changeCluster(
  session: ClusterSession,
  part: Json,
  rotate: Rotations,
  asker: Asker,
): Promise<void> {
  const cluster = clusterOf(session);
  const current = toEngineJson(ClusterSpec, cluster.spec ?? ClusterSpec.create());
  const spec = fromEngineJson(ClusterSpec, merged(current, part));
  const version = cluster.meta?.version?.index ?? 0;
  await updateCluster(session, { spec, version, rotate }, asker);
}

/** Settings that came with `init`. A new cluster that cannot have them is taken away again: nothing half-made stays. */
export async function applySettings(
  context: Context,
  part: Json,
  { isNew }: { readonly isNew: boolean },
  asker: Asker,
): Promise<void> {
  if (Object.keys(part).length === 0) return;
  try {
    await changeCluster(requireSession(context), part, NO_ROTATION, asker);
  } catch (error) {
    if (isNew) await context.node.leave({ force: true });
    throw error;
  }
}

function merged(base: Json, part: Json): Json {
  const out: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(part)) {
    const before = out[key];
    out[key] = isObject(value) && isObject(before) ? merged(before, value) : value;
  }
  return out;
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Drops nulls, zeros, empty texts and objects that hold nothing else: clients send a specification with every part, mostly empty. */
export function withoutZeros(json: Json): Json {
  const out: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(json)) {
    if (value === null || value === 0 || value === '' || value === false) continue;
    if (isObject(value)) {
      const inner = withoutZeros(value);
      if (Object.keys(inner).length > 0) out[key] = inner;
    } else out[key] = value;
  }
  return out;
}

/** How the managers are, as the one asked sees them. */
export function managerCounts(session: ClusterSession): {
  readonly reachable: number;
  readonly unreachable: number;
} {
  const managers = [...session.cache.all('node')].filter((node) => node.managerStatus);
  const reachable = managers.filter(
    (node) => node.managerStatus?.reachability === Reachability.REACHABLE,
  ).length;
  return { reachable, unreachable: managers.length - reachable };
}

const LEAVING =
  'You are attempting to leave the swarm on a node that is participating as a manager. ';
const LAST =
  'Removing the last manager erases all current state of the swarm. Use `--force` to ignore this message. ';
const RESTORE =
  'The only way to restore a swarm that has lost consensus is to reinitialize it with `--force-new-cluster`. Use `--force` to suppress this message.';

/** Why a manager does not leave without force. `session` undefined: its manager does not run. */
export function leaveWarning(session: ClusterSession | undefined): string {
  if (!session?.cache.isReady) {
    return `${LEAVING}Doing so may lose the consensus of your cluster. ${RESTORE}`;
  }
  const { reachable, unreachable } = managerCounts(session);
  if (reachable + unreachable <= 1) return LEAVING + LAST;
  const losesQuorum = reachable - 2 <= unreachable;
  const sums = losesQuorum
    ? `Removing this node leaves ${reachable - 1} managers out of ${reachable + unreachable}. Without a Raft quorum your swarm will be inaccessible. `
    : '';
  return LEAVING + sums + RESTORE;
}
