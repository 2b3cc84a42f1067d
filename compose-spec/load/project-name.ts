// What the project is called (compose.md §2.2): `-p`, then COMPOSE_PROJECT_NAME, then `name:` in the
// files, then the project folder. The first two must be right as they are; the others are made so.

import type { Diagnostics } from './errors.ts';
import { baseName } from './paths.ts';
import type { StringMap } from './project.ts';
import type { Reader } from './reader.ts';
import { type Lookup, substitute, unsetWarning } from './template.ts';
import { child } from './tree.ts';

/** Lower case, only letters, digits, `_` and `-`, not starting with the last two. */
export function normalizeProjectName(name: string): string {
  const letters = name.toLowerCase().match(/[a-z0-9_-]/g) ?? [];
  return letters.join('').replace(/^[_-]+/, '');
}

/** What is wrong with a name that somebody gave; undefined = nothing. */
export function projectNameFault(
  given: string,
): { readonly message: string; readonly hint?: string } | undefined {
  const fits = normalizeProjectName(given);
  if (fits === given) return undefined;
  return {
    message: `invalid project name ${JSON.stringify(given)}: must consist only of lowercase alphanumeric characters, hyphens, and underscores as well as start with a letter or number`,
    ...(fits === '' ? {} : { hint: `for example ${fits}` }),
  };
}

/** The name, empty when none can be found; an invalid one is reported. */
export function chooseProjectName(
  options: {
    readonly flag: string | undefined;
    readonly variables: StringMap;
    readonly configFiles: readonly string[];
    readonly workingDir: string;
    /** `undefined` with `--no-interpolate`. */
    readonly lookup: Lookup | undefined;
  },
  reader: Reader,
  diagnostics: Diagnostics,
): string {
  const { flag, variables, configFiles, workingDir, lookup } = options;
  for (const given of [flag, variables.COMPOSE_PROJECT_NAME]) {
    if (given === undefined || given === '') continue;
    const fault = projectNameFault(given);
    if (fault) {
      const { message, ...hint } = fault;
      diagnostics.error('name', message, hint);
    }
    return given;
  }
  let written = '';
  for (const path of configFiles) {
    for (const document of reader.parse(path) ?? []) {
      const name = child(document.root, 'name');
      if (name?.kind !== 'scalar' || typeof name.value !== 'string' || name.value === '') continue;
      // A template that fails is reported where the file is interpolated.
      const result =
        lookup === undefined
          ? { ok: true as const, text: name.value }
          : substitute(name.value, lookup, (variable) =>
              diagnostics.warn(unsetWarning(variable), { at: name.at, path: 'name' }),
            );
      written = result.ok ? result.text : written;
    }
  }
  const fromFile = normalizeProjectName(written);
  return fromFile === '' ? normalizeProjectName(baseName(workingDir)) : fromFile;
}
