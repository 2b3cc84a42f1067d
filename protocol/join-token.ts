// Join tokens: `SWMTKN-1-<digest>-<secret>`. The digest is the SHA-256 of the cluster's root
// certificate (the PEM text as the manager sends it) in base 36, 50 characters, so that a node that
// joins knows it talks to the right cluster; the secret, 25 characters, decides the role. Refuses
// FIPS tokens (SWMTKN-2). swarmkit ca/config.go.
import { TswarmError } from './errors.ts';

const PREFIX = 'SWMTKN';
const DIGEST_CHARS = 50;
const SECRET_CHARS = 25;
const TOKEN_CHARS: number = PREFIX.length + 3 + DIGEST_CHARS + 1 + SECRET_CHARS;
const TOKEN_PATTERN = /^SWMTKN-1-([0-9a-z]{50})-([0-9a-z]{25})$/;

export interface JoinToken {
  /** Base 36 of the SHA-256 of the root certificate. */
  readonly caDigest: string;
  readonly secret: string;
}

/** Base 36 of bytes, padded on the left with zeros. */
export function base36(bytes: Uint8Array, chars: number): string {
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  return value.toString(36).padStart(chars, '0');
}

/** The digest of a root certificate as tokens carry it, from its SHA-256. */
export function caDigestText(sha256: Uint8Array): string {
  return base36(sha256, DIGEST_CHARS);
}

export function formatJoinToken(token: JoinToken): string {
  return `${PREFIX}-1-${token.caDigest}-${token.secret}`;
}

/** @throws TswarmError invalid_argument. The message never repeats the token. */
export function parseJoinToken(text: string): JoinToken {
  const token = text.trim();
  const match = TOKEN_PATTERN.exec(token);
  if (!match) {
    throw new TswarmError('invalid_argument', `invalid join token: ${whatIsWrong(token)}`, {
      field: 'JoinToken',
      hint: 'Run `tswarm join-token worker` on a manager and copy the whole token.',
    });
  }
  return { caDigest: match[1] ?? '', secret: match[2] ?? '' };
}

function whatIsWrong(token: string): string {
  if (token === '') return 'it is empty';
  if (token.startsWith('SWMKEY-')) return 'this is an unlock key';
  if (token.startsWith(`${PREFIX}-2-`)) return 'tokens of FIPS clusters are not supported';
  if (!token.startsWith(`${PREFIX}-1-`)) return `it does not begin with ${PREFIX}-1-`;
  if (token.length !== TOKEN_CHARS) {
    const what = token.length < TOKEN_CHARS ? 'cut off' : 'too long';
    return `it is ${what}: ${token.length} characters instead of ${TOKEN_CHARS}`;
  }
  return 'it has a wrong character';
}
