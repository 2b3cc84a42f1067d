// Goal: a new root does not come into force alone while a node may still need the old one. Method: the pure rules over a store, with real certificates.
import { describe, expect, it } from 'vitest';
import { makeRootCertificate, publicKeyOfCertificate } from '#manager/ca/certificates';
import { rootDigest } from '#manager/ca/cluster';
import { beginRotation, endRotation, waitingFor } from '#manager/ca/rotation';
import { generateKey, nodeCaCrypto } from '#manager/host/node-crypto';
import { NodeDescription, NodeTlsInfo, RootCa } from '#protocol/generated/objects';
import { formatJoinToken } from '#protocol/join-token';
import { testCluster } from '../support/cluster-state.ts';
import { node, testRandom } from '../support/objects.ts';

const random = testRandom(5);

function newRoot() {
  const { pem, signer } = generateKey();
  const args = { nowMicros: 1.7e15, serial: random.bytes(16) };
  const caCert = makeRootCertificate(nodeCaCrypto, signer, args);
  return { caCert, caKey: pem, caCertDigest: rootDigest(nodeCaCrypto, caCert) };
}

/** A cluster in the middle of a rotation from `old` to `next`, with one worker. */
function rotating() {
  const { store, run } = testCluster();
  const [old, next] = [newRoot(), newRoot()];
  run((tx) => {
    const rootCa = RootCa.create({ ...old, joinTokenWorker: 'w', joinTokenManager: 'm' });
    const cluster = { ...tx.cluster(), rootCa };
    tx.update('cluster', beginRotation(cluster, { ...next, crossSignedCaCert: next.caCert }));
    tx.create('node', { ...node('w1'), rootDigest: old.caCertDigest });
  });
  const holds = (pem: string) =>
    NodeDescription.create({
      tlsInfo: NodeTlsInfo.create({ certIssuerPublicKey: publicKeyOfCertificate(pem) }),
    });
  return { store, run, old, next, holds };
}

const secret = (): string => '0'.repeat(25);

describe('the end of a rotation', () => {
  it('waits for a node whose certificate is of the old root', () => {
    const { store, run } = rotating();
    expect(waitingFor(store.view)).toEqual(['w1']);
    expect(run((tx) => endRotation(tx, secret))).toBe(false);
  });

  it('waits until the node says that it holds the new one, not only until it was issued', () => {
    const { store, run, old, next, holds } = rotating();
    run((tx) =>
      tx.update('node', {
        ...(tx.get('node', 'w1') ?? node('w1')),
        rootDigest: next.caCertDigest,
        description: holds(old.caCert),
      }),
    );
    expect(waitingFor(store.view)).toEqual(['w1']);
    run((tx) =>
      tx.update('node', {
        ...(tx.get('node', 'w1') ?? node('w1')),
        description: holds(next.caCert),
      }),
    );
    expect(waitingFor(store.view)).toEqual([]);
    expect(run((tx) => endRotation(tx, secret))).toBe(true);
    const { rootCa } = store.view.cluster();
    expect(rootCa?.caCert).toBe(next.caCert);
    expect(rootCa?.rootRotation).toBeUndefined();
    expect(rootCa?.joinTokenWorker).toBe(
      formatJoinToken({ caDigest: next.caCertDigest, secret: secret() }),
    );
  });

  it('believes one that does not say what it holds when it was issued one', () => {
    const { store, run, next } = rotating();
    run((tx) =>
      tx.update('node', {
        ...(tx.get('node', 'w1') ?? node('w1')),
        rootDigest: next.caCertDigest,
      }),
    );
    expect(waitingFor(store.view)).toEqual([]);
  });
});
