// Goal: an image that one node made runs on all nodes, with no registry, and a new one under the same name rolls out; one from a registry is fetched from there once
// for all nodes, and from other nodes alone when the registry is away. Method: three hosts in a lab; what runs is read from the containers, what the registry sends is
// counted by the kernel.
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { writeBusyboxRoot } from '../support/busybox-root.ts';
import type { Lab } from '../support/cluster-lab/lab.ts';
import {
  LAB_REGISTRY,
  type LabRegistry,
  labRegistry,
  registryFlags,
} from '../support/lab-registry.ts';
import { type Result, run, until } from '../support/test-node.ts';
import { labUp } from './cluster.ts';

const NODES = ['m1', 'w1', 'w2'];
const FILE = `
name: made
services:
  app:
    image: app:1
    command: [sh, -c, "exec sleep 1000"]
    init: true
    deploy: {replicas: 3, placement: {max_replicas_per_node: 1}, update_config: {parallelism: 3}}
`;

let lab: Lab;
let registry: LabRegistry;
let folder = '';
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tswarm-made-'));
  writeFileSync(join(folder, 'compose.yaml'), FILE);
  lab = await labUp({ managers: 1, workers: 2, daemonFlags: registryFlags });
  registry = await labRegistry(lab);
}, 120_000);
afterAll(async () => {
  await registry?.stop();
  await lab?.down();
  rmSync(folder, { recursive: true, force: true });
});

/** Makes `app:1` on m1. @returns its id */
async function make(content: string): Promise<string> {
  const root = join(folder, 'root');
  rmSync(root, { recursive: true, force: true });
  writeBusyboxRoot(root);
  mkdirSync(join(root, 'etc'), { recursive: true });
  writeFileSync(join(root, 'etc/content'), content);
  const tar = join(folder, 'root.tar');
  await run('tar', ['-C', root, '-cf', tar, '.'], {});
  return (await lab.ok('m1', ['image', 'import', tar, 'app:1'])).trim();
}

function compose(args: readonly string[]): Promise<Result> {
  const file = join(folder, 'compose.yaml');
  return lab.exec('m1', ['tcompose', '-f', file, ...args], { timeoutMs: 60_000 });
}

async function contents(): Promise<string[]> {
  const out: string[] = [];
  for (const i of [1, 2, 3]) {
    out.push(
      (await compose(['exec', '-T', '--index', String(i), 'app', 'cat', '/etc/content'])).stdout,
    );
  }
  return out;
}

async function idOn(node: string): Promise<string> {
  return (await lab.api<{ Id: string }>(node, '/images/app:1/json')).Id;
}

it('runs on every node the image that one of them has', async () => {
  const id = await make('first');
  const up = await compose(['up', '-d', '--wait']);
  expect(up).toMatchObject({ code: 0 });
  expect(await Promise.all(NODES.map(idOn))).toEqual([id, id, id]);
  expect(await contents()).toEqual(['first', 'first', 'first']);
});

it('changes nothing when it is the same, and rolls out another image of that name', async () => {
  const before = await compose(['ps', '-q']);
  expect((await compose(['up', '-d', '--wait'])).code).toBe(0);
  expect((await compose(['ps', '-q'])).stdout).toBe(before.stdout);
  const id = await make('second');
  expect((await compose(['up', '-d', '--wait'])).code).toBe(0);
  await until(async () => (await contents()).every((text) => text === 'second'), 60_000);
  expect(await Promise.all(NODES.map(idOn))).toEqual([id, id, id]);
});

it('says so when no node that lives has the image', async () => {
  await make('third');
  const args = ['service', 'create', '-d', '--name', 'lost', '--constraint', 'node.hostname==w1'];
  const host = `unix://${lab.paths('m1').socket}`;
  await lab.ok('m1', ['node', 'update', '--availability', 'pause', 'w1']);
  const made = await lab.exec('m1', ['docker', '-H', host, ...args, 'app:1', 'sleep', '1000']);
  expect(made.code).toBe(0);
  await lab.ok('m1', ['image', 'rm', '-f', 'app:1']);
  await lab.ok('m1', ['node', 'update', '--availability', 'active', 'w1']);
  let said = '';
  await until(async () => {
    said = await lab.ok('m1', ['service', 'ps', '--no-trunc', 'lost']);
    return said.includes('No such image');
  }, 30_000);
  expect(said).toContain('no other node has it');
});

