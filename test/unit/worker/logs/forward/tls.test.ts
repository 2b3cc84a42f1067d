// Goal: over TLS a server is believed when a root that the options name, or a public one, has signed it for its address, and with skip-verify in any case. Method: a TLS server with a certificate of
// a root made here.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type Server } from 'node:tls';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { issueLeaf, makeRootCertificate } from '#manager/ca/certificates';
import { LEAF_VALIDITY_MICROS } from '#manager/ca/limits';
import { generateKey, nodeCaCrypto } from '#manager/host/node-crypto';
import { CERTIFICATE_ROLE } from '#protocol/certificates';
import type { LogOptions } from '#protocol/log-drivers';
import { DatagramHelpers } from '#worker/logs/forward/datagram-sink';
import { type Route, routeOf } from '#worker/logs/forward/sinks';

const folder = mkdtempSync(join(tmpdir(), 'tswarm-log-tls-'));
const ca = join(folder, 'ca.pem');
let server: Server;
let got = '';

beforeAll(async () => {
  const [root, leaf] = [generateKey(), generateKey()];
  const nowMicros = Date.now() * 1000;
  const certificate = makeRootCertificate(nodeCaCrypto, root.signer, {
    nowMicros,
    serial: new Uint8Array(16).fill(1),
  });
  const cert = issueLeaf(
    nodeCaCrypto,
    { certificate, signer: root.signer },
    {
      publicKey: leaf.signer.publicKey,
      commonName: 'n'.repeat(25),
      role: CERTIFICATE_ROLE.gateway,
      clusterId: 'c'.repeat(25),
      nowMicros,
      validityMicros: LEAF_VALIDITY_MICROS,
      serial: new Uint8Array(16).fill(2),
      server: { names: ['localhost'], addresses: [Uint8Array.of(127, 0, 0, 1)] },
    },
  );
  writeFileSync(ca, certificate);
  server = createServer({ key: leaf.pem, cert }, (socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => {
      got += String(bytes);
    });
  });
  server.on('tlsClientError', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

afterAll(() => {
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

function route(options: LogOptions): Route {
  const { port } = server.address() as AddressInfo;
  const subject = {
    labels: {},
    env: [],
    id: 'a'.repeat(64),
    name: 'web',
    imageId: '',
    imageName: 'i',
    hostname: 'h',
    command: '',
  };
  return routeOf(
    'syslog',
    { 'syslog-address': `tcp+tls://127.0.0.1:${port}`, 'syslog-format': 'rfc5424', ...options },
    { subject, tag: 't', attributes: {}, createdAt: '', pid: 7 },
    {
      helpers: new DatagramHelpers('/nonexistent'),
      nowMs: () => performance.now(),
      localSyslog: [],
      journalSocket: '',
    },
  );
}

it.each([
  ['named', { 'syslog-tls-ca-cert': ca }],
  ['not asked for', { 'syslog-tls-skip-verify': 'true' }],
])('sends to a server whose root is %s', async (_, options) => {
  got = '';
  const { sink, encode } = route(options as unknown as LogOptions);
  await sink.open();
  const line = Buffer.from('over TLS');
  const time = '2026-01-01T00:00:00Z';
  await sink.send(encode({ stream: 'stdout', line, time, piece: undefined }));
  await vi.waitFor(() => expect(got).toMatch(/^\d+ <30>1 .* over TLS\n$/), 10_000);
  sink.close();
});

it('refuses a server whose root nobody knows, and says so', async () => {
  await expect(route({}).sink.open()).rejects.toThrow(/dial tcp 127\.0\.0\.1:\d+: .*certificate/);
});
