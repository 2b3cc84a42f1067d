// Goal: what lies on a disk sealed opens with its key alone; a backup reads back byte for byte, and
// one that is cut, changed or of another kind is refused with the reason. Method: the formats alone;
// every byte of a small backup is changed once.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { BACKUP_FORMAT, readBackup, writeBackup } from '#manager/host/backup-format';
import { callerMetadata, withOriginalCaller } from '#manager/host/caller';
import { readIdentity, writeIdentity } from '#manager/host/identity';
import { seal, sealId, unseal } from '#manager/host/key-seal';
import { ManagerIdentityFiles } from '#manager/host/manager-identity';
import { pemBlocks } from '#protocol/certificates';
import { NodeRole, NodeSpec } from '#protocol/generated/specs';
import type { CallContext, Peer } from '#protocol/transport/grpc';
import { formatUnlockKey, parseUnlockKey } from '#protocol/unlock-key';
import { testCluster } from '../support/cluster-state.ts';
import { node, testRandom } from '../support/objects.ts';
import { testCa } from '../support/pki.ts';

const folder = mkdtempSync(join(tmpdir(), 'tswarm-keys-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const random = testRandom(5);
const K1 = random.bytes(32);
const K2 = random.bytes(32);

describe('an unlock key', () => {
  it('is text and back, and says when it is none', () => {
    for (let i = 0; i < 100; i++) {
      const key = random.bytes(32);
      const text = formatUnlockKey(key);
      expect(text).toBe(`SWMKEY-1-${Buffer.from(key).toString('base64').replace('=', '')}`);
      expect(parseUnlockKey(` ${text}\n`)).toEqual(key);
    }
    for (const bad of ['', 'SWMKEY-1-', 'SWMTKN-1-x', `${formatUnlockKey(K1)}A`]) {
      expect(() => parseUnlockKey(bad)).toThrow('invalid unlock key');
    }
  });
});

describe('a seal', () => {
  it('opens with its key and for its purpose alone', () => {
    const sealed = seal(K1, 'p', Buffer.from('secret'));
    expect(Buffer.from(unseal(K1, 'p', sealed) ?? []).toString()).toBe('secret');
    expect(unseal(K2, 'p', sealed)).toBeUndefined();
    expect(unseal(K1, 'q', sealed)).toBeUndefined();
    expect(unseal(K1, 'p', sealed.subarray(1))).toBeUndefined();
    expect(unseal(K1, 'p', new Uint8Array(3))).toBeUndefined();
    expect(sealId(null)).toBe('');
    expect(sealId(K1)).not.toBe(sealId(K2));
  });

  it('of the manager’s key follows the unlock key', () => {
    const dir = join(folder, 'identity');
    const identity = testCa().identity('n1', 'swarm-manager');
    const files = new ManagerIdentityFiles(dir, null);
    files.save(identity);
    expect(new ManagerIdentityFiles(dir, null).load()).toEqual(identity);
    files.setUnlockKey(K1);
    const text = readFileSync(join(dir, 'certificates/manager.key'), 'utf8');
    expect(text).not.toContain('PRIVATE');
    expect(new ManagerIdentityFiles(dir, null).load()).toBeUndefined();
    expect(new ManagerIdentityFiles(dir, K2).load()).toBeUndefined();
    const opened = new ManagerIdentityFiles(dir, K1);
    expect(opened.load()).toEqual(identity);
    expect(opened.sealId).toBe(sealId(K1));
    opened.setUnlockKey(null);
    expect(new ManagerIdentityFiles(dir, null).load()).toEqual(identity);
    writeFileSync(join(dir, 'certificates/manager.key'), '{"format":9}');
    expect(() => new ManagerIdentityFiles(dir, K1).load()).toThrow('of a newer tswarm (format 9)');
  });
});

describe('a backup', () => {
  const facts = { clusterId: 'c', nodeId: 'n', version: '1', createdAtMicros: 1, index: 7 };
  const make = (key: Uint8Array | null, pieces: Uint8Array[]): Buffer =>
    Buffer.concat([...writeBackup(facts, key, pieces)]);
  const large = [random.bytes(300_000), random.bytes(10), random.bytes(260_000), random.bytes(1)];

  it.each([
    ['in the clear', null],
    ['sealed', K1],
  ])('%s reads back', (_, key) => {
    for (const pieces of [large, [], [random.bytes(5)]]) {
      const { header, state } = readBackup(make(key, pieces), key);
      expect(Buffer.from(state).equals(Buffer.concat(pieces))).toBe(true);
      expect(header).toMatchObject({ ...facts, format: BACKUP_FORMAT, sealId: sealId(key) });
    }
  });

  it('is refused when any byte of it is changed or missing', () => {
    for (const key of [null, K1]) {
      const whole = make(key, [random.bytes(50)]);
      for (let at = 0; at < whole.length; at++) {
        const changed = Buffer.from(whole);
        changed[at] = (changed[at] ?? 0) ^ 0x40;
        expect(() => readBackup(changed, key)).toThrow(/damaged|not a backup|format/);
        expect(() => readBackup(whole.subarray(0, at), key)).toThrow(/damaged|not a backup/);
      }
      expect(() => readBackup(Buffer.concat([whole, Buffer.from([0])]), key)).toThrow('damaged');
    }
  });

  it('that is sealed wants its key', () => {
    const sealed = make(K1, large);
    expect(() => readBackup(sealed, null)).toThrow('sealed by the unlock key');
    expect(() => readBackup(sealed, K2)).toThrow('the unlock key does not fit this backup');
    expect(sealed.includes(Buffer.from(large[1] ?? []))).toBe(false);
  });
});

describe('a call that is passed on', () => {
  const c = testCluster();
  c.run((tx) => {
    tx.create('node', node('m1', { spec: NodeSpec.create({ role: NodeRole.MANAGER }) }));
    tx.create('node', node('w1'));
  });
  const caller: Peer = { nodeId: 'x', role: 'swarm-admin', clusterId: 'c', address: '1.2.3.4:5' };
  const context = (nodeId: string, role: string, metadata: Readonly<Record<string, string>>) =>
    ({
      peer: { nodeId, role, clusterId: 'c', address: '' },
      signal: new AbortController().signal,
      metadata: (key: string) => metadata[key] ?? '',
    }) satisfies CallContext;

  it('is the original caller’s, when a manager vouches for it', () => {
    const passed = context(
      'm1',
      'swarm-manager',
      callerMetadata({ ...context('', '', {}), peer: caller }),
    );
    expect(withOriginalCaller(passed, c.store.view).peer).toEqual(caller);
    const plain = context('w1', 'swarm-worker', {});
    expect(withOriginalCaller(plain, c.store.view)).toBe(plain);
  });

  it('is refused from anybody else', () => {
    for (const [id, role] of [
      ['w1', 'swarm-worker'],
      ['w1', 'swarm-manager'],
      ['m1', 'swarm-worker'],
      ['m1', 'swarm-admin'],
      ['gone', 'swarm-manager'],
      ['', ''],
    ] as const) {
      const passed = context(id, role, callerMetadata({ ...context('', '', {}), peer: caller }));
      expect(() => withOriginalCaller(passed, c.store.view)).toThrow('cannot call for others');
    }
    for (const text of ['x', '%7B%7D', encodeURIComponent('{"nodeId":1}')]) {
      const passed = context('m1', 'swarm-manager', { 'tswarm-caller': text });
      expect(() => withOriginalCaller(passed, c.store.view)).toThrow('cannot be read');
    }
  });
});

it('manager.json of the first format is read, a newer one refused', () => {
  const dir = folder;
  const old = { formatVersion: 1, clusterId: 'c', nodeId: 'n', raftId: 5, hostname: 'h' };
  writeFileSync(join(dir, 'manager.json'), JSON.stringify(old));
  const read = readIdentity(dir);
  expect(read).toMatchObject({ origin: 'bootstrap', hasLog: false, peers: [], raftId: 5 });
  if (read) writeIdentity(dir, { ...read, hasLog: true });
  expect(readIdentity(dir)?.hasLog).toBe(true);
  writeFileSync(join(dir, 'manager.json'), JSON.stringify({ ...old, formatVersion: 3 }));
  expect(() => readIdentity(dir)).toThrow('of a newer tswarm (format 3; this one reads up to 2)');
  writeFileSync(join(dir, 'manager.json'), '{');
  expect(() => readIdentity(dir)).toThrow('is damaged');
});

it('a bundle of roots is read one by one', () => {
  const [a, b] = [testCa().caCert, testCa().caCert];
  expect(pemBlocks(a + b)).toEqual([a, b]);
  expect(pemBlocks('')).toEqual([]);
});
