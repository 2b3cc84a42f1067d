// Goal: what a cluster's keys protect holds for real managers: autolock and its key, a new root
// while everything runs, backups that restore elsewhere, recovery from a lost quorum. Method:
// manager processes on loopback; the test plays the daemons and the workers' certificates.
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { generateKey } from '#manager/host/node-crypto';
import { certificateRequest } from '#protocol/certificates';
import { NodeCaService } from '#protocol/generated/ca';
import { ObjectKind } from '#protocol/generated/control';
import { DispatcherService } from '#protocol/generated/dispatcher';
import { CaConfig, EncryptionConfig, NodeRole } from '#protocol/generated/specs';
import { clientOf } from '#protocol/transport/grpc';
import {
  type ControlClient,
  clusterAt,
  createNetwork,
  ManagerGroup,
  type ManagerNode,
  nodesAt,
  objectsAt,
  updateClusterSpec,
} from '../../support/manager-group.ts';

const groups: ManagerGroup[] = [];
const eventually = <T>(look: () => Promise<T> | T) => expect.poll(look, { timeout: 15_000 });

function newGroup(): ManagerGroup {
  const group = new ManagerGroup();
  groups.push(group);
  return group;
}

afterEach(async () => {
  for (const group of groups.splice(0)) await group.close();
});

const networks = async (node: ManagerNode): Promise<number> =>
  (await objectsAt(node.control, ObjectKind.NETWORK)).length;
const setAutolock = (control: ControlClient, autoLockManagers: boolean) =>
  updateClusterSpec(control, { encryptionConfig: EncryptionConfig.create({ autoLockManagers }) });
const unlockKey = async (node: ManagerNode): Promise<string> =>
  (await node.control.getUnlockKey({})).unlockKey;
const keyFile = (node: ManagerNode): string =>
  readFileSync(join(node.folder, 'certificates/manager.key'), 'utf8');

describe('autolock', () => {
  it('seals all managers’ keys; a restart waits for the key, and takes no other', async () => {
    const group = newGroup();
    const [a, b] = (await group.create(2)) as [ManagerNode, ManagerNode];
    expect(await unlockKey(a)).toBe('');
    expect(keyFile(a)).toContain('PRIVATE KEY');
    const before = keyFile(a);
    await setAutolock(b.control, true);
    const key = await unlockKey(a);
    expect(key).toMatch(/^SWMKEY-1-/);
    for (const node of [a, b]) {
      await eventually(() => keyFile(node)).not.toContain('PRIVATE KEY');
      const raftKeys = readFileSync(join(node.folder, 'raft/raft-key.json'), 'utf8');
      expect(JSON.parse(raftKeys).keys).toBeNull();
    }
    expect(before).not.toBe('');
    await b.kill();
    b.launch({ type: 'start', ...b.csrs() });
    expect(await b.outcome()).toEqual({ type: 'locked', error: null });
    b.unlock('SWMKEY-1-nonsense');
    expect(await b.outcome()).toMatchObject({ error: { code: 'invalid_argument' } });
    b.unlock(`SWMKEY-1-${Buffer.alloc(32).toString('base64').slice(0, 43)}`);
    expect(await b.outcome()).toMatchObject({ type: 'locked', error: { code: 'locked' } });
    b.unlock(key);
    expect(await b.outcome()).toMatchObject({ type: 'ready' });
    await createNetwork(b.control, 'one');

    // A manager that joins now is locked from the start.
    const c = await group.joinManager();
    expect(keyFile(c)).not.toContain('PRIVATE KEY');
    await updateClusterSpec(a.control, {}, { rotateUnlockKey: true });
    const next = await unlockKey(a);
    expect(next).not.toBe(key);
    await c.kill('SIGTERM');
    c.launch({ type: 'start', ...c.csrs() });
    expect(await c.outcome()).toMatchObject({ type: 'locked' });
    c.unlock(key);
    expect(await c.outcome()).toMatchObject({ type: 'locked', error: { code: 'locked' } });
    c.unlock(next);
    expect(await c.outcome()).toMatchObject({ type: 'ready' });

    await setAutolock(c.control, false);
    for (const node of [a, b, c]) {
      await eventually(() => keyFile(node)).toContain('PRIVATE KEY');
    }
    await b.kill();
    await b.restart();
    expect(await networks(b)).toBe(1);
    await expect(updateClusterSpec(a.control, {}, { rotateUnlockKey: true })).rejects.toThrow(
      'cannot rotate because autolock is not turned on',
    );
  });
});

