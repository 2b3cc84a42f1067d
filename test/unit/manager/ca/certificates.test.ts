// Goal: certificates are what OpenSSL (through node:crypto) understands and what the design says;
// requests are checked. Method: real keys, certificates read back by node:crypto.
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  crossSignRoot,
  issueLeaf,
  makeRootCertificate,
  publicKeyOfRequest,
} from '#manager/ca/certificates';
import { time, toDer } from '#manager/ca/der';
import { generateKey, nodeCaCrypto, signerFromPem } from '#manager/host/node-crypto';
import { CERTIFICATE_ROLE } from '#protocol/certificates';
import { makeCsr } from '../support/csr.ts';
import { testRandom } from '../support/objects.ts';

const NOW = Date.parse('2026-11-21T08:00:00Z') * 1000;
const DAY = 86_400 * 1e6;
const random = testRandom(1);

function root() {
  const key = generateKey();
  const certificate = makeRootCertificate(nodeCaCrypto, key.signer, {
    nowMicros: NOW,
    serial: random.bytes(16),
  });
  return { key, certificate, issuer: { certificate, signer: key.signer } };
}

function leaf(role: (typeof CERTIFICATE_ROLE)[keyof typeof CERTIFICATE_ROLE], ca = root()) {
  const key = generateKey();
  const pem = issueLeaf(nodeCaCrypto, ca.issuer, {
    publicKey: key.signer.publicKey,
    commonName: 'node1',
    role,
    clusterId: 'cluster1',
    nowMicros: NOW,
    validityMicros: 90 * DAY,
    serial: random.bytes(16),
  });
  return { certificate: new X509Certificate(pem), key, ca };
}

describe('root', () => {
  it('is self-signed, CN swarm-ca, P-256, 20 years', () => {
    const { certificate, key } = root();
    const parsed = new X509Certificate(certificate);
    expect(parsed.subject).toBe('CN=swarm-ca');
    expect(parsed.ca).toBe(true);
    expect(parsed.verify(parsed.publicKey)).toBe(true);
    expect(parsed.publicKey.asymmetricKeyDetails?.namedCurve).toBe('prime256v1');
    const years = (Date.parse(parsed.validTo) - NOW / 1000) / (365 * 86_400_000);
    expect(years).toBeCloseTo(20, 3);
    expect(signerFromPem(key.pem).publicKey).toEqual(key.signer.publicKey);
  });
});

describe('a root that another program has made', () => {
  it('signs leaves that name it by its own key identifier', () => {
    // OpenSSL's identifier is another hash than ours: a leaf with ours would find no issuer.
    const folder = mkdtempSync(join(tmpdir(), 'tswarm-root-'));
    const [key, cert] = [join(folder, 'key'), join(folder, 'cert')];
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    const made = ['req', '-x509', ...curve, '-subj', '/CN=swarm-ca', '-days', '9'];
    execFileSync('openssl', [...made, '-keyout', key, '-out', cert], { stdio: 'ignore' });
    const certificate = readFileSync(cert, 'utf8');
    const issuer = { certificate, signer: signerFromPem(readFileSync(key, 'utf8')) };
    const old = root();
    const cross = crossSignRoot(nodeCaCrypto, old.issuer, certificate, {
      nowMicros: NOW,
      serial: random.bytes(16),
    });
    const leafOfIt = leaf(CERTIFICATE_ROLE.worker, { ...old, issuer }).certificate;
    expect(leafOfIt.checkIssued(new X509Certificate(certificate))).toBe(true);
    expect(leafOfIt.checkIssued(new X509Certificate(cross))).toBe(true);
    expect(new X509Certificate(cross).checkIssued(new X509Certificate(old.certificate))).toBe(true);
    rmSync(folder, { recursive: true });
  });
});

describe('leaf', () => {
  it('carries node, role and cluster, is signed by the root and valid from an hour ago', () => {
    const { certificate, ca, key } = leaf(CERTIFICATE_ROLE.worker);
    expect(certificate.subject).toBe('O=cluster1\nOU=swarm-worker\nCN=node1');
    expect(certificate.issuer).toBe('CN=swarm-ca');
    expect(certificate.subjectAltName).toBe('DNS:swarm-worker, DNS:node1');
    const rootCertificate = new X509Certificate(ca.certificate);
    expect(certificate.checkIssued(rootCertificate)).toBe(true);
    expect(certificate.verify(rootCertificate.publicKey)).toBe(true);
    expect(certificate.ca).toBe(false);
    expect(certificate.validFromDate.toISOString()).toBe('2026-11-21T07:00:00.000Z');
    expect(certificate.validToDate.getTime()).toBe((NOW + 90 * DAY) / 1000);
    expect(certificate.publicKey.export({ format: 'der', type: 'spki' })).toEqual(
      Buffer.from(key.signer.publicKey),
    );
    expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2']);
  });

  it('of a manager answers to swarm-manager and swarm-ca', () => {
    const { certificate } = leaf(CERTIFICATE_ROLE.manager);
    expect(certificate.checkHost('swarm-manager')).toBe('swarm-manager');
    expect(certificate.checkHost('swarm-ca')).toBe('swarm-ca');
    expect(leaf(CERTIFICATE_ROLE.worker).certificate.checkHost('swarm-ca')).toBeUndefined();
  });

  it('of another root is not accepted by this one', () => {
    const other = new X509Certificate(root().certificate);
    expect(leaf(CERTIFICATE_ROLE.admin).certificate.verify(other.publicKey)).toBe(false);
  });
});

describe('certificate request', () => {
  it('gives its public key and nothing else', () => {
    const key = generateKey();
    expect(publicKeyOfRequest(nodeCaCrypto, makeCsr(key.signer))).toEqual(key.signer.publicKey);
  });

  it('is refused when its maker does not hold the key', () => {
    const csr = makeCsr(generateKey().signer, { tamper: true });
    expect(() => publicKeyOfRequest(nodeCaCrypto, csr)).toThrow('signature does not match');
  });

  it('is refused when it is something else', () => {
    for (const text of ['', 'hello', root().certificate]) {
      expect(() => publicKeyOfRequest(nodeCaCrypto, text)).toThrow('expected a PEM block');
    }
    const broken = '-----BEGIN CERTIFICATE REQUEST-----\nMIIB\n-----END CERTIFICATE REQUEST-----\n';
    expect(() => publicKeyOfRequest(nodeCaCrypto, broken)).toThrow('not valid DER');
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' });
    const signer = signerFromPem(privateKey.export({ format: 'pem', type: 'pkcs8' }).toString());
    expect(() => publicKeyOfRequest(nodeCaCrypto, makeCsr(signer))).toThrow('not ECDSA P-256');
  });
});

describe('times', () => {
  it('are right across leap years and centuries', () => {
    for (let i = 0; i < 4000; i++) {
      const ms = Math.floor(random.next() * 130 * 365.25 * 86_400_000);
      const iso = new Date(ms).toISOString().replace(/[-:T]/g, '').slice(0, 14);
      const der = Buffer.from(toDer(time(ms * 1000)))
        .subarray(2)
        .toString('latin1');
      expect(der).toBe(`${iso < '2050' ? iso.slice(2) : iso}Z`);
    }
  });
});
