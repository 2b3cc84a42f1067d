// What the images may ask of the other nodes of the cluster: blobs, by their digests. Implemented in ../image-share. Whoever calls verifies what comes: another
// node is believed no more than a registry.
import type { Ingest } from './blob-store.ts';

export interface WantedBlob {
  readonly digest: string;
  readonly size: number;
}

export interface FillOptions {
  readonly signal: AbortSignal;
  /** Bytes that are there so far. */
  readonly onBytes: (current: number) => void;
  /** No registry has it, or none is in reach. */
  readonly isNodesOnly: boolean;
  /** Nodes that are not asked. */
  readonly distrusted: ReadonlySet<string>;
}

/** What came of asking the others; `end` must be called. */
export interface BlobTurn {
  /** All bytes are there. False: nobody has it and nobody fetches it, so it is this node's to get from the registry; the others wait for it. */
  readonly isWhole: boolean;
  /** Nodes that some of the bytes came from. */
  readonly givers: readonly string[];
  /** The registry has sent more. */
  goesOn(): void;
  /** The blob is in the store, verified; or is not. */
  end(has: boolean): void;
}

export interface BlobPeers {
  /**
   * Brings the rest of a blob from other nodes, one after the other where one breaks off.
   * @throws TswarmError `cancelled`, disk errors; with `isNodesOnly` also `not_found`, `unavailable`
   */
  fill(blob: WantedBlob, ingest: Ingest, options: FillOptions): Promise<BlobTurn>;
  /** A small blob whose size is not known, verified. @throws TswarmError `not_found`, `unavailable` */
  small(digest: string, bytesMax: number, signal: AbortSignal): Promise<Uint8Array>;
}
