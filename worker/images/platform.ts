// Which image of an index fits: os, architecture, variant (image-spec image-index.md). Variants
// fall back downwards (arm v7 → v6 → v5); entries for `unknown/unknown` are attestations, never
// images.
import { TswarmError } from '#protocol/errors';

export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant: string;
}

const ALIASES: Readonly<Record<string, readonly [architecture: string, variant: string]>> = {
  x86_64: ['amd64', ''],
  'x86-64': ['amd64', ''],
  i386: ['386', ''],
  i686: ['386', ''],
  aarch64: ['arm64', ''],
  armhf: ['arm', 'v7'],
  armel: ['arm', 'v6'],
  arm64: ['arm64', ''],
};

/** `os/arch[/variant]` or `arch`; '' = the node's. @throws TswarmError `invalid_argument` */
export function parsePlatform(text: string, nodeArchitecture: string): Platform {
  if (text === '') return normal('linux', nodeArchitecture, '');
  const parts = text.toLowerCase().split('/');
  const [first = '', second = '', third = ''] = parts;
  if (parts.length > 3 || !parts.every((part) => /^[a-z0-9_.-]+$/.test(part))) {
    throw new TswarmError('invalid_argument', `"${text}" is an invalid platform specifier`, {
      field: 'platform',
      hint: 'Write it as os/arch or os/arch/variant, for example linux/amd64.',
    });
  }
  if (parts.length > 1) return normal(first, second, third);
  return first === 'linux' ? normal('linux', nodeArchitecture, '') : normal('linux', first, '');
}

export function platformText(platform: Platform): string {
  const base = `${platform.os}/${platform.architecture}`;
  return platform.variant === '' ? base : `${base}/${platform.variant}`;
}

/** Index of the best match among `offered`; -1 when none fits. The first of equals wins. */
export function choosePlatform(
  wanted: Platform,
  offered: readonly (Partial<Platform> | undefined)[],
): number {
  let best = -1;
  let bestScore = 0;
  for (const [index, platform] of offered.entries()) {
    const score = scoreOf(wanted, platform);
    if (score > bestScore) {
      best = index;
      bestScore = score;
    }
  }
  return best;
}

/**
 * 0 = does not fit; more is better. An entry without a platform fits only when nothing else does.
 */
function scoreOf(wanted: Platform, platform: Partial<Platform> | undefined): number {
  if (platform?.architecture === undefined || platform.os === undefined) return 1;
  const offered = normal(platform.os, platform.architecture, platform.variant ?? '');
  if (offered.os !== wanted.os || offered.architecture !== wanted.architecture) return 0;
  const want = variantNumber(wanted);
  const have = variantNumber(offered);
  return have > want ? 0 : 100 - (want - have);
}

const VARIANT_DEFAULT: Readonly<Record<string, number>> = { arm: 7, arm64: 8, amd64: 1 };

function variantNumber(platform: Platform): number {
  const digits = /^v(\d+)$/.exec(platform.variant)?.[1];
  return digits === undefined ? (VARIANT_DEFAULT[platform.architecture] ?? 0) : Number(digits);
}

function normal(os: string, architecture: string, variant: string): Platform {
  const alias = ALIASES[architecture.toLowerCase()];
  return {
    os: os.toLowerCase(),
    architecture: alias?.[0] ?? architecture.toLowerCase(),
    variant: variant === '' ? (alias?.[1] ?? '') : variant.toLowerCase(),
  };
}
