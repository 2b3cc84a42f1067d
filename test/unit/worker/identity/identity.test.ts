// Goal: a node's key, request and certificate file are what others expect, and renewal comes in time. Method: requests checked by the CA's own parser,
// files in a temporary folder, joining against a real CA service on loopback.

import { createHash, createPublicKey } from 'node:crypto';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { publicKeyOfRequest } from '#manager/ca/certificates';
import { nodeCaCrypto } from '#manager/host/node-crypto';
import { caDigestText } from '#protocol/join-token';
import { certificateRequestFor, newNodeKey } from '#protocol/transport/csr';
import { checkRoot } from '#worker/identity/join';
import type { NodeIdentity } from '#worker/identity/node-identity';
import { NodeIdentityFile } from '#worker/identity/node-identity';
import { renewalTimeMs } from '#worker/identity/renewal';

const folder = mkdtempSync(join(tmpdir(), 'tswarm-identity-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('a certificate request', () => {
  it('proves the key and carries it', () => {
    const key = newNodeKey();
    const expected = createPublicKey(key).export({ type: 'spki', format: 'der' });
    const found = publicKeyOfRequest(nodeCaCrypto, certificateRequestFor(key));
    expect(Buffer.from(found).equals(expected)).toBe(true);
  });

  it('is refused when it was tampered with', () => {
    const request = certificateRequestFor(newNodeKey());
    const bytes = Buffer.from(request.split('\n').slice(1, -2).join(''), 'base64');
    bytes[40] = (bytes[40] ?? 0) ^ 1;
    const spoiled = `-----BEGIN CERTIFICATE REQUEST-----\n${bytes.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`;
    expect(() => publicKeyOfRequest(nodeCaCrypto, spoiled)).toThrow();
  });
});

describe('the identity file', () => {
  const identity: NodeIdentity = {
    nodeId: 'n1',
    clusterId: 'c1',
    key: 'k',
    certificate: 'c',
    caCert: 'ca',
  };

  it('keeps it for its owner only, and forgets it', async () => {
    const file = new NodeIdentityFile(join(folder, 'id'));
    expect(await file.load()).toBeUndefined();
    await file.save(identity);
    expect(await file.load()).toEqual(identity);
    expect(statSync(file.path).mode & 0o777).toBe(0o600);
    await file.remove();
    expect(await file.load()).toBeUndefined();
  });
});

describe('the root of a cluster', () => {
  it('must be the one that the token pins', () => {
    const root = '-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----\n';
    const digest = caDigestText(new Uint8Array(createHash('sha256').update(root).digest()));
    expect(() => checkRoot(root, digest, 'h:1')).not.toThrow();
    expect(() => checkRoot(`${root} `, digest, 'h:1')).toThrow('does not match fingerprint');
  });
});

describe('renewal', () => {
  it('comes between half and four fifths of the life', () => {
    const life = { fromMs: 1000, toMs: 2000 };
    expect(renewalTimeMs(life, 0)).toBe(1500);
    expect(renewalTimeMs(life, 0.999999)).toBeLessThan(1800);
    expect(renewalTimeMs(life, 0.999999)).toBeGreaterThan(1799);
  });
});
