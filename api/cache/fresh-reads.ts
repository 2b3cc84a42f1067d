// Makes an answer from the cache as new as what had been acknowledged, by whichever manager, when it was asked for: the manager proves by a read index how far its state must be
// (thesis §6.4), then the cache must have come as far. So a write at one manager is seen by a read at any other, as with Swarm, where every read goes to the leader. Nobody can
// prove it without a leader: then what is known is shown, and said to be unconfirmed.
// Requests share the proofs: one is on its way at a time, and all that come meanwhile wait for the next one, for the present one may be from before what they must see.
import type { Reply } from '../http/reply.ts';
import { READ_CONFIRM_TIMEOUT_MS } from '../limits.ts';
import type { ClusterSession } from '../node-control.ts';

/** Of an answer that may lack what was acknowledged before it was asked for. Old clients ignore it; ours say it. */
const HEADER = 'X-Tswarm-Unconfirmed';
/** What is answered from the cache, or looks names up in it. Creating something does neither: the leader resolves names. */
const FROM_CACHE =
  /^(GET \/swarm|[A-Z]+ (\/tswarm\/v1)?\/(configs|credentials|history|networks|nodes|secrets|services|stacks|tasks|volumes)(\/(?!create$).*)?)$/;

type Session = Pick<ClusterSession, 'control' | 'cache'>;

export class FreshReads {
  readonly #rounds = new WeakMap<Session['cache'], Rounds>();

  /** Before a request to `route` (as the router matched it) is handled. */
  async confirm(session: Session | undefined, route: string, reply: Reply): Promise<void> {
    if (!session?.cache.isReady || !FROM_CACHE.test(route)) return;
    const rounds = this.#rounds.get(session.cache) ?? new Rounds(session);
    this.#rounds.set(session.cache, rounds);
    if (!(await rounds.next())) reply.header(HEADER, 'true');
  }
}

/** The proofs of one session. */
class Rounds {
  readonly #session: Session;
  #running: Promise<boolean> | undefined;
  #waiting: Promise<boolean> | undefined;

  constructor(session: Session) {
    this.#session = session;
  }

  /** Of a proof that begins after this call: whether there is one, and the cache has come as far. */
  next(): Promise<boolean> {
    if (this.#running === undefined) return this.#begin();
    this.#waiting ??= this.#running.then(() => {
      this.#waiting = undefined;
      return this.#begin();
    });
    return this.#waiting;
  }

  #begin(): Promise<boolean> {
    const round = this.#prove().finally(() => {
      if (this.#running === round) this.#running = undefined;
    });
    this.#running = round;
    return round;
  }

  async #prove(): Promise<boolean> {
    const { control, cache } = this.#session;
    try {
      const { index } = await control.readIndex({}, { timeoutMs: READ_CONFIRM_TIMEOUT_MS });
      return await cache.reached(index, READ_CONFIRM_TIMEOUT_MS);
    } catch {
      return false; // No leader, no manager: it is the answer's header that says so.
    }
  }
}
