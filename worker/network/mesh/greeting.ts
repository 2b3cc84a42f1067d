// First handshakes with new peers, and when to try again. Two nodes that hear of each other at the same time both call; calls that cross cancel each other out
// (each end takes up the other's call and drops its own), as does a call that comes before the other end knows the caller. WireGuard calls again only
// after 5 s (its paper, §6.4); a peer that is made anew may call at once. Both ends wait differently long, so that their next calls do not cross, too. Pure.
import { CALL_AGAIN_MS, CALL_AGAIN_OTHER_MS } from '../limits.ts';

interface Waiting {
  readonly sinceMs: number;
  readonly waitsMs: readonly number[];
  readonly tries: number;
}

/** Peers that were just told to the device. Times are of one monotonic clock, in milliseconds. */
export class Greeting {
  /** public key → how long it has been waited for */
  readonly #waiting = new Map<string, Waiting>();

  /** `ownKey` and `keys`: public keys, base64. */
  begin(ownKey: string, keys: readonly string[], nowMs: number): void {
    for (const key of keys) {
      const waitsMs = ownKey < key ? CALL_AGAIN_MS : CALL_AGAIN_OTHER_MS;
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

  /** Peers that are to be called again now, of those that `isSilent`. The others are done with, and so are those that were called often enough. */
  due(nowMs: number, isSilent: (publicKey: string) => boolean): readonly string[] {
    const again: string[] = [];
    for (const [key, one] of this.#waiting) {
      if (!isSilent(key)) this.#waiting.delete(key);
      else if (dueMs(one) <= nowMs) {
        again.push(key);
        if (one.tries + 1 === one.waitsMs.length) this.#waiting.delete(key);
        else this.#waiting.set(key, { ...one, tries: one.tries + 1 });
      }
    }
    return again;
  }

  clear(): void {
    this.#waiting.clear();
  }
}

function dueMs({ sinceMs, waitsMs, tries }: Waiting): number {
  return sinceMs + (waitsMs[tries] ?? 0);
}
