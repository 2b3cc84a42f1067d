// `pre_start`: what must have run to its end before a service starts. Each hook becomes a service of its own, which runs once, with the service's networks, volumes and files; the
// service waits for the last of them, as for any dependency that must complete. So a hook waits across hosts, is seen in `ps` and `logs`, runs again when it has changed, and
// does not when it has gone through and nothing has changed. Hooks of each replica (`per_replica`) stay with the service: the node runs them before the container's first start (worker/pre-start.ts);
// they come last, so a hook behind them that runs once is refused.

import type { Hook, Project, Service } from '../load/project.ts';
import { imageName } from './names.ts';
import type { Problems } from './problems.ts';

const SUFFIX = /-pre_start-\d+$/;

/** The key of the service that a hook belongs to; other keys are their own. */
export function hookOwner(key: string): string {
  return key.replace(SUFFIX, '');
}

/** Keys of the services that a service's hooks become. */
export function hookKeys(key: string, { pre_start: hooks = [] }: Service): readonly string[] {
  return hooks.filter(({ per_replica: each }) => each !== true).map((_, at) => hookKey(key, at));
}

function hookKey(key: string, index: number): string {
  return `${key}-pre_start-${index + 1}`;
}

/** The project with its `pre_start` hooks as services. */
export function withPreStart(project: Project, problems: Problems): Project {
  const services: Record<string, Service> = {};
  for (const [key, service] of Object.entries(project.services)) {
    const { pre_start: all = [], ...rest } = service;
    const replicas = all.filter(({ per_replica: each }) => each === true);
    const hooks = all.slice(0, all.length - replicas.length);
    checkOrder(`services.${key}.pre_start`, all, hooks.length, problems);
    if (hooks.length === 0) {
      services[key] = service;
      continue;
    }
    let dependencies: Service['depends_on'] = service.depends_on ?? {};
    for (const [index, hook] of hooks.entries()) {
      const path = `services.${key}.pre_start.${index}`;
      const name = hookKey(key, index);
      checkName(project, name, path, problems);
      services[name] = hookService(project, key, service, hook, dependencies);
      dependencies = { [name]: COMPLETED };
    }
    services[key] = {
      ...rest,
      ...(replicas.length === 0 ? {} : { pre_start: replicas }),
      depends_on: { ...service.depends_on, ...dependencies },
    };
  }
  return { ...project, services };
}

const COMPLETED = {
  condition: 'service_completed_successfully',
  restart: false,
  required: true,
} as const;

/** Hooks run in order: those that run once have all gone through before the first replica begins. */
function checkOrder(
  path: string,
  hooks: readonly Hook[],
  onceCount: number,
  problems: Problems,
): void {
  for (const [index, { per_replica: each }] of hooks.entries()) {
    if (index < onceCount || each === true) continue;
    const message = 'runs once for the service, behind a hook that runs for each replica';
    problems.error(`${path}.${index}`, message, 'put it first, or give it `per_replica: true`');
  }
}

function checkName(project: Project, name: string, path: string, problems: Problems): void {
  if (Object.hasOwn(project.services, name) || Object.hasOwn(project.disabledServices, name))
    problems.error(path, `its service would be called ${name}, which is there`, 'rename that one');
}

/** Runs in the place of the service, before it: what concerns the service's own program and its clients is left out. */
function hookService(
  project: Project,
  key: string,
  service: Service,
  hook: Hook,
  dependsOn: Service['depends_on'],
): Service {
  const {
    build: _build,
    command: _command,
    container_name: _name,
    deploy,
    develop: _develop,
    entrypoint: _entrypoint,
    expose: _expose,
    healthcheck: _healthcheck,
    links: _links,
    ports: _ports,
    post_start: _postStart,
    pre_start: _preStart,
    pre_stop: _preStop,
    scale: _scale,
    stdin_open: _stdin,
    tty: _tty,
    ...rest
  } = service;
  const networks = Object.keys(service.networks ?? {}).map((name) => [name, {}] as const);
  return {
    ...rest,
    command: hook.command,
    entrypoint: null,
    image: hook.image ?? imageName(project, key, service),
    restart: 'no',
    ...(networks.length === 0 ? {} : { networks: Object.fromEntries(networks) }),
    ...(dependsOn === undefined ? {} : { depends_on: dependsOn }),
    ...(deploy === undefined
      ? {}
      : { deploy: { placement: deploy.placement, resources: deploy.resources } }),
    ...(hook.user === undefined ? {} : { user: hook.user }),
    ...(hook.privileged === undefined ? {} : { privileged: hook.privileged }),
    ...(hook.working_dir === undefined ? {} : { working_dir: hook.working_dir }),
    environment: { ...service.environment, ...hook.environment },
  };
}
