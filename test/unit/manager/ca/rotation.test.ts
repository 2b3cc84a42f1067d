// Goal: a root is replaced without a moment in which somebody who is a member is not believed; a
// root that is given is checked. Method: real certificates, verified by OpenSSL through node:crypto.
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { issueLeaf, makeRootCertificate } from '#manager/ca/certificates';
import { newCluster } from '#manager/ca/cluster';
import { recordCertificate } from '#manager/ca/issue';
import {
  beginRotation,
  endRotation,
  issuingRoot,
  mustRenew,
  trustedRoots,
  waitingFor,
} from '#manager/ca/rotation';
import { clusterTools } from '#manager/host/cluster-tools';
import { generateKey, nodeCaCrypto, signerFromPem } from '#manager/host/node-crypto';
import type { StoreWriteView } from '#manager/store/state';
import { Store } from '#manager/store/store';
import { type Cluster, ManagerStatus, type Node } from '#protocol/generated/objects';
import { NodeRole, NodeSpec } from '#protocol/generated/specs';
import { parseJoinToken } from '#protocol/join-token';
import { RateLimit } from '#protocol/rate-limit';
import { node, testRandom, testStamp } from '../support/objects.ts';

const NOW = Date.parse('2026-11-21T08:00:00Z') * 1000;
const YEAR_MS = 365 * 86_400_000;
const random = testRandom(3);
const tools = clusterTools({ random, nowMicros: () => NOW });
const key = generateKey();
const GENERATED = { certificate: '', key: '' };

function setup() {
  const cluster = newCluster({
    id: 'c1',
    crypto: nodeCaCrypto,
    rootSigner: key.signer,
    rootKey: key.pem,
    random,
    nowMicros: NOW,
    addressPools: [],
    subnetSize: 0,
    dataPathPort: 0,
  });
  const store = new Store();
  const counter = { next: 1 };
  const run = <T>(fn: (tx: StoreWriteView) => T): T => {
    const { value, proposals } = store.transact(testStamp(counter), fn);
    for (const { bytes } of proposals) store.apply(bytes, store.index + 1);
    return value;
  };
  run((tx) => tx.create('cluster', cluster));
  return { store, run, cluster: (): Cluster => store.view.cluster() };
}

const verified = (certificate: string, root: string): boolean =>
  new X509Certificate(certificate).verify(new X509Certificate(root).publicKey);

describe('a rotation', () => {
  it('certifies the new key with the old root, so that both sides believe', () => {
    const { cluster } = setup();
    const old = cluster().rootCa?.caCert ?? '';
    const during = beginRotation(cluster(), tools.newRoot(cluster(), GENERATED));
    const issuing = issuingRoot(during);
    expect(trustedRoots(during)).toEqual([old, issuing.certificate]);
    const leaf = issueLeaf(
      nodeCaCrypto,
      { certificate: issuing.certificate, signer: signerFromPem(issuing.key) },
      {
        publicKey: generateKey().signer.publicKey,
        commonName: 'n1',
        role: 'swarm-manager',
        clusterId: 'c1',
        nowMicros: NOW,
        validityMicros: 3600e6,
        serial: random.bytes(16),
      },
    );
    expect(verified(leaf, issuing.certificate)).toBe(true);
    expect(verified(leaf, issuing.chain)).toBe(true);
    expect(verified(issuing.chain, old)).toBe(true);
    expect(verified(leaf, old)).toBe(false);
    const chain = new X509Certificate(issuing.chain);
    expect(chain.ca).toBe(true);
    expect(new X509Certificate(leaf).checkIssued(chain)).toBe(true);
    expect(chain.checkIssued(new X509Certificate(old))).toBe(true);
  });

  it('ends when nobody has a certificate of the old root, then with new tokens', () => {
    const { store, run, cluster } = setup();
    run((tx) => {
      tx.create('node', node('w1'));
      const managerStatus = ManagerStatus.create({ raftId: 1, adminRootDigest: 'old' });
      const spec = NodeSpec.create({ role: NodeRole.MANAGER });
      tx.create('node', node('m1', { spec, managerStatus }));
    });
    const nodeOf = (id: string): Node => store.view.get('node', id) as Node;
    const end = (): boolean => run((tx) => endRotation(tx, () => 's'.repeat(25)));
    expect(mustRenew(cluster(), nodeOf('w1'))).toBe(false);
    expect(end()).toBe(false);
    run((tx) =>
      tx.update('cluster', beginRotation(cluster(), tools.newRoot(cluster(), GENERATED))),
    );
    const { digest, certificate } = issuingRoot(cluster());
    expect(waitingFor(store.view)).toEqual(['m1', 'w1']);
    for (const id of ['m1', 'w1']) run((tx) => recordCertificate(tx, id, 'pem', digest));
    expect(mustRenew(cluster(), nodeOf('w1'))).toBe(false);
    // Its gateway and the manager itself are still to come.
    expect(mustRenew(cluster(), nodeOf('m1'))).toBe(true);
    expect(end()).toBe(false);
    const status = (rootDigest: string, adminRootDigest: string): void =>
      run((tx) => {
        const managerStatus = ManagerStatus.create({ raftId: 1, rootDigest, adminRootDigest });
        tx.update('node', { ...nodeOf('m1'), managerStatus });
      });
    status('old', digest);
    expect(waitingFor(store.view)).toEqual(['m1']);
    status(digest, digest);
    const before = cluster().rootCa;
    expect(end()).toBe(true);
    const after = cluster().rootCa;
    expect(after).toMatchObject({ caCert: certificate, caCertDigest: digest });
    expect(after?.rootRotation).toBeUndefined();
    expect(parseJoinToken(after?.joinTokenWorker ?? '').caDigest).toBe(digest);
    expect(after?.joinTokenManager).not.toBe(before?.joinTokenManager);
    expect(mustRenew(cluster(), nodeOf('w1'))).toBe(false);
  });

  it('that is begun again gives up the first new root', () => {
    const { cluster } = setup();
    const first = beginRotation(cluster(), tools.newRoot(cluster(), GENERATED));
    const second = beginRotation(first, tools.newRoot(first, GENERATED));
    expect(issuingRoot(second).digest).not.toBe(issuingRoot(first).digest);
    expect(verified(issuingRoot(second).chain, cluster().rootCa?.caCert ?? '')).toBe(true);
  });
});

