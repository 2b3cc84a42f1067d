// Goal: on cluster.sock containers of every node are listed and operated as if they were here, from a leader and from a follower; nothing hangs when a node is
// away. Method: three hosts in a lab, real containers, the stock docker command and tcompose.
import { Buffer } from 'node:buffer';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Lab } from '../support/cluster-lab/lab.ts';
import type { Result } from '../support/test-node.ts';
import { until } from '../support/test-node.ts';
import { labUp } from './cluster.ts';

const NODES = ['m1', 'm2', 'w1'];
const FILE = `
name: far
services:
  talk:
    image: busybox:test
    command: [sh, -c, "i=0; while :; do i=$$((i+1)); echo line $$i; echo error $$i >&2; sleep 1; done"]
    init: true
    deploy: {replicas: 3, placement: {max_replicas_per_node: 1}}
`;

let lab: Lab;
let folder = '';
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tswarm-reach-'));
  writeFileSync(join(folder, 'compose.yaml'), FILE);
  lab = await labUp({ managers: 2, workers: 1 });
  await lab.importBusybox(NODES);
  const up = await compose('m1', ['up', '-d', '--wait']);
  if (up.code !== 0) throw new Error(up.stderr);
}, 120_000);
afterAll(async () => {
  await lab?.down();
  rmSync(folder, { recursive: true, force: true });
});

function compose(node: string, args: readonly string[]): Promise<Result> {
  const file = join(folder, 'compose.yaml');
  return lab.exec(node, ['tcompose', '-f', file, ...args], { timeoutMs: 30_000 });
}

/** The stock command on a node's cluster.sock. */
function docker(node: string, args: readonly string[]): Promise<Result> {
  const host = `unix://${join(lab.paths(node).folder, 'run/cluster.sock')}`;
  return lab.exec(node, ['docker', '-H', host, ...args], { timeoutMs: 30_000 });
}

interface Listed {
  readonly Names: readonly string[];
  readonly Node: { readonly Name: string };
}

/** Container name → host. */
async function places(): Promise<ReadonlyMap<string, string>> {
  const socket = join(lab.paths('m1').folder, 'run/cluster.sock');
  const url = 'http://node/v1.44/containers/json';
  const { stdout } = await lab.exec('m1', ['curl', '-s', '--unix-socket', socket, url]);
  const list = JSON.parse(stdout) as readonly Listed[];
  return new Map(list.map(({ Names, Node }) => [String(Names[0]).slice(1), Node.Name]));
}

describe.each(['m1', 'm2'])('from %s', (via) => {
  it('lists the containers of all nodes and says where they are', async () => {
    const { stdout } = await docker(via, ['ps', '--format', '{{.Names}}']);
    expect(stdout.trim().split('\n').sort()).toEqual(['far-talk-1', 'far-talk-2', 'far-talk-3']);
    expect([...(await places()).values()].sort()).toEqual(NODES);
  });

  it('runs programs in each: output, input, exit code', async () => {
    for (const [name, host] of await places()) {
      const hostname = await docker(via, ['inspect', '-f', '{{.Config.Hostname}}', name]);
      const inside = await docker(via, ['exec', name, 'hostname']);
      expect([host, inside.stdout]).toEqual([host, hostname.stdout]);
      const fed = await lab.exec(via, [
        'sh',
        '-c',
        `echo fed | docker -H unix://${join(lab.paths(via).folder, 'run/cluster.sock')} exec -i ${name} sh -c 'cat; echo bad >&2; exit 7'`,
      ]);
      expect(fed).toMatchObject({ code: 7, stdout: 'fed\n', stderr: 'bad\n' });
      const missing = await docker(via, ['exec', name, '/nope']);
      expect([missing.code, missing.stdout + missing.stderr]).toEqual([
        127,
        expect.stringContaining('/nope'),
      ]);
    }
  });

  it('copies in and out byte by byte', async () => {
    const bytes = Buffer.alloc(3_000_000, 'a file of three megabytes. ');
    const source = join(folder, 'source');
    writeFileSync(source, bytes);
    for (const name of (await places()).keys()) {
      expect((await docker(via, ['cp', source, `${name}:/copied`])).code).toBe(0);
      const sum = await docker(via, ['exec', name, 'sha256sum', '/copied']);
      const back = await lab.exec(via, [
        'sh',
        '-c',
        `docker -H unix://${join(lab.paths(via).folder, 'run/cluster.sock')} cp ${name}:/copied - | tar -xO | sha256sum`,
      ]);
      const own = await lab.exec(via, ['sha256sum', source]);
      const digest = own.stdout.slice(0, 64);
      expect([sum.stdout.slice(0, 64), back.stdout.slice(0, 64)]).toEqual([digest, digest]);
    }
  });

  it('merges the logs of all, and follows them', async () => {
    const followed = await lab.exec(via, [
      'sh',
      '-c',
      `timeout 4 tcompose -f ${join(folder, 'compose.yaml')} logs -f --tail 1; true`,
    ]);
    for (const i of [1, 2, 3]) {
      const lines = followed.stdout.split('\n').filter((line) => line.startsWith(`talk-${i} `));
      expect(lines.filter((line) => line.includes('line')).length).toBeGreaterThan(1);
    }
    const service = await docker(via, ['service', 'logs', '--tail', '1', 'far_talk']);
    for (const host of NODES) expect(service.stdout + service.stderr).toContain(`@${host}`);
  });

  it('takes name@node, and refuses a node that is none', async () => {
    const [[name, host] = ['', '']] = await places();
    const found = await docker(via, ['inspect', '-f', '{{.Name}}', `${name}@${host}`]);
    expect(found.stdout.trim()).toBe(`/${name}`);
    const wrong = await docker(via, ['inspect', `${name}@nowhere`]);
    expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringMatching(/no such/i)]);
    const unknown = await docker(via, ['exec', 'nobody', 'true']);
    expect(unknown.stderr).toContain('No such container: nobody');
  });
});

