// Debian's docker-registry on a node of a lab, reached by all its nodes, with the kernel counting what it sends. The daemons need `registryFlags`.
import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { addressOf } from './cluster-lab/kernel.ts';
import type { Lab } from './cluster-lab/lab.ts';
import { until } from './test-node.ts';

/** Namespaces have all ports to themselves. */
const PORT = 25_000;
const TABLE = 'registry_test';

/** `address:port` of the registry on the first node. */
export const LAB_REGISTRY: string = `${addressOf(0)}:${PORT}`;
export const registryFlags: readonly string[] = ['--insecure-registries', LAB_REGISTRY];

export interface LabRegistry extends AsyncDisposable {
  readonly host: string;
  /** Bytes that it has sent so far, packet headers included. */
  sentBytes(): Promise<number>;
  /** Who is let in from now on, as htpasswd(1) writes it. */
  setUsers(htpasswd: string): Promise<void>;
  /** It answers no more; content stays. */
  stop(): Promise<void>;
  start(): Promise<void>;
}

/** On the lab's first node. `htpasswd`: only those in it are let in. */
export async function labRegistry(
  lab: Lab,
  options: { readonly htpasswd?: string } = {},
): Promise<LabRegistry> {
  const [node] = lab.nodes;
  if (!node) throw new Error('the lab has no node');
  const folder = join(lab.folder, 'registry');
  mkdirSync(folder, { recursive: true });
  const users = join(folder, 'htpasswd');
  const config = join(folder, 'config.yml');
  const { htpasswd } = options;
  if (htpasswd !== undefined) writeFileSync(users, htpasswd);
  const auth =
    htpasswd === undefined ? '' : `auth:\n  htpasswd:\n    realm: test\n    path: ${users}\n`;
  writeFileSync(
    config,
    `version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: ${folder}/data\nhttp:\n  addr: 0.0.0.0:${PORT}\n${auth}`,
  );
  const rules = `table inet ${TABLE} { chain out { type filter hook output priority 0; tcp sport ${PORT} counter; }; }`;
  await must(lab, node.name, ['nft', rules]);
  let child = spawn('true', { stdio: 'ignore' });
  const start = async (): Promise<void> => {
    const args = [...lab.enter(node.name), 'docker-registry', 'serve', config];
    child = spawn('nsenter', args, { stdio: 'ignore' });
    const url = `http://${LAB_REGISTRY}/v2/`;
    await until(async () => (await lab.exec(node.name, ['curl', '-s', url])).code === 0, 20_000);
  };
  const stop = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  };
  await start();
  return {
    host: LAB_REGISTRY,
    async sentBytes() {
      const list = ['nft', '-j', 'list', 'table', 'inet', TABLE];
      const text = await must(lab, node.name, list);
      return Number(/"counter":\s*\{[^}]*"bytes":\s*(\d+)/.exec(text)?.[1]);
    },
    async setUsers(text) {
      writeFileSync(users, text);
      // It reads the file again when its time of change is another one.
      await stop();
      await start();
    },
    stop,
    start,
    [Symbol.asyncDispose]: stop,
  };
}

async function must(lab: Lab, node: string, command: readonly string[]): Promise<string> {
  const result = await lab.exec(node, command);
  if (result.code === 0) return result.stdout;
  throw new Error(`${command.join(' ')}: ${result.stderr}`);
}
