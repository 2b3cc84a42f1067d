// Who gives which blob to whom: so that many nodes that want the same image at the same moment fetch each blob from the registry once, and from each other otherwise.
// A node that asks gets one source: a node that has the blob and is not giving much already, or the registry when nobody has it and nobody is fetching it; else it
// waits. What a node was told counts against that source until it says how it ended, or for a lease. All of it is a hint in memory on the leader: content is
// verified by its digest, and a node that gets no answer goes to the registry by itself. Pure: the time comes in.
import { BLOB_LEASE_MS, BLOB_TAKERS_MAX, BLOBS_REPORTED_MAX, NODE_TAKERS_MAX } from '../limits.ts';

export type BlobSource =
  | { readonly type: 'node'; readonly nodeId: string }
  | { readonly type: 'registry' }
  /** Somebody is fetching it, or all that have it are busy. */
  | { readonly type: 'wait' }
  /** Nobody has it, nobody fetches it, and the registry is out of the question. */
  | { readonly type: 'none' };

export interface BlobQuestion {
  readonly digest: string;
  /** The node that asks. */
  readonly nodeId: string;
  /** They could not give it. */
  readonly failed: ReadonlySet<string>;
  readonly isNodesOnly: boolean;
  /** Up, with a port. */
  readonly canGive: (nodeId: string) => boolean;
}

interface Take {
  /** undefined = the registry. */
  readonly holder: string | undefined;
  untilMs: number;
}

export class BlobTracker {
  /** Digest → nodes that have it. */
  readonly #holders: Map<string, Set<string>> = new Map();
  /** Node → what it has. */
  readonly #held: Map<string, Set<string>> = new Map();
  /** Digest → node that takes it → from where. */
  readonly #takes: Map<string, Map<string, Take>> = new Map();
  /** Node → how many take something from it. */
  readonly #load: Map<string, number> = new Map();
  #sweptAtMs = 0;

  clear(): void {
    this.#holders.clear();
    this.#held.clear();
    this.#takes.clear();
    this.#load.clear();
  }

  /** All that a node has. */
  report(nodeId: string, digests: ReadonlySet<string>): void {
    for (const digest of this.#held.get(nodeId) ?? []) {
      if (!digests.has(digest)) this.#drop(digest, nodeId);
    }
    for (const digest of digests) this.#add(digest, nodeId);
    if (digests.size > 0) this.#held.set(nodeId, new Set(digests));
    else this.#held.delete(nodeId);
  }

  /** A node is out of the cluster. */
  forget(nodeId: string): void {
    this.report(nodeId, new Set());
    for (const takes of this.#takes.values()) this.#end(takes, nodeId);
  }

  /** Where the node is to get the blob. An answer `node` or `registry` holds until `note`, the next question for the blob, or the end of the lease. */
  find(question: BlobQuestion, nowMs: number): BlobSource {
    const { digest, nodeId, failed, canGive } = question;
    this.#sweep(nowMs);
    const takes = this.#takes.get(digest) ?? new Map<string, Take>();
    this.#end(takes, nodeId);
    const able = [...(this.#holders.get(digest) ?? [])].filter(
      (holder) => holder !== nodeId && !failed.has(holder) && canGive(holder),
    );
    const free = this.#leastBusy(able, takes);
    if (free !== undefined) {
      this.#load.set(free, this.#loadOf(free) + 1);
      return this.#begin(question, takes, free, nowMs);
    }
    const isFetched = [...takes.values()].some((take) => take.holder === undefined);
    if (able.length > 0 || isFetched) return { type: 'wait' };
    // Those who take it from a node that has gone since will come back and ask.
    if (question.isNodesOnly) return takes.size > 0 ? { type: 'wait' } : { type: 'none' };
    return this.#begin(question, takes, undefined, nowMs);
  }

  /** Bytes go on coming: the lease begins anew. */
  goesOn(digest: string, nodeId: string, nowMs: number): void {
    const take = this.#takes.get(digest)?.get(nodeId);
    if (take) take.untilMs = nowMs + BLOB_LEASE_MS;
  }

  /** It has the blob now, or has given up. */
  settle(digest: string, nodeId: string, has: boolean): void {
    const takes = this.#takes.get(digest);
    if (takes) {
      this.#end(takes, nodeId);
      if (takes.size === 0) this.#takes.delete(digest);
    }
    const held = this.#held.get(nodeId) ?? new Set<string>();
    if (!has || held.size >= BLOBS_REPORTED_MAX) return;
    this.#held.set(nodeId, held.add(digest));
    this.#add(digest, nodeId);
  }

  #begin(
    { digest, nodeId }: BlobQuestion,
    takes: Map<string, Take>,
    holder: string | undefined,
    nowMs: number,
  ): BlobSource {
    takes.set(nodeId, { holder, untilMs: nowMs + BLOB_LEASE_MS });
    this.#takes.set(digest, takes);
    return holder === undefined ? { type: 'registry' } : { type: 'node', nodeId: holder };
  }

  /** Those that have it longest come first among equals. */
  #leastBusy(able: readonly string[], takes: ReadonlyMap<string, Take>): string | undefined {
    let best: string | undefined;
    for (const holder of able) {
      const ofThis = [...takes.values()].filter((take) => take.holder === holder).length;
      if (ofThis >= BLOB_TAKERS_MAX || this.#loadOf(holder) >= NODE_TAKERS_MAX) continue;
      if (best === undefined || this.#loadOf(holder) < this.#loadOf(best)) best = holder;
    }
    return best;
  }

  #loadOf(nodeId: string): number {
    return this.#load.get(nodeId) ?? 0;
  }

  #end(takes: Map<string, Take>, nodeId: string): void {
    const take = takes.get(nodeId);
    if (!take) return;
    takes.delete(nodeId);
    if (take.holder === undefined) return;
    const load = this.#loadOf(take.holder) - 1;
    if (load > 0) this.#load.set(take.holder, load);
    else this.#load.delete(take.holder);
  }

  /** Takers that have not said how it ended count no longer. */
  #sweep(nowMs: number): void {
    if (nowMs - this.#sweptAtMs < BLOB_LEASE_MS / 10) return;
    this.#sweptAtMs = nowMs;
    for (const [digest, takes] of this.#takes) {
      for (const [nodeId, take] of takes) if (take.untilMs <= nowMs) this.#end(takes, nodeId);
      if (takes.size === 0) this.#takes.delete(digest);
    }
  }

  #add(digest: string, nodeId: string): void {
    const holders = this.#holders.get(digest);
    if (holders) holders.add(nodeId);
    else this.#holders.set(digest, new Set([nodeId]));
  }

  #drop(digest: string, nodeId: string): void {
    const holders = this.#holders.get(digest);
    holders?.delete(nodeId);
    if (holders?.size === 0) this.#holders.delete(digest);
  }
}