/** What a daemon does when its session says so: a new key, a new certificate. */
async function renewWorker(node: ManagerNode, at: ManagerNode): Promise<void> {
  const key = generateKey();
  const ca = clientOf(NodeCaService, node.channel(node.worker(), at.controlAddress));
  const answer = await ca.issueNodeCertificate({
    csr: certificateRequest(key.signer),
    token: '',
    availability: 0,
    hostname: '',
    role: 0,
    nowMicros: 0,
  });
  node.workerKey = key;
  node.workerCertificate = answer.certificate;
  node.caCert = answer.caCert;
}

async function renewAdmin(node: ManagerNode): Promise<void> {
  const ca = clientOf(NodeCaService, node.channel(node.admin()));
  const { certificate } = await ca.issueNodeCertificate({
    csr: certificateRequest(node.adminKey.signer),
    token: '',
    availability: 0,
    hostname: '',
    role: NodeRole.MANAGER,
    nowMicros: 0,
  });
  if (node.ready) node.ready = { ...node.ready, adminCertificate: certificate };
}

/** The first message of a session, and its end. */
async function sessionOf(node: ManagerNode, at: ManagerNode) {
  const dispatcher = clientOf(DispatcherService, node.channel(node.worker(), at.controlAddress));
  for await (const message of dispatcher.session({
    description: undefined,
    sessionId: '',
    protocol: 1,
  })) {
    return message;
  }
  throw new Error('no session');
}

it('a new root replaces the old one while everything runs', async () => {
  const group = newGroup();
  const nodes = (await group.create(3)) as [ManagerNode, ManagerNode, ManagerNode];
  const [a] = nodes;
  const old = await clusterAt(a.control);
  const oldToken = old.rootCa?.joinTokenWorker ?? '';
  const forceRotate = (old.spec?.caConfig?.forceRotate ?? 0) + 1;
  const caConfig = CaConfig.create({ ...old.spec?.caConfig, forceRotate });
  await updateClusterSpec(a.control, { caConfig });
  const during = await clusterAt(a.control);
  expect(during.rootCa?.rootRotation?.caKey).toBe('');
  expect(during.rootCa?.caCert).toBe(old.rootCa?.caCert);

  // Who knows only the old root can still join and call, and is told to renew.
  const leader = await group.leader();
  const worker = group.add();
  await worker.joinNode(oldToken, a);
  expect(worker.caCert.match(/BEGIN CERTIFICATE/g)).toHaveLength(2);
  for (const node of nodes) {
    const message = await sessionOf(node, leader);
    expect(message.renewCertificate).toBe(true);
    await renewWorker(node, a);
    expect((await sessionOf(node, leader)).renewCertificate).toBe(true);
    await renewAdmin(node);
    expect((await sessionOf(node, leader)).renewCertificate).toBe(false);
  }
  await createNetwork(nodes[2].control, 'one');

  await eventually(async () => (await clusterAt(a.control)).rootCa?.rootRotation).toBeUndefined();
  const after = await clusterAt(a.control);
  expect(after.rootCa?.caCert).toBe(during.rootCa?.rootRotation?.caCert);
  expect(after.rootCa?.joinTokenWorker).not.toBe(oldToken);
  a.caCert = after.rootCa?.caCert ?? '';
  await expect(group.add().joinNode(oldToken, a)).rejects.toThrow('another cluster');
  // Nothing on a disk is of the old root.
  for (const node of nodes) {
    await node.kill();
    await node.restart();
  }
  await group.leader();
  await createNetwork(nodes[1].control, 'two');
  expect(await networks(nodes[0])).toBe(2);
});

