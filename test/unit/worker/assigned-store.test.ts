// Goal: what a manager has assigned is there again after a restart, and damage to one file costs nothing but that file. Method: real files in a folder of
// the test's own.
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Network, Task, TaskState, TaskStatus } from '#protocol/generated/objects';
import type { Log } from '#protocol/world';
import type { SavedTask } from '#worker/agent/types';
import { AssignedStore } from '#worker/assigned-store';

const warnings: string[] = [];
const log: Log = {
  debug: () => {},
  info: () => {},
  warn: (message) => {
    warnings.push(message);
  },
  error: () => {},
  child: () => log,
};

function saved(id: string, state: TaskState): SavedTask {
  return {
    task: Task.create({ id }),
    status: TaskStatus.create({ state }),
    run: 3,
    restartCount: 2,
    restartsInRow: 1,
    restartSeen: 4,
    held: true,
    besideContainers: ['c0'],
    besideRuns: [2],
  };
}

describe('AssignedStore', () => {
  let folder = '';
  const dataDir = (): string => join(folder, 'agent');
  const newStore = (): AssignedStore =>
    new AssignedStore({ dataDir: dataDir(), secretsDir: join(folder, 'secrets') }, log);

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'tswarm-assigned-'));
    warnings.length = 0;
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('gives back what it was given, of several saves of a task the last', async () => {
    const store = newStore();
    await store.load();
    await store.networks.set(Network.create({ id: 'net1' }));
    const states = [TaskState.PREPARING, TaskState.READY, TaskState.RUNNING];
    await Promise.all(states.map((state) => store.saveTask(saved('task1', state))));
    await Promise.all([store.saveTask(saved('task2', TaskState.READY)), store.forgetTask('task2')]);
    const again = newStore();
    expect(await again.load()).toEqual([saved('task1', TaskState.RUNNING)]);
    expect([...again.networks.objects.keys()]).toEqual(['net1']);
  });

  it('writes a task after the network that it needs', async () => {
    const store = newStore();
    await store.load();
    void store.networks.set(Network.create({ id: 'net1' }));
    await store.saveTask(saved('task1', TaskState.READY));
    expect(readdirSync(join(dataDir(), 'networks'))).toEqual(['net1']);
  });

  it('passes over files that are empty, damaged or under a wrong name, and keeps their folder', async () => {
    const networks = join(dataDir(), 'networks');
    mkdirSync(networks, { recursive: true });
    mkdirSync(join(dataDir(), 'tasks'));
    writeFileSync(join(networks, 'empty'), '');
    writeFileSync(join(networks, 'damaged'), new Uint8Array([0xff, 0xff, 0xff]));
    writeFileSync(join(networks, 'other'), Network.encode(Network.create({ id: 'net1' })));
    writeFileSync(join(dataDir(), 'tasks/torn'), '');
    const store = newStore();
    expect(await store.load()).toEqual([]);
    expect(store.networks.objects.size).toBe(0);
    expect(warnings).toEqual(['saved task cannot be read']);
    expect(readdirSync(join(dataDir(), 'tasks'))).toEqual([]);
    await store.networks.keepOnly(new Set());
    await store.networks.set(Network.create({ id: 'net2' }));
    expect(readdirSync(networks)).toEqual(['net2']);
  });
});
