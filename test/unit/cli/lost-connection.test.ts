// Goal: a connection that the server closes between two calls fails none of them, no call that changes something is made twice, and what is said of an answer that breaks off
// is true. Method: servers that hang up on a second call of one connection, on a socket and with TLS.
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Endpoint } from '#cli/client/endpoint';
import { ApiClient } from '#cli/client/http';
import { issueLeaf, makeRootCertificate } from '#manager/ca/certificates';
import { LEAF_VALIDITY_MICROS } from '#manager/ca/limits';
import { generateKey, nodeCaCrypto } from '#manager/host/node-crypto';
import { CERTIFICATE_ROLE } from '#protocol/certificates';

let folder: string;
let server: Server;
/** Calls that were heard to their end. */
let calls: string[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tswarm-client-'));
  calls = [];
});

afterEach(() => {
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

const used = new WeakSet<Socket>();

/** Hangs up on each connection's second call. */
function hangUp(message: IncomingMessage, response: ServerResponse): void {
  if (used.has(message.socket)) {
    message.socket.destroy();
    return;
  }
  used.add(message.socket);
  calls.push(`${message.method} ${message.url}`);
  response.end('{}');
}

async function onSocket(handler: typeof hangUp): Promise<ApiClient> {
  const socketPath = join(folder, 's');
  server = createServer(handler);
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  return new ApiClient({ socketPath, text: socketPath, checkServer: false });
}

async function withTls(handler: typeof hangUp): Promise<ApiClient> {
  const [root, leaf] = [generateKey(), generateKey()];
  const nowMicros = Date.now() * 1000;
  const serial = new Uint8Array(16).fill(1);
  const certificate = makeRootCertificate(nodeCaCrypto, root.signer, { nowMicros, serial });
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
  server = createTlsServer({ key: leaf.pem, cert }, handler);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const tls = { host: '127.0.0.1', port, ca: certificate, cert: '', key: '', token: '' };
  const endpoint: Endpoint = { socketPath: '', tls, text: 'there', checkServer: false };
  return new ApiClient(endpoint);
}

it.each([
  ['a socket', onSocket],
  ['TLS', withTls],
] as const)('over %s, calls behind each other get through, each once', async (_way, start) => {
  const client = await start(hangUp);
  for (let i = 0; i < 3; i += 1) await client.get('/read');
  for (let i = 0; i < 3; i += 1) await client.post('/write');
  for (let i = 0; i < 3; i += 1) await client.delete('/gone');
  expect(calls).toEqual([
    ...Array.from({ length: 3 }, () => 'GET /read'),
    ...Array.from({ length: 3 }, () => 'POST /write'),
    ...Array.from({ length: 3 }, () => 'DELETE /gone'),
  ]);
});

it('a server that hangs up and is there is not said to have gone away', async () => {
  const client = await onSocket((message, response) => {
    if (message.url === '/_ping') response.end('OK');
    else message.socket.destroy();
  });
  await expect(client.post('/write')).rejects.toThrow(/^the connection to tswarmd at .* broke$/);
  await expect(client.get('/read')).rejects.toThrow(/^the connection to tswarmd at .* broke$/);
});

it('one that ends in the middle is', async () => {
  const client = await onSocket((message) => {
    server.close();
    message.socket.destroy();
  });
  await expect(client.post('/write')).rejects.toThrow('went away in the middle');
});
