// The programs of the OCI runtime validation suite (opencontainers/runtime-tools), built from Debian's source package below .cache/validation: Debian has
// no package of the programs. Compiler and libraries are only unpacked, never installed, and nothing is fetched past apt, whose index holds the checksum of
// the source. `rm -r .cache/validation` builds them anew.
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fail, ROOT, run, say } from '../setup.mjs';

const CACHE = join(ROOT, '.cache/validation');
const SOURCE = 'golang-github-opencontainers-runtime-tools';
/** Whose version of the suite: later than Debian 12's, which lacks the programs for control groups of v2. */
const SUITE_RELEASE = 'trixie';
/** Raise it when what is built below changes. */
const SUITE_VERSION = '1';
const LIBRARIES = ['golang-go', `${SOURCE}-dev`, 'golang-github-google-uuid-dev'];

/** Builds what is missing. @returns { folder: where the programs must run, programs: their paths by name } */
export function ensureSuite() {
  const suite = { folder: join(CACHE, 'suite'), bin: join(CACHE, 'bin') };
  const stamp = join(CACHE, 'version');
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== SUITE_VERSION) {
    say('Building the OCI validation suite (about a minute)');
    rmSync(CACHE, { recursive: true, force: true });
    mkdirSync(CACHE, { recursive: true });
    build(suite);
    writeFileSync(stamp, SUITE_VERSION);
  }
  const programs = readdirSync(suite.bin).sort();
  return { folder: suite.folder, programs: new Map(programs.map((n) => [n, join(suite.bin, n)])) };
}

function build(suite) {
  const work = mkdtempSync(join(CACHE, 'making-'));
  mkdirSync(suite.folder);
  const archive = fetchSource(work);
  run('tar', ['-xJf', archive, '-C', suite.folder, '--strip-components=1']);
  const tree = join(work, 'tree');
  run('mmdebstrap', [
    '--variant=extract',
    '--mode=root',
    '--quiet',
    `--include=${LIBRARIES.join(',')}`,
    '',
    tree,
    ...hostSources(),
  ]);
  const [version] = readdirSync(join(tree, 'usr/lib')).filter((name) => /^go-\d/.test(name));
  if (version === undefined) fail('the package golang-go brought no compiler.');
  const compiler = compilerOf(tree, version);
  const own = join(work, 'gopath');
  const imports = join(own, 'src/github.com');
  mkdirSync(join(imports, 'opencontainers'), { recursive: true });
  symlinkSync(suite.folder, join(imports, 'opencontainers/runtime-tools'));
  mkdirSync(join(imports, 'mndrix/tap-go'), { recursive: true });
  copyFileSync(join(ROOT, 'scripts/validation/tap.go'), join(imports, 'mndrix/tap-go/tap.go'));
  const env = {
    GOROOT: compiler,
    GOPATH: `${own}:${join(tree, 'usr/share/gocode')}`,
    GOCACHE: join(work, 'cache'),
    GO111MODULE: 'off',
    GOFLAGS: '',
    CGO_ENABLED: '0',
  };
  const cwd = join(imports, 'opencontainers/runtime-tools');
  const go = join(compiler, 'bin/go');
  run(go, ['build', '-ldflags=-s -w', '-o', 'runtimetest', './cmd/runtimetest'], { cwd, env });
  const programs = readdirSync(join(suite.folder, 'validation'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name !== 'util')
    .map(({ name }) => name);
  mkdirSync(suite.bin);
  run(go, ['build', '-o', `${suite.bin}/`, ...programs.map((name) => `./validation/${name}`)], {
    cwd,
    env,
  });
  rmSync(work, { recursive: true, force: true });
}

/** Debian splits the compiler's folder in two that refer to each other by absolute links. */
function compilerOf(tree, version) {
  const compiler = join(tree, 'usr/lib', version);
  const shared = join(tree, 'usr/share', version);
  for (const name of ['api', 'misc', 'src', 'test']) {
    rmSync(join(compiler, name), { recursive: true, force: true });
    if (existsSync(join(shared, name))) symlinkSync(join(shared, name), join(compiler, name));
  }
  return compiler;
}

function hostSources() {
  const files = ['/etc/apt/sources.list', '/etc/apt/sources.list.d/debian.sources'];
  const sources = files.filter((path) => existsSync(path));
  if (sources.length === 0) fail('no apt sources of Debian found in /etc/apt.');
  return sources;
}

/** The source's archive, by an apt of its own that knows nothing but the suite's release. */
function fetchSource(work) {
  const text = hostSources()
    .map((path) => readFileSync(path, 'utf8'))
    .join('\n');
  const mirror = /https?:\/\/\S+/.exec(text.replaceAll(/^#.*$/gm, ''))?.[0];
  if (mirror === undefined) fail('the apt sources of this host name no mirror.');
  const list = join(work, 'sources.list');
  const key = '[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]';
  writeFileSync(list, `deb-src ${key} ${mirror} ${SUITE_RELEASE} main\n`);
  mkdirSync(join(work, 'lists/partial'), { recursive: true });
  const options = [
    `Dir::Etc::sourcelist=${list}`,
    'Dir::Etc::sourceparts=-',
    `Dir::State::lists=${join(work, 'lists')}`,
    'APT::Sandbox::User=root',
  ].flatMap((option) => ['-o', option]);
  run('apt-get', [...options, 'update', '-qq']);
  const uris = run('apt-get', [...options, 'source', '--print-uris', '-qq', SOURCE]);
  const line = /'(\S+\.orig\.tar\.xz)' \S+ \d+ SHA256:([0-9a-f]{64})/.exec(uris);
  if (line === null) fail(`apt knows no source archive of ${SOURCE} in ${SUITE_RELEASE}.`);
  const [, uri, sum] = line;
  const part = join(work, 'source.part');
  run('curl', ['--fail', '--silent', '--show-error', '--location', '-o', part, uri]);
  const found = createHash('sha256').update(readFileSync(part)).digest('hex');
  if (found !== sum) fail(`${uri} is not what apt's index says: checksum ${found}.`);
  const archive = join(work, 'source.tar.xz');
  renameSync(part, archive);
  return archive;
}
