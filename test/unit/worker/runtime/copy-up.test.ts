// Goal: a volume that cannot be filled is empty again, and no process of the copy is left. Method: programs in the place of tswarm-layer, one that never stops
// writing and one that fails.
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { RootfsPaths } from '#worker/images/types';
import { fillVolumes } from '#worker/runtime/copy-up';
import type { RuntimeDeps } from '#worker/runtime/deps';
import type { MountPoint } from '#worker/runtime/record';

const folder = mkdtempSync(join(tmpdir(), 'tswarm-copy-up-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('a copy of which one side fails', () => {
  it('ends the other side too, empties the volume and says why', async () => {
    const [pidFile, volume] = [join(folder, 'pid'), join(folder, 'volume')];
    mkdirSync(volume);
    const program = join(folder, 'tswarm-layer');
    writeFileSync(
      program,
      `#!/bin/sh
if [ "$1" = stat ]; then echo '{"uid":0,"gid":0,"unixMode":16877}'; exit; fi
if [ "$1" = tar ]; then echo $$ > ${pidFile}; exec /bin/cat /dev/zero; fi
while [ ! -s ${pidFile} ]; do /bin/sleep 0.01; done
echo half > ${volume}/half
echo no room left >&2
exit 1
`,
    );
    chmodSync(program, 0o755);
    const mount = {
      Type: 'volume',
      Name: 'v',
      Source: volume,
      Destination: '/data',
      extra: { copyUp: true },
    } as unknown as MountPoint;
    const deps = { options: { nativeDir: folder } } as unknown as RuntimeDeps;
    const rootfs = { mergedDir: join(folder, 'merged') } as unknown as RootfsPaths;
    await expect(fillVolumes([mount], rootfs, deps)).rejects.toThrow('no room left');
    expect(readdirSync(volume)).toEqual([]);
    const pid = Number(readFileSync(pidFile, 'utf8'));
    expect(pid).toBeGreaterThan(1);
    expect(() => process.kill(pid, 0)).toThrow('ESRCH');
  });
});
