// Goal: who gets which certificate: by token, by certificate, after removal. Method: the pure
// decisions over a store.
import { describe, expect, it } from 'vitest';
import { newCluster, rootDigest } from '#manager/ca/cluster';
import {
  admitNode,
  checkClock,
  decideRenewal,
  leafValidityMicros,
  nodeIdOf,
  sameSecret,
  tokenDigest,
} from '#manager/ca/issue';
import { withRemovedNode } from '#manager/ca/removed';
import { generateKey, nodeCaCrypto } from '#manager/host/node-crypto';
import { Store } from '#manager/store/store';
import { CERTIFICATE_ROLE } from '#protocol/certificates';
import { IssueNodeCertificateRequest } from '#protocol/generated/ca';
import { type Cluster, ManagerStatus } from '#protocol/generated/objects';
import { CaConfig, NodeAvailability, NodeRole, NodeSpec } from '#protocol/generated/specs';
import { parseJoinToken } from '#protocol/join-token';
import { node, testRandom, testStamp } from '../support/objects.ts';

const key = generateKey();

function makeCluster(seed: number): Cluster {
  return newCluster({
    id: `cluster${seed}`,
    crypto: nodeCaCrypto,
    rootSigner: key.signer,
    rootKey: key.pem,
    random: testRandom(seed),
    nowMicros: 1.7e15,
    addressPools: [],
    subnetSize: 0,
    dataPathPort: 0,
  });
}

function storeWith(cluster: Cluster) {
  const store = new Store();
  const counter = { next: 1 };
  const run = (fn: Parameters<typeof store.transact>[1]): unknown => {
    const { value, proposals } = store.transact(testStamp(counter), fn);
    for (const { bytes } of proposals) store.apply(bytes, store.index + 1);
    return value;
  };
  run((tx) => tx.create('cluster', cluster));
  return { store, run };
}

const request = (over: Partial<IssueNodeCertificateRequest>): IssueNodeCertificateRequest =>
  IssueNodeCertificateRequest.create({ hostname: 'host1', ...over });

describe('a new cluster', () => {
  it('has tokens that carry its root digest and different secrets', () => {
    const cluster = makeCluster(1);
    const worker = parseJoinToken(cluster.rootCa?.joinTokenWorker ?? '');
    const manager = parseJoinToken(cluster.rootCa?.joinTokenManager ?? '');
    expect(worker.caDigest).toBe(rootDigest(nodeCaCrypto, cluster.rootCa?.caCert ?? ''));
    expect(manager.caDigest).toBe(worker.caDigest);
    expect(manager.secret).not.toBe(worker.secret);
    expect(cluster.defaultAddrPool).toEqual(['10.0.0.0/8']);
    expect(cluster.subnetSize).toBe(24);
  });
});

