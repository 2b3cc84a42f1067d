// tcompose config: the project as loaded, in compose-go's canonical form; lists of names; hashes.
import { writeFileSync } from 'node:fs';
import { imageName } from '#compose-spec/deploy/names';
import { toCanonicalJson } from '#compose-spec/load/canonical-json';
import { withoutUnusedResources } from '#compose-spec/load/profiles';
import { TswarmError } from '#protocol/errors';
import type { Json } from '../client/http.ts';
import { formatTable } from '../output/table.ts';
import { type ComposeContext, type LoadedProject, requireServices } from './context.ts';

export interface ConfigOptions {
  readonly format?: string;
  readonly quiet?: boolean;
  readonly output?: string;
  readonly services?: boolean;
  readonly volumes?: boolean;
  readonly networks?: boolean;
  readonly profiles?: boolean;
  readonly images?: boolean;
  readonly hash?: string;
  readonly environment?: boolean;
  readonly models?: boolean;
  readonly variables?: boolean;
  readonly resolveImageDigests?: boolean;
  readonly lockImageDigests?: boolean;
  readonly interpolate?: boolean;
  readonly normalize?: boolean;
  readonly pathResolution?: boolean;
  readonly consistency?: boolean;
  readonly envResolution?: boolean;
}

export async function config(
  context: ComposeContext,
  services: readonly string[],
  options: ConfigOptions,
): Promise<number> {
  const { format = 'yaml' } = options;
  if (format !== 'yaml' && format !== 'json')
    throw new TswarmError('invalid_argument', `--format ${format}: must be yaml or json`);
  const loaded = context.load(services, {
    skipInterpolation: options.interpolate === false || options.variables === true,
    skipNormalization: options.normalize === false,
    skipPathResolution: options.pathResolution === false,
    skipConsistency: options.consistency === false,
    skipEnvResolution: options.envResolution === false,
  });
  const { project } = loaded;
  requireServices(project, services);
  if (options.quiet) return 0;
  if (options.variables) return write(options, variablesText(loaded, format));
  const names = await listOf(context, loaded, options);
  if (names) return write(options, names.map((name) => `${name}\n`).join(''));
  const chosen = services.length === 0 ? project : onlyServices(project, services);
  const used = context.options.allResources === true ? chosen : withoutUnusedResources(chosen);
  const shown =
    options.resolveImageDigests || options.lockImageDigests
      ? await (await import('./image-digests.ts')).pinImages(context, used)
      : used;
  if (options.lockImageDigests) return write(options, await inFormat(format, lockOf(shown)));
  const json = toCanonicalJson(shown, {
    singleDollars: options.interpolate === false,
    models: format === 'yaml',
    unreadFiles: options.envResolution === false,
  }) as Readonly<Record<string, unknown>>;
  return write(options, await inFormat(format, format === 'json' ? json : withoutNulls(json)));
}

function write({ output }: ConfigOptions, text: string): number {
  if (output === undefined) process.stdout.write(text);
  else writeFileSync(output, text);
  return 0;
}

async function inFormat(format: string, value: unknown): Promise<string> {
  if (format === 'json') return `${JSON.stringify(value, null, 2)}\n`;
  return (await import('yaml')).stringify(value, { lineWidth: 0 });
}

/** An override file that fixes nothing but the images. */
function lockOf({ services }: LoadedProject['project']): Json {
  const images = Object.entries(services)
    .filter(([, service]) => service.image !== undefined)
    .map(([key, { image }]) => [key, { image }] as const);
  return { services: Object.fromEntries(images) };
}

/** What the files ask of the environment. */
function variablesText({ variables }: LoadedProject, format: string): string {
  const rows = variables().map((use) => ({
    Name: use.name,
    Required: use.required,
    DefaultValue: use.defaultValue ?? '',
    PresenceValue: use.alternateValue ?? '',
  }));
  if (format === 'json')
    return `${JSON.stringify(Object.fromEntries(rows.map((row) => [row.Name, row])), null, 2)}\n`;
  return formatTable(
    ['NAME', 'REQUIRED', 'DEFAULT VALUE', 'ALTERNATE VALUE'],
    rows.map((row) => [row.Name, String(row.Required), row.DefaultValue, row.PresenceValue]),
  );
}

/** The named services and what they depend on. */
function onlyServices(
  project: LoadedProject['project'],
  names: readonly string[],
): LoadedProject['project'] {
  const wanted = new Set<string>();
  const add = (name: string): void => {
    if (wanted.has(name)) return;
    wanted.add(name);
    for (const other of Object.keys(project.services[name]?.depends_on ?? {})) add(other);
  };
  names.forEach(add);
  const services = Object.entries(project.services).filter(([name]) => wanted.has(name));
  return { ...project, services: Object.fromEntries(services) };
}

async function listOf(
  context: ComposeContext,
  { project }: LoadedProject,
  options: ConfigOptions,
): Promise<readonly string[] | undefined> {
  if (options.services) return Object.keys(project.services).sort();
  if (options.volumes) return Object.keys(project.volumes ?? {}).sort();
  if (options.networks) return Object.keys(project.networks ?? {}).sort();
  if (options.models) return Object.keys(project.models).sort();
  if (options.profiles) {
    const { services, disabledServices } = project;
    const both = [...Object.values(services), ...Object.values(disabledServices)];
    const all = both.flatMap((service) => service.profiles ?? []);
    return [...new Set(all)].sort();
  }
  if (options.images)
    return Object.entries(project.services).map(([key, s]) => imageName(project, key, s));
  if (options.environment) {
    return Object.entries(project.environment)
      .map(([key, value]) => `${key}=${value}`)
      .sort();
  }
  if (options.hash !== undefined) return hashes(context, options.hash);
  return undefined;
}

/** `service sha256`, for all (`*`) or the named services. */
async function hashes(context: ComposeContext, which: string): Promise<string[]> {
  const { keyOf, planProject } = await import('./deploy.ts');
  // Few ask for it, and it takes as long to load as a small file.
  const { createHash } = await import('node:crypto');
  const { loaded, stack } = planProject(context, []);
  const wanted = which === '*' ? undefined : new Set(which.split(','));
  requireServices(loaded.project, [...(wanted ?? [])]);
  return stack.services
    .filter((service) => wanted === undefined || wanted.has(keyOf(service)))
    .map((service) => {
      const hash =
        service.labels['com.docker.compose.config-hash'] ??
        createHash('sha256').update(service.name).digest('hex');
      return `${keyOf(service)} ${hash}`;
    });
}

/** The YAML form leaves out what the JSON form shows as null or empty. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value)
    .filter(([key, item]) => item !== null || key === 'default')
    .map(([key, item]) => [key, withoutNulls(item)] as const);
  return Object.fromEntries(entries);
}
