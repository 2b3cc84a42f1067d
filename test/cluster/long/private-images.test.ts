// Goal: an image that asks for a password runs on every node of a cluster, however it is deployed, also after a node was restarted and after the password was changed;
// and nobody without the password gets it, although other nodes have its layers. Method: a lab, docker-registry with htpasswd, stock docker and tcompose.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Lab } from '../../support/cluster-lab/lab.ts';
import {
  LAB_REGISTRY,
  type LabRegistry,
  labRegistry,
  registryFlags,
} from '../../support/lab-registry.ts';
import { HTPASSWD } from '../../support/registry.ts';
import { type Result, until } from '../../support/test-node.ts';
import { labUp } from '../cluster.ts';

const NODES = ['m1', 'w1', 'w2'];
const IMAGE = `${LAB_REGISTRY}/private:1`;
/** `user` / `renewed`. */
const RENEWED = 'user:$2b$05$4I/bVHigOLFaCoH6LYpfzugpz8mkCc3qeexmQLGpFfqzNt2oYVip6\n';
const STACK = `
services:
  app:
    image: ${IMAGE}
    command: [sh, -c, "exec sleep 1000"]
    init: true
    deploy: {mode: global}
`;

let lab: Lab;
let registry: LabRegistry;
let file = '';
beforeAll(async () => {
  lab = await labUp({ managers: 1, workers: 2, daemonFlags: registryFlags });
  registry = await labRegistry(lab, { htpasswd: HTPASSWD });
  mkdirSync(join(lab.folder, 'docker'));
  file = join(lab.folder, 'compose.yaml');
  writeFileSync(file, STACK);
  await lab.importBusybox(['m1']);
  await login('secret');
  await docker('tag', 'busybox:test', IMAGE);
  await docker('push', '-q', IMAGE);
  await forget();
}, 120_000);
afterAll(async () => {
  await registry?.stop();
  await lab?.down();
});

/** With the credentials of `login`, on the manager. */
async function docker(...args: string[]): Promise<Result> {
  const done = await call(['docker', '-H', `unix://${lab.paths('m1').socket}`, ...args]);
  expect([done.code, done.stderr]).toEqual([0, expect.any(String)]);
  return done;
}

function call(command: readonly string[], config = join(lab.folder, 'docker')): Promise<Result> {
  return lab.exec('m1', command, { env: { DOCKER_CONFIG: config }, timeoutMs: 60_000 });
}

async function login(password: string): Promise<void> {
  await docker('login', '-u', 'user', '-p', password, LAB_REGISTRY);
}

/** No node has the image. */
async function forget(): Promise<void> {
  await until(async () => {
    for (const node of NODES) await lab.tswarm(node, ['image', 'rm', '-f', IMAGE]);
    for (const node of NODES) await lab.tswarm(node, ['image', 'prune', '-af']);
    return (await Promise.all(NODES.map(hasIt))).every((has) => !has);
  }, 30_000);
}

async function hasIt(node: string): Promise<boolean> {
  const images = await lab.api<readonly { RepoDigests: string[] }[]>(node, '/images/json');
  return images.some(({ RepoDigests }) => RepoDigests.some((name) => name.includes('/private@')));
}

/** Tasks that run now, one on each node. */
async function runsOn(service: string, nodes: readonly string[]): Promise<void> {
  let said = '';
  await until(
    async () => {
      const format = '{{.Node}} {{.CurrentState}} {{.Error}}';
      said = (await docker('service', 'ps', '--no-trunc', '--format', format, service)).stdout;
      return nodes.every((node) => new RegExp(`^${node} Running`, 'm').test(said));
    },
    40_000,
    () => said,
  );
}

it('runs on every node by docker stack deploy --with-registry-auth', async () => {
  await docker('stack', 'deploy', '--with-registry-auth', '-c', versioned(), 'shop');
  await runsOn('shop_app', NODES);
  await docker('stack', 'rm', 'shop');
  await forget();
});

function versioned(): string {
  const path = join(lab.folder, 'stack.yaml');
  writeFileSync(path, `version: "3.8"${STACK}`);
  return path;
}

it('runs on every node by tcompose up', async () => {
  const compose = ['tcompose', '-f', file, '-p', 'site'];
  expect(await call([...compose, 'up', '-d', '--wait'])).toMatchObject({ code: 0 });
  await runsOn('site_app', NODES);
  expect(await call([...compose, 'down'])).toMatchObject({ code: 0 });
  await forget();
});

it('reaches a node that needs it only after a restart of that node and of the manager', async () => {
  const create = ['service', 'create', '-d', '--mode', 'global', '--name', 'app'];
  const place = ['--constraint', 'node.hostname!=w1', '--constraint', 'node.hostname!=w2'];
  await docker(...create, ...place, '--with-registry-auth', IMAGE, 'sleep', '1000');
  await runsOn('app', ['m1']);
  for (const node of ['w1', 'm1']) {
    await lab.stop(node);
    await lab.start(node, registryFlags);
  }
  await until(async () => {
    const update = ['tswarm', 'service', 'update', '-d', '--constraint-rm', 'node.hostname!=w1'];
    return (await call([...update, 'app'])).code === 0;
  }, 30_000);
  await runsOn('app', ['m1', 'w1']);
});

it('is given to nobody who has no credentials, although other nodes have its layers', async () => {
  const pull = ['docker', '-H', `unix://${lab.paths('w2').socket}`, 'pull', IMAGE];
  const refused = await lab.exec('w2', pull, { env: { DOCKER_CONFIG: lab.folder } });
  expect(refused.stderr).toMatch(/access denied|unauthorized|no basic auth/);
});

it('follows a change of the password', async () => {
  await registry.setUsers(RENEWED);
  const anywhere = ['--constraint-rm', 'node.hostname!=w2'];
  await lab.ok('m1', ['service', 'update', '-d', ...anywhere, 'app']);
  await until(async () => {
    const ps = await docker('service', 'ps', '--no-trunc', '--format', '{{.Error}}', 'app');
    return /denied|unauthorized|authentication/.test(ps.stdout);
  }, 30_000);
  await login('renewed');
  await docker('service', 'update', '-d', '--with-registry-auth', '--force', 'app');
  await runsOn('app', NODES);
});