describe('joining', () => {
  it('makes a node whose role is the token’s', () => {
    const cluster = makeCluster(1);
    const { store, run } = storeWith(cluster);
    const join = (token: string | undefined) =>
      run((tx) =>
        admitNode(
          tx,
          nodeCaCrypto,
          request({ token: token ?? '', availability: NodeAvailability.DRAIN }),
          `id${token?.slice(-3)}`,
        ),
      );
    const worker = join(cluster.rootCa?.joinTokenWorker) as { nodeId: string };
    expect(worker).toMatchObject({ certificateRole: 'swarm-worker', nodeRole: NodeRole.WORKER });
    expect(store.view.get('node', worker.nodeId)).toMatchObject({
      spec: { role: NodeRole.WORKER, availability: NodeAvailability.DRAIN },
      description: { hostname: 'host1' },
    });
    expect(join(cluster.rootCa?.joinTokenManager)).toMatchObject({
      certificateRole: 'swarm-worker',
      nodeRole: NodeRole.MANAGER,
    });
  });

  it('is refused with a token of another cluster, a rotated one, or nonsense', () => {
    const cluster = makeCluster(1);
    const { store, run } = storeWith(cluster);
    const join =
      (token: string, over: Partial<IssueNodeCertificateRequest> = {}) =>
      () =>
        run((tx) => admitNode(tx, nodeCaCrypto, request({ token, ...over }), 'x'));
    const other = makeCluster(2).rootCa?.joinTokenWorker ?? '';
    expect(join(other)).toThrow('the join token is of another cluster');
    const token = cluster.rootCa?.joinTokenWorker ?? '';
    expect(join(`${token.slice(0, -1)}-`)).toThrow('it has a wrong character');
    expect(join(token.slice(0, -3))).toThrow('it is cut off: 82 characters instead of 85');
    expect(join(`${token}x`)).toThrow('it is too long');
    expect(join('')).toThrow('it is empty');
    expect(join('SWMKEY-1-abc')).toThrow('this is an unlock key');
    expect(join(token.replace('-1-', '-2-'))).toThrow('FIPS');
    const wrong = token.slice(0, -4) + (token.endsWith('0000') ? '1111' : '0000');
    expect(join(wrong)).toThrow('its secret is not one of this cluster');
    expect(join(token, { hostname: 'a b' })).toThrow("the host's name");
    run((tx) => {
      const rotatedTokens = [tokenDigest(nodeCaCrypto, wrong)];
      const rootCa = cluster.rootCa && { ...cluster.rootCa, rotatedTokens };
      tx.update('cluster', { ...cluster, rootCa });
    });
    expect(join(wrong)).toThrow('not valid any more: it was rotated');
    expect([...store.view.list('node')]).toEqual([]);
  });
});

it('a join that is tried again with the same key gives the same node', () => {
  const cluster = makeCluster(1);
  const { store, run } = storeWith(cluster);
  const id = nodeIdOf(nodeCaCrypto, generateKey().signer.publicKey);
  expect(id).toMatch(/^[0-9a-z]{25}$/);
  const join = (token: string | undefined) =>
    run((tx) => admitNode(tx, nodeCaCrypto, request({ token: token ?? '' }), id));
  const first = join(cluster.rootCa?.joinTokenWorker);
  expect(join(cluster.rootCa?.joinTokenManager)).toEqual(first);
  expect([...store.view.list('node')].map((n) => [n.id, n.spec?.role])).toEqual([
    [id, NodeRole.WORKER],
  ]);
  // Once removed, that key is out: the other nodes refuse it for as long as it could have a certificate.
  run((tx) => {
    tx.remove('node', id);
    tx.update('cluster', withRemovedNode(tx.cluster(), id, 1));
  });
  expect(() => join(cluster.rootCa?.joinTokenWorker)).toThrow('is no longer in the cluster');
});

describe('renewal', () => {
  const { store, run } = storeWith(makeCluster(1));
  run((tx) => {
    tx.create('node', node('w1'));
    tx.create('node', node('m1', { spec: NodeSpec.create({ role: NodeRole.MANAGER }) }));
  });
  const renew = (nodeId: string, role: string, asked: NodeRole = NodeRole.WORKER) =>
    decideRenewal(store.view, request({ role: asked }), { nodeId, role });

  it('gives what the caller is', () => {
    expect(renew('w1', 'swarm-worker').certificateRole).toBe(CERTIFICATE_ROLE.worker);
    expect(renew('m1', 'swarm-worker').certificateRole).toBe(CERTIFICATE_ROLE.worker);
    expect(renew('m1', 'swarm-worker', NodeRole.MANAGER).certificateRole).toBe('swarm-manager');
    expect(renew('m1', 'swarm-manager').certificateRole).toBe('swarm-manager');
    expect(renew('m1', 'swarm-admin').certificateRole).toBe('swarm-admin');
  });

  it('never gives more', () => {
    expect(() => renew('', '')).toThrow('a join token or a certificate');
    expect(() => renew('w1', 'swarm-worker', NodeRole.MANAGER)).toThrow('is not a manager');
    expect(() => renew('w1', 'swarm-manager')).toThrow('is not a manager');
    expect(() => renew('w1', 'swarm-admin')).toThrow('is not a manager');
    expect(() => renew('gone', 'swarm-admin')).toThrow('no longer in the cluster');
    expect(() => renew('gone', 'swarm-worker')).toThrow('no longer in the cluster');
  });
});

