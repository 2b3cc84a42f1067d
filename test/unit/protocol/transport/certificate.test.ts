// Goal: subject and key of an authority as OpenSSL has them, and the right one of several. Method: certificates by OpenSSL and by our own authority.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { CERTIFICATE_ROLE } from '#protocol/certificates';
import { issuerInfo, issuerOf } from '#protocol/transport/certificate';
import { testCa } from '../../manager/support/pki.ts';

const folder = mkdtempSync(join(tmpdir(), 'tswarm-certificate-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function openssl(args: readonly string[]): Buffer {
  return execFileSync('openssl', [...args], { stdio: ['ignore', 'pipe', 'ignore'] });
}

it('the subject is what OpenSSL encodes, a long one too', () => {
  const [key, cert] = [join(folder, 'key'), join(folder, 'cert')];
  const subject = `/O=${'x'.repeat(60)}/OU=${'y'.repeat(60)}/CN=swarm-ca`;
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl(['req', '-x509', ...curve, '-subj', subject, '-days', '9', '-keyout', key, '-out', cert]);
  const info = issuerInfo(readFileSync(cert, 'utf8'));
  const request = join(folder, 'request');
  // A request holds the same subject; asn1parse cuts it out by itself.
  openssl(['req', '-new', '-key', key, '-subj', subject, '-outform', 'der', '-out', request]);
  expect(readFileSync(request).includes(Buffer.from(info?.subject ?? []))).toBe(true);
  const spki = openssl(['pkey', '-in', key, '-pubout', '-outform', 'der']);
  expect(Buffer.from(info?.publicKey ?? [])).toEqual(spki);
});

it('the root of a certificate is found in a bundle', () => {
  const [one, two] = [testCa(), testCa()];
  const { certificate } = two.identity('n1', CERTIFICATE_ROLE.worker);
  const found = issuerOf(certificate, one.caCert + two.caCert);
  expect(found).toEqual(issuerInfo(two.caCert));
  expect(issuerOf(certificate, one.caCert)).toBeUndefined();
  expect(issuerInfo('')).toBeUndefined();
});
