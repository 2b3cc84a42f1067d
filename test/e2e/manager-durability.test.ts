// Goal: no acknowledged change is ever lost, and a restarted manager has byte for byte the state it
// had: through kill -9 at random moments under load, and through snapshots that replace the log.
// Method: the real process, and the store on the real Raft member with a small snapshot interval.
import { type ChildProcess, fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { generateKey } from '#manager/host/node-crypto';
import { createRaftNode } from '#manager/host/raft/client';
import { compileRaftOptions } from '#manager/host/raft/options';
import { ReplicatedStore } from '#manager/host/replicated-store';
import {
  ControlService,
  CreateObjectRequest,
  ObjectKind,
  SpecUnion,
  WatchRequest,
} from '#protocol/generated/control';
import { ConfigSpec } from '#protocol/generated/specs';
import type { FromManager, ManagerReady, ToManager } from '#protocol/manager-ipc';
import { clientOf, connectChannel } from '#protocol/transport/grpc';
import { createLog, nodeRandom, nowMicros } from '#protocol/transport/node-world';
import { makeCsr } from '../unit/manager/support/csr.ts';
import { network } from '../unit/manager/support/objects.ts';

const MAIN = new URL('../../manager/main.ts', import.meta.url).pathname;
const folders: string[] = [];
const children = new Set<ChildProcess>();
const adminKey = generateKey();

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tswarm-durable-'));
  folders.push(folder);
  return folder;
}

afterEach(async () => {
  for (const child of children) child.kill('SIGKILL');
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

async function start(
  dataDir: string,
  request: ToManager,
): Promise<{ child: ChildProcess; ready: ManagerReady }> {
  const child = fork(MAIN, ['--data', dataDir, '--listen', '127.0.0.1:0', '--log-level', 'error'], {
    execArgv: ['--conditions=source'],
  });
  children.add(child);
  child.once('exit', () => children.delete(child));
  const answer = new Promise<FromManager>((resolve, reject) => {
    child.once('message', (message) => resolve(message as FromManager));
    child.once('exit', (code, signal) => reject(new Error(`manager ended: ${code} ${signal}`)));
  });
  child.send(request);
  const ready = await answer;
  if (ready.type !== 'ready') throw new Error(JSON.stringify(ready));
  return { child, ready };
}

describe('kill -9 under load', () => {
  it('loses nothing that was acknowledged', async () => {
    const dataDir = newFolder();
    const acknowledged = new Set<string>();
    let request: ToManager = {
      type: 'bootstrap',
      workerCsr: makeCsr(adminKey.signer),
      adminCsr: makeCsr(adminKey.signer),
      hostname: 'h',
      addressPools: [],
      subnetSize: 0,
    };
    for (let round = 0; round < 6; round++) {
      const { child, ready } = await start(dataDir, request);
      request = { type: 'start', adminCsr: makeCsr(adminKey.signer), workerCsr: '' };
      const channel = connectChannel(
        ready.controlAddress,
        { caCert: ready.caCert, certificate: ready.adminCertificate, key: adminKey.pem },
        'swarm-manager',
      );
      const control = clientOf(ControlService, channel);
      const present = new Set<string>();
      for await (const message of control.watch(
        WatchRequest.create({ kinds: [ObjectKind.CONFIG] }),
      )) {
        for (const { object } of message.events) present.add(object?.config?.spec?.name ?? '');
        if (message.snapshotEnd) break;
      }
      for (const name of acknowledged) expect(present).toContain(name);
      if (round === 5) break;
      const ended = new Promise((resolve) => child.once('exit', resolve));
      setTimeout(() => child.kill('SIGKILL'), 60 + Math.random() * 400);
      const writers = Array.from({ length: 20 }, async (_, writer) => {
        for (let i = 0; ; i++) {
          const name = `r${round}-w${writer}-${i}`;
          const config = ConfigSpec.create({ name, data: new Uint8Array(100).fill(1) });
          try {
            await control.createObject(
              CreateObjectRequest.create({ spec: SpecUnion.create({ config }) }),
            );
          } catch {
            return;
          }
          acknowledged.add(name);
        }
      });
      await Promise.all(writers);
      await ended;
      channel.close();
    }
    expect(acknowledged.size).toBeGreaterThan(100);
  });
});

describe('snapshots', () => {
  it('and the log after them give the same bytes as the state before the restart', async () => {
    const dataDir = newFolder();
    const log = createLog({ level: 'error', format: 'text' });
    const open = async () => {
      const raft = createRaftNode(
        compileRaftOptions({
          dataDir,
          clusterId: 'c1',
          raftId: 7,
          startMode: 'bootstrap',
          snapshotEveryEntries: 50,
          trailingEntries: 5,
        }),
        { log },
      );
      const replicated = new ReplicatedStore({ raft, random: nodeRandom, log, nowMicros });
      raft.onRoleChange((role) => replicated.setLeading(role === 'leader'));
      await raft.start();
      return { raft, replicated, bytes: () => Buffer.concat([...replicated.store.snapshot()]) };
    };
    let member = await open();
    let count = 0;
    for (let round = 0; round < 4; round++) {
      const writes = Array.from({ length: 130 }, () => {
        const id = `n${String(count++).padStart(4, '0')}`;
        return member.replicated.update({ author: 'admin', summary: `network ${id}` }, (tx) =>
          tx.create('network', network(id)),
        );
      });
      await Promise.all(writes);
      await member.replicated.update({ author: 'admin', summary: '' }, (tx) =>
        tx.remove('network', `n${String(round).padStart(4, '0')}`),
      );
      await expect.poll(() => member.raft.status().snapshotIndex).toBeGreaterThan(100 * round);
      const before = member.bytes();
      await member.raft.stop();
      member = await open();
      const after = member.bytes();
      // The index moves with the new leader's first entry; all else is the same.
      expect(member.replicated.store.history.length).toBe(Math.min(count, 1000));
      expect(after.length).toBe(before.length);
      expect([...member.replicated.view.list('network')].length).toBe(count - round - 1);
      expect(after.subarray(8).equals(before.subarray(8))).toBe(true);
    }
    await member.raft.stop();
  });
});
