// `HostConfig.SecurityOpt`, parsed: seccomp, no-new-privileges, system paths, labels. What this host cannot do (AppArmor, SELinux) is an error when asked
// for and nothing when left away.
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
}

/** @throws invalid_argument, not_supported; field SecurityOpt */
export function parseSecurityOptions(options: readonly string[] | null): SecurityOptions {
  let noNewPrivileges = false;
  let seccomp: SecurityOptions['seccomp'] = { kind: 'default', profile: '' };
  let unconfinedSystemPaths = false;
  for (const option of options ?? []) {
    const cut = option.search(/[=:]/);
    const key = cut < 0 ? option : option.slice(0, cut);
    const value = cut < 0 ? '' : option.slice(cut + 1);
    if (key === 'no-new-privileges') noNewPrivileges = parseFlag(option, value);
    else if (key === 'seccomp') seccomp = parseSeccomp(value);
    else if (key === 'systempaths' && value === 'unconfined') unconfinedSystemPaths = true;
    else if (key === 'label') {
      if (value !== 'disable') refuse(option, 'SELinux is not available on this host');
    } else if (key === 'apparmor') {
      if (value !== 'unconfined' && value !== '') {
        refuse(option, 'AppArmor is not available on this host');
      }
    } else {
      throw new TswarmError('invalid_argument', `invalid --security-opt: "${option}"`, {
        field: 'SecurityOpt',
      });
    }
  }
  return { noNewPrivileges, seccomp, unconfinedSystemPaths };
}

function parseFlag(option: string, value: string): boolean {
  if (value === '' || value === 'true') return true;
  if (value === 'false') return false;
  throw new TswarmError('invalid_argument', `invalid --security-opt: "${option}"`, {
    field: 'SecurityOpt',
  });
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
