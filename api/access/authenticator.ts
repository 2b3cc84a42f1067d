// Who is at the other end of a TLS connection: the holder of a client certificate of the cluster, or of a bearer token. Both are credentials in the
// store, known here from the watch cache, so that an answer costs no call to the managers and a removal counts within moments. Too many wrong ones
// from one address and it has to wait. A certificate proves itself in the handshake; here is looked at whose it is. Nodes' certificates are refused.
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { PeerCertificate, TLSSocket } from 'node:tls';
import { parseAccessToken, type Role, roleOf } from '#protocol/access';
import { userCertificateRole } from '#protocol/certificates';
import { TswarmError } from '#protocol/errors';
import type { Credential } from '#protocol/generated/objects';
import { CredentialKind } from '#protocol/generated/specs';
import { RateLimit } from '#protocol/rate-limit';
import type { Clock } from '#protocol/world';
import type { ObjectCache } from '../cache/object-cache.ts';
import type { Caller } from '../http/request.ts';
import {
  WRONG_CREDENTIAL_ADDRESSES_MAX,
  WRONG_CREDENTIALS_BURST,
  WRONG_CREDENTIALS_PER_SECOND,
} from '../limits.ts';

const MICROS_PER_MS = 1000;
const NO_DIGEST: Uint8Array = new Uint8Array(32);

export class Authenticator {
  readonly #clock: Clock;
  readonly #wrong: RateLimit = new RateLimit({
    perSecond: WRONG_CREDENTIALS_PER_SECOND,
    burst: WRONG_CREDENTIALS_BURST,
    keysMax: WRONG_CREDENTIAL_ADDRESSES_MAX,
  });

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @throws TswarmError unauthenticated, resource_exhausted */
  authenticate(cache: ObjectCache, message: IncomingMessage): Caller {
    const address = message.socket.remoteAddress ?? '';
    const nowMs = this.#clock.monotonicMs();
    if (!this.#wrong.has(address, nowMs)) {
      throw new TswarmError('resource_exhausted', 'too many wrong credentials from this address', {
        retryable: true,
        hint: 'Wait a minute and try again.',
      });
    }
    try {
      return this.#caller(cache, message);
    } catch (error) {
      this.#wrong.take(address, nowMs);
      throw error;
    }
  }

  #caller(cache: ObjectCache, message: IncomingMessage): Caller {
    const { authorization } = message.headers;
    if (authorization !== undefined) return this.#ofToken(cache, authorization);
    const socket = message.socket as TLSSocket;
    const certificate = socket.getPeerCertificate?.();
    if (!certificate || Object.keys(certificate).length === 0) {
      throw new TswarmError('unauthenticated', 'a token or a client certificate is needed', {
        hint: 'Make a token on a manager, then: tswarm login HOST. For docker: tswarm client-cert create.',
      });
    }
    if (!socket.authorized) {
      throw wrong(`client certificate: ${String(socket.authorizationError ?? 'not trusted')}`);
    }
    return this.#ofCertificate(cache, certificate);
  }

  #ofToken(cache: ObjectCache, authorization: string): Caller {
    const [, text = ''] = /^Bearer +(\S+)$/i.exec(authorization) ?? [];
    const token = parseTokenQuietly(text);
    const credential = token && cache.get('credential', token.id);
    const digest = createHash('sha256')
      .update(token?.secret ?? '')
      .digest();
    // Compared in any case, so that the time says nothing about which ids there are.
    const known =
      credential?.secretDigest.length === digest.length ? credential.secretDigest : NO_DIGEST;
    const isSame = timingSafeEqual(digest, known);
    if (!isSame || credential?.spec?.kind !== CredentialKind.TOKEN)
      throw wrong('the token is wrong, or was removed');
    return this.#known(credential, 'token');
  }

  #ofCertificate(cache: ObjectCache, { subject }: PeerCertificate): Caller {
    const id = String(subject?.CN ?? '');
    const credential = cache.get('credential', id);
    const role = roleOf(credential?.spec?.role ?? 0);
    const isUsers = role !== undefined && subject.OU === userCertificateRole(role);
    if (!isUsers || credential?.spec?.kind !== CredentialKind.CERTIFICATE) {
      throw wrong('the client certificate is of no user of this cluster, or was taken back');
    }
    return this.#known(credential, 'certificate');
  }

  #known({ id, spec }: Credential, what: string): Caller {
    const role: Role | undefined = roleOf(spec?.role ?? 0);
    const expiresAt = spec?.expiresAt ?? 0;
    const isExpired = expiresAt !== 0 && expiresAt <= this.#clock.nowMs() * MICROS_PER_MS;
    if (!spec || !role || isExpired) throw wrong(`the ${what} has expired`);
    return { name: spec.name, role, credentialId: id };
  }
}

function wrong(why: string): TswarmError {
  return new TswarmError('unauthenticated', why, {
    hint: 'Ask an administrator for another one: tswarm token create NAME.',
  });
}

/** Undefined for what is no token: the answer is that of a wrong one. */
function parseTokenQuietly(text: string): ReturnType<typeof parseAccessToken> | undefined {
  try {
    return parseAccessToken(text);
  } catch {
    return undefined;
  }
}
