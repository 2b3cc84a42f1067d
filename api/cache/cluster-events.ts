// Turns changes of the cache into the Engine API's events of scope "swarm" (service, node, secret, config, network), and keeps the last ones for
// `since`. What happened while the cache was being rebuilt is not known and not invented.
import type { EngineJson } from '#protocol/engine';
import type { ObjectUnion } from '#protocol/generated/control';
import {
  NodeState,
  NodeStateText,
  ReachabilityText,
  UpdateState,
  UpdateStateText,
} from '#protocol/generated/objects';
import { NodeAvailabilityText } from '#protocol/generated/specs';
import type { Clock } from '#protocol/world';
import { rawNumber } from '../http/raw-json.ts';
import { CLUSTER_EVENTS_KEPT } from '../limits.ts';
import type { KindName } from './kinds.ts';
import { nameOf } from './lookup.ts';
import type { CacheChange, ObjectCache } from './object-cache.ts';

export interface ClusterEvent {
  readonly micros: number;
  readonly json: EngineJson;
}

const KINDS: ReadonlySet<KindName> = new Set(['service', 'node', 'secret', 'config', 'network']);

export class ClusterEvents {
  readonly #clock: Clock;
  readonly #kept: ClusterEvent[] = [];
  readonly #listeners = new Set<(event: ClusterEvent) => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Follows one cache. @returns ends it. */
  follow(cache: ObjectCache): () => void {
    return cache.subscribe((notice) => {
      for (const change of notice.changes) this.#add(change);
    });
  }

  /** Events since then that are still known, oldest first. */
  since(micros: number): readonly ClusterEvent[] {
    return this.#kept.filter((event) => event.micros >= micros);
  }

  subscribe(listener: (event: ClusterEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #add(change: CacheChange): void {
    if (!KINDS.has(change.kind)) return;
    const attributes = attributesOf(change);
    if (!attributes) return;
    const micros = Math.round(this.#clock.nowMs() * 1000);
    const id = change.object[change.kind]?.id ?? '';
    const event: ClusterEvent = {
      micros,
      json: {
        Type: change.kind,
        Action: change.action,
        Actor: { ID: id, Attributes: attributes },
        scope: 'swarm',
        time: Math.floor(micros / 1e6),
        timeNano: rawNumber(BigInt(micros) * 1000n),
      },
    };
    this.#kept.push(event);
    if (this.#kept.length > CLUSTER_EVENTS_KEPT) this.#kept.shift();
    for (const listener of this.#listeners) listener(event);
  }
}

/** Attributes of the event; undefined when nothing that clients are told of has changed. */
function attributesOf(change: CacheChange): Record<string, string> | undefined {
  const object = change.object[change.kind];
  if (!object) return undefined;
  const out: Record<string, string> = { name: nameOf(change.kind, object) };
  if (change.action !== 'update') return out;
  const before = change.before ?? change.object;
  if (change.kind === 'service') return serviceUpdate(before, change.object, out);
  if (change.kind === 'node') return nodeUpdate(before, change.object, out);
  return out;
}

function serviceUpdate(
  before: ObjectUnion,
  after: ObjectUnion,
  out: Record<string, string>,
): Record<string, string> | undefined {
  const old = before.service;
  const now = after.service;
  if (!old || !now) return undefined;
  const oldState = old.updateStatus?.state ?? UpdateState.NONE;
  const newState = now.updateStatus?.state ?? UpdateState.NONE;
  if (oldState !== newState) {
    if (newState !== UpdateState.NONE) {
      out['updatestate.new'] = UpdateStateText.get(newState) ?? '';
    }
    if (oldState !== UpdateState.NONE) {
      out['updatestate.old'] = UpdateStateText.get(oldState) ?? '';
    }
  }
  const oldReplicas = old.spec?.mode?.replicated?.replicas;
  const newReplicas = now.spec?.mode?.replicated?.replicas;
  if (oldReplicas !== newReplicas && newReplicas !== undefined) {
    out['replicas.old'] = String(oldReplicas ?? 1);
    out['replicas.new'] = String(newReplicas);
  }
  const oldImage = old.spec?.taskTemplate?.containerSpec?.image ?? '';
  const newImage = now.spec?.taskTemplate?.containerSpec?.image ?? '';
  if (oldImage !== newImage) {
    out['image.old'] = oldImage;
    out['image.new'] = newImage;
  }
  const specChanged =
    old.spec !== now.spec && old.meta?.version?.index !== now.meta?.version?.index;
  return specChanged || Object.keys(out).length > 1 ? out : undefined;
}

function nodeUpdate(
  before: ObjectUnion,
  after: ObjectUnion,
  out: Record<string, string>,
): Record<string, string> | undefined {
  const old = before.node;
  const now = after.node;
  if (!old || !now) return undefined;
  const pairs: [string, string, string][] = [
    [
      'state',
      NodeStateText.get(old.status?.state ?? NodeState.UNKNOWN) ?? '',
      NodeStateText.get(now.status?.state ?? NodeState.UNKNOWN) ?? '',
    ],
    [
      'availability',
      NodeAvailabilityText.get(old.spec?.availability ?? 0) ?? '',
      NodeAvailabilityText.get(now.spec?.availability ?? 0) ?? '',
    ],
    [
      'reachability',
      ReachabilityText.get(old.managerStatus?.reachability ?? 0) ?? '',
      ReachabilityText.get(now.managerStatus?.reachability ?? 0) ?? '',
    ],
    [
      'leader',
      String(old.managerStatus?.leader ?? false),
      String(now.managerStatus?.leader ?? false),
    ],
  ];
  for (const [name, from, to] of pairs) {
    if (from === to) continue;
    out[`${name}.old`] = from;
    out[`${name}.new`] = to;
  }
  const specChanged = old.meta?.version?.index !== now.meta?.version?.index;
  return specChanged || Object.keys(out).length > 1 ? out : undefined;
}
