// The web server of the rolling-update tests as an image: one static program, compiled here, and the host's static busybox for the health check.
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { TestNode } from '../test-node.ts';

/** Flags of `service create`: a task gets connections once it answers. */
export const HEALTH_FLAGS: readonly string[] = [
  '--health-cmd',
  'wget -q -O /dev/null http://127.0.0.1:8080/',
  '--health-interval',
  '300ms',
  '--health-retries',
  '10',
];

/** Compiles the server. @returns the path of a tar with its root file system */
export function serverTar(folder: string): string {
  const root = join(folder, 'graceful');
  mkdirSync(join(root, 'bin'), { recursive: true });
  copyFileSync('/bin/busybox', join(root, 'bin/busybox'));
  for (const name of ['sh', 'wget']) {
    const link = join(root, 'bin', name);
    if (!existsSync(link)) symlinkSync('busybox', link);
  }
  const source = join(import.meta.dirname, 'graceful-server.c');
  execFileSync('gcc', ['-O2', '-static', '-pthread', '-o', join(root, 'server'), source]);
  const tar = join(folder, 'graceful.tar');
  execFileSync('tar', ['-C', root, '-cf', tar, '.']);
  return tar;
}

/** Imports it into a node's images. */
export async function importServer(node: TestNode, name: string): Promise<void> {
  const tar = serverTar(node.folder);
  const change = 'ENTRYPOINT ["/server"]';
  const result = await node.tswarm(['image', 'import', tar, name, '-c', change]);
  if (result.code !== 0) throw new Error(`import failed: ${result.stderr}`);
}
