// The web server of the rolling-update tests as an image: one static program, compiled here.
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { TestNode } from '../test-node.ts';

/** Compiles the server. @returns the path of a tar with its root file system */
export function serverTar(folder: string): string {
  const root = join(folder, 'graceful');
  mkdirSync(root, { recursive: true });
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
