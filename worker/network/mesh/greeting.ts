// First handshakes with new peers: when to try again, and whether they came to something. Two nodes that hear of each other at the same time both call; calls
// that cross cancel each other out (each end takes up the other's call and drops its own), as does a call that comes before the other end knows the caller.
// WireGuard calls again only after 5 s (its paper, §6.4); a peer that is made anew may call at once, but what it was to carry meanwhile is lost. So one of the
// two calls, and the other only when it has not been called for a moment; and both wait differently long before they call again. And where calls cross all the
// same, on two processors wireguard-go can take up both at once: both ends then say that they have shaken hands, but have different keys, and notice only after
// 15 s without an answer. So a handshake counts once an echo has come back through it. Pure.
import { CALL_AGAIN_MS, CALL_AGAIN_OTHER_MS } from '../limits.ts';

interface Waiting {
  readonly sinceMs: number;
  readonly waitsMs: readonly number[];
  readonly tries: number;
}

/** Whether the end with `ownKey` calls a new peer at once; the other end waits a moment to be called. */
export function callsFirst(ownKey: string, key: string): boolean {
  return ownKey < key;
}

/** Peers of whom something is to be done. */
export interface Due {
  /** Silent, and we have not called: to be called. What waits for them is not lost. */
  readonly greet: readonly string[];
  /** Silent, although called: to be made anew. */
  readonly call: readonly string[];
  /** They have shaken hands: is it really so? */
  readonly ask: readonly string[];
}

/** Peers that were just told to the device. Times are of one monotonic clock, in milliseconds. */
export class Greeting {
  /** public key → how long it has been waited for */
  readonly #waiting = new Map<string, Waiting>();

  /** `ownKey` and `keys`: public keys, base64. */
  begin(ownKey: string, keys: readonly string[], nowMs: number): void {
    for (const key of keys) {
      const waitsMs = callsFirst(ownKey, key) ? CALL_AGAIN_MS : CALL_AGAIN_OTHER_MS;
      this.#waiting.set(key, { sinceMs: nowMs, waitsMs, tries: 0 });
    }
  }

  /** When to look next; undefined = nobody is waited for. */
  nextMs(): number | undefined {
    let next: number | undefined;
    for (const one of this.#waiting.values()) {
      const at = dueMs(one);
      if (next === undefined || at < next) next = at;
    }
    return next;
  }

  /** What is to be done now. Nobody is waited for after the last try. */
  due(nowMs: number, isSilent: (publicKey: string) => boolean): Due {
    const greet: string[] = [];
    const call: string[] = [];
    const ask: string[] = [];
    for (const [key, one] of this.#waiting) {
      if (dueMs(one) > nowMs) continue;
      const isFirstCall = one.tries === 0 && one.waitsMs === CALL_AGAIN_OTHER_MS;
      if (!isSilent(key)) ask.push(key);
      else (isFirstCall ? greet : call).push(key);
      if (one.tries + 1 === one.waitsMs.length) this.#waiting.delete(key);
      else this.#waiting.set(key, { ...one, tries: one.tries + 1 });
    }
    return { greet, call, ask };
  }

  /** Its echo has come back, or it is no peer any more. */
  done(publicKey: string): void {
    this.#waiting.delete(publicKey);
  }

  clear(): void {
    this.#waiting.clear();
  }
}

function dueMs({ sinceMs, waitsMs, tries }: Waiting): number {
  return sinceMs + (waitsMs[tries] ?? 0);
}
