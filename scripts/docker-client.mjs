// The stock `docker` command, which the tests use as a client of ours. Debian's package brings the daemon along and starts it, so the package is only unpacked
// below .cache/docker-client, never installed. Does nothing where the host has the command.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { ROOT, run, say } from './setup.mjs';

const CACHE = join(ROOT, '.cache/docker-client');
/** Debian 13 and later have the command in a package of its own. */
const PACKAGES = ['docker-cli', 'docker.io'];

/** Puts the command on this process's PATH. */
export function provideDockerClient() {
  if (!spawnSync('docker', ['--version']).error) return;
  const folder = join(CACHE, 'usr/bin');
  if (!existsSync(join(folder, 'docker'))) unpack();
  process.env.PATH = `${folder}${delimiter}${process.env.PATH}`;
}

function unpack() {
  const name = PACKAGES.find((candidate) => hasCandidate(candidate)) ?? PACKAGES[1];
  say(`Unpacking the docker client of the package ${name}`);
  mkdirSync(join(ROOT, '.cache'), { recursive: true });
  const work = mkdtempSync(join(ROOT, '.cache/docker-client-'));
  try {
    run('apt-get', ['download', '-qq', '-o', 'APT::Sandbox::User=root', name], { cwd: work });
    const [archive] = readdirSync(work);
    run('dpkg-deb', ['--extract', join(work, archive), join(work, 'unpacked')]);
    rmSync(CACHE, { recursive: true, force: true });
    renameSync(join(work, 'unpacked'), CACHE);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function hasCandidate(name) {
  const { stdout } = spawnSync('apt-cache', ['policy', name], { encoding: 'utf8' });
  return /Candidate: (?!\(none\))/.test(stdout ?? '');
}
