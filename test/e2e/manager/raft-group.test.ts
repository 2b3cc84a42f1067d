// Goal: several members with real threads, disks, certificates and connections keep every
// acknowledged change and agree, through partitions, transfers, membership changes, cut snapshots,
// damage and lost quorum. Method: test/support/raft-host/raft-group.ts; every way between two members
// goes through a relay that the test cuts. Longer than 500 lines because each test is a whole story
// of one group, and they share how a group is made and looked at.

import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeHello } from '#manager/host/raft/peer-protocol';
import { connectPeer } from '#manager/host/raft/peer-tls';
import { encodeMessages } from '#manager/raft/codec';
import { EMPTY_CONF_STATE, type Message, MessageType, makeMessage } from '#manager/raft/types';
import { CERTIFICATE_ROLE } from '#protocol/certificates';
import type { TswarmError } from '#protocol/errors';
import {
  PeerFrame,
  type PeerHello,
  RaftTransportService,
  SnapshotFrame,
} from '#protocol/generated/raft';
import { methodDefinition } from '#protocol/transport/grpc';
import { noise, RaftGroup, until } from '#test/support/raft-host/raft-group';
import { testCa } from '#test/unit/manager/support/pki';

let folder = '';
let group: RaftGroup | null = null;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tswarm-raft-group-'));
});

afterEach(async () => {
  await group?.close();
  group = null;
  rmSync(folder, { recursive: true, force: true });
});

type Settings = ConstructorParameters<typeof RaftGroup>[1];

async function three(settings: Settings = {}): Promise<RaftGroup> {
  group = await RaftGroup.of(3, folder, settings);
  return group;
}

async function proposeMany(members: RaftGroup, count: number, prefix: string): Promise<string[]> {
  const texts = Array.from({ length: count }, (_, i) => `${prefix}${i}`);
  await Promise.all(texts.map((text) => members.propose(text)));
  return texts;
}

async function errorOf(promise: Promise<unknown>): Promise<TswarmError> {
  return promise.then(
    () => expect.unreachable('it went through'),
    (error: unknown) => error as TswarmError,
  );
}

/** Writes without a break at whoever leads; a refusal that says "not made" is tried again. */
class Writers {
  readonly acknowledged: string[] = [];
  readonly problems: string[] = [];
  longestMs = 0;
  #isStopped = false;
  readonly #running: Promise<void>[];

  constructor(members: RaftGroup, count: number) {
    this.#running = Array.from({ length: count }, (_, i) => this.#write(members, i));
  }

