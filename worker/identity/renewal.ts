// Renews the node's certificate at a random moment between half and four fifths of its life, so that a whole cluster does not come at once; after a failure
// again with growing pauses, down to the last minute. One timer, nothing between.
import { messageOf } from '#protocol/errors';
import { IssueNodeCertificateRequest, NodeCaService } from '#protocol/generated/ca';
import { clientOf, connectChannel } from '#protocol/transport/grpc';
import type { Clock, Log, Random } from '#protocol/world';
import {
  RENEW_LIFE_MAX,
  RENEW_LIFE_MIN,
  RENEW_RETRY_MS_MAX,
  RENEW_RETRY_MS_MIN,
} from '../limits.ts';
import { delay } from '../queue.ts';
import { certificateRequestFor, newNodeKey } from './csr.ts';
import type { NodeIdentity } from './node-identity.ts';
import { lifeOf } from './node-identity.ts';

const CA_NAME = 'swarm-ca';
const CALL_TIMEOUT_MS = 10_000;
/** Longest wait of one timer; a longer one is waited for in parts. */
const TIMER_MS_MAX = 0x7fffffff;

export interface RenewalDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  current(): NodeIdentity;
  /** `host:port` of some manager. */
  manager(): string;
  /** Writes it down and uses it from now on. */
  renewed(identity: NodeIdentity): Promise<void>;
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

  constructor(deps: RenewalDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#running = this.#loop();
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
      if (waitMs > 0) {
        await delay(Math.min(waitMs, TIMER_MS_MAX), signal);
        continue;
      }
      try {
        await this.#renew();
        retryMs = 0;
        at = renewalTimeMs(lifeOf(this.#deps.current().certificate), random.next());
        log.info('certificate renewed');
      } catch (error) {
        retryMs = Math.min(RENEW_RETRY_MS_MAX, Math.max(RENEW_RETRY_MS_MIN, retryMs * 2));
        at = clock.nowMs() + retryMs * (0.5 + random.next() / 2);
        log.warn('certificate not renewed', { reason: messageOf(error), retryMs });
      }
    }
  }

  async #renew(): Promise<void> {
    const current = this.#deps.current();
    const key = newNodeKey();
    const channel = connectChannel(this.#deps.manager(), current, CA_NAME);
    try {
      const answer = await clientOf(NodeCaService, channel).issueNodeCertificate(
        IssueNodeCertificateRequest.create({ csr: certificateRequestFor(key), token: '' }),
        { timeoutMs: CALL_TIMEOUT_MS },
      );
      await this.#deps.renewed({
        ...current,
        key,
        certificate: answer.certificate,
        caCert: answer.caCert,
      });
    } finally {
      channel.close();
    }
  }
}
