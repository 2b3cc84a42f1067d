// Makes the image `tswarm-base:latest`: a minimal Debian or Ubuntu like this host's, made from its own package sources, so that Dockerfiles have
// something to build on without a registry. Does nothing when the image is there.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
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
  const load = spawn(program, [...args, 'image', 'import', '-', BASE_IMAGE], {
    stdio: [make.stdout, 'ignore', 'inherit'],
  });
  const [made, loaded] = await Promise.all([ended(make), ended(load)]);
  if (made !== 0) fail(`mmdebstrap failed: ${errors.trim().split('\n').slice(-3).join(' ')}`);
  if (loaded !== 0) fail('the base image could not be imported.');
}

function ended(child) {
  return new Promise((resolve) => child.once('exit', resolve));
}

/** The host's apt sources, in the forms that mmdebstrap reads. */
function aptSources() {
  const files = [];
  if (existsSync('/etc/apt/sources.list')) files.push('/etc/apt/sources.list');
  const folder = '/etc/apt/sources.list.d';
  if (existsSync(folder)) {
    for (const name of readdirSync(folder).sort()) {
      // Only the distribution's own: other vendors' packages do not belong in a base image.
      if (/^(debian|ubuntu)\.sources$/.test(name)) files.push(`${folder}/${name}`);
    }
  }
  if (files.length === 0) fail('no apt sources found in /etc/apt.');
  return files;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await ensureBaseImage(['tswarm']);
