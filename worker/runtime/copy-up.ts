// An empty named volume gets what the image has at its target, with owner and mode of that folder (Docker's behaviour on first use).
// Target and copy go through tswarm-layer on both sides, so that no link of the image can lead out of its root: neither to files of the host nor to a
// folder of the host whose owner and mode the volume would get. A half copy is emptied again.
import { spawn } from 'node:child_process';
import { chmod, chown, readdir } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { removeTree } from '../files.ts';
import { LayerTool } from '../images/layer-tool.ts';
import type { RootfsPaths } from '../images/types.ts';
import type { RuntimeDeps } from './deps.ts';
import { endOf } from './native-call.ts';
import type { MountPoint } from './record.ts';

/** Fills every empty volume among these mounts. */
export async function fillVolumes(
  mounts: readonly MountPoint[],
  rootfs: RootfsPaths,
  deps: RuntimeDeps,
): Promise<void> {
  const { nativeDir } = deps.options;
  const tool = new LayerTool(nativeDir);
  for (const mount of mounts) {
    if (mount.Type !== 'volume' || !mount.extra.copyUp || mount.Name === undefined) continue;
    if (!(await isEmpty(mount.Source))) continue;
    // A target that is a link means the folder that it leads to in the container, where the volume is mounted.
    const target = posix.join(mount.Destination, '/');
    const info = await tool.stat(rootfs.mergedDir, target);
    if (info === undefined) continue;
    await chown(mount.Source, info.uid, info.gid);
    await chmod(mount.Source, info.unixMode & 0o7777);
    try {
      await copyTree(rootfs.mergedDir, target, mount.Source, nativeDir);
    } catch (error) {
      await empty(mount.Source);
      throw error;
    }
  }
}

async function isEmpty(path: string): Promise<boolean> {
  return (await readdir(path).catch(() => [])).length === 0;
}

async function empty(path: string): Promise<void> {
  for (const name of await readdir(path)) await removeTree(join(path, name));
}

/** `tar` of a folder's content piped into `apply` on another. */
async function copyTree(
  root: string,
  path: string,
  target: string,
  nativeDir: string,
): Promise<void> {
  const program = join(nativeDir, 'tswarm-layer');
  const from = spawn(program, ['tar', '--root', root, '--path', path, '--name', '.'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {},
  });
  const to = spawn(program, ['apply', '--plain', '--root', target], {
    stdio: ['pipe', 'ignore', 'pipe'],
    env: {},
  });
  from.stdout.pipe(to.stdin);
  // A broken pipe shows as the other side's failure.
  to.stdin.on('error', () => undefined);
  const ends = [endOf(from, program), endOf(to, program)];
  try {
    await Promise.all(
      ends.map(async (end) => {
        const failure = await end;
        if (failure) throw failure;
      }),
    );
  } finally {
    // Whoever is left would wait for the other for ever; and nothing is written any more when the half copy is removed.
    from.kill('SIGKILL');
    to.kill('SIGKILL');
    await Promise.all(ends);
  }
}
