// Append messages sent to one peer and not yet acknowledged, bounded by count and by bytes.
// Source: etcd-io/raft tracker/inflights.go; the byte limit since 3.6. Throughput per peer is
// bytes / round trip. Both counters are reset together (etcd PR 54: only one was, and stalled).
import { invariant } from './invariant.ts';

/** A first-in first-out window of (last index, bytes) per message. */
export class Inflights {
  readonly #maxCount: number;
  /** 0 means no limit. */
  readonly #maxBytes: number;
  #indexes: number[] = [];
  #sizes: number[] = [];
  #head = 0;
  #bytes = 0;

  constructor(limits: { readonly maxCount: number; readonly maxBytes: number }) {
    this.#maxCount = limits.maxCount;
    this.#maxBytes = limits.maxBytes;
  }

  get count(): number {
    return this.#indexes.length - this.#head;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Whether nothing more may be sent. The message that crosses the byte limit was still sent. */
  isFull(): boolean {
    return this.count >= this.#maxCount || (this.#maxBytes !== 0 && this.#bytes >= this.#maxBytes);
  }

  /** Records a message whose last entry is `lastIndex`. */
  add(lastIndex: number, bytes: number): void {
    invariant(!this.isFull(), 'message added to a full in-flight window', { lastIndex });
    this.#indexes.push(lastIndex);
    this.#sizes.push(bytes);
    this.#bytes += bytes;
  }

  /** Forgets all messages that end at or before `index`. */
  freeUpTo(index: number): void {
    while (this.#head < this.#indexes.length) {
      if ((this.#indexes[this.#head] as number) > index) break;
      this.#bytes -= this.#sizes[this.#head] as number;
      this.#head++;
    }
    // Shift the arrays only when at least half is dead: amortised constant time per message.
    if (this.#head > 32 && this.#head * 2 > this.#indexes.length) {
      this.#indexes = this.#indexes.slice(this.#head);
      this.#sizes = this.#sizes.slice(this.#head);
      this.#head = 0;
    }
  }

  reset(): void {
    this.#indexes = [];
    this.#sizes = [];
    this.#head = 0;
    this.#bytes = 0;
  }
}
