// Debian's docker-registry inside a test node's network namespace, where its daemon reaches it over loopback, and the docker client's pushes go.
import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Result, until } from './test-node.ts';

/** A namespace of its own has all ports to itself. */
const PORT = 25_000;

export interface NodeRegistry extends AsyncDisposable {
  /** `127.0.0.1:<port>` */
  readonly host: string;
}

/** A host of its own: a TestNode, or a peer of a benchmark. */
export interface RegistryHost {
  readonly folder: string;
  /** Path of its network namespace. */
  readonly netns: string;
  inside(command: string, args: readonly string[]): Promise<Result>;
}

/** `htpasswd`: only those in it are let in. */
export async function registryInside(
  node: RegistryHost,
  options: { readonly htpasswd?: string } = {},
): Promise<NodeRegistry> {
  const folder = join(node.folder, 'registry');
  mkdirSync(folder, { recursive: true });
  const config = join(folder, 'config.yml');
  const host = `127.0.0.1:${PORT}`;
  const users = join(folder, 'htpasswd');
  const { htpasswd } = options;
  if (htpasswd !== undefined) writeFileSync(users, htpasswd);
  const auth =
    htpasswd === undefined ? '' : `auth:\n  htpasswd:\n    realm: test\n    path: ${users}\n`;
  writeFileSync(
    config,
    `version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: ${folder}/data\nhttp:\n  addr: ${host}\n${auth}`,
  );
  const args = [`--net=${node.netns}`, 'docker-registry', 'serve', config];
  const registry = spawn('nsenter', args, { stdio: 'ignore' });
  await until(
    async () => (await node.inside('curl', ['-s', `http://${host}/v2/`])).code === 0,
    10_000,
  );
  return {
    host,
    [Symbol.asyncDispose]: async () => {
      const ended = new Promise((resolve) => registry.once('exit', resolve));
      registry.kill('SIGKILL');
      await ended;
    },
  };
}
