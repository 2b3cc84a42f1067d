// Entry of the loader: from command-line input to a project, or to every error in it. This file owns
// the order of the steps (compose.md §2.6); the steps themselves live beside it.
// It reads nothing but what `ComposeFiles` gives and the environment it is handed.

import { type Bound, bindObject, toJson } from './bind.ts';
import { checkConsistency, type Locate } from './consistency.ts';
import { absolute, discoverFiles, filesFromVariable, projectDirectory } from './discover.ts';
import {
  addEnvFiles,
  CONTENT_KEY,
  chooseEnvFiles,
  lookupIn,
  readServiceFiles,
} from './environment.ts';
import { type ComposeError, type ComposeWarning, Diagnostics } from './errors.ts';
import { FILE_OBJECT, MODEL, NETWORK, SERVICE, type Table, VOLUME } from './fields.ts';
import type { ComposeFiles } from './files.ts';
import { parseBoolean } from './interpolate.ts';
import { loadLayer } from './layer.ts';
import { normalizeProject, type ProjectParts } from './normalize.ts';
import { isRemote } from './paths.ts';
import { activeProfiles, splitByProfiles } from './profiles.ts';
import type { JsonValue, Project, Service, StringMap } from './project.ts';
import { chooseProjectName } from './project-name.ts';
import { Reader } from './reader.ts';
import { mapValues } from './records.ts';
import type { VariableUse } from './template.ts';
import { child, childString, deepestNode, type Node } from './tree.ts';
import { usedVariables } from './used-variables.ts';

/** What the caller knows before any file is read. Paths may be relative to `cwd`. */
export interface LoadInput {
  /** Absolute working directory of the caller. */
  readonly cwd: string;
  /** `-f` in order; `-` is standard input. Empty or absent: COMPOSE_FILE, then discovery. */
  readonly configFiles?: readonly string[];
  /** Text of standard input, needed when a config file is `-`. */
  readonly stdin?: string;
  /** `-p`. */
  readonly projectName?: string;
  /** `--project-directory`. */
  readonly projectDirectory?: string;
  /** `--profile`; empty: COMPOSE_PROFILES. */
  readonly profiles?: readonly string[];
  /** `--env-file`; empty: COMPOSE_ENV_FILES, then `.env`. */
  readonly envFiles?: readonly string[];
  /** Services named on the command line; their profiles become active. */
  readonly services?: readonly string[];
  /** `--compatibility`: names with underscores, as docker-compose 1 gave them. Absent: COMPOSE_COMPATIBILITY. */
  readonly compatibility?: boolean;
  /** Process environment. */
  readonly environment: Readonly<Record<string, string>>;
  /** `config --no-interpolate`: leave `${…}` as it is written. */
  readonly skipInterpolation?: boolean;
  /** `config --no-normalize`: leave out default networks, names and implied dependencies. */
  readonly skipNormalization?: boolean;
  /** `config --no-consistency`: do not check that names refer to something. */
  readonly skipConsistency?: boolean;
  /** `config --no-path-resolution`: leave relative paths of the `-f` files relative. */
  readonly skipPathResolution?: boolean;
  /** `config --no-env-resolution`: do not read env files of services. */
  readonly skipEnvResolution?: boolean;
}

/** A place in a file, for errors found after loading. */
export interface Location {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly sourceLine: string;
}

/** The project, or all errors; warnings either way. */
export type LoadResult =
  | {
      readonly ok: true;
      readonly project: Project;
      readonly warnings: readonly ComposeWarning[];
      /** Variables of the merged files, where `skipInterpolation` left them; sorted by name, each once. */
      readonly variables: () => readonly VariableUse[];
      /** Where the deepest existing part of a key path (`services.web.gpus`) was written. */
      readonly locate: (path: string) => Location | undefined;
    }
  | {
      readonly ok: false;
      readonly errors: readonly ComposeError[];
      readonly warnings: readonly ComposeWarning[];
    };