/** An image of three layers of 4 MB that do not compress, pushed by m1, which then forgets it. @returns `name@digest` */
async function pushed(name: string): Promise<string> {
  const context = join(folder, 'context');
  mkdirSync(context, { recursive: true });
  const lines = ['FROM app:1'];
  for (const i of [1, 2, 3]) {
    writeFileSync(join(context, `data${i}`), randomBytes(4_000_000));
    lines.push(`COPY data${i} /`);
  }
  writeFileSync(join(context, 'Dockerfile'), lines.join('\n'));
  const docker = ['docker', '-H', `unix://${lab.paths('m1').socket}`];
  const ref = `${LAB_REGISTRY}/${name}:1`;
  for (const args of [
    ['build', '-q', '-t', ref, context],
    ['push', '-q', ref],
  ]) {
    expect(await lab.exec('m1', [...docker, ...args], { timeoutMs: 60_000 })).toMatchObject({
      code: 0,
    });
  }
  const { RepoDigests } = await lab.api<{ RepoDigests: string[] }>('m1', `/images/${ref}/json`);
  await lab.ok('m1', ['image', 'rm', '-f', ref]);
  return RepoDigests[0] ?? '';
}

const PULLED_BYTES = 12_000_000;

it('fetches an image once from its registry for all nodes that start it at the same time', async () => {
  await make('base');
  await pushed('big');
  await lab.ok('m1', ['image', 'rm', '-f', 'app:1']);
  await lab.ok('m1', ['image', 'prune', '-af']);
  const before = await registry.sentBytes();
  const args = ['service', 'create', '--mode', 'global', '--name', 'big', `${LAB_REGISTRY}/big:1`];
  await lab.ok('m1', [...args, 'sleep', '1000'], { timeoutMs: 90_000 });
  const sent = (await registry.sentBytes()) - before;
  expect(sent).toBeGreaterThan(PULLED_BYTES);
  expect(sent).toBeLessThan(1.2 * PULLED_BYTES);
  const [first, ...others] = await Promise.all(NODES.map((node) => digestOn(node)));
  expect(first).toContain('/big@sha256:');
  expect(others).toEqual([first, first]);
});

/** `name@digest` of the image from the registry; a service's image is pinned by it. */
async function digestOn(node: string): Promise<string | undefined> {
  const images = await lab.api<readonly { RepoDigests: string[] }[]>(node, '/images/json');
  const digests = images.flatMap(({ RepoDigests }) => RepoDigests);
  return digests.find((digest) => digest.includes('/big@'));
}

it('takes an image that is named by its digest from other nodes when the registry is away', async () => {
  const digest = (await digestOn('w2')) ?? '';
  await lab.ok('m1', ['service', 'rm', 'big']);
  await until(async () => {
    await lab.tswarm('w2', ['image', 'prune', '-af']);
    return (await digestOn('w2')) === undefined;
  }, 30_000);
  await registry.stop();
  const docker = ['docker', '-H', `unix://${lab.paths('w2').socket}`];
  const byTag = await lab.exec('w2', [...docker, 'pull', `${LAB_REGISTRY}/big:1`]);
  expect(byTag.stderr).toContain('connection refused');
  const byDigest = await lab.exec('w2', [...docker, 'pull', digest], { timeoutMs: 60_000 });
  expect(byDigest).toMatchObject({ code: 0 });
  const shown = await lab.exec('w2', [...docker, 'run', '--rm', digest, 'cat', '/etc/content']);
  expect(shown).toMatchObject({ code: 0, stdout: 'base' });
});
