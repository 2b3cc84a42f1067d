// Which compose files make up the project when that is not said with `-f`: COMPOSE_FILE, else the
// usual names in the working folder and, failing that, in each folder above (compose.md §2.1).

import type { Diagnostics } from './errors.ts';
import { dirName, isRemote, resolvePath } from './paths.ts';
import type { StringMap } from './project.ts';
import type { Reader } from './reader.ts';

const FILE_NAMES = ['compose.yaml', 'compose.yml', 'docker-compose.yml', 'docker-compose.yaml'];
const OVERRIDE_NAMES = [
  'compose.override.yml',
  'compose.override.yaml',
  'docker-compose.override.yml',
  'docker-compose.override.yaml',
];

/** Files named by COMPOSE_FILE, absolute; `undefined` when it is not set. */
export function filesFromVariable(variables: StringMap, cwd: string): string[] | undefined {
  const listed = variables.COMPOSE_FILE;
  if (listed === undefined || listed === '') return undefined;
  const separator = variables.COMPOSE_PATH_SEPARATOR ?? ':';
  return listed
    .split(separator === '' ? ':' : separator)
    .filter((path) => path !== '')
    .map((path) => absolute(path, cwd));
}

/** `path` as given on the command line; `-` and what is not on this machine stay as they are. */
export function absolute(path: string, cwd: string): string {
  return path === '-' || isRemote(path) ? path : resolvePath(cwd, path);
}

/** The files found from `startDir` upwards; empty when there are none. */
export function discoverFiles(
  startDir: string,
  reader: Reader,
  diagnostics: Diagnostics,
): readonly string[] {
  for (let dir = startDir; ; dir = dirName(dir)) {
    const found = present(dir, FILE_NAMES, reader);
    const [winner] = found;
    if (winner !== undefined) {
      const overrides = present(dir, OVERRIDE_NAMES, reader);
      warnOfSeveral('config', found, diagnostics);
      warnOfSeveral('override', overrides, diagnostics);
      return overrides[0] === undefined ? [winner] : [winner, overrides[0]];
    }
    if (dir === '/' || dir === '.') return [];
  }
}

function present(dir: string, names: readonly string[], reader: Reader): string[] {
  return names.map((name) => resolvePath(dir, name)).filter((path) => reader.files.isFile(path));
}

function warnOfSeveral(
  kind: 'config' | 'override',
  found: readonly string[],
  diagnostics: Diagnostics,
): void {
  if (found.length < 2) return;
  diagnostics.warn(`Found multiple ${kind} files with supported names: ${found.join(', ')}`);
  diagnostics.warn(`Using ${found[0]}`);
}

/** The project folder: where relative paths of the `-f` files start from. */
export function projectDirectory(
  flag: string | undefined,
  configFiles: readonly string[],
  cwd: string,
): string {
  if (flag !== undefined && flag !== '') return resolvePath(cwd, flag);
  const first = configFiles.find((path) => path !== '-' && !isRemote(path));
  return first === undefined ? cwd : dirName(first);
}