/** Loads a compose project; never throws for what the files contain. */
export function loadProject(input: LoadInput, files: ComposeFiles): LoadResult {
  const diagnostics = new Diagnostics();
  const reader = new Reader(files, input.stdin, diagnostics);
  const loaded = new Loader(input, reader, diagnostics).load();
  const { errors, warnings } = diagnostics;
  if (loaded === undefined || errors.length > 0) return { ok: false, errors, warnings };
  return { ok: true, ...loaded, warnings };
}

/** Where things are and which variables count: known before any compose file is merged. */
interface Setting {
  readonly configFiles: readonly string[];
  readonly workingDir: string;
  readonly variables: StringMap;
  readonly envFiles: readonly string[];
  readonly name: string;
}

class Loader {
  readonly #input: LoadInput;
  readonly #reader: Reader;
  readonly #diagnostics: Diagnostics;

  constructor(input: LoadInput, reader: Reader, diagnostics: Diagnostics) {
    this.#input = input;
    this.#reader = reader;
    this.#diagnostics = diagnostics;
  }

  load(): Omit<Extract<LoadResult, { ok: true }>, 'ok' | 'warnings'> | undefined {
    const setting = this.#findSetting();
    if (setting === undefined) return undefined;
    const { configFiles, workingDir, variables, name } = setting;
    const tree = loadLayer(configFiles, {
      reader: this.#reader,
      diagnostics: this.#diagnostics,
      variables,
      skipInterpolation: this.#input.skipInterpolation === true,
      homeDir: variables.HOME,
      skipPathResolution: this.#input.skipPathResolution === true,
      baseDir: workingDir,
      including: [],
    });
    if (tree === undefined || tree.kind !== 'map' || tree.entries.size === 0) {
      if (this.#diagnostics.errors.length === 0) {
        const hint = 'a compose file needs at least `services:`';
        this.#diagnostics.error('schema', 'empty compose file', { file: configFiles[0], hint });
      }
      return undefined;
    }
    if (name === '') {
      const hint = 'use -p NAME, or set `name:` in the file';
      this.#diagnostics.error('name', 'project name must not be empty', { hint });
    }
    const locateNode: Locate = (path) => deepestNode(tree, path).at;
    const bound = this.#bind(tree);
    const parts =
      this.#input.skipNormalization === true ? bound : normalizeProject(bound, name, variables);
    const project = this.#assemble(parts, tree, setting, locateNode);
    const locate = (path: string): Location => {
      const { file, offset } = deepestNode(tree, splitPath(tree, path)).at;
      const { line, column, text } = file.lineAt(offset);
      return { file: file.path, line, column, sourceLine: text };
    };
    return { project, locate, variables: () => usedVariables(tree) };
  }

