// What must hold between the parts of a project: names refer to something, settings do not exclude
// each other, nothing waits for itself. Sentences are compose-go's (compose.md §2.10); unlike it,
// everything is reported, and what follows from an error already reported is not.

import { nearestWord } from '#protocol/nearest-word';
import type { ComposeErrorCode, Diagnostics } from './errors.ts';
import type { Project, Service } from './project.ts';
import { ownValue } from './records.ts';
import type { Position } from './source.ts';
import type { Path } from './tree.ts';

const INVALID = 'invalid compose project';

/** Finds the place in the files for a path of the project. */
export type Locate = (path: Path) => Position | undefined;

/** Reports every inconsistency between the active services and what they refer to. */
export function checkConsistency(project: Project, locate: Locate, diagnostics: Diagnostics): void {
  const names = Object.keys(project.services).sort();
  for (const name of names) {
    const service = ownValue(project.services, name);
    if (service !== undefined) new ServiceCheck(name, service, project, locate, diagnostics).run();
  }
  for (const [name, secret] of Object.entries(project.secrets)) {
    const path = ['secrets', name];
    const hasSource =
      secret.external === true || secret.file !== undefined || secret.environment !== undefined;
    if (hasSource || diagnostics.hasErrorUnder(path.join('.'))) continue;
    diagnostics.error(
      'reference',
      `secret ${JSON.stringify(name)} must declare either \`file\` or \`environment\`: ${INVALID}`,
      { at: locate(path), path: path.join('.') },
    );
  }
  checkCycles(project, locate, diagnostics);
}

class ServiceCheck {
  readonly #name: string;
  readonly #service: Service;
  readonly #project: Project;
  readonly #locate: Locate;
  readonly #diagnostics: Diagnostics;

  constructor(
    name: string,
    service: Service,
    project: Project,
    locate: Locate,
    diagnostics: Diagnostics,
  ) {
    this.#name = name;
    this.#service = service;
    this.#project = project;
    this.#locate = locate;
    this.#diagnostics = diagnostics;
  }

  run(): void {
    this.#checkImage();
    this.#checkBuild();
    this.#checkNetworks();
    this.#checkDependencies();
    this.#checkHealthcheck();
    this.#checkReferences();
    this.#checkMountTargets();
    this.#checkPairs();
    this.#checkScale();
    this.#checkWatch();
  }