it('with autolock a worker’s key brings a manager in once, and not a second time', () => {
  const cluster = makeCluster(1);
  const { store, run } = storeWith(cluster);
  const spec = NodeSpec.create({ role: NodeRole.MANAGER });
  const was = ManagerStatus.create({ raftId: 1, rootDigest: 'd' });
  run((tx) => {
    tx.update('cluster', { ...cluster, unlockKey: new Uint8Array(32) });
    tx.create('node', node('new', { spec, managerStatus: ManagerStatus.create({ raftId: 2 }) }));
    tx.create('node', node('was', { spec, managerStatus: was }));
  });
  const ask = (nodeId: string, role: string) => () =>
    decideRenewal(store.view, request({ role: NodeRole.MANAGER }), { nodeId, role });
  expect(ask('new', 'swarm-worker')()).toMatchObject({ certificateRole: 'swarm-manager' });
  expect(ask('was', 'swarm-worker')).toThrow('is a manager already, and autolock is on');
  expect(ask('was', 'swarm-manager')()).toMatchObject({ certificateRole: 'swarm-manager' });
  run((tx) => tx.update('cluster', cluster));
  expect(ask('was', 'swarm-worker')()).toMatchObject({ certificateRole: 'swarm-manager' });
});

describe('a clock that is far from the leader’s', () => {
  const hour = 3600 * 1e6;
  const now = 1.7e15;
  const ask =
    (over: Partial<IssueNodeCertificateRequest>, role = '') =>
    () =>
      checkClock(request(over), { nodeId: role === '' ? '' : 'w1', role }, now);

  it('is refused when a node joins or becomes a manager, with both times', () => {
    for (const nowMicros of [now + 5 * hour, now - 5 * hour, Number.MAX_SAFE_INTEGER, 1]) {
      expect(ask({ token: 't', nowMicros })).toThrow('the clocks differ: it is');
      expect(ask({ role: NodeRole.MANAGER, nowMicros }, 'swarm-worker')).toThrow('on the leader');
    }
    const nowMicros = now + 5 * hour;
    expect(ask({ token: 't', nowMicros })).toThrow(
      'it is 2023-11-15T03:13:20.000Z on this host and 2023-11-14T22:13:20.000Z on the leader',
    );
  });

  it('does not matter for renewals, within half an hour, or unsaid', () => {
    expect(ask({ nowMicros: now + 5 * hour }, 'swarm-worker')).not.toThrow();
    const manager = { role: NodeRole.MANAGER, nowMicros: now + 5 * hour };
    expect(ask(manager, 'swarm-manager')).not.toThrow();
    expect(ask({ token: 't', nowMicros: now + hour / 2 })).not.toThrow();
    expect(ask({ token: 't' })).not.toThrow();
  });
});

it('validity follows the cluster’s settings, an hour at least', () => {
  const cluster = makeCluster(1);
  expect(leafValidityMicros(cluster)).toBe(90 * 86_400 * 1e6);
  const spec = cluster.spec && {
    ...cluster.spec,
    caConfig: CaConfig.create({ nodeCertExpiry: 1 }),
  };
  expect(leafValidityMicros({ ...cluster, spec })).toBe(3600 * 1e6);
});

it('secrets compare by content', () => {
  expect(sameSecret('abc', 'abc')).toBe(true);
  for (const other of ['abd', 'ab', 'abcd', '']) expect(sameSecret('abc', other)).toBe(false);
  expect(sameSecret('', '')).toBe(true);
});
