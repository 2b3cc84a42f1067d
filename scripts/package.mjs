// npm run package: everything that a host needs in one archive, Node included: build/tswarm-VERSION-linux-ARCH.tar.gz. The host needs no network for it.
// `-- --arch arm64` makes the one for the other architecture; its native programs are built in a Debian root of their own (scripts/package/cross.mjs).
// The same sources make the same bytes: names sorted, one owner, one time.
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { makeLibrary } from './library.mjs';
import { buildForeignNative, isOfGlibc } from './package/cross.mjs';
import {
  buildNative,
  buildTypeScript,
  fail,
  installNodeModules,
  ROOT,
  requireNode,
  run,
  say,
} from './setup.mjs';

const ARCHES = ['x64', 'arm64'];
const OUT = join(ROOT, 'build');

requireNode();
const arch = archOf(process.argv.slice(2));
const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
const name = `tswarm-${version}-linux-${arch}`;
installNodeModules();
say('Building');
buildTypeScript();
const { native, libraries } = arch === process.arch ? ownNative() : buildForeignNative(arch);
mkdirSync(OUT, { recursive: true });
const folder = mkdtempSync(join(OUT, 'package-'));
try {
  const top = join(folder, name);
  makeLibrary(join(top, 'lib'), { node: nodeFor(arch), native });
  // What tswarm-net needs and a bare host may lack, beside it: it looks there first (native/Makefile).
  mkdirSync(join(top, 'lib/native/build/lib'));
  for (const path of libraries) {
    copyFileSync(path, join(top, 'lib/native/build/lib', basename(path)));
  }
  cpSync(join(ROOT, 'scripts/take-down.mjs'), join(top, 'lib/take-down.mjs'));
  for (const file of ['install.sh', 'README.txt']) {
    cpSync(join(ROOT, 'scripts/package', file), join(top, file));
  }
  cpSync(join(ROOT, 'daemon/tswarmd.service'), join(top, 'tswarmd.service'));
  cpSync(join(ROOT, 'LICENSE'), join(top, 'LICENSE'));
  writeFileSync(join(top, 'ARCH'), `${arch}\n`);
  chmodSync(join(top, 'install.sh'), 0o755);
  const archive = join(OUT, `${name}.tar.gz`);
  pack(folder, name, archive);
  const megabytes = (statSync(archive).size / 1e6).toFixed(0);
  say(`build/${name}.tar.gz (${megabytes} MB): unpack it on a host and run install.sh there.`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function archOf(args) {
  const [flag, value = process.arch] = args[0] === '--arch' ? args : ['--arch', args[0]];
  if (flag === '--arch' && ARCHES.includes(value) && args.length <= 2) return value;
  return fail('the only option is --arch x64 or --arch arm64.');
}

function ownNative() {
  buildNative();
  const native = join(ROOT, 'native/build');
  const libraries = run('ldd', [join(native, 'tswarm-net')])
    .split('\n')
    .map((line) => /=> (\/\S+)/.exec(line)?.[1])
    .filter((path) => path !== undefined && !isOfGlibc(path));
  return { native, libraries };
}

/** From the npm package of that architecture, which installs only on its own: fetched once and kept. */
function nodeFor(wanted) {
  const installed = join(ROOT, `node_modules/node-linux-${wanted}/bin/node`);
  if (existsSync(installed)) return installed;
  const { version: wantedVersion } = JSON.parse(
    readFileSync(join(ROOT, 'package-lock.json'), 'utf8'),
  ).packages[`node_modules/node-linux-${wanted}`];
  const kept = join(OUT, `node-linux-${wanted}-${wantedVersion}`);
  if (!existsSync(join(kept, 'package/bin/node'))) {
    say(`Fetching Node for ${wanted}`);
    mkdirSync(kept, { recursive: true });
    const spec = `node-linux-${wanted}@${wantedVersion}`;
    const file = run('npm', ['pack', '--silent', '--pack-destination', kept, spec]);
    run('tar', ['-xf', join(kept, file), '-C', kept]);
  }
  return join(kept, 'package/bin/node');
}

function pack(parent, top, archive) {
  const time = spawnSync('git', ['-C', ROOT, 'log', '-1', '--format=%ct'], { encoding: 'utf8' });
  const seconds = time.status === 0 ? time.stdout.trim() : '0';
  const flags = ['--sort=name', '--owner=0', '--group=0', '--numeric-owner', `--mtime=@${seconds}`];
  run('tar', ['-C', parent, ...flags, '-I', 'gzip -n -6', '-cf', archive, top]);
}
