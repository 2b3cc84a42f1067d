// Goal: nobody without a token or a certificate learns or changes anything at a manager's ports, and
// nothing that comes in ends the process: garbage, plain text, half-open and silent connections,
// oversized and unending requests, certificates of the wrong kind or cluster. Method: a real manager
// on loopback; after each attack it must still answer an administrator.
import { randomBytes } from 'node:crypto';
import { connect as http2Connect } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generateKey } from '#manager/host/node-crypto';
import { certificateRequest } from '#protocol/certificates';
import { IssueNodeCertificateRequest, NodeCaService } from '#protocol/generated/ca';
import { ControlService } from '#protocol/generated/control';
import { DispatcherService } from '#protocol/generated/dispatcher';
import { MembershipService } from '#protocol/generated/membership';
import { clientOf, connectChannel, type TlsIdentity } from '#protocol/transport/grpc';
import { ManagerGroup, type ManagerNode } from '../../support/manager-group.ts';
import { testCa } from '../../unit/manager/support/pki.ts';

const group = new ManagerGroup();
let manager: ManagerNode;
let worker: ManagerNode;
const sockets: Socket[] = [];

beforeAll(async () => {
  [manager] = (await group.create(1)) as [ManagerNode];
  worker = group.add();
  const { joinTokenWorker } = await manager.control.clusterStatus({});
  await worker.joinNode(joinTokenWorker, manager);
});

afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  await group.close();
});

const ports = (): number[] =>
  [manager.ready?.controlAddress, manager.ready?.raftAddress].map((address) =>
    Number(address?.split(':').at(-1)),
  );

async function stillWell(): Promise<void> {
  const status = await manager.control.clusterStatus({}, { timeoutMs: 5000 });
  expect(status).toMatchObject({ leader: true, nodes: 2 });
}

function open(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => resolve(socket));
    socket.on('error', reject);
    socket.on('error', () => undefined);
    sockets.push(socket);
  });
}

describe('bytes', () => {
  it('that are no TLS do nothing', async () => {
    for (const port of ports()) {
      for (const bytes of [
        randomBytes(5000),
        Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'),
        Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
        Buffer.from([0x16, 0x03, 0x01, 0xff, 0xff]),
        Buffer.alloc(100_000, 0x16),
      ]) {
        const socket = await open(port);
        socket.write(bytes);
      }
    }
    await stillWell();
  });

  it('that never come hold nobody up', async () => {
    for (const port of ports()) await Promise.all(Array.from({ length: 200 }, () => open(port)));
    await stillWell();
  });

  it('inside TLS that are no HTTP/2, or no gRPC, do nothing', async () => {
    for (const port of ports()) {
      const socket = tlsConnect({ port, rejectUnauthorized: false, ALPNProtocols: ['h2'] });
      sockets.push(socket);
      socket.on('error', () => undefined);
      socket.on('secureConnect', () => socket.write(randomBytes(100_000)));
      const session = http2Connect(`https://127.0.0.1:${port}`, { rejectUnauthorized: false });
      session.on('error', () => undefined);
      for (const path of ['/', '/tswarm.v1.Control/ClusterStatus', '/x'.repeat(2000)]) {
        const stream = session.request({ ':path': path, ':method': 'POST', 'content-type': 'a/b' });
        stream.on('error', () => undefined);
        stream.end(randomBytes(1000));
        stream.resume();
      }
      await new Promise((resolve) => setTimeout(resolve, 300));
      session.destroy();
    }
    await stillWell();
  });
});

/** Calls every method of a service with nothing in it; gives the codes. */
async function callAll(
  identity: Partial<TlsIdentity> & { caCert: string },
): Promise<Map<string, string>> {
  const channel = connectChannel(manager.controlAddress, identity, 'swarm-manager');
  const codes = new Map<string, string>();
  try {
    for (const service of [ControlService, MembershipService, DispatcherService] as const) {
      for (const [name, method] of Object.entries(service.methods)) {
        const client = clientOf(service as typeof ControlService, channel) as unknown as Record<
          string,
          (request: unknown, options: unknown) => unknown
        >;
        const request = (method as { request: { create(): unknown } }).request.create();
        const answer = client[name]?.(request, { timeoutMs: 5000 });
        const code = await codeOf(answer);
        codes.set(`${service.name}.${name}`, code);
      }
    }
  } finally {
    channel.close();
  }
  return codes;
}

async function codeOf(answer: unknown): Promise<string> {
  try {
    if (answer instanceof Promise) await answer;
    else for await (const _ of answer as AsyncIterable<unknown>) return 'answered';
    return 'answered';
  } catch (error) {
    return (error as { code?: string }).code ?? 'error';
  }
}

describe('callers', () => {
  it('without a certificate get nowhere', async () => {
    const codes = await callAll({ caCert: manager.caCert });
    expect(codes.size).toBeGreaterThan(15);
    expect(new Set(codes.values())).toEqual(new Set(['unauthenticated']));
    await stillWell();
  });

  it('with a certificate of another cluster get nowhere', async () => {
    const other = testCa();
    for (const role of ['swarm-admin', 'swarm-manager', 'swarm-worker'] as const) {
      const { certificate, key } = other.identity(manager.nodeId, role);
      const codes = await callAll({ caCert: manager.caCert, certificate, key });
      expect(new Set(codes.values())).toEqual(new Set(['unauthenticated']));
    }
    await stillWell();
  });

  it('that are workers command nothing and speak for no manager', async () => {
    const codes = await callAll(worker.worker());
    for (const [name, code] of codes) {
      if (name.includes('Dispatcher')) continue;
      expect([name, code]).toEqual([name, 'permission_denied']);
    }
    const ca = clientOf(NodeCaService, worker.channel(worker.worker(), manager.controlAddress));
    await expect(
      ca.issueNodeCertificate({
        csr: certificateRequest(generateKey().signer),
        token: '',
        availability: 0,
        hostname: '',
        role: 1,
        nowMicros: 0,
      }),
    ).rejects.toThrow('is not a manager');
    await stillWell();
  });
});

describe('requests', () => {
  const csr = certificateRequest(generateKey().signer);
  const issue = (token: string, over: { csr?: string; hostname?: string } = {}) => {
    const channel = connectChannel(
      manager.controlAddress,
      { caCert: manager.caCert },
      'swarm-manager',
    );
    const fields = { csr, token, hostname: 'h', ...over };
    const request = IssueNodeCertificateRequest.create(fields);
    return clientOf(NodeCaService, channel)
      .issueNodeCertificate(request)
      .finally(() => channel.close());
  };

  it('that are too large are refused before anybody reads them', async () => {
    await expect(issue('x', { csr: 'a'.repeat(5_000_000) })).rejects.toThrow('larger than max');
    await expect(issue('x', { csr: 'a'.repeat(20_000) })).rejects.toThrow('20000 characters');
    await stillWell();
  });

  it('that guess tokens are slowed down, without harm to others', async () => {
    const { joinTokenWorker } = await manager.control.clusterStatus({});
    const guess = `${joinTokenWorker.slice(0, -3)}zzz`;
    const codes: string[] = [];
    for (let i = 0; i < 15; i++) codes.push(await codeOf(issue(guess)));
    expect(codes.slice(0, 5)).toEqual(Array(5).fill('unauthenticated'));
    expect(codes.at(-1)).toBe('resource_exhausted');
    await stillWell();
  });
});