describe('a root that is given', () => {
  const { cluster } = setup();
  const made = (nowMicros: number, rootKey = generateKey()) => ({
    certificate: makeRootCertificate(nodeCaCrypto, rootKey.signer, {
      nowMicros,
      serial: random.bytes(16),
    }),
    key: rootKey.pem,
  });
  const use = (given: { certificate: string; key: string }) => () =>
    tools.newRoot(cluster(), given);

  it('is used as it is', () => {
    const root = made(NOW);
    expect(use(root)()).toMatchObject({ caCert: root.certificate });
  });

  it('is refused when certificates of it would not be believed', () => {
    const root = made(NOW);
    const other = made(NOW);
    expect(use({ ...root, key: '' })).toThrow('the key of the certificate is missing');
    expect(use({ ...root, key: other.key })).toThrow('it is not the key of the certificate');
    expect(use({ ...root, key: 'x' })).toThrow('must be PEM');
    expect(use({ certificate: root.certificate + other.certificate, key: root.key })).toThrow(
      'expected one certificate in PEM, found 2',
    );
    expect(use(made(NOW - 19.5 * YEAR_MS * 1000))).toThrow('at least one more year');
    expect(use(made(NOW + YEAR_MS * 1000))).toThrow('not valid yet');
    expect(use(made(NOW, key))).toThrow('must have a new key');
    const leafKey = generateKey();
    const leaf = issueLeaf(
      nodeCaCrypto,
      { certificate: root.certificate, signer: signerFromPem(root.key) },
      {
        publicKey: leafKey.signer.publicKey,
        commonName: 'n',
        role: 'swarm-worker',
        clusterId: 'c',
        nowMicros: NOW,
        validityMicros: 2 * YEAR_MS * 1000,
        serial: random.bytes(16),
      },
    );
    expect(use({ certificate: leaf, key: leafKey.pem })).toThrow('not the certificate of a root');
    expect(createPrivateKey(root.key).asymmetricKeyType).toBe('ec');
  });
});

it('a rate limit lets a burst through, then a steady flow, per key', () => {
  const limit = new RateLimit({ perSecond: 2, burst: 3, keysMax: 2 });
  const take = (keyName: string, nowMs: number) => limit.take(keyName, nowMs);
  expect([0, 0, 0, 0].map((ms) => take('a', ms))).toEqual([true, true, true, false]);
  expect(take('b', 0)).toBe(true);
  expect([take('a', 499), take('a', 500), take('a', 501)]).toEqual([false, true, false]);
  expect(limit.has('a', 1000)).toBe(true);
  expect([take('a', 60_000), take('a', 60_000), take('a', 60_000), take('a', 60_000)]).toEqual([
    true,
    true,
    true,
    false,
  ]);
  // With more keys than allowed the one not seen for longest begins anew.
  take('c', 60_000);
  take('d', 60_000);
  expect(take('a', 60_000)).toBe(true);
});
