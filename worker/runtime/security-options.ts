// `HostConfig.SecurityOpt`, parsed: seccomp, no-new-privileges, system paths, AppArmor profile, labels. A profile that the host cannot apply is an error, never
// nothing. SELinux labels mean nothing on a host without SELinux, as with Docker; on one with it they are refused, because no container is labelled here.
import { existsSync } from 'node:fs';
import { TswarmError } from '#protocol/errors';

export interface SecurityOptions {
  readonly noNewPrivileges: boolean;
  /** `default`, `unconfined`, or the text of a profile. */
  readonly seccomp: {
    readonly kind: 'default' | 'unconfined' | 'custom';
    readonly profile: string;
  };
  /** True: neither masked nor read-only system paths. */
  readonly unconfinedSystemPaths: boolean;
  /** '' = none. */
  readonly appArmorProfile: string;
}

/** @throws invalid_argument, not_supported; field SecurityOpt */
export function parseSecurityOptions(options: readonly string[] | null): SecurityOptions {
  let noNewPrivileges = false;
  let seccomp: SecurityOptions['seccomp'] = { kind: 'default', profile: '' };
  let unconfinedSystemPaths = false;
  let appArmorProfile = '';
  for (const option of options ?? []) {
    const cut = option.search(/[=:]/);
    const key = cut < 0 ? option : option.slice(0, cut);
    const value = cut < 0 ? '' : option.slice(cut + 1);
    if (key === 'no-new-privileges') noNewPrivileges = parseFlag(option, value);
    else if (key === 'seccomp') seccomp = parseSeccomp(value);
    else if (key === 'systempaths' && value === 'unconfined') unconfinedSystemPaths = true;
    else if (key === 'label') {
      if (!LABEL.test(value)) invalid(option);
      if (value !== 'disable' && existsSync(SELINUX))
        refuse(option, 'containers have no SELinux labels here');
    } else if (key === 'apparmor') {
      appArmorProfile = value === 'unconfined' ? '' : value;
      if (appArmorProfile !== '' && !existsSync(APPARMOR))
        refuse(option, 'AppArmor is not available on this host');
    } else invalid(option);
  }
  return { noNewPrivileges, seccomp, unconfinedSystemPaths, appArmorProfile };
}

const LABEL = /^(disable|(user|role|type|level):.+)$/;
/** There when the kernel has the module and it is on. */
const SELINUX = '/sys/fs/selinux/enforce';
const APPARMOR = '/sys/kernel/security/apparmor/profiles';

function invalid(option: string): never {
  throw new TswarmError('invalid_argument', `invalid --security-opt: "${option}"`, {
    field: 'SecurityOpt',
  });
}

function parseFlag(option: string, value: string): boolean {
  if (value === '' || value === 'true') return true;
  if (value === 'false') return false;
  return invalid(option);
}

function parseSeccomp(value: string): SecurityOptions['seccomp'] {
  if (value === 'unconfined') return { kind: 'unconfined', profile: '' };
  if (value === 'builtin' || value === '') return { kind: 'default', profile: '' };
  return { kind: 'custom', profile: value };
}

function refuse(option: string, reason: string): never {
  throw new TswarmError('not_supported', `security option "${option}": ${reason}`, {
    field: 'SecurityOpt',
    hint: 'Leave the option away.',
  });
}
