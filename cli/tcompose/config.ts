// tcompose config: the project as loaded, in compose-go's canonical form; lists of names; hashes.
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { stringify } from 'yaml';
import { toCanonicalJson } from '#compose-spec/load/canonical-json';
import type { ComposeContext } from './context.ts';
import { keyOf, planProject } from './deploy.ts';

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
  const loaded = context.load(services, {
    skipInterpolation: options.interpolate === false,
    skipNormalization: options.normalize === false,
    skipPathResolution: options.pathResolution === false,
    skipConsistency: options.consistency === false,
    skipEnvResolution: options.envResolution === false,
  });
  if (options.quiet) return 0;
  const { project } = loaded;
  const names = listOf(context, options);
  if (names) {
    process.stdout.write(names.map((name) => `${name}\n`).join(''));
    return 0;
  }
  const json = toCanonicalJson(project) as Readonly<Record<string, unknown>>;
  const text =
    options.format === 'json'
      ? `${JSON.stringify(json, null, 2)}\n`
      : stringify(withoutNulls(json), { lineWidth: 0 });
  if (options.output !== undefined) writeFileSync(options.output, text);
  else process.stdout.write(text);
  return 0;
}

function listOf(context: ComposeContext, options: ConfigOptions): readonly string[] | undefined {
  const { project } = context.load();
  if (options.services) return Object.keys(project.services).sort();
  if (options.volumes) return Object.keys(project.volumes ?? {}).sort();
  if (options.networks) return Object.keys(project.networks ?? {}).sort();
  if (options.profiles) {
    const all = Object.values(project.services).flatMap((service) => service.profiles ?? []);
    return [...new Set(all)].sort();
  }
  if (options.images)
    return Object.entries(project.services).map(([key, s]) => s.image ?? `${project.name}-${key}`);
  if (options.environment) {
    return Object.entries(process.env)
      .map(([key, value]) => `${key}=${value}`)
      .sort();
  }
  if (options.hash !== undefined) return hashes(context, options.hash);
  return undefined;
}

/** `service sha256`, for all (`*`) or the named services. */
function hashes(context: ComposeContext, which: string): string[] {
  const { stack } = planProject(context, [], {});
  const wanted = which === '*' ? undefined : new Set(which.split(','));
  return stack.services
    .filter((service) => wanted === undefined || wanted.has(keyOf(service)))
    .map((service) => {
      const hash = service.labels['com.docker.compose.config-hash'] ?? sha256(service.name);
      return `${keyOf(service)} ${hash}`;
    });
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
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
