// A real registry (Debian's docker-registry) inside a node's network namespace, with one image of several layers that checks itself.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../../support/test-node.ts';
import type { CrashNode } from './crash-node.ts';
import { REGISTRY_PORT } from './operations-images.ts';

const LAYERS = 4;
/** Enough that reading, unpacking and syncing take longer than a moment. */
const LAYER_BYTES = 2_000_000;

export class NodeRegistry {
  readonly #node: CrashNode;
  readonly #config: string;
  #process: ChildProcess | undefined;

  private constructor(node: CrashNode, config: string) {
    this.#node = node;
    this.#config = config;
  }

  static async start(node: CrashNode): Promise<NodeRegistry> {
    const folder = join(node.folder, 'registry');
    mkdirSync(folder);
    const config = join(folder, 'config.yml');
    writeFileSync(
      config,
      `version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: ${folder}/data\nhttp:\n  addr: 127.0.0.1:${REGISTRY_PORT}\n`,
    );
    const registry = new NodeRegistry(node, config);
    await registry.run();
    await push(node);
    return registry;
  }

  /** Starts it with what it had, e.g. in the new network namespace after a reboot. */
  async run(): Promise<void> {
    await this.stop();
    const args = [`--net=${this.#node.netns}`, 'docker-registry', 'serve', this.#config];
    this.#process = spawn('nsenter', args, { stdio: 'ignore' });
    const url = `http://127.0.0.1:${REGISTRY_PORT}/v2/`;
    await until(async () => (await this.#node.inside('curl', ['-sf', url])).code === 0, 60_000);
  }

  async stop(): Promise<void> {
    const process = this.#process;
    this.#process = undefined;
    if (!process || process.exitCode !== null || process.signalCode !== null) return;
    const ended = new Promise((resolve) => process.once('exit', resolve));
    process.kill('SIGKILL');
    await ended;
  }
}

async function push(node: CrashNode): Promise<void> {
  const folder = join(node.folder, 'layers');
  mkdirSync(folder);
  const names = Array.from({ length: LAYERS }, (_, i) => `layer${i}`);
  for (const name of names) writeFileSync(join(folder, name), randomBytes(LAYER_BYTES));
  const copies = names.map((name) => `COPY ${name} /${name}\n`).join('');
  const dockerfile = `FROM busybox:test\n${copies}RUN sha256sum ${names.map((n) => `/${n}`).join(' ')} > /sums\n`;
  writeFileSync(join(folder, 'Dockerfile'), dockerfile);
  const context = execFileSync('tar', ['-C', folder, '-c', '.'], { maxBuffer: 64 * 1024 * 1024 });
  const name = `127.0.0.1:${REGISTRY_PORT}/layers`;
  await node.api.stream(`/build?t=${name}:1`, context, 'application/x-tar');
  const pushed = await node.docker(['push', `${name}:1`]);
  if (pushed.code !== 0) throw new Error(`push: ${pushed.stderr}`);
  await node.api.text(`/images/${name}:1`, 'DELETE');
  await node.api.json('POST', '/images/prune');
}
