// Which services are on: those without profiles, those with an active one, all with `*`. And which
// top-level objects nobody uses (compose.md §2.6).

import type { Project, Service, StringMap } from './project.ts';
import { ownValue } from './records.ts';

/** Profiles from `--profile`, else COMPOSE_PROFILES, plus those of services named one by one. */
export function activeProfiles(
  flags: readonly string[],
  variables: StringMap,
  named: readonly string[],
  services: Readonly<Record<string, Service>>,
): string[] {
  const listed = variables.COMPOSE_PROFILES ?? '';
  const chosen = flags.length > 0 ? flags : listed.split(',').map((profile) => profile.trim());
  const own = named.flatMap((name) => ownValue(services, name)?.profiles ?? []);
  return [...new Set([...chosen, ...own])].filter((profile) => profile !== '');
}

/** Splits services by whether one of `profiles` turns them on. */
export function splitByProfiles(
  services: Readonly<Record<string, Service>>,
  profiles: readonly string[],
): {
  readonly active: Readonly<Record<string, Service>>;
  readonly disabled: Readonly<Record<string, Service>>;
} {
  const isActive = (service: Service): boolean =>
    service.profiles === undefined ||
    profiles.includes('*') ||
    service.profiles.some((profile) => profiles.includes(profile));
  const entries = Object.entries(services);
  return {
    active: Object.fromEntries(entries.filter(([, service]) => isActive(service))),
    disabled: Object.fromEntries(entries.filter(([, service]) => !isActive(service))),
  };
}

/** The project without networks, volumes, configs and secrets that no active service uses. */
export function withoutUnusedResources(project: Project): Project {
  const used = {
    networks: new Set<string>(),
    volumes: new Set<string>(),
    configs: new Set<string>(),
    secrets: new Set<string>(),
  };
  for (const service of Object.values(project.services)) {
    for (const name of Object.keys(service.networks ?? {})) used.networks.add(name);
    for (const mount of service.volumes ?? []) {
      if (mount.type === 'volume' && mount.source !== undefined) used.volumes.add(mount.source);
    }
    for (const { source } of service.configs ?? []) used.configs.add(source ?? '');
    for (const { source } of service.secrets ?? []) used.secrets.add(source ?? '');
    for (const { source } of service.build?.secrets ?? []) used.secrets.add(source ?? '');
  }
  const keep = <T>(
    objects: Readonly<Record<string, T>>,
    names: ReadonlySet<string>,
  ): Record<string, T> =>
    Object.fromEntries(Object.entries(objects).filter(([name]) => names.has(name)));
  return {
    ...project,
    networks: keep(project.networks, used.networks),
    volumes: keep(project.volumes, used.volumes),
    configs: keep(project.configs, used.configs),
    secrets: keep(project.secrets, used.secrets),
  };
}
