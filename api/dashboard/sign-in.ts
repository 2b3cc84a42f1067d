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
  /** Ends what the session has open: streams, shells. */
  readonly open: Set<() => void>;
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
    const session: Session = {
      role: link.role,
      csrf: this.#secret(),
      startedMs: nowMs,
      usedMs: nowMs,
      open: new Set(),
    };
    this.#sessions.set(digest(cookie), session);
    for (const old of dropOldest(this.#sessions, SESSIONS_MAX)) closeAll(old);
    return { cookie, session };
  }

  /** The session of a cookie while it lasts. */
  session(cookie: string | undefined): Session | undefined {
    if (cookie === undefined) return undefined;
    const key = digest(cookie);
    const session = this.#sessions.get(key);
    const nowMs = this.#clock.monotonicMs();
    if (!session) return undefined;
    if (isOver(session, nowMs)) {
      this.#end(key, session);
      return undefined;
    }
    session.usedMs = nowMs;
    return session;
  }

  /** Something that a session opens, and that ends with it; an open one is use. @returns says that it has ended. */
  hold(session: Session, close: () => void): () => void {
    session.open.add(close);
    return () => {
      if (session.open.delete(close)) session.usedMs = this.#clock.monotonicMs();
    };
  }

  end(cookie: string): void {
    const key = digest(cookie);
    const session = this.#sessions.get(key);
    if (session) this.#end(key, session);
  }

  /** Ends the sessions whose time is over, with all that they have open. */
  endOld(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [key, session] of this.#sessions) {
      if (isOver(session, nowMs)) this.#end(key, session);
    }
  }

  #end(key: string, session: Session): void {
    this.#sessions.delete(key);
    closeAll(session);
  }

  #secret(): string {
    return Buffer.from(this.#random.bytes(32)).toString('base64url');
  }
}

/** Looking a digest up takes no time that says anything about the secret. */
function digest(secret: string): string {
  return createHash('sha256').update(secret).digest('base64url');
}

function isOver({ startedMs, usedMs, open }: Session, nowMs: number): boolean {
  return (
    (open.size === 0 && nowMs - usedMs > SESSION_IDLE_MS) || nowMs - startedMs > SESSION_MAX_MS
  );
}

function closeAll({ open }: Session): void {
  for (const close of [...open]) close();
  open.clear();
}

/** @returns what was dropped. */
function dropOldest<T>(map: Map<string, T>, max: number): readonly T[] {
  const dropped: T[] = [];
  for (const [key, value] of map) {
    if (map.size <= max) break;
    map.delete(key);
    dropped.push(value);
  }
  return dropped;
}
