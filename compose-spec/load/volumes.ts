// Short-form volumes, `[SOURCE:]TARGET[:OPTIONS]` (compose.md §2.8). A source that starts with
// `.`, `/`, `~`, `\` or a drive letter is a path on the host, anything else names a volume.

/** A short-form volume taken apart. */
export interface ShortVolume {
  readonly type: 'bind' | 'volume';
  readonly source?: string;
  readonly target: string;
  readonly readOnly?: boolean;
  readonly noCopy?: boolean;
  readonly propagation?: string;
  readonly selinux?: string;
  /** Options that mean nothing to compose, which ignores them. */
  readonly unknownOptions: readonly string[];
  /** Whether the spec is so short that nothing but the target was looked at. */
  readonly bare: boolean;
}

export type ShortVolumeResult =
  | { readonly ok: true; readonly volume: ShortVolume }
  | { readonly ok: false; readonly message: string };

const PROPAGATIONS = new Set(['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave']);

/** Takes a short-form volume apart. */
export function parseShortVolume(spec: string): ShortVolumeResult {
  if (spec === '') return { ok: false, message: 'invalid empty volume spec' };
  if (spec.length <= 2) {
    return { ok: true, volume: { type: 'volume', target: spec, unknownOptions: [], bare: true } };
  }
  const sections = splitSections(spec);
  if (sections.some((section) => section === '')) {
    return { ok: false, message: `invalid spec: ${spec}: empty section between colons` };
  }
  if (sections.length > 3) {
    return { ok: false, message: `invalid spec: ${spec}: too many colons` };
  }
  const [first = '', second, options = ''] = sections;
  const source = second === undefined ? undefined : first;
  const isBind = source !== undefined && isHostPath(source);
  return {
    ok: true,
    volume: {
      type: isBind ? 'bind' : 'volume',
      ...(source === undefined ? {} : { source }),
      target: second ?? first,
      ...parseOptions(options),
      bare: false,
    },
  };
}

/** Splits at colons, but not after a lone letter: that is a Windows drive. */
function splitSections(spec: string): string[] {
  const sections: string[] = [];
  let current = '';
  for (const char of spec) {
    if (char === ':' && !/^\p{L}$/u.test(current)) {
      sections.push(current);
      current = '';
    } else current += char;
  }
  sections.push(current);
  return sections;
}

function isHostPath(source: string): boolean {
  return /^[./~\\]/.test(source) || /^\p{L}:/u.test(source);
}

function parseOptions(
  options: string,
): Pick<ShortVolume, 'readOnly' | 'noCopy' | 'propagation' | 'selinux' | 'unknownOptions'> {
  const known: { readOnly?: true; noCopy?: true; propagation?: string; selinux?: string } = {};
  const unknownOptions: string[] = [];
  for (const option of options === '' ? [] : options.split(',')) {
    if (option === 'ro') known.readOnly = true;
    else if (option === 'rw') delete known.readOnly;
    else if (option === 'nocopy') known.noCopy = true;
    else if (PROPAGATIONS.has(option)) known.propagation = option;
    else if (option === 'z' || option === 'Z') known.selinux = option;
    else unknownOptions.push(option);
  }
  return { ...known, unknownOptions };
}

/** Whether `path` is absolute on Windows: `C:\…`, `C:/…` or `\\host\share`. */
export function isWindowsAbsolute(path: string): boolean {
  return /^[a-zA-Z]:[\\/]/.test(path) || path.startsWith('\\\\');
}
