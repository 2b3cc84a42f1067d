// What the set-up says when something is missing: each test starts the real script, or a function of it, in an environment that lacks one thing, and looks
// at the sentence and the exit code. Nothing is installed: every case ends before the first change, and PATH holds only what the test puts there.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../../..');
const SCRIPTS = join(ROOT, 'scripts');

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tswarm-scripts-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function script(name: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Outcome {
  return spawnSync(process.execPath, [join(SCRIPTS, name), ...args], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
}

/** Runs an expression with a module of scripts/ as `m`. */
function evaluate(module: string, code: string, env: NodeJS.ProcessEnv = {}): Outcome {
  const text = `import * as m from ${JSON.stringify(join(SCRIPTS, module))};\n${code}`;
  return spawnSync(process.execPath, ['--input-type=module', '-e', text], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
}

function program(name: string, body: string): void {
  const path = join(folder, name);
  writeFileSync(path, `#!/bin/sh\n${body}\n`);
  chmodSync(path, 0o755);
}

describe('quickstart', () => {
  it('refuses an unknown option', () => {
    const outcome = script('quickstart.mjs', ['--dwon']);
    expect(outcome.stderr).toBe('Error: unknown option --dwon; the only one is --down.\n');
    expect(outcome.status).toBe(1);
  });

  it('says that it needs root', () => {
    const code = `process.getuid = () => 1000; m.requireRoot('npm run quickstart');`;
    const outcome = evaluate('setup.mjs', code);
    expect(outcome.stderr).toBe('Error: npm run quickstart needs root; run it with sudo.\n');
    expect(outcome.status).toBe(1);
  });

  it('says which Node is needed', () => {
    const code = `Object.defineProperty(process, 'versions', { value: { node: '18.20.4' } });
      Object.defineProperty(process, 'version', { value: 'v18.20.4' });
      m.requireNode();`;
    const outcome = evaluate('setup.mjs', code);
    expect(outcome.stderr).toBe(
      'Error: Node.js v18.20.4 is too old; version 20 or newer is needed to start the set-up.\n',
    );
    expect(outcome.status).toBe(1);
  });
});

describe('system packages', () => {
  it('names the missing ones when there is no apt-get', () => {
    program('dpkg-query', `echo 'gcc installed'; exit 1`);
    const outcome = evaluate('setup.mjs', `m.installPackages(['build']);`, { PATH: folder });
    expect(outcome.stderr).toContain('Error: apt-get is missing; install these packages by hand:');
    expect(outcome.stderr).toContain(' make libc6-dev ');
    expect(outcome.stderr).not.toContain(' gcc ');
    expect(outcome.status).toBe(1);
  });

  it('says that this is no Debian when there is no dpkg', () => {
    const outcome = evaluate('setup.mjs', `m.installPackages(['build']);`, { PATH: folder });
    expect(outcome.stderr).toBe(
      'Error: this host has no dpkg: Debian 12, Debian 13 or Ubuntu is needed.\n',
    );
    expect(outcome.status).toBe(1);
  });

  it('counts a package that is only half installed as missing', () => {
    program('dpkg-query', `echo 'ca-certificates half-configured'; echo 'mmdebstrap installed'`);
    const outcome = evaluate('setup.mjs', `m.installPackages(['run']);`, { PATH: folder });
    expect(outcome.stderr).toBe(
      'Error: apt-get is missing; install these packages by hand: ca-certificates.\n',
    );
  });
});

describe('lock', () => {
  it('keeps a second run off, and names the first', async () => {
    const path = join(folder, 'lock');
    const code = `await m.takeLock(${JSON.stringify(path)});`;
    const module = JSON.stringify(join(SCRIPTS, 'quickstart-lock.mjs'));
    const first = spawn(process.execPath, [
      '--input-type=module',
      '-e',
      `import * as m from ${module};\n${code} console.log('has it'); process.stdin.resume();`,
    ]);
    await once(first.stdout, 'data');
    const second = evaluate('quickstart-lock.mjs', code);
    expect(second.stderr).toBe(
      `Error: another quickstart (pid ${first.pid}) is at work on this host; wait until it has ended.\n`,
    );
    expect(second.status).toBe(1);

    first.kill('SIGKILL');
    await once(first, 'exit');
    expect(existsSync(path)).toBe(true);
    const third = evaluate('quickstart-lock.mjs', code);
    expect(third.stderr).toBe('');
    expect(third.status).toBe(0);
    expect(existsSync(path)).toBe(false);
  });

  it('waits for what a killed run has left running', () => {
    const path = join(folder, 'lock');
    writeFileSync(path, '999999999 1\n');
    writeFileSync(`${path}.999999999`, '');
    const left = spawn('sleep', ['1'], { env: { ...process.env, TSWARM_SETUP: '999999999' } });
    const outcome = evaluate('quickstart-lock.mjs', `await m.takeLock(${JSON.stringify(path)});`);
    expect(outcome.stdout).toContain('Waiting for what a killed quickstart has left running: ');
    expect(outcome.status).toBe(0);
    expect(existsSync(`${path}.999999999`)).toBe(false);
    left.kill();
  });
});

describe('port', () => {
  it('says which program listens', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const outcome = evaluate('port-holder.mjs', `console.log(m.portHolder(${port}));`);
    server.close();
    expect(outcome.stdout).toContain(`(pid ${process.pid})`);
  });
});

describe('commands', () => {
  it('pass every flag on to the program, also those that Node has too', () => {
    for (const path of ['native/build', 'dist/cli/tcompose', 'bin'])
      mkdirSync(join(folder, path), { recursive: true });
    symlinkSync(process.execPath, join(folder, 'node'));
    const program = join(folder, 'dist/cli/tcompose/main.js');
    writeFileSync(program, 'console.log(JSON.stringify(process.argv.slice(2)))');
    const bin = join(folder, 'bin');
    evaluate('library.mjs', `m.writeCommands(${JSON.stringify(folder)}, ${JSON.stringify(bin)})`);
    const args = ['--env-file', '/does/not/exist', 'up', '--', '-x y'];
    const ran = spawnSync(join(bin, 'tcompose'), args, { encoding: 'utf8' });
    expect([ran.status, ran.stdout, ran.stderr]).toEqual([0, `${JSON.stringify(args)}\n`, '']);
  });
});

describe('apt sources of the base image', () => {
  const deb822 = (suites: string): string =>
    `Types: deb\nURIs: http://mirror.example/debian\nSuites: ${suites}\nComponents: main\n`;

  function sources(files: Readonly<Record<string, string>>): Outcome {
    mkdirSync(join(folder, 'sources.list.d'));
    writeFileSync(join(folder, 'os-release'), 'ID=debian\nVERSION_CODENAME=trixie\n');
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    const args = [folder, join(folder, 'os-release')].map((path) => JSON.stringify(path));
    return evaluate('base-image.mjs', `console.log(m.aptSources(${args.join(', ')}).join(' '));`);
  }

  it('takes the usual file, not another vendor', () => {
    const outcome = sources({
      'sources.list': '# see sources.list.d\n',
      'sources.list.d/debian.sources': deb822('trixie trixie-updates'),
      'sources.list.d/vendor.list': 'deb https://vendor.example/apt trixie main\n',
    });
    expect(outcome.stdout.trim()).toBe(join(folder, 'sources.list.d/debian.sources'));
  });

  it('finds the distribution under another file name', () => {
    const outcome = sources({
      'sources.list.d/0000main.sources': deb822('trixie'),
      'sources.list.d/other.list': 'deb [signed-by=/x] https://vendor.example/apt stable main\n',
    });
    expect(outcome.stdout.trim()).toBe(join(folder, 'sources.list.d/0000main.sources'));
  });

  it('says that there is none', () => {
    const outcome = sources({ 'sources.list': '# deb http://mirror.example/debian trixie main\n' });
    expect(outcome.stderr).toBe(`Error: no apt source in ${folder} names trixie.\n`);
    expect(outcome.status).toBe(1);
  });
});
