// Goal: callers with our certificate are known, those without one are let in nameless, all others
// are refused; errors keep code, field and hint; streams flow and end. Method: real servers and
// clients over loopback with real certificates.

import { once } from 'node:events';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import type * as grpc from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CERTIFICATE_ROLE } from '#protocol/certificates';
import { TswarmError } from '#protocol/errors';
import { NodeCaService } from '#protocol/generated/ca';
import { AssignmentsMessage, DispatcherService } from '#protocol/generated/dispatcher';
import {
  addService,
  type CallContext,
  clientOf,
  connectChannel,
  createServer,
  listen,
  type Peer,
  serverCredentials,
} from '#protocol/transport/grpc';
import { peerStatistics } from '#protocol/transport/peer';
import { testCa } from '../../manager/support/pki.ts';

const ca = testCa();
const manager = ca.identity('m1', CERTIFICATE_ROLE.manager);
const server = createServer();
const channels: grpc.Client[] = [];
let address = '';
let roots = [ca.caCert];
let lastPeer: Peer | undefined;
let streamsEnded = 0;

async function* numbers(context: CallContext) {
  try {
    for (let i = 0; ; i++) {
      if (i === 3)
        throw new TswarmError('not_found', 'no more', {
          field: 'A.B',
          hint: 'Überlege.',
          redirect: '[::1]:2377',
        });
      yield AssignmentsMessage.create({ resultsIn: `${i}:${context.peer.nodeId}` });
    }
  } finally {
    streamsEnded++;
  }
}

async function* endless(context: CallContext) {
  try {
    yield AssignmentsMessage.create({ resultsIn: 'first' });
    await new Promise((resolve) => context.signal.addEventListener('abort', resolve));
  } finally {
    streamsEnded++;
  }
}

beforeAll(async () => {
  const trusted = () => roots;
  addService(
    server,
    NodeCaService,
    {
      async getRootCertificate(_request, context) {
        lastPeer = context.peer;
        return { caCert: ca.caCert };
      },
      async issueNodeCertificate(request) {
        if (request.token === 'bug') throw new RangeError('unexpected');
        throw new TswarmError('out_of_sequence', 'update out of sequence', { retryable: true });
      },
    },
    trusted,
  );
  addService(
    server,
    DispatcherService,
    {
      session: () => {
        throw new TswarmError('unavailable', 'not now');
      },
      heartbeat: async () => ({ period: 1 }),
      updateTaskStatus: async () => ({}),
      ackEndpoints: async () => ({}),
      attachNetwork: async () => ({ task: undefined }),
      assignments: (request, context) =>
        request.sessionId === 'endless' ? endless(context) : numbers(context),
    },
    trusted,
  );
  const port = await listen(server, '127.0.0.1:0', serverCredentials(manager, false));
  address = `127.0.0.1:${port}`;
});

afterAll(() => {
  for (const channel of channels) channel.close();
  server.forceShutdown();
});

function connect(identity: Partial<typeof manager> = {}, name = 'swarm-manager') {
  const channel = connectChannel(address, { caCert: ca.caCert, ...identity }, name);
  channels.push(channel);
  return { ca: clientOf(NodeCaService, channel), dispatcher: clientOf(DispatcherService, channel) };
}

describe('peers', () => {
  it('without a certificate have no name', async () => {
    await connect().ca.getRootCertificate({});
    expect(lastPeer).toMatchObject({ nodeId: '', role: '', clusterId: '' });
  });

  it('with ours are who it says, and its signature is checked once', async () => {
    const client = connect(ca.identity('w1', CERTIFICATE_ROLE.worker));
    const before = peerStatistics.signatureChecks;
    for (let i = 0; i < 20; i++) await client.ca.getRootCertificate({});
    expect(lastPeer).toMatchObject({ nodeId: 'w1', role: 'swarm-worker', clusterId: 'cluster1' });
    expect(peerStatistics.signatureChecks - before).toBe(1);
  });

  it('on a second connection with the same certificate are known already', async () => {
    const identity = ca.identity('w2', CERTIFICATE_ROLE.worker);
    await connect(identity).ca.getRootCertificate({});
    const before = peerStatistics.signatureChecks;
    await connect(identity).ca.getRootCertificate({});
    expect(lastPeer?.nodeId).toBe('w2');
    expect(peerStatistics.signatureChecks).toBe(before);
  });

  it('with a certificate of another root are refused, not taken for nameless', async () => {
    const other = testCa().identity('w1', CERTIFICATE_ROLE.admin);
    const client = connect({ certificate: other.certificate, key: other.key });
    await expect(client.ca.getRootCertificate({})).rejects.toMatchObject({
      code: 'unauthenticated',
      message: expect.stringContaining('not signed by this cluster'),
    });
  });

  it('with an expired or future certificate are refused', async () => {
    const old = ca.identity('w1', CERTIFICATE_ROLE.worker, {
      fromNowMicros: -7200e6,
      validityMicros: 60e6,
    });
    await expect(connect(old).ca.getRootCertificate({})).rejects.toMatchObject({
      code: 'unauthenticated',
      hint: expect.stringContaining('join again'),
    });
    const future = ca.identity('w1', CERTIFICATE_ROLE.worker, { fromNowMicros: 7200e6 });
    await expect(connect(future).ca.getRootCertificate({})).rejects.toMatchObject({
      code: 'unauthenticated',
    });
  });

  it('lose their trust with their root, at once', async () => {
    const client = connect(ca.identity('w3', CERTIFICATE_ROLE.worker));
    await client.ca.getRootCertificate({});
    roots = [testCa().caCert];
    await expect(client.ca.getRootCertificate({})).rejects.toMatchObject({
      code: 'unauthenticated',
    });
    roots = [ca.caCert];
    await client.ca.getRootCertificate({});
    expect(lastPeer?.nodeId).toBe('w3');
  });

  it('do not talk to a server that is not a manager of their cluster', async () => {
    const stranger = connectChannel(address, { caCert: testCa().caCert }, 'swarm-manager');
    channels.push(stranger);
    const client = clientOf(NodeCaService, stranger);
    await expect(client.getRootCertificate({}, { timeoutMs: 2000 })).rejects.toBeInstanceOf(
      TswarmError,
    );
    await expect(
      connect({}, 'swarm-worker').ca.getRootCertificate({}, { timeoutMs: 2000 }),
    ).rejects.toBeInstanceOf(TswarmError);
  });
});

