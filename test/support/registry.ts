// Debian's docker-registry as a real peer: one process on a free loopback port, with its storage in
// a temporary folder.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** `user` / `secret`, bcrypt. */
export const HTPASSWD: string =
  'user:$2y$05$3wAhDXkgXDnshNEV1S/RReNRbAVxZ.wByjuwBFewROTrteuAscA1u\n';

export interface RegistryProcess {
  /** `127.0.0.1:<port>` */
  readonly host: string;
  readonly dir: string;
  stop(): Promise<void>;
}

export async function startRegistry(options: { htpasswd?: string } = {}): Promise<RegistryProcess> {
  const dir = await mkdtemp(join(tmpdir(), 'tsw-registry-'));
  const port = await freePort();
  const auth =
    options.htpasswd === undefined
      ? ''
      : `auth:\n  htpasswd:\n    realm: test\n    path: ${dir}/htpasswd\n`;
  if (options.htpasswd !== undefined) await writeFile(join(dir, 'htpasswd'), options.htpasswd);
  await writeFile(
    join(dir, 'config.yml'),
    `version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: ${dir}/data\n  delete:\n    enabled: true\nhttp:\n  addr: 127.0.0.1:${port}\n${auth}`,
  );
  const child = spawn('docker-registry', ['serve', join(dir, 'config.yml')], {
    stdio: ['ignore', 'ignore', 'ignore'],
  });
  await waitForPort(port, child);
  return {
    host: `127.0.0.1:${port}`,
    dir,
    stop: async () => {
      const ended = new Promise((resolve) => child.once('close', resolve));
      child.kill('SIGKILL');
      await ended;
      await rm(dir, { recursive: true, force: true });
    },
  };
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (typeof address !== 'object' || address === null) throw new Error('no port');
  return address.port;
}

async function waitForPort(port: number, child: ChildProcess): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    if (child.exitCode !== null) throw new Error(`docker-registry ended with ${child.exitCode}`);
    const response = await fetch(`http://127.0.0.1:${port}/`).catch(() => undefined);
    if (response !== undefined) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('docker-registry does not answer');
}
