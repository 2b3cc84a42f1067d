// `security_opt`: what a container may do beyond what the kernel's users and groups say. A seccomp profile is a file of this host, relative to the project's
// folder as with docker compose; its content goes to the nodes, and a changed one replaces the containers. Whether a node has AppArmor only the node knows.
// Refuses options that no engine knows, and profiles that are no JSON.
import * as specs from '#protocol/generated/specs';
import type { Project, Service } from '../load/project.ts';
import { SECCOMP_BYTES_MAX } from './limits.ts';
import type { Problems } from './problems.ts';
import { utf8Text } from './utf8.ts';

interface SecurityContext {
  readonly readFile: (path: string) => Uint8Array | undefined;
  readonly problems: Problems;
}

const KNOWN =
  'there are no-new-privileges, seccomp=FILE, seccomp=unconfined, apparmor=PROFILE, label=…, systempaths=unconfined';

/** What `security_opt` of service `key` asks for; `undefined` when it says nothing. */
export function planPrivileges(
  project: Project,
  key: string,
  service: Service,
  context: SecurityContext,
): specs.Privileges | undefined {
  const { security_opt: options } = service;
  if (options === undefined) return undefined;
  let all: Partial<specs.Privileges> = {};
  for (const [i, option] of options.entries()) {
    const path = `services.${key}.security_opt.${i}`;
    const [, name = '', value] = /^([^:=]+)(?:[:=](.*))?$/s.exec(option) ?? [];
    const more = planOption({ name, value, path, project }, all, context);
    if (more === undefined) context.problems.error(path, `unknown option ${option}`, KNOWN);
    else all = { ...all, ...more };
  }
  return specs.Privileges.create(all);
}

/** Paths of the files that a service's `security_opt` names, in their order. */
export function seccompFiles(project: Project, { security_opt: options = [] }: Service): string[] {
  return options.flatMap((option) => {
    const [, value = 'unconfined'] = /^seccomp[:=](.*)$/s.exec(option) ?? [];
    return isFile(value) ? [fileAt(project, value)] : [];
  });
}

interface Option {
  readonly name: string;
  readonly value: string | undefined;
  readonly path: string;
  readonly project: Project;
}

/** What one option adds; `undefined` when there is no such option. */
function planOption(
  option: Option,
  before: Partial<specs.Privileges>,
  { readFile, problems }: SecurityContext,
): Partial<specs.Privileges> | undefined {
  const { name, value, path, project } = option;
  switch (name) {
    case 'no-new-privileges':
      if (![undefined, 'true', 'false'].includes(value)) return undefined;
      return { noNewPrivileges: value !== 'false' };
    case 'systempaths':
      return value === 'unconfined' ? { unconfinedSystemPaths: true } : undefined;
    case 'seccomp':
      if (value === undefined || value === '') return undefined;
      return { seccomp: planSeccomp(project, value, path, { readFile, problems }) };
    case 'apparmor':
      if (value === undefined || value === '') return undefined;
      return { appArmor: planAppArmor(value, path, problems) };
    case 'label':
      return planLabel(value ?? '', before.selinuxContext, path, problems);
    default:
      return undefined;
  }
}

function isFile(value: string): boolean {
  return !['', 'unconfined', 'builtin'].includes(value);
}

function fileAt({ workingDir }: Project, value: string): string {
  return value.startsWith('/') ? value : `${workingDir}/${value.replace(/^(\.\/)+/, '')}`;
}

function planSeccomp(
  project: Project,
  value: string,
  path: string,
  { readFile, problems }: SecurityContext,
): specs.SeccompOpts | undefined {
  if (value === 'unconfined')
    return specs.SeccompOpts.create({ mode: specs.SeccompMode.UNCONFINED });
  if (value === 'builtin') return undefined;
  const file = fileAt(project, value);
  const profile = readFile(file);
  if (profile === undefined) {
    const hint = 'give the path of a profile in JSON, or `unconfined`';
    problems.error(path, `${file} is missing or cannot be read`, hint, 'file');
    return undefined;
  }
  if (profile.length > SECCOMP_BYTES_MAX) {
    const message = `${file} has ${profile.length} bytes; a profile has at most ${SECCOMP_BYTES_MAX}`;
    problems.error(path, message);
    return undefined;
  }
  if (!isProfile(profile)) {
    problems.error(path, `${file} is no seccomp profile`, 'it is JSON with a "defaultAction"');
    return undefined;
  }
  return specs.SeccompOpts.create({ mode: specs.SeccompMode.CUSTOM, profile });
}

function isProfile(bytes: Uint8Array): boolean {
  try {
    const json: unknown = JSON.parse(utf8Text(bytes));
    return typeof json === 'object' && json !== null && 'defaultAction' in json;
  } catch {
    return false;
  }
}

function planAppArmor(value: string, path: string, problems: Problems): specs.AppArmorOpts {
  if (value === 'unconfined') {
    problems.notice(path, 'containers have no AppArmor profile unless they are given one');
    return specs.AppArmorOpts.create({ mode: specs.AppArmorMode.DISABLED });
  }
  problems.notice(path, `profile ${value} has to be loaded on each node where this service runs`);
  return specs.AppArmorOpts.create({ profile: value });
}

/** `disable`, `user:U`, `role:R`, `type:T`, `level:L`. */
function planLabel(
  value: string,
  before: specs.SelinuxContext | undefined,
  path: string,
  problems: Problems,
): Partial<specs.Privileges> | undefined {
  const [, part = '', text = ''] = /^(user|role|type|level):(.+)$/.exec(value) ?? [];
  if (value !== 'disable' && part === '') return undefined;
  if (part !== '') problems.notice(path, `label ${value} has no effect on hosts without SELinux`);
  const change = part === '' ? { disable: true } : { [part]: text };
  return { selinuxContext: specs.SelinuxContext.create({ ...before, ...change }) };
}
