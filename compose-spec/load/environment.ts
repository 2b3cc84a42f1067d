// The variables that `${…}` sees: the process environment over env files (compose.md §2.3). And the
// variables of containers: `environment` over the service's env files. Everything comes in as a map.

import { parseDotenv, parseRawEnv } from './dotenv.ts';
import type { Diagnostics } from './errors.ts';
import { parseBoolean } from './interpolate.ts';
import { resolvePath } from './paths.ts';
import type { NullableStringMap, Service, StringMap } from './project.ts';
import type { Asker, Reader } from './reader.ts';
import { ownValue } from './records.ts';
import { type Lookup, unsetWarning } from './template.ts';
import type { Node } from './tree.ts';
import { child, childString, isNull, mapEntries, stringNode, withEntry } from './tree.ts';

/** Lookup in a plain map. */
export function lookupIn(variables: StringMap): Lookup {
  return (name) => ownValue(variables, name);
}

/** Env files that count before any compose file is known to be elsewhere. */
export function chooseEnvFiles(
  options: { flags: readonly string[]; cwd: string; workingDir: string; variables: StringMap },
  reader: Reader,
): readonly string[] {
  const { flags, cwd, workingDir, variables } = options;
  if (flags.length > 0) return flags.map((path) => resolvePath(cwd, path));
  const listed = variables.COMPOSE_ENV_FILES;
  if (listed !== undefined && listed !== '') {
    return listed.split(',').map((path) => resolvePath(cwd, path));
  }
  const disabled = variables.COMPOSE_DISABLE_ENV_FILE;
  if (disabled !== undefined && (disabled === '1' || parseBoolean(disabled)?.value === true))
    return [];
  const implicit = resolvePath(workingDir, '.env');
  return reader.files.isFile(implicit) ? [implicit] : [];
}

/** `variables` with those of env files that it does not have; of two files the later wins. */
export function addEnvFiles(
  variables: StringMap,
  paths: readonly string[],
  reader: Reader,
  diagnostics: Diagnostics,
  asker: Asker = {},
): StringMap {
  const fromFiles = new Map<string, string>();
  for (const path of paths) {
    const source = reader.source(path, `couldn't find env file: ${path}`, asker);
    if (source === undefined) continue;
    const outer = lookupIn(variables);
    const parsed = parseDotenv(source.text, {
      lookup: (name) => outer(name) ?? fromFiles.get(name),
      onUnset: (name) => diagnostics.warn(unsetWarning(name), { file: path }),
    });
    if (parsed.ok) for (const [key, value] of parsed.variables) fromFiles.set(key, value);
    else reportDotenv(source.path, parsed, reader, diagnostics);
  }
  return { ...Object.fromEntries(fromFiles), ...variables };
}

function reportDotenv(
  path: string,
  fault: { readonly line: number; readonly message: string },
  reader: Reader,
  diagnostics: Diagnostics,
): void {
  const source = reader.source(path, '');
  let offset = 0;
  for (let line = 1; line < fault.line && source !== undefined; line += 1) {
    offset = source.text.indexOf('\n', offset) + 1;
  }
  const message = `failed to read ${path}: line ${fault.line}: ${fault.message}`;
  diagnostics.error(
    'value',
    message,
    source === undefined ? { file: path } : { at: { file: source, offset } },
  );
}

/** The tree with value-less environment entries, secrets and configs taken from `variables`. */
export function resolveEnvironment(root: Node, variables: StringMap): Node {
  const lookup = lookupIn(variables);
  if (root.kind !== 'map') return root;
  return mapEntries(root, (section, key) => {
    if (section.kind !== 'map') return section;
    if (key === 'services')
      return mapEntries(section, (service) => resolveService(service, lookup));
    if (key === 'secrets' || key === 'configs') {
      return mapEntries(section, (object) => resolveContent(object, lookup));
    }
    return section;
  });
}

