// Hand-written stand-ins for the two things the gateway talks to: a NodeEngine whose methods a test fills in, and a control client over a
// small in-memory table that answers as the manager does (indexes grow, watchers see every change).

import { type KindName, unionKind } from '#api/cache/kinds';
import { ObjectCache } from '#api/cache/object-cache';
import type { ControlClient } from '#api/control';
import type { ClusterSession, NodeControl, NodeState } from '#api/node-control';
import type { EngineJson, NodeEngine } from '#protocol/engine';
import { TswarmError } from '#protocol/errors';
import {
  ObjectUnion,
  WatchAction,
  type WatchEvent,
  type WatchMessage,
} from '#protocol/generated/control';
import { Cluster, Service } from '#protocol/generated/objects';
import { ClusterSpec } from '#protocol/generated/specs';
import type { Log } from '#protocol/world';

export const silentLog: Log = {
  error: () => {},
  warn: () => {},
  info: () => {},
  debug: () => {},
  child: () => silentLog,
};

export const realClock = {
  nowMs: (): number => Date.now(),
  monotonicMs: (): number => performance.now(),
};

type Methods = Readonly<Record<string, (...args: never[]) => unknown>>;

/** Services are made with images that this node does not have. */
const noSuchImage = (): Promise<never> =>
  Promise.reject(new TswarmError('not_found', 'No such image'));

/** An engine that has only the given methods; any other one fails the test by its name. */
export function fakeEngine(parts: Readonly<Record<string, Methods>>): NodeEngine {
  const group = (name: string, usual: Methods = {}): unknown =>
    new Proxy(
      { ...usual, ...parts[name] },
      {
        get(target, key) {
          const own = (target as Record<string, unknown>)[String(key)];
          if (own) return own;
          return () => Promise.reject(new Error(`unexpected call ${name}.${String(key)}`));
        },
      },
    );
  const node = (parts.node ?? {}) as Record<string, unknown>;
  return {
    containers: group('containers'),
    exec: group('exec'),
    images: group('images', { inspect: noSuchImage }),
    volumes: group('volumes'),
    networks: group('networks'),
    info: async (): Promise<EngineJson> => ({ ID: 'x', Containers: 0 }),
    diskUsage: async (): Promise<EngineJson> => ({}),
    events: async function* events() {},
    authenticate: async (): Promise<EngineJson> => ({ Status: 'Login Succeeded' }),
    ...node,
  } as unknown as NodeEngine;
}

/** A manager in a table. `put` and `drop` are what its controllers would do. */
export class FakeManager {
  index = 1;
  /** Nobody can confirm a read. */
  isLeaderless = false;
  readonly calls: { readonly name: string; readonly request: unknown }[] = [];
  #failure: Error | undefined;
  readonly #objects = new Map<string, ObjectUnion>();
  readonly #watchers = new Set<(message: WatchMessage) => void>();

  constructor() {
    this.put({
      cluster: Cluster.create({
        id: 'c'.repeat(25),
        spec: ClusterSpec.create({ name: 'default' }),
      }),
    });
  }

  put(partial: Partial<ObjectUnion>): void {
    const union = ObjectUnion.create(partial);
    const kind = unionKind(union) as KindName;
    const id = union[kind]?.id ?? '';
    const known = this.#objects.has(`${kind} ${id}`);
    this.#objects.set(`${kind} ${id}`, union);
    this.#send(known ? WatchAction.UPDATE : WatchAction.CREATE, union);
  }

  drop(partial: Partial<ObjectUnion>): void {
    const union = ObjectUnion.create(partial);
    const kind = unionKind(union) as KindName;
    this.#objects.delete(`${kind} ${union[kind]?.id ?? ''}`);
    this.#send(WatchAction.REMOVE, union);
  }

  /** Makes the next call fail. */
  failNext(error: Error): void {
    this.#failure = error;
  }

