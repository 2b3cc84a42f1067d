// Goal: a call is carried out once, by the manager that leads: here, or passed on with the caller's
// identity; it waits for an election and fails at once when there has been no leader for long.
// Method: the real access with a real gRPC leader on loopback, Raft's status and time under control.
import type * as grpc from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import { forCallers } from '#manager/host/caller';
import { LeaderAccess } from '#manager/host/leader-access';
import { ReplicatedStore } from '#manager/host/replicated-store';
import { TswarmError } from '#protocol/errors';
import { type NodeCaMethods, NodeCaService } from '#protocol/generated/ca';
import { ManagerStatus } from '#protocol/generated/objects';
import { NodeRole, NodeSpec } from '#protocol/generated/specs';
import {
  addService,
  type CallContext,
  createServer,
  type Handlers,
  listen,
  serverCredentials,
} from '#protocol/transport/grpc';
import { createLog } from '#protocol/transport/node-world';
import { node, testRandom } from '../support/objects.ts';
import { testCa } from '../support/pki.ts';
import { TestRaft } from '../support/test-raft.ts';

const ca = testCa();
const servers: grpc.Server[] = [];
const accesses: LeaderAccess[] = [];
afterEach(() => {
  for (const access of accesses.splice(0)) access.close();
  for (const server of servers.splice(0)) server.forceShutdown();
});

const MANAGER = NodeSpec.create({ role: NodeRole.MANAGER });
const managerNode = (id: string, raftId: number, addr: string) =>
  node(id, { spec: MANAGER, managerStatus: ManagerStatus.create({ raftId, addr }) });

/** A leader that answers GetRootCertificate with who called. */
async function leaderServer(answer: (context: CallContext) => string): Promise<string> {
  const server = createServer();
  servers.push(server);
  const view = await storeWith([managerNode('me', 1, ''), managerNode('leader', 2, '')]);
  const handlers: Handlers<NodeCaMethods> = {
    getRootCertificate: async (_: unknown, context: CallContext) => ({ caCert: answer(context) }),
    issueNodeCertificate: () => Promise.reject(new Error('not here')),
  };
  addService(
    server,
    NodeCaService,
    forCallers(handlers, () => view.view),
    () => [ca.caCert],
  );
  const identity = ca.identity('leader', 'swarm-manager');
  return `127.0.0.1:${await listen(server, '127.0.0.1:0', serverCredentials(identity, false))}`;
}

async function storeWith(nodes: readonly ReturnType<typeof node>[], raft = new TestRaft()) {
  const log = createLog({ level: 'error', format: 'text', write: () => undefined });
  let now = 1;
  const deps = { raft, random: testRandom(1), log, nowMicros: () => now++ };
  const replicated = new ReplicatedStore(deps);
  replicated.setLeading(true);
  await replicated.update({ author: 'x', summary: '' }, (tx) => {
    for (const n of nodes) tx.create('node', n);
  });
  replicated.setLeading(false);
  return replicated;
}

async function setup(leaderAddress: string, leaderId: number | null = 2) {
  const raft = new TestRaft();
  const replicated = await storeWith(
    [managerNode('me', 1, 'x:1'), managerNode('leader', 2, leaderAddress)],
    raft,
  );
  raft.leaderId = leaderId;
  const state = { nowMs: 0 };
  const identity = ca.identity('me', 'swarm-manager');
  const access = new LeaderAccess({
    replicated,
    clock: { nowMs: () => Date.now(), monotonicMs: () => state.nowMs },
    status: () => raft.status(),
    readIndex: () => raft.readIndex(),
    identity: () => identity,
  });
  accesses.push(access);
  access.statusChanged();
  let locals = 0;
  const call = (context?: CallContext): Promise<string> =>
    access.run(
      context,
      NodeCaService,
      async () => {
        locals++;
        return 'here';
      },
      async (client, options) => (await client.getRootCertificate({}, options)).caCert,
    );
  return { raft, access, replicated, state, call, locals: () => locals };
}

const contextOf = (metadata: Readonly<Record<string, string>> = {}): CallContext => ({
  peer: { nodeId: 'adm', role: 'swarm-admin', clusterId: 'cluster1', address: '9.9.9.9:1' },
  signal: new AbortController().signal,
  metadata: (key) => metadata[key] ?? '',
});

describe('a call', () => {
  it('is carried out here by the leader', async () => {
    const { replicated, call } = await setup('x:2');
    replicated.setLeading(true);
    expect(await call(contextOf())).toBe('here');
  });

  it('is passed on with the caller’s identity, or in this manager’s own name', async () => {
    const address = await leaderServer(({ peer }) => `${peer.nodeId}/${peer.role}`);
    const { call, locals } = await setup(address);
    expect(await call(contextOf())).toBe('adm/swarm-admin');
    expect(await call()).toBe('me/swarm-manager');
    expect(locals()).toBe(0);
  });

  it('is tried again only when the other says that it does not lead', async () => {
    let calls = 0;
    const address = await leaderServer(() => {
      calls++;
      if (calls === 1) throw new TswarmError('no_leader', 'not me', { retryable: true });
      if (calls === 2) return 'done';
      throw new TswarmError('unavailable', 'outcome unknown', { retryable: true });
    });
    const { call } = await setup(address);
    expect(await call(contextOf())).toBe('done');
    await expect(call(contextOf())).rejects.toMatchObject({ code: 'unavailable' });
    expect(calls).toBe(3);
  });

  it('that was passed on is answered here or not at all', async () => {
    const address = await leaderServer(() => 'there');
    const { call } = await setup(address);
    await expect(call(contextOf({ 'tswarm-caller': 'x' }))).rejects.toMatchObject({
      code: 'no_leader',
      redirect: address,
    });
  });
});

describe('without a leader', () => {
  it('a call waits for the election', async () => {
    const { call, replicated, access, raft } = await setup('x:2', null);
    const waiting = call(contextOf());
    await new Promise((resolve) => setTimeout(resolve, 20));
    raft.leaderId = 1;
    replicated.setLeading(true);
    access.statusChanged();
    expect(await waiting).toBe('here');
  });

  it('it fails at once when there has been none for five seconds', async () => {
    const { call, access, raft, state } = await setup('x:2', null);
    const waiting = call(contextOf());
    waiting.catch(() => undefined);
    state.nowMs = 5001;
    await expect(waiting).rejects.toThrow('does not have a leader');
    const startedMs = performance.now();
    await expect(call(contextOf())).rejects.toMatchObject({ code: 'no_leader', retryable: true });
    expect(performance.now() - startedMs).toBeLessThan(50);
    // A leader that was known meanwhile gives the full time again.
    raft.leaderId = 2;
    access.statusChanged();
    raft.leaderId = null;
    access.statusChanged();
    const again = call(contextOf());
    let isOver = false;
    again
      .catch(() => undefined)
      .finally(() => {
        isOver = true;
      });
    await new Promise((resolve) => setTimeout(resolve, 250));
    expect(isOver).toBe(false);
    state.nowMs = 20_000;
    await expect(again).rejects.toMatchObject({ code: 'no_leader' });
  });

  it('a leader that cannot be reached is one that there is not', async () => {
    const { call, state } = await setup('127.0.0.1:1');
    const waiting = call(contextOf());
    waiting.catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, 50));
    state.nowMs = 6000;
    await expect(waiting).rejects.toThrow('the leader at 127.0.0.1:1 cannot be reached');
  });
});
