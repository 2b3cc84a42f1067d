// Goal: a worker that is killed at random moments of create, start, exec, stop and remove loses nothing: what ran runs on and is adopted, exit codes and
// logs are whole, and what was half made is gone (folders, mounts, namespaces, cgroups, shims). Method: the worker in a process of its own, kill -9 after
// a random time, a new one on the same folders, and a look at everything that could have stayed behind. Needs root.
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { removeCgroups } from '../support/cluster-lab/take-down.ts';
import { Prng } from '../support/prng.ts';
import { eventually, WorkerNode } from '../support/worker-node.ts';
import { KillableWorker } from '../support/worker-process.ts';

const isRoot = process.getuid?.() === 0;
const ROUNDS = Number(process.env.TSWARM_KILL_ROUNDS ?? 12);
const SEED = Number(process.env.TSWARM_KILL_SEED ?? 1);

interface Listed {
  readonly Id: string;
  readonly Names: readonly string[];
  readonly State: string;
}

describe.skipIf(!isRoot)('a worker that is killed', () => {
  const folder = mkdtempSync('/run/tsw-kill-');
  const worker = new KillableWorker(folder);
  const prng = new Prng(SEED);
  const random = (): number => prng.u32() / 2 ** 32;

  beforeAll(async () => {
    // The image is made by a worker in this process, which then makes room.
    const maker = new WorkerNode(folder);
    await maker.start();
    await maker.addImage();
    await maker.worker.stop();
    await worker.start();
  });

  afterAll(async () => {
    const tag = readFileSync(join(folder, 'data/node-tag'), 'utf8').trim();
    await worker.call('worker.destroy').catch(() => undefined);
    await worker.kill();
    await removeCgroups(tag);
    rmSync(folder, { recursive: true, force: true });
  });

  const list = (): Promise<Listed[]> =>
    worker.call('containers.list', { all: true, limit: 0, size: false, filters: {} });
  const create = async (name: string, script: string): Promise<string> => {
    const body = { Image: 'bb:1', Cmd: ['sh', '-c', script], StopSignal: 'KILL' };
    const made = await worker.call('containers.create', body, { name, platform: '' });
    return String(made.Id);
  };

  it('adopts a running container: same process, whole log, known exit', async () => {
    const id = await create('keeper', 'i=0; while true; do echo $i; i=$((i+1)); sleep 0.002; done');
    const brief = await create('brief', 'sleep 0.2; exit 11');
    await worker.call('containers.start', id);
    await worker.call('containers.start', brief);
    const pidOf = async (): Promise<unknown> => {
      const json = await worker.call<{ State: { Pid: number } }>('containers.inspect', id, {
        size: false,
      });
      return json.State.Pid;
    };
    const pid = await pidOf();
    await worker.kill();
    await new Promise((resolve) => setTimeout(resolve, 500));
    await worker.start();
    expect(await pidOf()).toBe(pid);
    const ended = await worker.call<{ State: object }>('containers.inspect', brief, {
      size: false,
    });
    expect(ended.State).toMatchObject({ Status: 'exited', ExitCode: 11 });
    const path = join(folder, 'data/containers', id, `${id}-json.log`);
    const numbers = readFileSync(path, 'utf8')
      .trim()
      .split('\n')
      .map((line) => Number((JSON.parse(line) as { log: string }).log));
    expect(numbers.length).toBeGreaterThan(50);
    expect(numbers).toEqual(numbers.map((_, index) => index));
    await worker.call('containers.remove', brief, { force: true, volumes: true });
  });

  it('removes the files that it was writing when it was killed, and no file of others', async () => {
    const id = await create('owner', 'true');
    const layer = readdirSync(join(folder, 'data/images/layers'))[0] ?? '';
    const name = 'file.json.12345.67.tmp';
    const own = [
      ...['data', 'data/agent', 'data/build', 'data/images', `data/images/layers/${layer}`],
      ...[`data/containers/${id}`, 'data/network', 'data/volumes', 'run', 'run/network'],
    ].map((path) => join(folder, path, name));
    const others = [`data/images/layers/${layer}/diff`, 'data/build/caches/x'].map((path) =>
      join(folder, path, name),
    );
    await worker.kill();
    for (const path of [...own, ...others]) {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, '{');
    }
    await worker.start();
    expect(own.filter((path) => existsSync(path))).toEqual([]);
    expect(others.filter((path) => !existsSync(path))).toEqual([]);
    rmSync(others[0] ?? '');
    rmSync(join(folder, 'data/build/caches/x'), { recursive: true });
    await worker.call('containers.remove', id, { force: true, volumes: true });
  });

  it(`comes back clean after ${ROUNDS} kills at random moments`, async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const name = `r${round}`;
      const started: string[] = [];
      // One of the phases is under way when the kill comes.
      const work = (async () => {
        const id = await create(name, 'sleep 1000');
        await worker.call('containers.start', id);
        started.push(id);
        if (random() < 0.5) await worker.call('exec.create', id, { Cmd: ['true'] });
        if (random() < 0.5)
          await worker.call('containers.stop', id, { signal: '', timeoutSeconds: 0 });
        if (random() < 0.5)
          await worker.call('containers.remove', id, { force: true, volumes: true });
      })().catch((error: unknown) => {
        const code = (error as { code?: string }).code;
        if (code !== 'killed') throw error;
      });
      await new Promise((resolve) => setTimeout(resolve, random() * 120));
      await worker.kill();
      await work;
      await worker.start();
      const found = (await list()).find((item) => item.Names[0] === `/${name}`);
      if (found) {
        // Whatever state it is in, it is a state that can be gone on from.
        expect(['created', 'running', 'exited']).toContain(found.State);
        if (found.State !== 'running') await worker.call('containers.start', found.Id);
        await worker.call('containers.remove', found.Id, { force: true, volumes: true });
      }
      expect((await list()).map((item) => item.Names[0])).toEqual(['/keeper']);
    }
    await expectOnly('keeper');
  });

  /** Nothing in the kernel or on disk but what the one container needs. */
  async function expectOnly(name: string): Promise<void> {
    const [keeper] = await list();
    expect(keeper?.Names[0]).toBe(`/${name}`);
    const id = keeper?.Id ?? '';
    const ids = (path: string): string[] =>
      existsSync(path) ? readdirSync(path).filter((entry) => /^[0-9a-f]{64}$/.test(entry)) : [];
    expect(ids(join(folder, 'data/containers'))).toEqual([id]);
    expect(ids(join(folder, 'run/c'))).toEqual([id]);
    expect(ids(join(folder, 'data/images/rootfs'))).toEqual([id]);
    const tag = readFileSync(join(folder, 'data/node-tag'), 'utf8').trim();
    for (const controller of readdirSync('/sys/fs/cgroup')) {
      const path = `/sys/fs/cgroup/${controller}/tswarm-${tag}`;
      if (existsSync(path)) expect([controller, ids(path)]).toEqual([controller, [id]]);
    }
    const mounts = readFileSync('/proc/mounts', 'utf8')
      .split('\n')
      .filter((line) => line.includes(`${folder}/data/images`));
    expect(mounts).toHaveLength(1);
    const shims = execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' })
      .split('\n')
      .filter((line) => line.includes('tswarm-shim --id') && line.includes(folder));
    expect(shims).toHaveLength(1);
    await eventually(() => {
      const links = execFileSync('ip', ['-o', 'link'], { encoding: 'utf8' });
      return links.split('\n').filter((line) => line.includes(`t${tag}`.slice(0, 9))).length <= 1;
    });
  }
});
