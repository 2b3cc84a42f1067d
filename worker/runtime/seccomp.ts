// From the default policy (seccomp-default.ts) or a user's own profile to the OCI `linux.seccomp` object, resolved for this architecture, kernel and the
// container's capabilities. The answer is a function of those only, so that the runtime's compiled filter is cached by its content.
// A user's profile is the Engine API's form: OCI's object plus `archMap`, `includes`, `excludes`.
import { TswarmError } from '#protocol/errors';
import type { OciSeccomp, OciSeccompRule } from './oci.ts';
import { ALWAYS_ALLOWED, ARCHITECTURES, CONDITIONAL } from './seccomp-default.ts';

const EPERM = 1;

const resolved = new Map<string, OciSeccomp>();

/** The default policy for a container with these capabilities (`CAP_…`). `architecture` as Node names it. */
export function defaultSeccomp(architecture: string, capabilities: readonly string[]): OciSeccomp {
  const key = `${architecture} ${capabilities.join(' ')}`;
  const known = resolved.get(key);
  if (known) return known;
  const syscalls: OciSeccompRule[] = [{ names: ALWAYS_ALLOWED, action: 'SCMP_ACT_ALLOW' }];
  for (const rule of CONDITIONAL) {
    if (rule.architectures && !rule.architectures.includes(architecture)) continue;
    if (rule.withCapability && !rule.withCapability.some((name) => capabilities.includes(name))) {
      continue;
    }
    if (rule.withoutCapability?.some((name) => capabilities.includes(name))) continue;
    syscalls.push({
      names: rule.names,
      ...(rule.errno === undefined
        ? { action: 'SCMP_ACT_ALLOW' }
        : { action: 'SCMP_ACT_ERRNO', errnoRet: rule.errno }),
      ...(rule.args ? { args: rule.args } : {}),
    });
  }
  const out: OciSeccomp = {
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: EPERM,
    architectures: ARCHITECTURES[architecture] ?? [],
    syscalls,
  };
  resolved.set(key, out);
  return out;
}

interface UserRule {
  readonly name?: string;
  readonly names?: readonly string[];
  readonly action?: string;
  readonly errnoRet?: number;
  readonly args?: readonly unknown[] | null;
  readonly includes?: UserCondition;
  readonly excludes?: UserCondition;
}
interface UserCondition {
  readonly caps?: readonly string[];
  readonly arches?: readonly string[];
  readonly minKernel?: string;
}
interface UserProfile {
  readonly defaultAction?: string;
  readonly defaultErrnoRet?: number;
  readonly architectures?: readonly string[];
  readonly archMap?: readonly {
    readonly architecture?: string;
    readonly subArchitectures?: readonly string[] | null;
  }[];
  readonly flags?: readonly string[];
  readonly syscalls?: readonly UserRule[];
}

/** A user's profile (JSON text), resolved. @throws invalid_argument when it is not a profile. */
export function customSeccomp(
  profileText: string,
  host: {
    readonly architecture: string;
    readonly kernelRelease: string;
    readonly capabilities: readonly string[];
  },
): OciSeccomp {
  let profile: UserProfile;
  try {
    profile = JSON.parse(profileText) as UserProfile;
  } catch (error) {
    throw new TswarmError('invalid_argument', 'seccomp profile: not valid JSON', {
      field: 'SecurityOpt',
      cause: error,
    });
  }
  if (typeof profile !== 'object' || profile === null || !profile.defaultAction) {
    throw new TswarmError('invalid_argument', 'seccomp profile: "defaultAction" is missing', {
      field: 'SecurityOpt',
    });
  }
  const native = ARCHITECTURES[host.architecture]?.[0] ?? '';
  const mapped = profile.archMap?.find((entry) => entry.architecture === native);
  const architectures = mapped
    ? [native, ...(mapped.subArchitectures ?? [])]
    : (profile.architectures ?? []);
  const syscalls = (profile.syscalls ?? [])
    .filter((rule) => applies(rule, host))
    .map((rule): OciSeccompRule => {
      const names = rule.names ?? (rule.name === undefined ? [] : [rule.name]);
      if (names.length === 0 || !rule.action) {
        throw new TswarmError(
          'invalid_argument',
          'seccomp profile: every entry of "syscalls" needs "names" and "action"',
          { field: 'SecurityOpt' },
        );
      }
      return {
        names,
        action: rule.action,
        ...(rule.errnoRet === undefined ? {} : { errnoRet: rule.errnoRet }),
        ...(rule.args && rule.args.length > 0 ? { args: rule.args } : {}),
      };
    });
  return {
    defaultAction: profile.defaultAction,
    ...(profile.defaultErrnoRet === undefined ? {} : { defaultErrnoRet: profile.defaultErrnoRet }),
    architectures,
    ...(profile.flags && profile.flags.length > 0 ? { flags: profile.flags } : {}),
    syscalls,
  };
}

/** Engine profiles name architectures as Go does. */
const GO_ARCHITECTURE: Readonly<Record<string, string>> = { x64: 'amd64', ia32: 'x86' };

function applies(
  rule: UserRule,
  host: { architecture: string; kernelRelease: string; capabilities: readonly string[] },
): boolean {
  const arch = GO_ARCHITECTURE[host.architecture] ?? host.architecture;
  const { includes, excludes } = rule;
  if (excludes?.arches?.includes(arch)) return false;
  if (excludes?.caps?.some((name) => host.capabilities.includes(name))) return false;
  if (excludes?.minKernel && kernelAtLeast(host.kernelRelease, excludes.minKernel)) return false;
  if (includes?.arches && includes.arches.length > 0 && !includes.arches.includes(arch)) {
    return false;
  }
  if (includes?.caps && !includes.caps.every((name) => host.capabilities.includes(name))) {
    return false;
  }
  if (includes?.minKernel && !kernelAtLeast(host.kernelRelease, includes.minKernel)) return false;
  return true;
}

function kernelAtLeast(release: string, minimum: string): boolean {
  const numbers = (text: string): number[] => text.split(/[.-]/, 2).map(Number);
  const [major = 0, minor = 0] = numbers(release);
  const [wantMajor = 0, wantMinor = 0] = numbers(minimum);
  return major > wantMajor || (major === wantMajor && minor >= wantMinor);
}
