// Goal: volumes are there when they should be, across restarts, and go only when nobody uses them. Method: real folders, no mounts.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { NodeVolumeEngine } from '#worker/engine/volume-engine';
import type { EngineEvent } from '#worker/images/types';
import { VolumeStore } from '#worker/volumes/volume-store';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

async function store(root?: string): Promise<{
  volumes: VolumeStore;
  root: string;
  users: Map<string, string[]>;
  events: EngineEvent[];
}> {
  const folder = root ?? mkdtempSync(join(tmpdir(), 'tswarm-volumes-'));
  if (root === undefined) folders.push(folder);
  const users = new Map<string, string[]>();
  const events: EngineEvent[] = [];
  let seed = 0;
  const bytes = (length: number): Uint8Array => {
    seed += 1;
    return new Uint8Array(length).fill(seed);
  };
  const volumes = new VolumeStore(folder, {
    clock: { nowMs: () => 1_700_000_000_000, monotonicMs: () => 0 },
    random: { next: () => 0, bytes },
    events: { emit: (event) => events.push(event) },
    usersOf: (name) => users.get(name) ?? [],
  });
  await volumes.start();
  return { volumes, root: folder, users, events };
}

const plain = (name: string) => ({ name, driver: '', labels: null, options: null });

describe('volumes', () => {
  it('are made once, and found again after a restart', async () => {
    const first = await store();
    const made = await first.volumes.create({ ...plain('data'), labels: { a: 'b' } });
    expect(await first.volumes.create(plain('data'))).toBe(made);
    writeFileSync(join(first.volumes.mountpoint('data'), 'f'), 'x');
    const second = await store(first.root);
    expect(second.volumes.get('data')).toEqual(made);
    expect(await second.volumes.isEmpty('data')).toBe(false);
    expect(first.events.map((event) => event.action)).toEqual(['create']);
  });

  it('without a name get one of 64 digits and count as anonymous', async () => {
    const { volumes } = await store();
    const made = await volumes.create(plain(''));
    expect(made.name).toMatch(/^[0-9a-f]{64}$/);
    expect(made.anonymous).toBe(true);
  });

  it('in use stay, unused go with their data', async () => {
    const { volumes, users } = await store();
    await volumes.create(plain('data'));
    users.set('data', ['c1']);
    await expect(volumes.remove('data', false)).rejects.toThrow(
      'remove data: volume is in use - [c1]',
    );
    users.clear();
    await volumes.remove('data', false);
    expect(existsSync(volumes.mountpoint('data'))).toBe(false);
    await expect(volumes.remove('data', false)).rejects.toThrow('get data: no such volume');
    await volumes.remove('data', true);
  });

  it('refuse bad names, drivers, options, and a different meaning of one name', async () => {
    const { volumes } = await store();
    await expect(volumes.create(plain('a/b'))).rejects.toThrow('invalid characters');
    await expect(volumes.create({ ...plain('x1'), driver: 'nfs' })).rejects.toThrow('plugin "nfs"');
    await expect(volumes.create({ ...plain('x1'), options: { bogus: '1' } })).rejects.toThrow(
      '"bogus"',
    );
    await expect(volumes.create({ ...plain('x1'), options: { o: 'bind' } })).rejects.toThrow(
      'missing device',
    );
    await volumes.create(plain('x1'));
    await expect(
      volumes.create({ ...plain('x1'), options: { type: 'tmpfs', device: 'tmpfs' } }),
    ).rejects.toThrow('already exists with other options');
  });

  it('that bind a host folder are that folder, and say when it is missing', async () => {
    const { volumes, root } = await store();
    const bind = (name: string, device: string) => ({
      ...plain(name),
      options: { type: 'none', o: 'bind', device },
    });
    await volumes.create(bind('here', root));
    await volumes.create(bind('gone', join(root, 'nothing')));
    expect(await volumes.use('here')).toBe(root);
    await expect(volumes.use('gone')).rejects.toThrow('no such file or directory');
  });
});

describe('the Engine API on volumes', () => {
  it('lists by filter and prunes what is unused', async () => {
    const { volumes, users, events } = await store();
    const engine = new NodeVolumeEngine(volumes);
    await engine.create({ Name: 'data', Labels: { a: 'b' } });
    await engine.create({});
    users.set('data', ['c1']);
    const names = async (filters: Record<string, string[]>): Promise<number> =>
      ((await engine.list(filters)).Volumes as unknown[]).length;
    expect(await names({})).toBe(2);
    expect(await names({ dangling: ['true'] })).toBe(1);
    expect(await names({ label: ['a=b'] })).toBe(1);
    expect(await names({ name: ['dat'] })).toBe(1);
    users.clear();
    expect((await engine.prune({})).VolumesDeleted).toHaveLength(1);
    expect((await engine.prune({ all: ['true'] })).VolumesDeleted).toEqual(['data']);
    expect((await engine.prune({})).VolumesDeleted).toBeNull();
    expect(events.at(-1)).toEqual({
      ...{ type: 'volume', action: 'prune', actorId: '' },
      attributes: { reclaimed: '0' },
    });
    await expect(engine.inspect('data')).rejects.toThrow('get data: no such volume');
  });
});