  #findSetting(): Setting | undefined {
    const { cwd, environment } = this.#input;
    const flagged = (this.#input.configFiles ?? []).map((path) => absolute(path, cwd));
    const before = projectDirectory(this.#input.projectDirectory, flagged, cwd);
    let { variables, envFiles } = this.#withEnvFiles(environment, before);
    let configFiles: readonly string[] = flagged;
    if (configFiles.length === 0) configFiles = filesFromVariable(variables, cwd) ?? [];
    if (configFiles.length === 0) {
      configFiles = discoverFiles(before, this.#reader, this.#diagnostics);
    }
    if (configFiles.length === 0) {
      const hint = `create compose.yaml in ${before}, or name a file with -f`;
      this.#diagnostics.error('file', 'no configuration file provided: not found', { hint });
      return undefined;
    }
    const remote = configFiles.find(isRemote);
    if (remote !== undefined) {
      const hint = 'download the project and name its path';
      this.#diagnostics.error('unsupported', `${remote}: remote files are not supported`, { hint });
      return undefined;
    }
    const workingDir = projectDirectory(this.#input.projectDirectory, configFiles, cwd);
    if (workingDir !== before) {
      const again = this.#withEnvFiles(variables, workingDir);
      variables = again.variables;
      envFiles = [...new Set([...envFiles, ...again.envFiles])];
    }
    const name = chooseProjectName(
      {
        flag: this.#input.projectName,
        variables,
        configFiles,
        workingDir,
        lookup: this.#input.skipInterpolation === true ? undefined : lookupIn(variables),
      },
      this.#reader,
      this.#diagnostics,
    );
    const complete = { ...variables, COMPOSE_PROJECT_NAME: name };
    return { configFiles, workingDir, variables: complete, envFiles, name };
  }

  #withEnvFiles(
    variables: StringMap,
    workingDir: string,
  ): { variables: StringMap; envFiles: readonly string[] } {
    const { cwd, envFiles: flags = [] } = this.#input;
    const envFiles = chooseEnvFiles({ flags, cwd, workingDir, variables }, this.#reader);
    return {
      variables: addEnvFiles(variables, envFiles, this.#reader, this.#diagnostics),
      envFiles,
    };
  }

  #bind(tree: Node): ProjectParts {
    // The tables are checked against the types where they are written (`fields.ts`).
    const all = <T>(section: string, table: Table): Record<string, T> => {
      const node = child(tree, section);
      if (node?.kind !== 'map') return {};
      const bound: [string, Bound][] = [];
      for (const [name, { value }] of node.entries) {
        const object = bindObject(value, table, [section, name], this.#diagnostics);
        const content = childString(value, CONTENT_KEY);
        if (content !== undefined) object.content = content;
        bound.push([name, object]);
      }
      return Object.fromEntries(bound) as Record<string, T>;
    };
    return {
      services: all('services', SERVICE),
      networks: all('networks', NETWORK),
      volumes: all('volumes', VOLUME),
      configs: all('configs', FILE_OBJECT),
      secrets: all('secrets', FILE_OBJECT),
      models: all('models', MODEL),
    };
  }

  #assemble(parts: ProjectParts, tree: Node, setting: Setting, locate: Locate): Project {
    const { configFiles, workingDir, variables, envFiles, name } = setting;
    const { profiles: flags = [], services: named = [] } = this.#input;
    const profiles = activeProfiles(flags, variables, named, parts.services);
    const { active, disabled } = splitByProfiles(parts.services, profiles);
    const extensions: [string, JsonValue][] = [];
    if (tree.kind === 'map') {
      for (const [key, { value }] of tree.entries) {
        if (key.startsWith('x-')) extensions.push([key, toJson(value)]);
      }
    }
    const project: Project = {
      ...parts,
      name,
      workingDir,
      configFiles,
      envFiles,
      environment: variables,
      profiles,
      separator: isCompatible(this.#input.compatibility, variables) ? '_' : '-',
      services: active,
      disabledServices: disabled,
      extensions: Object.fromEntries(extensions),
    };
    if (this.#input.skipConsistency !== true) {
      checkConsistency(project, locate, this.#diagnostics);
    }
    if (this.#input.skipEnvResolution === true) return project;
    const services = mapValues(active, (service, key) =>
      this.#readFiles(service, key, variables, locate),
    );
    return { ...project, services };
  }

  #readFiles(service: Service, key: string, variables: StringMap, locate: Locate): Service {
    return readServiceFiles(service, {
      variables,
      reader: this.#reader,
      diagnostics: this.#diagnostics,
      asker: (field, index) => {
        const path = ['services', key, field, index];
        return { at: locate(path), path: path.join('.') };
      },
    });
  }
}

function isCompatible(flag: boolean | undefined, variables: StringMap): boolean {
  return flag ?? parseBoolean(variables.COMPOSE_COMPATIBILITY ?? '')?.value === true;
}

/** A dotted path as keys of `tree`; keys may contain dots themselves. */
function splitPath(tree: Node, path: string): (string | number)[] {
  const parts: string[] = [];
  let node: Node | undefined = tree;
  let rest = path;
  while (rest !== '' && node !== undefined) {
    const keys: string[] = node.kind === 'map' ? [...node.entries.keys()] : [];
    const key: string =
      keys
        .filter((candidate) => rest === candidate || rest.startsWith(`${candidate}.`))
        .sort((a, b) => b.length - a.length)[0] ??
      rest.split('.', 1)[0] ??
      rest;
    parts.push(key);
    rest = rest.slice(key.length + 1);
    node = node.kind === 'seq' ? node.items[Number(key)] : child(node, key);
  }
  return parts;
}
