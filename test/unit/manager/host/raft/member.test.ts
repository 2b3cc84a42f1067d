// Goal: one real member on a real folder does what raft-node.ts promises, and says clearly what is
// wrong with a folder that it cannot use. Method: the client with its thread, in a temporary folder
// each.
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createRaftNode, type RaftClientDeps } from '#manager/host/raft/client';
import { keyFileAt } from '#manager/host/raft/key-file';
import { type DataKeys, decodeKeys, encodeKeys } from '#manager/host/raft/key-format';
import { MAX_DATA_BYTES } from '#manager/host/raft/limits';
import { NODE_WAL_CRYPTO } from '#manager/host/raft/node-crypto';
import { compileRaftOptions, type RaftNodeSettings } from '#manager/host/raft/options';
import type { RaftNode } from '#manager/host/raft/raft-node';
import { TswarmError } from '#protocol/errors';
import { SILENT_LOG } from '#test/support/raft-host/silent-log';

let folder = '';
const running: RaftNode[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tswarm-raft-member-'));
});

afterEach(async () => {
  for (const node of running.splice(0)) await node.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** The data keys in a key file. */
function loadKeys(path: string, kek: Uint8Array | null): DataKeys {
  return decodeKeys(path, readFileSync(path, 'utf8'), kek, NODE_WAL_CRYPTO).keys;
}

function saveKeys(path: string, keys: DataKeys, kek: Uint8Array | null): void {
  keyFileAt(path).replace(encodeKeys(keys, kek, NODE_WAL_CRYPTO));
}

interface TestMember {
  readonly node: RaftNode;
  /** The state machine: all texts, in order. */
  readonly texts: string[];
  readonly indexes: number[];
  restored: number;
}

function member(
  settings: Partial<RaftNodeSettings> = {},
  deps: Partial<RaftClientDeps> = {},
): TestMember {
  const options = compileRaftOptions({
    dataDir: join(folder, 'raft'),
    clusterId: 'c1',
    raftId: 9,
    startMode: 'bootstrap',
    ...settings,
  });
  const node = createRaftNode(options, { log: SILENT_LOG, ...deps });
  const self: TestMember = { node, texts: [], indexes: [], restored: 0 };
  node.onApply(({ index, data }) => {
    self.indexes.push(index);
    self.texts.push(Buffer.from(data).toString());
  });
  node.onSnapshotRestore((bytes) => {
    self.restored++;
    self.texts.splice(
      0,
      self.texts.length,
      ...(JSON.parse(Buffer.from(bytes).toString()) as string[]),
    );
  });
  node.provideSnapshot(() => Buffer.from(JSON.stringify(self.texts)));
  running.push(node);
  return self;
}

async function stopped(
  settings: Partial<RaftNodeSettings> = {},
  texts: string[] = [],
): Promise<void> {
  const { node } = member(settings);
  await node.start();
  for (const text of texts) await node.propose(Buffer.from(text));
  const isDue = texts.length >= (settings.snapshotEveryEntries ?? Number.POSITIVE_INFINITY);
  while (isDue && node.status().snapshotIndex <= 1) await node.propose(Buffer.from('more'));
  await node.stop();
}

async function startError(self: TestMember): Promise<TswarmError> {
  const error = await self.node.start().then(
    () => null,
    (failure: unknown) => failure,
  );
  expect(error).toBeInstanceOf(TswarmError);
  return error as TswarmError;
}

describe('a single member', () => {
  it('leads when start resolves, applies before it answers, in order', async () => {
    const self = member();
    const roles: string[] = [];
    self.node.onRoleChange((role) => roles.push(role));
    await self.node.start();
    expect(self.node.status()).toMatchObject({ role: 'leader', leaderId: 9, raftId: 9 });
    expect(roles.at(-1)).toBe('leader');
    const seen: string[] = [];
    const results = await Promise.all(
      ['a', 'b', 'c'].map(async (text) => {
        const result = await self.node.propose(Buffer.from(text));
        seen.push(text);
        expect(self.texts).toContain(text);
        return result;
      }),
    );
    expect(seen).toEqual(['a', 'b', 'c']);
    expect(self.texts).toEqual(['a', 'b', 'c']);
    expect(results.map(({ index }) => index)).toEqual(self.indexes);
    expect(await self.node.readIndex()).toBeGreaterThanOrEqual(results[2]?.index ?? 0);
  });

  it('takes an empty proposal and the largest one, and refuses a larger one', async () => {
    const self = member();
    await self.node.start();
    await self.node.propose(new Uint8Array(0));
    await self.node.propose(new Uint8Array(MAX_DATA_BYTES).fill(0x62));
    expect(self.texts.map(({ length }) => length)).toEqual([0, MAX_DATA_BYTES]);
    await expect(self.node.propose(new Uint8Array(MAX_DATA_BYTES + 1))).rejects.toMatchObject({
      code: 'too_large',
    });
    await self.node.stop();
    const again = member();
    await again.node.start();
    expect(again.texts.map(({ length }) => length)).toEqual([0, MAX_DATA_BYTES]);
  });

  it('comes back with everything, each entry once, after many restarts', async () => {
    const expected: string[] = [];
    for (let life = 0; life < 5; life++) {
      const self = member({ snapshotEveryEntries: 30, trailingEntries: 7 });
      await self.node.start();
      expect(self.texts).toEqual(expected);
      if (life > 1) expect(self.restored).toBe(1);
      for (let i = 0; i < 25; i++) {
        await self.node.propose(Buffer.from(`${life}-${i}`));
        expected.push(`${life}-${i}`);
      }
      await self.node.stop();
    }
    const segments = readdirSync(join(folder, 'raft', 'wal'));
    expect(segments.length).toBeLessThanOrEqual(4);
    expect(readdirSync(join(folder, 'raft', 'snap')).length).toBe(1);
  });

  it('shares one sync among the proposals of a turn', async () => {
    const self = member();
    await self.node.start();
    const before = self.node.status().walSyncs;
    await Promise.all(
      Array.from({ length: 200 }, (_, i) => self.node.propose(Buffer.from(`${i}`))),
    );
    expect(self.node.status().walSyncs - before).toBeLessThanOrEqual(2);
  });

  it('keeps secrets out of its files', async () => {
    const secret = 'correct horse battery staple';
    const settings = { snapshotEveryEntries: 5 };
    await stopped(
      settings,
      Array.from({ length: 12 }, () => secret),
    );
    for (const part of ['wal', 'snap']) {
      for (const name of readdirSync(join(folder, 'raft', part))) {
        const path = join(folder, 'raft', part, name);
        expect(readFileSync(path).includes(secret)).toBe(false);
        expect(statSync(path).mode & 0o777).toBe(0o600);
      }
    }
    expect(statSync(join(folder, 'raft', 'raft-key.json')).mode & 0o777).toBe(0o600);
  });

  it('refuses new proposals and rejects waiting ones once it stops', async () => {
    const self = member();
    await self.node.start();
    const waiting = self.node.propose(Buffer.from('x')).catch((error: unknown) => error);
    await self.node.stop();
    expect([undefined, 'unavailable']).toContain(((await waiting) as { code?: string }).code);
    await expect(self.node.propose(Buffer.from('y'))).rejects.toMatchObject({
      code: 'unavailable',
    });
  });

  it('with an exception in a callback ends, rather than go on with a hole', async () => {
    const problems: unknown[] = [];
    const self = member();
    await self.node.start();
    self.node.onApply(() => {
      throw new Error('broken store');
    });
    const listeners = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    process.once('uncaughtException', (error) => problems.push(error.message));
    const proposal = self.node.propose(Buffer.from('x')).catch(() => null);
    await new Promise((resolve) => setTimeout(resolve, 200));
    for (const listener of listeners) process.on('uncaughtException', listener);
    expect(problems).toEqual(['broken store']);
    await self.node.stop();
    await proposal;
  });
});

describe('a folder that cannot be used', () => {
  it('without a log, when no cluster is to be created', async () => {
    const error = await startError(member({ startMode: 'restart' }));
    expect(error.code).toBe('failed_precondition');
    expect(error.message).toContain('holds no log');
  });

  it('of another cluster or member', async () => {
    await stopped();
    for (const settings of [{ clusterId: 'c2' }, { raftId: 10 }]) {
      const error = await startError(member(settings));
      expect(error.code).toBe('failed_precondition');
      expect(error.message).toContain('belongs to cluster c1, member 9');
    }
  });

  it('in use by a running member', async () => {
    await member().node.start();
    const error = await startError(member());
    expect(error.code).toBe('already_exists');
    expect(error.message).toContain(`process ${process.pid}`);
  });

  it('with a stale lock, it is taken over', async () => {
    await stopped();
    writeFileSync(join(folder, 'raft', 'raft.lock'), '999999 1\n');
    await member().node.start();
  });

  it('with damage in the log: nothing is changed, the place is named', async () => {
    await stopped({}, ['a', 'b', 'c', 'd']);
    const name = readdirSync(join(folder, 'raft', 'wal')).sort()[0] ?? '';
    const path = join(folder, 'raft', 'wal', name);
    const bytes = readFileSync(path);
    const offset = 8192 + 4 * 4096 + 70;
    bytes[offset] = (bytes[offset] ?? 0) ^ 1;
    writeFileSync(path, bytes);
    for (let attempt = 0; attempt < 2; attempt++) {
      const error = await startError(member());
      expect(error.code).toBe('data_loss');
      expect(error.message).toContain(name);
      expect(error.message).toContain(String(8192 + 4 * 4096));
    }
  });

  it('with a damaged or missing snapshot', async () => {
    await stopped({ snapshotEveryEntries: 5 }, ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']);
    const snap = join(folder, 'raft', 'snap');
    const path = join(snap, readdirSync(snap)[0] ?? '');
    const bytes = readFileSync(path);
    const last = bytes.length - 20;
    bytes[last] = (bytes[last] ?? 0) ^ 1;
    writeFileSync(path, bytes);
    expect((await startError(member())).code).toBe('data_loss');
    rmSync(path);
    const error = await startError(member());
    expect(error.code).toBe('data_loss');
    expect(error.message).toContain('cannot be read');
  });

  it('locked: only the unlock key opens it', async () => {
    await stopped({}, ['a']);
    const path = join(folder, 'raft', 'raft-key.json');
    const kek = new Uint8Array(32).fill(5);
    saveKeys(path, loadKeys(path, null), kek);
    expect(readFileSync(path, 'utf8')).not.toContain('"keys":{');
    expect((await startError(member())).code).toBe('locked');
    const wrong = { kek: new Uint8Array(32).fill(6) };
    expect((await startError(member({}, wrong))).code).toBe('locked');
    const self = member({}, { kek });
    await self.node.start();
    expect(self.texts).toEqual(['a']);
  });

  it('a change of the data key that was cut off is finished at the next start', async () => {
    await stopped({}, ['a']);
    const path = join(folder, 'raft', 'raft-key.json');
    const before = loadKeys(path, null);
    saveKeys(path, before.rotated(NODE_WAL_CRYPTO), null);
    const self = member();
    await self.node.start();
    expect(self.texts).toEqual(['a']);
    await self.node.propose(Buffer.from('b'));
    while (loadKeys(path, null).all.size > 1)
      await new Promise((resolve) => setTimeout(resolve, 5));
    expect(loadKeys(path, null).currentId).not.toBe(before.currentId);
    await self.node.stop();
    const again = member();
    await again.node.start();
    expect(again.texts).toEqual(['a', 'b']);
    await again.node.stop();
    saveKeys(path, before, null);
    const error = await startError(member());
    expect(error.code).toBe('data_loss');
    expect(error.message).toContain('cannot be decrypted');
  });

  it('options that make no sense name their field', () => {
    expect(() =>
      compileRaftOptions({ dataDir: 'x', clusterId: 'c', raftId: 1, startMode: 'bootstrap' }),
    ).toThrow(/dataDir/);
    const base = { dataDir: '/x', clusterId: 'c', raftId: 1, startMode: 'bootstrap' } as const;
    expect(() => compileRaftOptions({ ...base, raftId: 0 })).toThrow(/raftId/);
    expect(() => compileRaftOptions({ ...base, electionTicks: 1 })).toThrow(/electionTicks/);
    expect(() => compileRaftOptions({ ...base, segmentBytes: 4096 })).toThrow(/segmentBytes/);
  });
});
