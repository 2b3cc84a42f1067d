// Native programs for another architecture: built by Debian's cross compiler in a Debian root of their own (mmdebstrap, kept in build/), so that nothing
// of this host changes. Needs a network the first time.
import { existsSync, mkdirSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fail, ROOT, run, say } from '../setup.mjs';

/** Debian's names by ours. */
const TARGETS = {
  arm64: { debian: 'arm64', triplet: 'aarch64-linux-gnu' },
  x64: { debian: 'amd64', triplet: 'x86-64-linux-gnu' },
};
const SUITE = 'bookworm';

/** Parts of the C library: every host has its own. */
export function isOfGlibc(path) {
  return /^(libc|libm|libdl|libpthread|librt|ld-linux.*)\.so/.test(basename(path));
}

/** @returns the folder of the programs, and the shared libraries that tswarm-net needs */
export function buildForeignNative(arch) {
  const { debian, triplet } = TARGETS[arch];
  const root = join(ROOT, 'build', `cross-${arch}`);
  if (!existsSync(join(root, 'ready'))) makeRoot(root, debian, triplet);
  say(`Building the native programs for ${arch}`);
  const source = join(root, 'source');
  rmSync(source, { recursive: true, force: true });
  run('cp', ['-R', join(ROOT, 'native'), source]);
  rmSync(join(source, 'build'), { recursive: true, force: true });
  run('chroot', [
    root,
    'env',
    `PKG_CONFIG_LIBDIR=/usr/lib/${triplet}/pkgconfig`,
    ...['make', '-s', '-C', '/source', '-j2', `CC=${triplet}-gcc`],
  ]);
  const native = join(source, 'build');
  return { native, libraries: needed(root, triplet, join(native, 'tswarm-net')) };
}

function makeRoot(root, debian, triplet) {
  say(`Making a Debian root with a cross compiler for ${debian} (once, about 500 MB)`);
  rmSync(root, { recursive: true, force: true });
  mkdirSync(join(ROOT, 'build'), { recursive: true });
  const host = run('dpkg', ['--print-architecture']);
  const packages = [
    'make',
    'pkg-config',
    `gcc-${triplet}`,
    `binutils-${triplet}`,
    ...['libc6-dev', 'libseccomp-dev', 'libnftables-dev', 'zlib1g-dev'].map(
      (name) => `${name}:${debian}`,
    ),
  ];
  run('mmdebstrap', [
    '--variant=apt',
    `--architectures=${host},${debian}`,
    `--include=${packages.join(',')}`,
    SUITE,
    root,
  ]);
  run('touch', [join(root, 'ready')]);
}

/** The libraries that a program of another architecture names, and what those name, without the C library. */
function needed(root, triplet, program) {
  const folder = join(root, 'usr/lib', triplet);
  if (!existsSync(folder)) fail(`${folder} is not there: remove build/cross-* and try again`);
  const known = new Set(readdirSync(folder));
  const found = new Map();
  const visit = (path) => {
    const text = run('chroot', [root, `${triplet}-readelf`, '-d', path.slice(root.length)]);
    for (const [, name] of text.matchAll(/\(NEEDED\).*\[(.+)\]/g)) {
      if (isOfGlibc(name) || found.has(name) || !known.has(name)) continue;
      found.set(name, join(folder, name));
      visit(join(root, realpathSync(join(folder, name)).slice(realpathSync(root).length)));
    }
  };
  visit(program);
  return [...found.values()];
}