/** Holds the content of a config or secret that comes from a variable. */
export const CONTENT_KEY = 'x-#value';

function resolveContent(object: Node, lookup: Lookup): Node {
  const name = childString(object, 'environment');
  const value = name === undefined ? undefined : lookup(name);
  if (object.kind !== 'map' || value === undefined || object.entries.has(CONTENT_KEY))
    return object;
  return withEntry(object, CONTENT_KEY, stringNode(value, object.at));
}

function resolveService(service: Node, lookup: Lookup): Node {
  const environment = child(service, 'environment');
  if (service.kind !== 'map' || environment === undefined) return service;
  return withEntry(service, 'environment', resolveValues(environment, lookup));
}

function resolveValues(environment: Node, lookup: Lookup): Node {
  if (environment.kind === 'map') {
    return mapEntries(environment, (value, key) => {
      const found = isNull(value) ? lookup(key) : undefined;
      return found === undefined ? value : stringNode(found, value.at);
    });
  }
  if (environment.kind !== 'seq') return environment;
  const items = environment.items.map((item) => {
    if (item.kind !== 'scalar' || typeof item.value !== 'string') return item;
    if (item.value.includes('=')) return item;
    const found = lookup(item.value);
    return found === undefined ? item : stringNode(`${item.value}=${found}`, item.at);
  });
  return { ...environment, items };
}

/** The service with its env files read into `environment`, and label files into `labels`. */
export function readServiceFiles(
  service: Service,
  options: {
    readonly variables: StringMap;
    readonly reader: Reader;
    readonly diagnostics: Diagnostics;
    /** Where entry `index` of `key` is written. */
    readonly asker: (key: string, index: number) => Asker;
  },
): Service {
  const { variables, reader, diagnostics, asker } = options;
  const outer = lookupIn(variables);
  const read = (
    path: string,
    missing: string,
    from: Asker,
    raw: boolean,
    into: Map<string, string>,
  ): void => {
    const source = reader.source(path, missing, from);
    if (source === undefined) return;
    const lookup: Lookup = (name) => outer(name) ?? into.get(name);
    if (raw) {
      for (const [key, value] of parseRawEnv(source.text, lookup)) into.set(key, value);
      return;
    }
    const onUnset = (name: string): void => diagnostics.warn(unsetWarning(name), { file: path });
    const parsed = parseDotenv(source.text, { lookup, onUnset });
    if (parsed.ok) for (const [key, value] of parsed.variables) into.set(key, value);
    else reportDotenv(path, parsed, reader, diagnostics);
  };
  const environment = new Map<string, string>();
  for (const [index, { path, required, format }] of (service.env_file ?? []).entries()) {
    const from = asker('env_file', index);
    if (!required && !reader.files.isFile(path) && path !== '/dev/null') continue;
    if (format !== undefined && format !== '' && format !== 'raw') {
      const hint = 'the formats are `raw` and, when none is given, that of .env files';
      diagnostics.error('value', `unsupported env_file format ${JSON.stringify(format)}`, {
        ...from,
        hint,
      });
      continue;
    }
    const missing = `env file ${path} not found: stat ${path}: no such file or directory`;
    read(
      path,
      missing,
      { ...from, hint: 'create it, or set `required: false`' },
      format === 'raw',
      environment,
    );
  }
  const labels = new Map<string, string>();
  for (const [index, path] of (service.label_file ?? []).entries()) {
    const missing = `label file ${path} not found: stat ${path}: no such file or directory`;
    read(path, missing, asker('label_file', index), false, labels);
  }
  const merged: NullableStringMap = { ...Object.fromEntries(environment), ...service.environment };
  const mergedLabels: StringMap = { ...Object.fromEntries(labels), ...service.labels };
  return {
    ...service,
    ...(Object.keys(merged).length === 0 ? {} : { environment: merged }),
    ...(Object.keys(mergedLabels).length === 0 ? {} : { labels: mergedLabels }),
  };
}
