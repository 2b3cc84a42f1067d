// Finds two hosts that use one node's identity (a copied disk): their sessions take turns in ending
// each other's. A node that reconnects comes from one address, or moves once; twins come back again
// and again from both. Once found out, the one that has the session keeps it, and the other is told
// so, until it has been quiet for a while. Times are monotonic milliseconds.
import { TWIN_ALTERNATIONS, TWIN_WINDOW_MS } from './limits.ts';

interface Trace {
  address: string;
  /** When the address changed, oldest first. */
  changesMs: number[];
  /** The address that is refused, and when it was last heard of; undefined = none. */
  twin: { readonly address: string; readonly atMs: number } | undefined;
}

export class Twins {
  readonly #traces: Map<string, Trace> = new Map();

  /**
   * A node asks for a session from this address. Returns the address of its twin if it must be
   * refused because that one has the identity.
   */
  refusal(nodeId: string, address: string, nowMs: number): string | undefined {
    const trace = this.#traces.get(nodeId);
    if (!trace) {
      this.#traces.set(nodeId, { address, changesMs: [], twin: undefined });
      return undefined;
    }
    if (trace.twin && nowMs - trace.twin.atMs > TWIN_WINDOW_MS) trace.twin = undefined;
    if (trace.address === address) return undefined;
    trace.changesMs = trace.changesMs.filter((atMs) => nowMs - atMs <= TWIN_WINDOW_MS);
    const isTwin = trace.twin?.address === address || trace.changesMs.length >= TWIN_ALTERNATIONS;
    if (isTwin) {
      trace.twin = { address, atMs: nowMs };
      return trace.address;
    }
    trace.changesMs.push(nowMs);
    trace.address = address;
    return undefined;
  }

  /** The node is gone, or everything begins anew. */
  forget(nodeId?: string): void {
    if (nodeId === undefined) this.#traces.clear();
    else this.#traces.delete(nodeId);
  }
}
