// The folder that holds everything that runs on a host (by default /usr/local/lib/tswarm): Node, the compiled programs, the npm packages they need, the native
// programs. Made by `npm run quickstart` for this host and by `npm run package` for any.
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './setup.mjs';

/** Commands on PATH and what Node is called with for each. After `--`, Node leaves a flag of ours that it has too (`--env-file`) alone. */
export const PROGRAMS = {
  tswarm: ['--', 'dist/cli/tswarm/main.js'],
  tcompose: ['--', 'dist/cli/tcompose/main.js'],
  tswarmd: ['dist/daemon/main.js'],
};

const PARTS = [
  'protocol',
  'compose-spec',
  'manager',
  'worker',
  'api',
  'daemon',
  'cli',
  'dashboard',
];

/** Fills an empty folder. `node`: the Node binary; `native`: folder of the native programs, for the same architecture. */
export function makeLibrary(folder, { node, native }) {
  mkdirSync(`${folder}/native/build`, { recursive: true });
  cpSync(join(ROOT, 'package.json'), `${folder}/package.json`);
  for (const part of PARTS) {
    cpSync(join(ROOT, 'dist', part), `${folder}/dist/${part}`, { recursive: true });
  }
  cpSync(join(ROOT, 'dashboard/static'), `${folder}/dashboard/static`, { recursive: true });
  for (const name of readdirSync(native)) {
    if (name.startsWith('tswarm-')) cpSync(join(native, name), `${folder}/native/build/${name}`);
  }
  cpSync(node, `${folder}/node`);
  chmodSync(`${folder}/node`, 0o755);
  for (const path of productionModules()) {
    cpSync(join(ROOT, path), join(folder, path), { recursive: true });
  }
}

/** Puts the commands of a library into a folder that is on PATH. */
export function writeCommands(library, folder) {
  const commands = {
    ...Object.fromEntries(
      Object.entries(PROGRAMS).map(([name, words]) => [
        name,
        [`${library}/node`, ...words.slice(0, -1), `${library}/${words.at(-1)}`].join(' '),
      ]),
    ),
    ...Object.fromEntries(
      readdirSync(`${library}/native/build`)
        .filter((name) => name.startsWith('tswarm-'))
        .map((name) => [name, `${library}/native/build/${name}`]),
    ),
  };
  for (const [name, command] of Object.entries(commands)) {
    const path = join(folder, name);
    writeFileSync(path, `#!/bin/sh\nexec ${command} "$@"\n`);
    chmodSync(path, 0o755);
  }
}

/** Folders below node_modules that the programs need at run time. */
function productionModules() {
  const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8'));
  return Object.entries(lock.packages)
    .filter(
      ([path, info]) => path !== '' && !info.dev && !path.includes('node_modules/node-linux-'),
    )
    .map(([path]) => path)
    .filter((path) => existsSync(join(ROOT, path)));
}
