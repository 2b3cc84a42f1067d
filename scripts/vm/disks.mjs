// Disks with what is slow in the machine: tswarmd, laid out as an installation is; the tests of test/native with vitest and the sources that they import; Debian's
// Docker with what it is measured by. JavaScript takes tens of times longer there and a dockerd ten times, so each is only made when it is asked for.
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { node24, ROOT, run } from '../setup.mjs';
import { CACHE, debianSources, unpack } from './images.mjs';

/** By test: what fills its disk, and the disk's size. */
export const DISKS = {
  daemon: { fill: fillDaemon, sizeMib: 320 },
  native: { fill: fillNative, sizeMib: 320 },
  'swarm-mesh': { fill: fillSwarmMesh, sizeMib: 1024 },
  'tswarm-mesh': { fill: fillTswarmMesh, sizeMib: 1024 },
};

/** Of the root with Docker in it, which is mounted in the place of the machine's own. */
const DOCKER_PACKAGES = [
  'dash',
  'docker.io',
  'grep',
  'iproute2',
  'iptables',
  'jq',
  'mount',
  'procps',
];

/** Writes the image of a disk below `folder`. @returns its path */
export function makeDisk(folder, name) {
  const content = join(folder, name);
  mkdirSync(content);
  const { fill, sizeMib } = DISKS[name];
  fill(content);
  const disk = join(folder, `${name}.ext4`);
  run('mke2fs', ['-q', '-t', 'ext4', '-O', '^has_journal', '-d', content, disk, `${sizeMib}M`]);
  return disk;
}

function fillDaemon(content) {
  addNode(content);
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
  addNode(content);
  const sources = ['test/native', 'worker', 'protocol', 'native'];
  for (const path of ['vitest.config.ts', 'tsconfig.base.json', ...sources])
    copyHere(content, path);
  for (const path of packagesOf('node_modules/vitest')) copyHere(content, path);
}

function addNode(content) {
  cpSync(join(ROOT, 'package.json'), join(content, 'package.json'));
  cpSync(node24(), join(content, 'node'));
}

/** Debian's root with Docker. */
function fillSwarmMesh(content) {
  const root = join(CACHE, 'docker');
  if (!existsSync(root)) unpackDocker(root);
  run('cp', ['-al', root, join(content, 'root')]);
  addLoad(content);
}

/** As with the other images, `rm -r .cache/vm` makes the next run do it anew. */
function unpackDocker(target) {
  const root = `${target}-making`;
  rmSync(root, { recursive: true, force: true });
  unpack(DOCKER_PACKAGES, root, debianSources());
  // What the packages would do when they are set up.
  for (const name of ['iptables', 'ip6tables']) {
    symlinkSync('xtables-nft-multi', join(root, 'usr/sbin', name));
  }
  if (!existsSync(join(root, 'bin/sh'))) symlinkSync('dash', join(root, 'bin/sh'));
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n');
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\ndocker:x:999:\n');
  renameSync(root, target);
}

function fillTswarmMesh(content) {
  fillDaemon(content);
  addLoad(content);
}

/** The image of the rolling-update tests and the client that loads it. */
function addLoad(content) {
  const sources = join(ROOT, 'test/support/rolling');
  const image = join(content, 'image');
  mkdirSync(image);
  const compile = (source, target) =>
    run('gcc', ['-O2', '-static', '-pthread', '-o', target, join(sources, source)]);
  compile('graceful-server.c', join(image, 'server'));
  run('tar', ['-C', image, '-cf', join(content, 'image.tar'), '.']);
  compile('load.c', join(content, 'load'));
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
