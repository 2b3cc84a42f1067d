// Makes the image `tswarm-base:latest`: a minimal Debian or Ubuntu like this host's, made from its own package sources, so that Dockerfiles have
// something to build on without a registry. Does nothing when the image is there.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { fail, say } from './setup.mjs';

export const BASE_IMAGE = 'tswarm-base:latest';

/** `tswarm` is a command with its first arguments (a test passes another socket). */
export async function ensureBaseImage(tswarm) {
  const [program, ...args] = tswarm;
  const listed = spawnSync(
    program,
    [...args, 'image', 'ls', '--format', '{{.Repository}}:{{.Tag}}'],
    { encoding: 'utf8' },
  );
  if (listed.status !== 0) fail(`images cannot be listed: ${listed.stderr.trim()}`);
  if (listed.stdout.split('\n').includes(BASE_IMAGE)) return;
  say(`Making the base image ${BASE_IMAGE} from this host's package sources (about half a minute)`);
  const make = spawn(
    'mmdebstrap',
    [
      '--variant=minbase',
      '--include=ca-certificates',
      '--quiet',
      '--dpkgopt=path-exclude=/usr/share/doc/*',
      '--dpkgopt=path-exclude=/usr/share/man/*',
      '--dpkgopt=path-exclude=/usr/share/locale/*',
      '--aptopt=Acquire::Languages "none"',
      '',
      '-',
      ...aptSources(),
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let errors = '';
  make.stderr.on('data', (text) => {
    errors += text;
  });
  const making = ended(make);
  // The archive comes at the end of all the work, which may take minutes: nobody is to wait for it with a connection open.
  await once(make.stdout, 'readable');
  const load = spawn(program, [...args, 'image', 'import', '-', BASE_IMAGE], {
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  load.stdin.on('error', () => {}); // It ended early, and says itself why.
  make.stdout.pipe(load.stdin);
  const [made, loaded] = await Promise.all([making, ended(load)]);
  if (made !== 0) fail(`mmdebstrap failed: ${errors.trim().split('\n').slice(-3).join(' ')}`);
  if (loaded !== 0) fail('the base image could not be imported.');
}

function ended(child) {
  return new Promise((resolve) => child.once('exit', resolve));
}

/** The host's apt sources, in the forms that mmdebstrap reads: the distribution's own, because other vendors' packages do not belong in a base image. */
export function aptSources(apt = '/etc/apt', release = '/etc/os-release') {
  const folder = `${apt}/sources.list.d`;
  const names = existsSync(folder) ? readdirSync(folder).sort() : [];
  const files = [
    `${apt}/sources.list`,
    ...names.filter((name) => /\.(list|sources)$/.test(name)).map((name) => `${folder}/${name}`),
  ].filter((path) => existsSync(path));
  const codename = /^VERSION_CODENAME=(\w+)$/m.exec(readText(release))?.[1] ?? '';
  const usual = files.filter((path) => /\/(sources\.list|(debian|ubuntu)\.sources)$/.test(path));
  // Installers and cloud images use other names, too; then the suite tells.
  for (const candidates of [usual, files]) {
    const own = candidates.filter((path) => namesSuite(readText(path), codename));
    if (own.length > 0) return own;
  }
  fail(`no apt source in ${apt} names ${codename || 'a suite of Debian or Ubuntu'}.`);
}

/** A line that is no comment and has the suite (bookworm, bookworm-updates, ...) as a word of its own. */
function namesSuite(text, codename) {
  const suite = codename === '' ? '(stable|testing|unstable|sid)' : codename;
  return new RegExp(
    `^(deb|Suites:)\\s([^#\\n]*\\s)?${suite}(-[a-z]+)?(/updates)?(\\s|$)`,
    'm',
  ).test(text);
}

function readText(path) {
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await ensureBaseImage(['tswarm']);
