// Linux capabilities: names, Docker's default set, and what `CapAdd`/`CapDrop`/`Privileged` make of it. Ambient and inheritable sets stay empty
// (CVE-2022-24769). A name that is not a capability is an error that names the field.
import { TswarmError } from '#protocol/errors';

/** All capabilities in bit order, without the prefix. */
export const ALL_CAPABILITIES: readonly string[] = [
  'CHOWN',
  'DAC_OVERRIDE',
  'DAC_READ_SEARCH',
  'FOWNER',
  'FSETID',
  'KILL',
  'SETGID',
  'SETUID',
  'SETPCAP',
  'LINUX_IMMUTABLE',
  'NET_BIND_SERVICE',
  'NET_BROADCAST',
  'NET_ADMIN',
  'NET_RAW',
  'IPC_LOCK',
  'IPC_OWNER',
  'SYS_MODULE',
  'SYS_RAWIO',
  'SYS_CHROOT',
  'SYS_PTRACE',
  'SYS_PACCT',
  'SYS_ADMIN',
  'SYS_BOOT',
  'SYS_NICE',
  'SYS_RESOURCE',
  'SYS_TIME',
  'SYS_TTY_CONFIG',
  'MKNOD',
  'LEASE',
  'AUDIT_WRITE',
  'AUDIT_CONTROL',
  'SETFCAP',
  'MAC_OVERRIDE',
  'MAC_ADMIN',
  'SYSLOG',
  'WAKE_ALARM',
  'BLOCK_SUSPEND',
  'AUDIT_READ',
  'PERFMON',
  'BPF',
  'CHECKPOINT_RESTORE',
];

/** What a container gets when nobody says otherwise. */
export const DEFAULT_CAPABILITIES: readonly string[] = [
  'CHOWN',
  'DAC_OVERRIDE',
  'FSETID',
  'FOWNER',
  'MKNOD',
  'NET_RAW',
  'SETGID',
  'SETUID',
  'SETFCAP',
  'SETPCAP',
  'NET_BIND_SERVICE',
  'SYS_CHROOT',
  'KILL',
  'AUDIT_WRITE',
];

/** A capability as users write it (`net_admin`, `CAP_NET_ADMIN`), in our form; `ALL` stays. @throws invalid_argument */
export function parseCapability(text: string, field: string): string {
  const name = text.toUpperCase().replace(/^CAP_/, '');
  if (name !== 'ALL' && !ALL_CAPABILITIES.includes(name)) {
    throw new TswarmError(
      'invalid_argument',
      `invalid ${field}: unknown capability: "CAP_${name}"`,
      {
        field,
      },
    );
  }
  return name;
}

/**
 * The names (with `CAP_`) that a container gets. `held` are those that we ourselves hold: a container cannot get more, and what is missing
 * is left out rather than failing every privileged container on a host that restricts root.
 */
export function effectiveCapabilities(options: {
  readonly privileged: boolean;
  readonly add: readonly string[];
  readonly drop: readonly string[];
  readonly held: ReadonlySet<string>;
}): readonly string[] {
  const add = options.add.map((name) => parseCapability(name, 'CapAdd'));
  const drop = options.drop.map((name) => parseCapability(name, 'CapDrop'));
  let chosen: readonly string[];
  if (options.privileged) chosen = ALL_CAPABILITIES;
  else if (add.includes('ALL')) chosen = ALL_CAPABILITIES.filter((name) => !drop.includes(name));
  else {
    const base = drop.includes('ALL') ? [] : DEFAULT_CAPABILITIES;
    const kept = base.filter((name) => !drop.includes(name));
    chosen = [...kept, ...add.filter((name) => !kept.includes(name))];
  }
  return chosen.filter((name) => options.held.has(name)).map((name) => `CAP_${name}`);
}

/** The capabilities in a bit mask as /proc/PID/status writes it (`CapBnd`, hex). */
export function capabilitiesFromMask(hexMask: string): ReadonlySet<string> {
  const mask = BigInt(`0x${hexMask.trim() === '' ? '0' : hexMask.trim()}`);
  return new Set(ALL_CAPABILITIES.filter((_, bit) => ((mask >> BigInt(bit)) & 1n) === 1n));
}