  /** Reports at `services.NAME.KEYS`. */
  #report(
    code: ComposeErrorCode,
    keys: readonly (string | number)[],
    message: string,
    hint?: string,
  ): void {
    const path = ['services', this.#name, ...keys];
    this.#diagnostics.error(code, message, { at: this.#locate(path), path: path.join('.'), hint });
  }

  #isDamaged(...keys: string[]): boolean {
    return this.#diagnostics.hasErrorUnder(['services', this.#name, ...keys].join('.'));
  }

  #checkImage(): void {
    const { image, build, provider } = this.#service;
    if (image !== undefined || build !== undefined || provider !== undefined) return;
    const service = `services.${this.#name}`;
    const isKnown = this.#diagnostics.errors.some((error) => error.path === service);
    if (isKnown || ['image', 'build', 'extends'].some((key) => this.#isDamaged(key))) return;
    const message = `service ${JSON.stringify(this.#name)} has neither an image nor a build context specified: ${INVALID}`;
    this.#report('reference', [], message, 'add `image:` or `build:`');
  }

  #checkBuild(): void {
    const { build, platform } = this.#service;
    if (build === undefined) return;
    if (build.dockerfile !== undefined && build.dockerfile_inline !== undefined) {
      const message = `service ${JSON.stringify(this.#name)} declares mutualy exclusive dockerfile and dockerfile_inline: ${INVALID}`;
      this.#report('conflict', ['build'], message);
    }
    const platforms = build.platforms ?? [];
    if (platform !== undefined && platforms.length > 0 && !platforms.includes(platform)) {
      const message = `service.build.platforms MUST include service.platform ${JSON.stringify(platform)}: ${INVALID}`;
      this.#report('conflict', ['build', 'platforms'], message);
    }
    for (const [key, context] of Object.entries(build.additional_contexts ?? {})) {
      if (!context.startsWith('service:')) continue;
      const name = context.slice('service:'.length);
      if (this.#anyService(name)?.build !== undefined) continue;
      const message = `service ${JSON.stringify(this.#name)} refers to service ${JSON.stringify(name)} in additional_contexts, which has no build section: ${INVALID}`;
      this.#report('reference', ['build', 'additional_contexts', key], message);
    }
    for (const [i, { source = '' }] of (build.secrets ?? []).entries()) {
      this.#checkName('build secret', source, this.#project.secrets, ['build', 'secrets', i]);
    }
  }

  #checkNetworks(): void {
    const { network_mode: mode, networks = {} } = this.#service;
    if (mode !== undefined && Object.keys(networks).length > 0) {
      const message = `service ${this.#name} declares mutually exclusive \`network_mode\` and \`networks\`: ${INVALID}`;
      this.#report('conflict', ['network_mode'], message, 'keep one of the two');
    }
    for (const name of Object.keys(networks)) {
      this.#checkName('network', name, this.#project.networks, ['networks', name]);
    }
    if (mode?.startsWith('service:') !== true) return;
    const other = mode.slice('service:'.length);
    if (this.#anyService(other) === undefined) {
      const message = `service ${JSON.stringify(other)} not found for network_mode 'service:${other}'`;
      this.#report('reference', ['network_mode'], message, this.#serviceHint(other));
    }
  }

  #anyService(name: string): Service | undefined {
    return ownValue(this.#project.services, name) ?? ownValue(this.#project.disabledServices, name);
  }

  #checkDependencies(): void {
    for (const [name, dependency] of Object.entries(this.#service.depends_on ?? {})) {
      if (Object.hasOwn(this.#project.services, name)) continue;
      const isDisabled = Object.hasOwn(this.#project.disabledServices, name);
      if (isDisabled && !dependency.required) continue;
      const message = `service ${JSON.stringify(this.#name)} depends on undefined service ${JSON.stringify(name)}: ${INVALID}`;
      this.#report('reference', ['depends_on', name], message, this.#serviceHint(name));
    }
  }

  #serviceHint(name: string): string | undefined {
    const disabled = ownValue(this.#project.disabledServices, name);
    if (disabled?.profiles !== undefined) {
      const [first] = disabled.profiles;
      return `${name} is disabled by profile ${disabled.profiles.join(', ')}; add --profile ${first}`;
    }
    const near = nearestWord(name, Object.keys(this.#project.services));
    return near === undefined ? undefined : `did you mean \`${near}\`?`;
  }

  #checkHealthcheck(): void {
    const [kind] = this.#service.healthcheck?.test ?? [];
    if (kind === undefined || ['CMD', 'CMD-SHELL', 'NONE'].includes(kind)) return;
    this.#report(
      'value',
      ['healthcheck', 'test'],
      'healthcheck.test must start either by "CMD", "CMD-SHELL" or "NONE"',
      'write ["CMD", …], or the command as one string',
    );
  }

  #checkReferences(): void {
    const { volumes = [], configs = [], secrets = [], models = {} } = this.#service;
    for (const [i, mount] of volumes.entries()) {
      if (mount.type !== 'volume' || mount.source === undefined) continue;
      this.#checkName('volume', mount.source, this.#project.volumes, ['volumes', i]);
    }
    for (const [i, { source = '' }] of configs.entries()) {
      this.#checkName('config', source, this.#project.configs, ['configs', i]);
    }
    for (const [i, { source = '' }] of secrets.entries()) {
      this.#checkName('secret', source, this.#project.secrets, ['secrets', i]);
    }
    for (const name of Object.keys(models)) {
      this.#checkName('model', name, this.#project.models, ['models', name]);
    }
  }

  #checkName(
    kind: string,
    name: string,
    known: Readonly<Record<string, unknown>>,
    keys: readonly (string | number)[],
  ): void {
    if (Object.hasOwn(known, name)) return;
    const section = `${kind.replace('build ', '')}s`;
    if (this.#diagnostics.errors.some((error) => error.path === section)) return;
    if (this.#diagnostics.hasErrorUnder(`${section}.${name}`)) return;
    const message = `service ${JSON.stringify(this.#name)} refers to undefined ${kind} ${name}: ${INVALID}`;
    const near = nearestWord(name, Object.keys(known));
    const hint =
      near === undefined
        ? `add it at the top level:  ${section}: {${name}: {…}}`
        : `did you mean \`${near}\`?`;
    this.#report('reference', keys, message, hint);
  }

  /** Two things cannot be mounted at one place. Volumes among themselves are unique already. */
  #checkMountTargets(): void {
    const taken = new Map<string, string>();
    for (const [i, tmpfs] of (this.#service.tmpfs ?? []).entries()) {
      taken.set(tmpfs.split(':', 1)[0] ?? '', `services.${this.#name}.tmpfs[${i}]`);
    }
    for (const [i, { target = '' }] of (this.#service.volumes ?? []).entries()) {
      const where = `services.${this.#name}.volumes[${i}]`;
      const other = taken.get(target);
      if (other === undefined) taken.set(target, where);
      else {
        const message = `${where}: target ${target} already mounted as ${other}`;
        this.#report('conflict', ['volumes', i], message);
      }
    }
  }

  /** Old and new spelling of one setting must agree. */
  #checkPairs(): void {
    const { deploy, cpus, mem_limit, mem_reservation, pids_limit, scale } = this.#service;
    if (deploy === undefined) return;
    const { limits, reservations } = deploy.resources;
    const pairs: readonly (readonly [string, unknown, string, object | undefined, unknown])[] = [
      ['scale', scale, 'deploy.replicas', present(deploy.replicas), deploy.replicas],
      ['cpus', cpus, 'deploy.resources.limits.cpus', limits, limits?.cpus],
      ['mem_limit', mem_limit, 'deploy.resources.limits.memory', limits, limits?.memory],
      [
        'mem_reservation',
        mem_reservation,
        'deploy.resources.reservations.memory',
        reservations,
        reservations?.memory,
      ],
      ['pids_limit', pids_limit, 'deploy.resources.limits.pids', limits, limits?.pids],
    ];
    for (const [oldKey, oldValue, newKey, holder, newValue] of pairs) {
      if (oldValue === undefined || holder === undefined || oldValue === newValue) continue;
      const message = `services.${this.#name}: can't set distinct values on '${oldKey}' and '${newKey}': ${INVALID}`;
      this.#report('conflict', [oldKey], message, `set both alike, or only '${newKey}'`);
    }
  }

  #checkScale(): void {
    const { scale, deploy, container_name } = this.#service;
    const count = scale ?? deploy?.replicas ?? 1;
    const key = scale === undefined ? 'deploy.replicas' : 'scale';
    if (count < 0) {
      this.#report('value', key.split('.'), `services.${this.#name}.${key} must be 0 or more`);
    }
    if (count <= 1 || container_name === undefined) return;
    const message = `services.${this.#name}: can't set container_name and ${key} as container name must be unique: ${INVALID}`;
    this.#report('conflict', ['container_name'], message, 'remove container_name');
  }

  #checkWatch(): void {
    for (const [i, watch] of (this.#service.develop?.watch ?? []).entries()) {
      const needsNone = watch.action === 'rebuild' || watch.action === 'restart';
      if (needsNone || watch.target !== undefined) continue;
      const message = `services.${this.#name}.develop.watch: target is required for non-rebuild actions: ${INVALID}`;
      this.#report('value', ['develop', 'watch', i], message);
    }
  }
}

function present(value: unknown): object | undefined {
  return value === undefined ? undefined : {};
}

/** Reports each ring of services that wait for each other. */
function checkCycles(project: Project, locate: Locate, diagnostics: Diagnostics): void {
  const done = new Set<string>();
  const trail: string[] = [];
  const visit = (name: string): void => {
    const start = trail.indexOf(name);
    if (start !== -1) {
      const ring = [...trail.slice(start), name];
      const path = ['services', ring.at(-2) ?? name, 'depends_on', name];
      diagnostics.error('cycle', `dependency cycle detected: ${ring.join(' -> ')}`, {
        at: locate(path),
        path: path.join('.'),
      });
      return;
    }
    if (done.has(name)) return;
    trail.push(name);
    for (const next of Object.keys(ownValue(project.services, name)?.depends_on ?? {}).sort()) {
      if (Object.hasOwn(project.services, next)) visit(next);
    }
    trail.pop();
    done.add(name);
  };
  for (const name of Object.keys(project.services).sort()) visit(name);
}
