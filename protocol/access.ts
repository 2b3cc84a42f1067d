// Who may do what from outside of a node's unix sockets: roles, the text of a token, and the key
// under which the gateway tells the manager for whom it calls. A token is
// `TSWTKN-1-<digest>-<id>-<secret>`: the digest of the cluster's root certificate, so that a client
// sends the secret to the right cluster only; the id of the credential in the store; 256 random
// bits, of which the managers keep the SHA-256. Refuses to print a token in an error.
import { TswarmError } from './errors.ts';
import { AccessRole } from './generated/specs.ts';
import { base36 } from './join-token.ts';

/** viewer: may look at what is not secret; operator: may run things; admin: may do what root may. */
export type Role = 'viewer' | 'operator' | 'admin';

/** From the least to the most. */
export const ROLES: readonly Role[] = ['viewer', 'operator', 'admin'];

/** Whether somebody with role `has` may do what needs `needs`. */
export function includesRole(has: Role, needs: Role): boolean {
  return ROLES.indexOf(has) >= ROLES.indexOf(needs);
}

/** Undefined for a number that this version does not know: who has it may do nothing. */
export function roleOf(role: AccessRole): Role | undefined {
  return role === AccessRole.NONE ? undefined : ROLES[role - 1];
}

/** The number of a role's word; undefined for any other word. */
export function roleNumber(word: string): AccessRole | undefined {
  const place = (ROLES as readonly string[]).indexOf(word);
  return place < 0 ? undefined : ((place + 1) as AccessRole);
}

/** Metadata key of a call: id of the credential of whom it is made for; absent = for root on a manager. */
export const CREDENTIAL_KEY = 'tswarm-credential';

const PREFIX = 'TSWTKN-1-';
const SECRET_BYTES = 32;
const SECRET_CHARS = 50;
const TOKEN_PATTERN = /^TSWTKN-1-([0-9a-z]{50})-([0-9a-z]{25})-([0-9a-z]{50})$/;

export interface AccessToken {
  /** Base 36 of the SHA-256 of the root certificate, as in join tokens. */
  readonly caDigest: string;
  /** Of the credential. */
  readonly id: string;
  readonly secret: string;
}

/** A new secret from 32 random bytes. */
export function accessSecret(random: Uint8Array): string {
  return base36(random.subarray(0, SECRET_BYTES), SECRET_CHARS);
}

export function formatAccessToken({ caDigest, id, secret }: AccessToken): string {
  return `${PREFIX}${caDigest}-${id}-${secret}`;
}

/** @throws TswarmError invalid_argument. The message never repeats the token. */
export function parseAccessToken(text: string): AccessToken {
  const [, caDigest, id, secret] = TOKEN_PATTERN.exec(text.trim()) ?? [];
  if (caDigest !== undefined && id !== undefined && secret !== undefined) {
    return { caDigest, id, secret };
  }
  throw new TswarmError('invalid_argument', `this is no token: it is not ${PREFIX}… as a whole`, {
    field: 'token',
    hint: 'Make one on a manager and copy all of it: tswarm token create NAME.',
  });
}
