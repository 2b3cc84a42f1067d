// Renews a certificate (the node's, or the gateway's) at a random moment between half and four fifths of its life, so that a whole cluster does not come at once; at once when a
// manager asks for it (the root is being changed); after a failure again with growing pauses, each time at another manager, to the last minute.
import { messageOf } from '#protocol/errors';
import { certificateRequestFor, newNodeKey } from '#protocol/transport/csr';
import type { TlsIdentity } from '#protocol/transport/grpc';
import type { Clock, Log, Random } from '#protocol/world';
import {
  RENEW_LIFE_MAX,
  RENEW_LIFE_MIN,
  RENEW_PAUSE_MS_MIN,
  RENEW_RETRY_MS_MAX,
  RENEW_RETRY_MS_MIN,
} from '../limits.ts';
import { delay } from '../queue.ts';
import { requestCertificate } from './join.ts';
import { lifeOf } from './node-identity.ts';

/** A pause is never longer than this part of the life that is left, so that a short life has many tries too. */
const RETRIES_LEFT_MIN = 8;
/** Longest wait of one timer; a longer one is waited for in parts. */
const TIMER_MS_MAX = 0x7fffffff;

export interface RenewalDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  current(): TlsIdentity;
  /** `host:port` of the managers that are known. */
  managers(): readonly string[];
  /** Writes it down and uses it from now on. */
  renewed(identity: TlsIdentity): Promise<void>;
}

/** When to renew a certificate with this life; `point` in [0, 1). */
export function renewalTimeMs(
  life: { readonly fromMs: number; readonly toMs: number },
  point: number,
): number {
  const part = RENEW_LIFE_MIN + (RENEW_LIFE_MAX - RENEW_LIFE_MIN) * point;
  return life.fromMs + (life.toMs - life.fromMs) * part;
}

export class Renewal {
  readonly #deps: RenewalDeps;
  readonly #stopped = new AbortController();
  #running: Promise<void> | undefined;
  #pause = new AbortController();
  #asked = false;

  constructor(deps: RenewalDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#running = this.#loop();
  }

  /** A manager wants the certificate to be renewed now. */
  now(): void {
    this.#asked = true;
    this.#pause.abort();
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#running;
  }

  async #loop(): Promise<void> {
    const { clock, random, log } = this.#deps;
    const { signal } = this.#stopped;
    let retryMs = 0;
    let at = renewalTimeMs(lifeOf(this.#deps.current().certificate), random.next());
    while (!signal.aborted) {
      const waitMs = at - clock.nowMs();
      if (waitMs > 0 && !this.#asked) {
        this.#pause = new AbortController();
        const wake = AbortSignal.any([signal, this.#pause.signal]);
        await delay(Math.min(waitMs, TIMER_MS_MAX), wake);
        continue;
      }
      this.#asked = false;
      try {
        await this.#renew();
        retryMs = 0;
        // A clock that is far ahead finds the new one old at once; it must not ask without end.
        at = Math.max(
          renewalTimeMs(lifeOf(this.#deps.current().certificate), random.next()),
          clock.nowMs() + RENEW_PAUSE_MS_MIN,
        );
        log.info('certificate renewed');
      } catch (error) {
        if (signal.aborted) return;
        const leftMs = lifeOf(this.#deps.current().certificate).toMs - clock.nowMs();
        const limitMs = Math.min(RENEW_RETRY_MS_MAX, leftMs / RETRIES_LEFT_MIN);
        retryMs = Math.max(RENEW_RETRY_MS_MIN, Math.min(limitMs, retryMs * 2));
        at = clock.nowMs() + retryMs * (0.5 + random.next() / 2);
        log.warn('certificate not renewed', { reason: messageOf(error), retryMs });
      }
    }
  }

  async #renew(): Promise<void> {
    const current = this.#deps.current();
    const key = newNodeKey();
    const managers = shuffled(this.#deps.managers(), this.#deps.random);
    const answer = await requestCertificate(managers, current, certificateRequestFor(key));
    await this.#deps.renewed({ key, ...answer });
  }
}

function shuffled<T>(items: readonly T[], random: Random): readonly T[] {
  const keyed = items.map((item) => ({ item, key: random.next() }));
  return keyed.sort((a, b) => a.key - b.key).map(({ item }) => item);
}