  /** Ends all watch streams, as a restart does. */
  breakStreams(): void {
    for (const watcher of this.#watchers) watcher(undefined as unknown as WatchMessage);
  }

  #send(action: WatchAction, object: ObjectUnion): void {
    this.index++;
    const event: WatchEvent = { action, object, oldObject: undefined };
    const message = {
      index: this.index,
      events: [event],
      snapshotBegin: false,
      snapshotEnd: false,
    };
    // After the answer, as over the network: a gateway that does not wait would miss it.
    setTimeout(() => {
      for (const watcher of this.#watchers) watcher(message);
    }, 10);
  }

  client(): ControlClient {
    const record = <T>(name: string, act: (request: never) => T) => {
      return async (request: never): Promise<T> => {
        this.calls.push({ name, request });
        const failure = this.#failure;
        this.#failure = undefined;
        if (failure) throw failure;
        return act(request);
      };
    };
    const known = {
      createObject: record('createObject', (request: { spec?: { service?: Service['spec'] } }) => {
        const spec = request.spec?.service;
        if (!spec) throw new TswarmError('invalid_argument', 'spec: nothing is set');
        const service = Service.create({ id: `${spec.name}0`.padEnd(25, 'x'), spec });
        this.put({ service });
        return { object: ObjectUnion.create({ service }), index: this.index, warnings: [] };
      }),
      watch: () => this.#watch(),
      readIndex: async () => {
        if (this.isLeaderless) throw new TswarmError('no_leader', 'no leader');
        return { index: this.index };
      },
      clusterStatus: record('clusterStatus', () => ({
        clusterId: 'c'.repeat(25),
        leader: true,
        managers: 1,
        nodes: 1,
        index: this.index,
        joinTokenWorker: 'SWMTKN-1-w',
        joinTokenManager: 'SWMTKN-1-m',
        caCert: 'PEM',
      })),
    };
    return new Proxy(known, {
      get: (target, key) =>
        (target as Record<string, unknown>)[String(key)] ??
        record(String(key), () => ({ object: undefined, index: this.index, warnings: [] })),
    }) as unknown as ControlClient;
  }

  async *#watch(): AsyncIterable<WatchMessage> {
    const queue: (WatchMessage | undefined)[] = [];
    let wake = (): void => {};
    const watcher = (message: WatchMessage): void => {
      queue.push(message);
      wake();
    };
    this.#watchers.add(watcher);
    try {
      yield { index: 0, events: [], snapshotBegin: true, snapshotEnd: false };
      for (const object of this.#objects.values()) {
        const event = { action: WatchAction.SNAPSHOT, object, oldObject: undefined };
        yield { index: this.index, events: [event], snapshotBegin: false, snapshotEnd: false };
      }
      yield { index: this.index, events: [], snapshotBegin: false, snapshotEnd: true };
      for (;;) {
        while (queue.length === 0) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
        const message = queue.shift();
        if (!message) return;
        yield message;
      }
    } finally {
      this.#watchers.delete(watcher);
    }
  }
}

/** A node in a cluster of one (or, without a manager, in none). */
export async function fakeNode(manager?: FakeManager): Promise<NodeControl> {
  let session: ClusterSession | undefined;
  if (manager) {
    const control = manager.client();
    const cache = new ObjectCache(() => control, silentLog);
    cache.start();
    while (!cache.isReady) await new Promise((resolve) => setTimeout(resolve, 1));
    const dial = (): never => {
      throw new Error('no other nodes here');
    };
    session = { control, cache, dial };
  }
  const state: NodeState = {
    state: manager ? 'active' : 'inactive',
    error: '',
    nodeId: manager ? 'n'.repeat(25) : '',
    clusterId: manager ? 'c'.repeat(25) : '',
    isManager: manager !== undefined,
    nodeAddr: manager ? '127.0.0.1' : '',
    controlAddr: '',
    isHostOnly: false,
    remoteManagers: [],
  };
  const refuse = (): Promise<never> => Promise.reject(new TswarmError('not_supported', 'no'));
  return {
    state: () => state,
    session: () => session,
    init: refuse,
    join: refuse,
    leave: refuse,
    unlock: refuse,
    restore: refuse,
  };
}