it('starts a container of another node again', async () => {
  const [name] = [...(await places())].find(([, host]) => host === 'w1') ?? [''];
  const key = name.replace('far-', '').replace(/-\d+$/, '');
  expect(key).toBe('talk');
  const startedAt = async (): Promise<string> =>
    (await docker('m2', ['inspect', '-f', '{{.State.StartedAt}}', name])).stdout;
  const before = await startedAt();
  expect((await docker('m1', ['restart', '-t', '0', name])).code).toBe(0);
  expect(await startedAt()).not.toBe(before);
});

it('a worker’s own sockets show its own containers', async () => {
  const { stdout } = await docker('w1', ['ps', '-q']);
  expect(stdout.trim().split('\n')).toHaveLength(1);
});

/** GET of the cluster API on a node. @returns the lines of the answer */
async function asked(node: string, path: string): Promise<readonly unknown[]> {
  const socket = join(lab.paths(node).folder, 'run/cluster.sock');
  const url = `http://node/tswarm/v1${path}`;
  const { stdout } = await lab.exec(node, ['curl', '-s', '--unix-socket', socket, url]);
  const lines = stdout.split('\n').filter((line) => line !== '');
  return lines.map((line) => JSON.parse(line));
}

async function ask<T>(node: string, path: string): Promise<T> {
  return (await asked(node, path))[0] as T;
}

interface Whole {
  readonly missing: readonly { readonly node: string }[];
}

it('gathers images and figures of all nodes', async () => {
  type Images = Whole & { readonly images: readonly { readonly nodes: readonly string[] }[] };
  const { images, missing } = await ask<Images>('m2', '/images');
  const places = new Set(images.flatMap(({ nodes }) => nodes));
  expect([[...places].sort(), missing]).toEqual([NODES, []]);
  type Stats = Whole & { readonly containers: readonly { readonly node: string }[] };
  // The one that was started again may not run yet.
  await until(async () => {
    const { containers } = await ask<Stats>('m2', '/stats?service=far_talk');
    return (
      containers
        .map(({ node }) => node)
        .sort()
        .join() === NODES.join()
    );
  }, 20_000);
});

it('tells of what happens to the containers of all nodes, as it happens and afterwards', async () => {
  const since = String(Date.now() / 1000);
  const seen = join(folder, 'events');
  writeFileSync(seen, '');
  const ids = new Set<string>();
  // Again until the streams of all nodes are open.
  const interruptWhen = until(async () => {
    for (const verb of ['pause', 'unpause'])
      for (const name of (await places()).keys()) await docker('m2', [verb, name]);
    for (const line of readFileSync(seen, 'utf8').split('\n').slice(0, -1)) {
      const { action, id } = JSON.parse(line);
      if (action === 'unpause') ids.add(id);
    }
    return ids.size === NODES.length;
  }, 60_000);
  const words = `tcompose -f ${join(folder, 'compose.yaml')} events --json`;
  await lab.exec('m2', ['sh', '-c', `exec ${words} >${seen}`], { interruptWhen });
  await interruptWhen;
  const span = ['--since', since, '--until', String(Date.now() / 1000)];
  const past = await docker('m2', ['events', ...span, '--format', '{{json .}}']);
  const events = past.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  const paused = events.filter(({ Action }) => Action === 'pause');
  expect(new Set(paused.map(({ Actor }) => Actor.ID))).toEqual(ids);
  const times = events.map(({ timeNano }) => timeNano);
  expect(times).toEqual([...times].sort((a, b) => a - b));
});

it('goes on when a node is away, and says which', async () => {
  await lab.kill('w1');
  expect((await ask<Whole>('m1', '/stats')).missing).toMatchObject([{ node: 'w1' }]);
  expect((await ask<Whole>('m1', '/images')).missing).toMatchObject([{ node: 'w1' }]);
  const lines = await asked('m1', '/logs?service=far_talk&marks=true&tail=1');
  const mark = expect.objectContaining({ node: 'w1', line: '', missing: expect.any(String) });
  expect(lines).toContainEqual(mark);
  const startedMs = performance.now();
  const listed = await compose('m1', ['ps', '-q']);
  expect(performance.now() - startedMs).toBeLessThan(20_000);
  expect(listed.stdout.trim().split('\n').length).toBeGreaterThanOrEqual(2);
  expect(listed.stderr).toContain('no answer from w1');
  await lab.start('w1');
  await until(async () => (await places()).size === 3, 30_000);
});
