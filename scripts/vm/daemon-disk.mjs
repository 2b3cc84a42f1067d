// A disk with all that tswarmd needs to run, laid out as an installation is: Node, the compiled programs, their npm packages, the native programs.
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { node24, ROOT, run } from '../setup.mjs';

const DISK_MIB = 320;

/** Writes the image below `folder`. @returns its path */
export function makeDaemonDisk(folder) {
  const content = join(folder, 'daemon');
  mkdirSync(join(content, 'native/build'), { recursive: true });
  cpSync(join(ROOT, 'package.json'), join(content, 'package.json'));
  cpSync(join(ROOT, 'dist'), join(content, 'dist'), { recursive: true });
  cpSync(node24(), join(content, 'node'));
  const built = join(ROOT, 'native/build');
  for (const name of readdirSync(built)) {
    if (name.startsWith('tswarm-')) cpSync(join(built, name), join(content, 'native/build', name));
  }
  const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8'));
  for (const [path, info] of Object.entries(lock.packages)) {
    const wanted = path !== '' && !info.dev && !path.includes('node_modules/node-linux-');
    if (wanted && existsSync(join(ROOT, path))) {
      cpSync(join(ROOT, path), join(content, path), { recursive: true });
    }
  }
  const disk = join(folder, 'daemon.ext4');
  run('mke2fs', ['-q', '-t', 'ext4', '-O', '^has_journal', '-d', content, disk, `${DISK_MIB}M`]);
  return disk;
}
