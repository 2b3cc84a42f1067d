// The API's TLS listener over real connections, with certificates of a real root: half of a certificate's life has gone, and the next one is there for who
// connects from then on, while a connection that is open stays as it is.
import { X509Certificate } from 'node:crypto';
import { hostname } from 'node:os';
import { connect, type TLSSocket } from 'node:tls';
import { afterEach, expect, it } from 'vitest';
import { ApiListener } from '#api/access/listener';
import type { ControlClient } from '#api/control';
import type { ClusterSession } from '#api/node-control';
import { issueLeaf, makeRootCertificate, publicKeyOfRequest } from '#manager/ca/certificates';
import { LEAF_VALIDITY_MICROS } from '#manager/ca/limits';
import { generateKey, nodeCaCrypto } from '#manager/host/node-crypto';
import { CERTIFICATE_ROLE } from '#protocol/certificates';
import type { IssueCertificateRequest } from '#protocol/generated/control';
import { testRandom } from '../manager/support/objects.ts';
import { FakeManager, fakeNode, silentLog } from './fakes.ts';

/** The listener looks every second; the machine may be busy. */
const RENEWED_WITHIN_MS = 20_000;

const cleanups: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** Signs as the manager does. `issued` counts. */
function signing() {
  const random = testRandom(1);
  const key = generateKey();
  const nowMicros = Date.now() * 1000;
  const certificate = makeRootCertificate(nodeCaCrypto, key.signer, {
    nowMicros,
    serial: random.bytes(16),
  });
  const made = { issued: 0, certificate };
  const issueCertificate = async (request: IssueCertificateRequest) => {
    made.issued++;
    const leaf = issueLeaf(
      nodeCaCrypto,
      { certificate, signer: key.signer },
      {
        publicKey: publicKeyOfRequest(nodeCaCrypto, request.csr),
        commonName: 'n'.repeat(25),
        role: CERTIFICATE_ROLE.gateway,
        clusterId: 'c'.repeat(25),
        nowMicros,
        validityMicros: LEAF_VALIDITY_MICROS,
        serial: random.bytes(16),
        server: request,
      },
    );
    return { certificate: leaf, caCert: certificate };
  };
  return { made, control: { issueCertificate } as unknown as ControlClient };
}

/** A verified connection. @throws when the certificate is not of this root, or not for this host */
async function open(port: number, ca: string): Promise<TLSSocket> {
  const socket = connect({ host: '127.0.0.1', port, ca });
  cleanups.push(() => void socket.destroy());
  await new Promise<void>((resolve, reject) => {
    socket.once('secureConnect', resolve);
    socket.once('error', reject);
  });
  return socket;
}

async function ask(socket: TLSSocket): Promise<string> {
  socket.write(`GET /healthz HTTP/1.1\r\nHost: ${hostname()}\r\n\r\n`);
  let text = '';
  for (;;) {
    const chunk = await new Promise<Buffer>((resolve, reject) => {
      const onClose = (): void => reject(new Error(`the connection has ended after "${text}"`));
      socket.once('close', onClose);
      socket.once('data', (data: Buffer) => {
        socket.off('close', onClose);
        resolve(data);
      });
    });
    text += chunk.toString();
    if (text.endsWith('{"ok":true}\n') || text.endsWith('{"ok":true}')) return text.slice(9, 12);
  }
}

const serialOf = (socket: TLSSocket): string => socket.getPeerCertificate().serialNumber;

it('renews its certificate under an open connection, which stays', async () => {
  const { made, control } = signing();
  const manager = new FakeManager();
  const inner = await fakeNode(manager);
  const { cache, dial } = inner.session() as ClusterSession;
  cleanups.push(async () => {
    manager.breakStreams();
    await cache.stop();
  });
  let laterMs = 0;
  const clock = {
    nowMs: () => Date.now() + laterMs,
    monotonicMs: () => performance.now() + laterMs,
  };
  const bound = Promise.withResolvers<number>();
  const listener = new ApiListener(
    { address: '127.0.0.1:0', names: [] },
    {
      node: { ...inner, session: () => ({ control, cache, dial }) },
      clock,
      log: {
        ...silentLog,
        info: (_, fields) => fields?.port && bound.resolve(Number(fields.port)),
      },
      upgrades: () => false,
      dispatch: async (_, reply) => reply.json(200, { ok: true }),
    },
  );
  await listener.start();
  cleanups.push(() => listener.stop(0));
  const port = await bound.promise;

  const before = await open(port, made.certificate);
  expect(await ask(before)).toBe('200');
  const first = serialOf(before);
  // A look that finds nothing to do changes nothing.
  expect([serialOf(await open(port, made.certificate)), made.issued]).toEqual([first, 1]);

  const { validFromDate, validToDate } = new X509Certificate(before.getPeerCertificate().raw);
  laterMs = (validToDate.getTime() - validFromDate.getTime()) / 2;
  const end = performance.now() + RENEWED_WITHIN_MS;
  let second = first;
  while (second === first && performance.now() < end) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    const after = await open(port, made.certificate);
    second = serialOf(after);
    if (second !== first) expect(await ask(after)).toBe('200');
    after.destroy();
  }
  expect(second).not.toBe(first);
  expect(made.issued).toBe(2);
  expect(await ask(before)).toBe('200');
  expect(serialOf(before)).toBe(first);
}, 40_000);