  async #write(members: RaftGroup, writer: number): Promise<void> {
    for (let n = 0; !this.#isStopped; n++) {
      const text = `w${writer}-${n}`;
      const startMs = performance.now();
      for (;;) {
        const leader = members.leader();
        const error = await (
          leader?.node.propose(Buffer.from(text)) ?? sleep(2).then(noLeader)
        ).then(
          () => null,
          (failure: TswarmError) => failure,
        );
        if (error === null) break;
        if (error.code !== 'no_leader') {
          this.problems.push(`${text}: ${error.code}: ${error.message}`);
          return;
        }
        await sleep(1);
      }
      this.longestMs = Math.max(this.longestMs, performance.now() - startMs);
      this.acknowledged.push(text);
    }
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#running);
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function noLeader(): never {
  throw Object.assign(new Error('nobody leads'), { code: 'no_leader' });
}

describe('three members', () => {
  it('agree; the leader knows how far and how fast the others are', async () => {
    const members = await three();
    const texts = await proposeMany(members, 50, 't');
    expect((await members.agree()).toSorted()).toEqual(texts.toSorted());
    const status = members.node(1).status();
    expect(status).toMatchObject({ role: 'leader', leaderId: 1 });
    await until(
      () =>
        members
          .node(1)
          .status()
          .members.every(({ active }) => active === true),
      'all are active',
    );
    const others = members
      .node(1)
      .status()
      .members.filter(({ raftId }) => raftId !== 1);
    for (const { rttMs, silentMs, voter } of others) {
      expect(voter).toBe(true);
      expect(rttMs).toBeGreaterThan(0);
      expect(silentMs).toBeLessThan(5_000);
    }
    expect(
      members
        .node(2)
        .status()
        .members.map(({ raftId }) => raftId),
    ).toEqual([1, 2, 3]);
    expect(await members.node(3).readIndex()).toBeGreaterThanOrEqual(status.commitIndex);
  });

  it('a leader that is cut off loses no acknowledged change and tells which ones are lost', async () => {
    const members = await three();
    await proposeMany(members, 20, 'before');
    members.isolate(1);
    const cutOff = members.node(1);
    const hanging = cutOff.propose(Buffer.from('in the dark')).then(
      () => null,
      (error: TswarmError) => error,
    );
    const next = await members.leads(20_000, 1);
    expect(next.raftId).not.toBe(1);
    await next.node.propose(Buffer.from('in the light'));
    members.isolate(1, false);
    const outcome = await hanging;
    expect(outcome?.code).toMatch(/no_leader|deadline_exceeded/);
    const texts = await members.agree();
    expect(texts).toContain('in the light');
    expect(texts).not.toContain('in the dark');
    expect(texts.filter((text) => text.startsWith('before'))).toHaveLength(20);
  });

  it('go on within seconds when the network swallows everything, and find together again', async () => {
    const members = await three();
    await proposeMany(members, 5, 'a');
    for (const [from, to] of [
      [1, 2],
      [1, 3],
      [2, 1],
      [3, 1],
    ] as const) {
      members.relay(from, to).stall();
      members.relay(from, to).isCut = true;
    }
    const next = await members.leads(20_000, 1);
    await next.node.propose(Buffer.from('b'));
    await until(() => members.node(1).status().role !== 'leader', '1 has stepped down');
    members.isolate(1, false);
    const startMs = performance.now();
    await members.agree(20_000);
    // Not when TCP comes to retransmit, but as soon as the dead connections are replaced.
    expect(performance.now() - startMs).toBeLessThan(15_000);
  });

  it('a transfer under load fails no write and is over quickly', async () => {
    const members = await three();
    const writers = new Writers(members, 16);
    await until(() => writers.acknowledged.length > 200, 'writes go on');
    const times: number[] = [];
    for (const to of [2, 3, 1, 2, 1]) {
      const leader = await members.leads();
      const startMs = performance.now();
      await leader.node.transferLeadership(to);
      times.push(performance.now() - startMs);
      expect(leader.node.status().leaderId).toBe(to);
      const before = writers.acknowledged.length;
      await until(() => writers.acknowledged.length > before + 200, 'writes go on');
    }
    await writers.stop();
    expect(writers.problems).toEqual([]);
    const texts = await members.agree();
    expect(new Set(texts).size).toBe(texts.length);
    expect(writers.acknowledged.filter((text) => !texts.includes(text))).toEqual([]);
    times.sort((a, b) => a - b);
    expect(times[2], `transfers took ${times.join()} ms`).toBeLessThan(1_000);
  });

  it('a transfer to somebody who cannot take it over fails, and work goes on', async () => {
    const members = await three();
    members.isolate(3);
    const transfer = members.node(1).transferLeadership(3);
    const during = members.node(1).propose(Buffer.from('meanwhile'));
    expect((await errorOf(transfer)).code).toBe('deadline_exceeded');
    await during;
    expect((await errorOf(members.node(1).transferLeadership(9))).code).toBe('failed_precondition');
    expect((await errorOf(members.node(2).transferLeadership(3))).code).toBe('no_leader');
    members.isolate(3, false);
    expect(await members.agree()).toEqual(['meanwhile']);
  });

  it('come back all together with everything', async () => {
    const members = await three({ snapshotEveryEntries: 40, trailingEntries: 10 });
    const texts = await proposeMany(members, 150, 't');
    await Promise.all([1, 2, 3].map((id) => members.stop(id)));
    await Promise.all([1, 2, 3].map((id) => members.start(id, 'restart')));
    await members.propose('after');
    expect((await members.agree()).toSorted()).toEqual([...texts, 'after'].toSorted());
  });
});

describe('membership', () => {
  it('a learner gets no vote before it has caught up', async () => {
    group = await RaftGroup.of(1, folder);
    await proposeMany(group, 3, 't');
    await group.node(1).addLearner(2); // Nobody is there yet.
    expect((await errorOf(group.node(1).promote(2))).code).toBe('failed_precondition');
    expect((await errorOf(group.node(1).promote(7))).code).toBe('not_found');
    await group.node(1).addLearner(2); // Holds already.
    await group.start(2, 'join');
    await group.atLeader((leader) => leader.promote(2));
    expect(
      group
        .node(1)
        .status()
        .members.map(({ voter }) => voter),
    ).toEqual([true, true]);
    expect((await errorOf(group.node(2).addLearner(3))).code).toBe('no_leader');
    await group.propose('both');
    expect(await group.agree()).toHaveLength(4);
    // Back to one, which then works alone again.
    await group.node(1).removeMember(2);
    await until(() => group?.member(2).isRemoved === true, '2 is told');
    await group.stop(2);
    await group.propose('alone');
    expect((await errorOf(group.node(1).removeMember(1))).message).toContain('the last one');
  });

  it('a removed member is told, also one that was away', async () => {
    const members = await three();
    await members.join(4);
    members.isolate(4);
    await members.atLeader((leader) => leader.removeMember(4));
    await members.propose('without 4');
    expect(members.member(4).isRemoved).toBe(false);
    members.isolate(4, false);
    await until(() => members.member(4).isRemoved, '4 is told when it comes back');
    const leader = await members.leads();
    await leader.node.removeMember(leader.raftId);
    await until(() => leader.isRemoved, 'the leader is told of its own removal');
    await members.leads(20_000, leader.raftId);
    await members.stop(4);
    await members.stop(leader.raftId);
    await members.propose('by two');
    expect(await members.agree()).toEqual(['without 4', 'by two']);
  });

  it('a member with an empty disk comes back under a new id, in place of the old one', async () => {
    const members = await three();
    const texts = await proposeMany(members, 30, 't');
    await members.agree();
    const lost = members.leader()?.raftId === 3 ? 2 : 3;
    await members.stop(lost);
    await members.start(13, 'join');
    await members.atLeader((leader) => leader.addLearner(13));
    await members.atLeader((leader) => leader.replaceMember(lost, 13));
    const ids = (await members.leads()).node.status().members.map(({ raftId }) => raftId);
    expect(ids).toEqual([1, 2, 3, 13].filter((id) => id !== lost));
    await members.propose('new');
    expect((await members.agree()).toSorted()).toEqual([...texts, 'new'].toSorted());
  });

  it('a follower far behind gets a snapshot, also when the connection is cut in the middle', async () => {
    const members = await three({ snapshotEveryEntries: 30, trailingEntries: 5 });
    await members.agree();
    const away = members.leader()?.raftId === 3 ? 2 : 3;
    await members.stop(away);
    const big = noise(2 * 1024 * 1024);
    for (let i = 0; i < 4; i++) await members.propose(`${i}${big}`);
    await proposeMany(members, 40, 't');
    const { node, raftId } = await members.leads();
    await until(() => node.status().firstIndex > 30, 'the log is compacted');
    const relay = members.relay(raftId, away);
    relay.passedBytes = 0;
    relay.cutAfterBytes = 3 * 1024 * 1024;
    await members.start(away, 'restart');
    await members.agree();
    expect(relay.cutAfterBytes, 'the connection was cut').toBeNull();
    expect(members.member(away).restored).toBeGreaterThan(0);
    // The rest only: what had arrived was not sent again.
    expect(relay.passedBytes).toBeLessThan(8 * 1024 * 1024);
    await members.propose('after');
    await members.agree();
  });

  it('one member goes on alone after the quorum is lost, and never hears the others again', async () => {
    const members = await three();
    const texts = await proposeMany(members, 20, 't');
    await members.agree();
    await Promise.all([1, 2, 3].map((id) => members.stop(id)));
    await members.start(1, 'restart', { forceNewCluster: true });
    await members.propose('alone');
    expect(
      members
        .node(1)
        .status()
        .members.map(({ raftId }) => raftId),
    ).toEqual([1]);
    await members.start(2, 'restart');
    await until(() => members.member(2).isRemoved, 'the old member is told');
    await members.stop(2);
    await members.join(22);
    await members.propose('two');
    expect((await members.agree()).toSorted()).toEqual([...texts, 'alone', 'two'].toSorted());
    await members.stop(1);
    await members.start(1, 'restart', { forceNewCluster: false });
    await members.propose('normal again');
    await members.agree();
  });
});

describe('a damaged disk', () => {
  function flip(path: string, offset: number): void {
    const bytes = readFileSync(path);
    bytes[offset] = (bytes[offset] ?? 0) ^ 1;
    writeFileSync(path, bytes);
  }

  it('in the middle of the log is repaired by the others; no vote until then', async () => {
    const members = await three();
    const texts = await proposeMany(members, 30, 't');
    for (let i = 0; i < 10; i++) await members.propose(`u${i}`);
    await members.agree();
    const { dataDir } = members.member(3);
    await members.stop(3);
    const [name = ''] = readdirSync(join(dataDir, 'wal')).sort();
    flip(join(dataDir, 'wal', name), 8192 + 4 * 4096 + 70);
    members.isolate(3);
    await members.start(3, 'restart');
    expect(members.node(3).status().isRecovering).toBe(true);
    members.isolate(3, false);
    await until(() => !members.node(3).status().isRecovering, 'the log is whole again');
    expect(await members.agree()).toHaveLength(texts.length + 10);
    await members.stop(3);
    await members.start(3, 'restart');
    expect(members.node(3).status().isRecovering).toBe(false);
    await members.agree();
  });

  it('in the snapshot, or without one, all is fetched from the others', async () => {
    const members = await three({ snapshotEveryEntries: 20, trailingEntries: 5 });
    await proposeMany(members, 30, 't');
    for (let i = 0; i < 30; i++) await members.propose(`u${i}`);
    await members.agree();
    const { dataDir, node } = members.member(2);
    await until(() => node.status().snapshotIndex > 20, 'it has a snapshot');
    await members.stop(2);
    for (const name of readdirSync(join(dataDir, 'snap'))) rmSync(join(dataDir, 'snap', name));
    await members.start(2, 'restart');
    expect(await members.agree()).toHaveLength(60);
    await until(() => !members.node(2).status().isRecovering, 'the log is whole again');
    await members.stop(2);
    await members.start(2, 'restart');
    expect(await members.agree()).toHaveLength(60);
  });
});

describe('keys', () => {
  function keyFile(dataDir: string): {
    keys: Record<string, string> | null;
    wrapped: string | null;
  } {
    return JSON.parse(readFileSync(join(dataDir, 'raft-key.json'), 'utf8'));
  }

  it('the data key changes while work goes on, and the old one goes', async () => {
    const members = await three();
    await proposeMany(members, 20, 't');
    await members.agree();
    const { dataDir } = members.member(2);
    const [before = ''] = Object.keys(keyFile(dataDir).keys ?? {});
    await members.node(2).rotateDataKey();
    const after = Object.keys(keyFile(dataDir).keys ?? {});
    expect(after).toHaveLength(1);
    expect(after).not.toContain(before);
    await proposeMany(members, 5, 'v');
    await members.agree();
    await members.stop(2);
    await members.start(2, 'restart');
    expect(await members.agree()).toHaveLength(25);
  });

  it('autolock: after setUnlockKey only the key opens the folder', async () => {
    group = await RaftGroup.of(1, folder);
    await proposeMany(group, 10, 't');
    const { dataDir } = group.member(1);
    const clear = Object.values(keyFile(dataDir).keys ?? {});
    const kek = new Uint8Array(32).fill(7);
    await group.node(1).setUnlockKey(kek);
    expect(keyFile(dataDir).keys).toBeNull();
    await group.propose('locked');
    await group.stop(1);
    expect((await errorOf(group.start(1, 'restart'))).code).toBe('locked');
    await group.start(1, 'restart', {}, { kek });
    expect(group.member(1).texts).toHaveLength(11);
    await group.node(1).setUnlockKey(null);
    await until(() => Object.keys(keyFile(dataDir).keys ?? {}).length === 1, 'one key is left');
    // The one that was on the disk in the clear is not used any more.
    expect(Object.values(keyFile(dataDir).keys ?? {})).not.toEqual(clear);
    await group.stop(1);
    await group.start(1, 'restart');
    await group.propose('open');
  });
});

describe('the peer port', () => {
  it('a new certificate drops no stream and loses no write', async () => {
    const members = await three();
    const writers = new Writers(members, 4);
    for (let round = 0; round < 3; round++) {
      for (const id of [1, 2, 3]) await members.renew(id);
      await sleep(100);
    }
    const { term } = members.node(1).status();
    await writers.stop();
    expect(writers.problems).toEqual([]);
    expect(term).toBe(members.node(2).status().term);
    await members.agree();
  });

  it('a manager that talks rubbish ends its own call, not the group', async () => {
    const members = await three();
    await members.stop(3);
    const { port } = members.member(1);
    const identity = members.ca.identity('node3', CERTIFICATE_ROLE.manager);
    const client = connectPeer(
      { raftId: 1, nodeId: 'node1', addr: `127.0.0.1:${port}` },
      { certificate: identity.certificate, key: identity.key, roots: [identity.caCert] },
      'cluster1',
    );
    const say = (frames: readonly PeerFrame[]): Promise<string> => {
      const { path, requestSerialize, responseDeserialize } = methodDefinition(
        RaftTransportService.methods.messages,
      );
      const stream = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
      for (const frame of frames) stream.write(frame);
      stream.on('data', () => {});
      return new Promise((resolve) => stream.on('error', (error) => resolve(error.message)));
    };
    const send = (frames: readonly SnapshotFrame[]): Promise<string> => {
      const { path, requestSerialize, responseDeserialize } = methodDefinition(
        RaftTransportService.methods.snapshot,
      );
      const stream = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
      for (const frame of frames) stream.write(frame);
      stream.on('data', () => {});
      return new Promise((resolve) => stream.on('error', (error) => resolve(error.message)));
    };
    const greeting = { epoch: 0, commit: 1, isMember: false, namesCallee: false };
    const own = { clusterId: 'cluster1', from: 3, to: 1, addr: '', instance: '' };
    const hello = makeHello(own, greeting);
    const first = PeerFrame.create({ hello });
    const talk = (messages: Uint8Array): Promise<string> =>
      say([first, PeerFrame.create({ messages })]);
    const message = (type: MessageType, fields: Partial<Message> = {}): Uint8Array =>
      encodeMessages([makeMessage(type, 1, { from: 3, term: 1, ...fields })]);

    expect(await say([PeerFrame.create({ messages: randomBytes(10) })])).toContain('hello');
    const wrong = (change: Partial<PeerHello>): Promise<string> =>
      say([PeerFrame.create({ hello: { ...hello, ...change } })]);
    expect(await wrong({ clusterId: 'x' })).toContain('another cluster');
    expect(await wrong({ to: 2 })).toContain('this is member 1');
    expect(await wrong({ version: 9 })).toContain('version 9');
    expect(await wrong({ from: 2 })).toContain('not known');
    expect(await talk(randomBytes(3_000))).toContain('cannot be read');
    expect(await talk(message(MessageType.heartbeat, { from: 2 }))).toContain('not from 3');
    expect(await talk(message(MessageType.storageAppendResponse))).toContain('none of those');
    expect(await talk(message(MessageType.snapshot))).toContain('none of those');
    expect(await talk(new Uint8Array(17 * 1024 * 1024))).toContain('larger than');

    const snapshot = { index: 900, term: 9, confState: EMPTY_CONF_STATE, data: new Uint8Array(0) };
    const offer = message(MessageType.snapshot, { snapshot });
    const begin = (totalBytes: number, offered = offer): SnapshotFrame =>
      SnapshotFrame.create({ hello: { peer: hello, message: offered, totalBytes } });
    expect(await send([begin(2 ** 45)])).toContain('is not taken');
    expect(await send([begin(9, randomBytes(50))])).toContain('no snapshot message');
    const piece = { data: new Uint8Array(9), sha256: new Uint8Array(32) };
    expect(await send([begin(9), SnapshotFrame.create({ offset: 5, ...piece })])).toContain('fit');
    expect(await send([begin(9), SnapshotFrame.create({ offset: 0, ...piece })])).toContain(
      'digest',
    );
    client.close();
    await members.propose('still here');
    expect(members.member(1).fatal).toBeNull();
    expect(await members.agree()).toEqual(['still here']);
  });

  it('rubbish, strangers and slow callers are refused; the group does not notice', async () => {
    const members = await three();
    const { port } = members.member(1);
    const { term } = members.node(1).status();
    const plain = connect(port, '127.0.0.1');
    plain.on('error', () => {});
    plain.write(Buffer.alloc(100_000, 0x47));
    const slow = connect(port, '127.0.0.1');
    slow.on('error', () => {});
    for (const identity of [
      members.ca.identity('node2', CERTIFICATE_ROLE.worker),
      members.ca.identity('node9', CERTIFICATE_ROLE.manager),
      testCa().identity('node2', CERTIFICATE_ROLE.manager),
    ]) {
      const socket = connectTls({
        host: '127.0.0.1',
        port,
        cert: identity.certificate,
        key: identity.key,
        ca: members.ca.caCert,
        checkServerIdentity: () => undefined,
        ALPNProtocols: ['h2'],
      });
      socket.on('error', () => {});
      socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
      socket.write(Buffer.alloc(50_000, 0xff));
    }
    await proposeMany(members, 20, 't');
    await sleep(500);
    await members.propose('still here');
    expect(await members.agree()).toHaveLength(21);
    expect(members.node(1).status().term).toBe(term);
    plain.destroy();
    slow.destroy();
  });
});