describe('a backup', () => {
  const backupOf = async (node: ManagerNode): Promise<Buffer> => {
    const parts: Uint8Array[] = [];
    for await (const { data } of node.control.backup({})) parts.push(data);
    return Buffer.concat(parts);
  };

  const restore = async (node: ManagerNode, file: Buffer, key = '') => {
    const path = `${node.folder}.backup`;
    writeFileSync(path, file);
    try {
      node.launch({ type: 'restore', file: path, unlockKey: key, hostname: 'new', ...node.csrs() });
      return await node.outcome();
    } finally {
      rmSync(path);
    }
  };

  it('restores at other addresses, without the managers that were', async () => {
    const group = newGroup();
    const [a, b] = (await group.create(2)) as [ManagerNode, ManagerNode];
    await createNetwork(a.control, 'one');
    const file = await backupOf(b);
    await createNetwork(a.control, 'later');
    const old = await clusterAt(a.control);
    await a.kill();
    await b.kill();

    const target = group.add();
    const damaged = Buffer.from(file);
    damaged[file.length - 100] = (damaged[file.length - 100] ?? 0) ^ 1;
    for (const [bad, why] of [
      [damaged, 'checksum does not match'],
      [file.subarray(0, file.length - 50), 'checksum does not match'],
      [Buffer.from('not a backup at all'), 'is not a backup of tswarm'],
    ] as const) {
      expect(await restore(target, bad)).toMatchObject({
        type: 'failed',
        message: expect.stringContaining(why),
      });
      await target.ended();
      expect(existsSync(join(target.folder, 'raft'))).toBe(false);
    }
    expect(await restore(target, file)).toMatchObject({ type: 'ready', nodeId: b.nodeId });
    expect(await networks(target)).toBe(1);
    const cluster = await clusterAt(target.control);
    expect(cluster.id).toBe(old.id);
    expect(cluster.rootCa?.joinTokenManager).toBe(old.rootCa?.joinTokenManager);
    const nodes = await nodesAt(target.control);
    expect(nodes.map((n) => [n.id, n.role, n.managerStatus?.addr]).sort()).toEqual(
      [
        [a.nodeId, NodeRole.WORKER, undefined],
        [b.nodeId, NodeRole.MANAGER, target.controlAddress],
      ].sort(),
    );
    await createNetwork(target.control, 'two');
    await target.kill();
    await target.restart();
    expect(await networks(target)).toBe(2);
    await target.kill();
    expect(await restore(target, file)).toMatchObject({ type: 'ready' });
  });

  it('of a cluster with autolock is sealed by its key', async () => {
    const group = newGroup();
    const [a] = (await group.create(1)) as [ManagerNode];
    await setAutolock(a.control, true);
    const key = await unlockKey(a);
    const file = await backupOf(a);
    expect(file.includes('PRIVATE KEY')).toBe(false);
    const target = group.add();
    expect(await restore(target, file)).toMatchObject({ type: 'failed', code: 'locked' });
    await target.ended();
    const other = `SWMKEY-1-${Buffer.alloc(32).toString('base64').slice(0, 43)}`;
    expect(await restore(target, file, other)).toMatchObject({ code: 'invalid_argument' });
    await target.ended();
    await a.kill();
    expect(await restore(target, file, key)).toMatchObject({ type: 'ready' });
    expect(keyFile(target)).not.toContain('PRIVATE KEY');
  });
});

it('a lost quorum is recovered from one manager; the others are workers then', async () => {
  const group = newGroup();
  const [a, b, c] = (await group.create(3)) as [ManagerNode, ManagerNode, ManagerNode];
  await createNetwork(a.control, 'one');
  await eventually(() => networks(c)).toBe(1);
  await Promise.all([a.kill(), b.kill(), c.kill()]);
  await c.restart({ forceNewCluster: true });
  await createNetwork(c.control, 'two');
  expect(await networks(c)).toBe(2);
  const nodes = await nodesAt(c.control);
  expect(nodes.filter((n) => n.role === NodeRole.MANAGER).map((n) => n.id)).toEqual([c.nodeId]);
  const d = await group.joinManager();
  await createNetwork(d.control, 'three');
  // It goes on so after a restart without the flag.
  await c.kill();
  await c.restart();
  await group.leader();
  expect(await networks(c)).toBe(3);
  expect(readdirSync(c.folder)).toContain('manager.json');
});
