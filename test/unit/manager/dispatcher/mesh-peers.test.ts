// Goal: for the mesh each node knows exactly those nodes that it exchanges packets with, both ends of a pair know each other, and a removed node is
// forgotten by all. Method: assignments of several nodes over a real store.
import { describe, expect, it } from 'vitest';
import { AssignmentHub } from '#manager/dispatcher/assignment-hub';
import type { StoreWriteView } from '#manager/store/state';
import { Store } from '#manager/store/store';
import { AssignmentAction, type MeshPeer } from '#protocol/generated/dispatcher';
import {
  Endpoint,
  type Node,
  NodeDescription,
  NodeStatus,
  type Service,
  type Task,
  TaskState,
  TaskStatus,
} from '#protocol/generated/objects';
import { PortConfig, PublishMode } from '#protocol/generated/specs';
import { attach, network, node, service, task, template, testStamp } from '../support/objects.ts';

const web = service('web', { taskTemplate: template({ networks: [attach('net1')] }) });
const db = service('db', { taskTemplate: template({ networks: [attach('net2')] }) });
const edge: Service = {
  ...service('edge'),
  endpoint: Endpoint.create({
    ports: [
      PortConfig.create({ publishedPort: 80, targetPort: 80, publishMode: PublishMode.INGRESS }),
    ],
  }),
};

const meshNode = (id: string, key = `key-${id}`): Node =>
  node(id, {
    description: NodeDescription.create({ hostname: `host-${id}`, wireguardKey: key }),
    status: NodeStatus.create({ addr: `192.0.2.${id.slice(1)}` }),
  });

const running = (of: Service, id: string, nodeId: string): Task =>
  task(id, of, {
    nodeId,
    status: TaskStatus.create({ state: TaskState.RUNNING }),
    desiredState: TaskState.RUNNING,
    networkAttachments: (of.spec?.taskTemplate?.networks ?? []).map((n) => ({
      networkId: n.target,
      addresses: ['10.0.0.2/24'],
      aliases: [],
    })),
  });

function cluster(nodes: readonly Node[]) {
  const store = new Store();
  const hub = new AssignmentHub();
  const counter = { next: 1 };
  store.subscribe((entry) => {
    if (entry !== 'reset') hub.note(entry.changes);
  });
  const run = (fn: (tx: StoreWriteView) => void): void => {
    for (const { bytes } of store.transact(testStamp(counter), fn).proposals) {
      store.apply(bytes, store.index + 1);
    }
  };
  run((tx) => {
    for (const one of nodes) tx.create('node', one);
    for (const id of ['net1', 'net2']) tx.create('network', network(id));
    for (const one of [web, db, edge]) tx.create('service', one);
  });
  /** node id → what it knows of others, kept up to date by `peersOf` */
  const known = new Map<string, Map<string, MeshPeer>>();
  const listeners = new Map(nodes.map(({ id }) => [id, hub.connect(id, 's')] as const));
  const peersOf = (id: string): string[] => {
    const peers = known.get(id) ?? new Map<string, MeshPeer>();
    known.set(id, peers);
    const message = listeners.get(id)?.next(store.view, hub.endpoints);
    for (const { assignment, action } of message?.changes ?? []) {
      if (!assignment?.peer) continue;
      if (action === AssignmentAction.REMOVE) {
        expect(peers.delete(assignment.peer.nodeId)).toBe(true);
      } else peers.set(assignment.peer.nodeId, assignment.peer);
    }
    return [...peers.keys()].sort();
  };
  return { run, peersOf, store, peer: (of: string, id: string) => known.get(of)?.get(id) };
}

describe('mesh peers', () => {
  it('are the nodes that share a network, in both directions, while they do', () => {
    const { run, peersOf, peer } = cluster(['n1', 'n2', 'n3'].map((id) => meshNode(id)));
    expect([peersOf('n1'), peersOf('n2')]).toEqual([[], []]);
    run((tx) => {
      tx.create('task', running(web, 't1', 'n1'));
      tx.create('task', running(web, 't2', 'n2'));
      tx.create('task', running(db, 't3', 'n3'));
    });
    expect([peersOf('n1'), peersOf('n2'), peersOf('n3')]).toEqual([['n2'], ['n1'], []]);
    expect(peer('n1', 'n2')).toEqual({
      nodeId: 'n2',
      hostname: 'host-n2',
      wireguardKey: 'key-n2',
      addr: '192.0.2.2',
      port: 51820,
      hostAddrs: [],
    });
    run((tx) => tx.remove('task', 't2'));
    expect([peersOf('n1'), peersOf('n2')]).toEqual([[], []]);
  });

  it('are all nodes for one that serves an ingress port, and it for all', () => {
    const { run, peersOf } = cluster(['n1', 'n2', 'n3'].map((id) => meshNode(id)));
    for (const id of ['n1', 'n2', 'n3']) expect(peersOf(id)).toEqual([]);
    run((tx) => tx.create('task', running(edge, 't1', 'n1')));
    expect([peersOf('n1'), peersOf('n2'), peersOf('n3')]).toEqual([['n2', 'n3'], ['n1'], ['n1']]);
    run((tx) => tx.create('node', meshNode('n4')));
    expect(peersOf('n1')).toEqual(['n2', 'n3', 'n4']);
    run((tx) => tx.remove('task', 't1'));
    expect([peersOf('n1'), peersOf('n2')]).toEqual([[], []]);
  });

  it('follow new keys and addresses, are silent about heartbeats, and end with the node', () => {
    const { run, peersOf, peer, store } = cluster(['n1', 'n2'].map((id) => meshNode(id)));
    run((tx) => {
      tx.create('task', running(web, 't1', 'n1'));
      tx.create('task', running(web, 't2', 'n2'));
    });
    expect(peersOf('n1')).toEqual(['n2']);
    run((tx) => tx.update('node', meshNode('n2', 'other')));
    peersOf('n1');
    expect(peer('n1', 'n2')?.wireguardKey).toBe('other');
    const before = peer('n1', 'n2');
    run((tx) => {
      const now = store.view.get('node', 'n2') as Node;
      tx.update('node', { ...now, status: NodeStatus.create({ ...now.status, message: 'x' }) });
    });
    peersOf('n1');
    expect(peer('n1', 'n2')).toBe(before);
    run((tx) => {
      const now = store.view.get('node', 'n2') as Node;
      const description = NodeDescription.create({
        ...now.description,
        meshAddr: '2001:db8::7',
        meshPort: 4000,
      });
      tx.update('node', { ...now, description });
    });
    peersOf('n1');
    expect(peer('n1', 'n2')).toMatchObject({ addr: '2001:db8::7', port: 4000 });
    run((tx) => {
      tx.remove('task', 't2');
      tx.remove('node', 'n2');
    });
    expect(peersOf('n1')).toEqual([]);
  });

  it('do not include a node without a key', () => {
    const { run, peersOf } = cluster([meshNode('n1'), node('n2')]);
    run((tx) => {
      tx.create('task', running(web, 't1', 'n1'));
      tx.create('task', running(web, 't2', 'n2'));
    });
    expect([peersOf('n1'), peersOf('n2')]).toEqual([[], ['n1']]);
  });
});