describe('errors', () => {
  it('keep their code and whether a retry helps', async () => {
    const call = connect().ca.issueNodeCertificate({
      csr: '',
      token: '',
      availability: 0,
      hostname: '',
      role: 0,
      nowMicros: 0,
    });
    await expect(call).rejects.toMatchObject({
      code: 'out_of_sequence',
      message: 'update out of sequence',
      retryable: true,
    });
  });

  it('that nobody expected are internal', async () => {
    const call = connect().ca.issueNodeCertificate({
      csr: '',
      token: 'bug',
      availability: 0,
      hostname: '',
      role: 0,
      nowMicros: 0,
    });
    await expect(call).rejects.toMatchObject({ code: 'internal' });
  });

  it('end a stream with field and hint after what came before', async () => {
    const seen: string[] = [];
    const read = async () => {
      const client = connect(ca.identity('w1', CERTIFICATE_ROLE.worker));
      for await (const message of client.dispatcher.assignments({ sessionId: '' }))
        seen.push(message.resultsIn);
    };
    await expect(read()).rejects.toMatchObject({
      code: 'not_found',
      field: 'A.B',
      hint: 'Überlege.',
      redirect: '[::1]:2377',
    });
    expect(seen).toEqual(['0:w1', '1:w1', '2:w1']);
  });

  it('from opening a stream reach the caller', async () => {
    const read = async () => {
      for await (const message of connect().dispatcher.session({
        description: undefined,
        sessionId: '',
        protocol: 1,
      }))
        void message;
    };
    await expect(read()).rejects.toMatchObject({ code: 'unavailable' });
  });
});

describe('a client that goes on with another channel', () => {
  it('sends what had not begun on the one that was closed', async () => {
    // Takes the connection and says nothing: a call waits for the handshake.
    const silent = createTcpServer().listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    const first = connectChannel(`127.0.0.1:${port}`, { caCert: ca.caCert }, 'swarm-manager');
    let channel = first;
    const client = clientOf(NodeCaService, () => channel);
    const answer = client.getRootCertificate({});
    await once(silent, 'connection');
    channel = connectChannel(address, { caCert: ca.caCert }, 'swarm-manager');
    channels.push(channel);
    first.close();
    await expect(answer).resolves.toEqual({ caCert: ca.caCert });
    silent.close();
  });

  it('says that it is closed when there is no other', async () => {
    const channel = connectChannel('127.0.0.1:1', { caCert: ca.caCert }, 'swarm-manager');
    const answer = clientOf(NodeCaService, channel).getRootCertificate({});
    channel.close();
    await expect(answer).rejects.toMatchObject({ code: 'unavailable' });
  });
});

describe('streams', () => {
  it('end on the server when the caller aborts or stops reading', async () => {
    const ended = streamsEnded;
    const controller = new AbortController();
    const read = async () => {
      for await (const _ of connect().dispatcher.assignments(
        { sessionId: 'endless' },
        { signal: controller.signal },
      ))
        controller.abort();
    };
    await expect(read()).rejects.toMatchObject({ code: 'cancelled' });
    for await (const _ of connect().dispatcher.assignments({ sessionId: 'endless' })) break;
    await expect.poll(() => streamsEnded).toBe(ended + 2);
  });
});
