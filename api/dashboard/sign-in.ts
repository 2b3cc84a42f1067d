// Who may use the dashboard. Root (or the group tswarm) makes a link over the unix socket; the link is good once and becomes a session, held by a cookie
// that scripts cannot read. Every change must also carry the session's second secret, which other pages cannot know. Both are kept as digests in memory
// only: a restart of the daemon ends all sessions. Pure: time and random bytes come from outside.
import { createHash } from 'node:crypto';
import type { Role } from '#protocol/access';
import { TswarmError } from '#protocol/errors';
import type { Clock, Random } from '#protocol/world';
import {
  SESSION_IDLE_MS,
  SESSION_MAX_MS,
  SESSIONS_MAX,
  SIGN_IN_FAILURES_MAX,
  SIGN_IN_FAILURES_MS,
  SIGN_IN_LINK_MS,
  SIGN_IN_LINKS_MAX,
} from '../limits.ts';

export interface Session {
  readonly role: Role;
  /** Every change carries it in a header. */
  readonly csrf: string;
  readonly startedMs: number;
  usedMs: number;
}

export class SignIn {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #random: Pick<Random, 'bytes'>;
  /** By digest of the link's secret, oldest first. */
  readonly #links = new Map<string, { readonly role: Role; readonly endsMs: number }>();
  /** By digest of the cookie, oldest first. */
  readonly #sessions = new Map<string, Session>();
  #failures: number[] = [];

  constructor(clock: Pick<Clock, 'monotonicMs'>, random: Pick<Random, 'bytes'>) {
    this.#clock = clock;
    this.#random = random;
  }

  /** The secret of a new link. */
  link(role: Role): string {
    const secret = this.#secret();
    this.#links.set(digest(secret), { role, endsMs: this.#clock.monotonicMs() + SIGN_IN_LINK_MS });
    dropOldest(this.#links, SIGN_IN_LINKS_MAX);
    return secret;
  }

  /** Turns a link into a session. @throws unauthenticated, resource_exhausted after too many wrong ones. */
  redeem(secret: string): { readonly cookie: string; readonly session: Session } {
    const nowMs = this.#clock.monotonicMs();
    this.#failures = this.#failures.filter((at) => nowMs - at < SIGN_IN_FAILURES_MS);
    if (this.#failures.length >= SIGN_IN_FAILURES_MAX) {
      throw new TswarmError('resource_exhausted', 'too many attempts to sign in', {
        hint: 'Wait a minute.',
      });
    }
    const key = digest(secret);
    const link = this.#links.get(key);
    this.#links.delete(key);
    if (!link || nowMs > link.endsMs) {
      this.#failures.push(nowMs);
      throw new TswarmError('unauthenticated', 'this link was used already, or is too old', {
        hint: 'Make a new one on the host: tswarm dashboard',
      });
    }
    const cookie = this.#secret();
    const session = { role: link.role, csrf: this.#secret(), startedMs: nowMs, usedMs: nowMs };
    this.#sessions.set(digest(cookie), session);
    dropOldest(this.#sessions, SESSIONS_MAX);
    return { cookie, session };
  }

  /** The session of a cookie while it lasts. */
  session(cookie: string | undefined): Session | undefined {
    if (cookie === undefined) return undefined;
    const key = digest(cookie);
    const session = this.#sessions.get(key);
    const nowMs = this.#clock.monotonicMs();
    if (!session) return undefined;
    if (nowMs - session.usedMs > SESSION_IDLE_MS || nowMs - session.startedMs > SESSION_MAX_MS) {
      this.#sessions.delete(key);
      return undefined;
    }
    session.usedMs = nowMs;
    return session;
  }

  end(cookie: string): void {
    this.#sessions.delete(digest(cookie));
  }

  #secret(): string {
    return Buffer.from(this.#random.bytes(32)).toString('base64url');
  }
}

/** Looking a digest up takes no time that says anything about the secret. */
function digest(secret: string): string {
  return createHash('sha256').update(secret).digest('base64url');
}

function dropOldest(map: Map<string, unknown>, max: number): void {
  for (const key of map.keys()) {
    if (map.size <= max) return;
    map.delete(key);
  }
}
