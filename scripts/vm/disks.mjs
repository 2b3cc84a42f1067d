// Disks with what runs on Node in the machine: tswarmd, laid out as an installation is, and the tests of test/native with vitest and the sources that they
// import. JavaScript takes tens of times longer there, so each is only made when it is asked for.
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { node24, ROOT, run } from '../setup.mjs';

const DISK_MIB = 320;

/** Disks by the test that needs them. */
export const DISKS = { daemon: fillDaemon, native: fillNative };

/** Writes the image of a disk below `folder`. @returns its path */
export function makeDisk(folder, name) {
  const content = join(folder, name);
  mkdirSync(content);
  cpSync(join(ROOT, 'package.json'), join(content, 'package.json'));
  cpSync(node24(), join(content, 'node'));
  DISKS[name](content);
  const disk = join(folder, `${name}.ext4`);
  run('mke2fs', ['-q', '-t', 'ext4', '-O', '^has_journal', '-d', content, disk, `${DISK_MIB}M`]);
  return disk;
}

function fillDaemon(content) {
  mkdirSync(join(content, 'native/build'), { recursive: true });
  copyHere(content, 'dist');
  for (const name of readdirSync(join(ROOT, 'native/build'))) {
    if (name.startsWith('tswarm-')) copyHere(content, join('native/build', name));
  }
  for (const [path, info] of Object.entries(lockedPackages())) {
    const isWanted = path !== '' && !info.dev && !path.includes('node_modules/node-linux-');
    if (isWanted && existsSync(join(ROOT, path))) copyHere(content, path);
  }
}

function fillNative(content) {
  const sources = ['test/native', 'worker', 'protocol', 'native'];
  for (const path of ['vitest.config.ts', 'tsconfig.base.json', ...sources])
    copyHere(content, path);
  for (const path of packagesOf('node_modules/vitest')) copyHere(content, path);
}

/** With its times: make must find nothing to do. */
function copyHere(content, path) {
  cpSync(join(ROOT, path), join(content, path), { recursive: true, preserveTimestamps: true });
}

function lockedPackages() {
  return JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')).packages;
}

/** A package of the lock file and all that it needs, as far as it is installed here. */
function packagesOf(first) {
  const packages = lockedPackages();
  const found = new Set();
  const visit = (path) => {
    if (path === undefined || found.has(path) || !existsSync(join(ROOT, path))) return;
    found.add(path);
    const { dependencies, optionalDependencies, peerDependencies } = packages[path];
    const names = { ...dependencies, ...optionalDependencies, ...peerDependencies };
    for (const name of Object.keys(names)) visit(nearest(packages, path, name));
  };
  visit(first);
  return found;
}

/** Where Node would find package `name` from the package at `path`. */
function nearest(packages, path, name) {
  for (let at = path; ; at = at.slice(0, Math.max(at.lastIndexOf('/node_modules/'), 0))) {
    const candidate = join(at, 'node_modules', name);
    if (candidate in packages) return candidate;
    if (at === '') return undefined;
  }
}
