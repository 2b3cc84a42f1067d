// Which node has which image and which blob, and who is fetching one: what the nodes last said, in memory on the leader. A hint: an image may have gone since, then the
// node that asked tries the next one. A question for a blob that somebody is about to have waits for that (BLOB_WAIT_MS). Refuses callers that are not nodes of this
// cluster, and reports beyond a size that a node's store never has. Who gets what from whom: blob-tracker.ts.
import { requireMember, requireNode } from '#manager/dispatcher/nodes';
import { TswarmError } from '#protocol/errors';
import {
  type BlobFindRequest,
  BlobFindResponse,
  BlobState,
  type ImageDirectoryMethods,
  ImageHolder,
} from '#protocol/generated/images';
import { NodeState } from '#protocol/generated/objects';
import type { Handlers } from '#protocol/transport/grpc';
import type { Clock } from '#protocol/world';
import {
  BLOB_FAILED_MAX,
  BLOB_WAIT_MS,
  BLOBS_REPORTED_MAX,
  IMAGE_HOLDERS_MAX,
  IMAGES_REPORTED_MAX,
} from '../limits.ts';
import { BlobTracker } from './blob-tracker.ts';
import type { ReplicatedStore } from './replicated-store.ts';

const DIGEST = /^sha(256|512):[0-9a-f]{64,128}$/;
const SHA256_BYTES = 32;

export class ImageDirectory {
  readonly #replicated: ReplicatedStore;
  readonly #clock: Clock;
  /** Node id → ids of its images. */
  readonly #images: Map<string, ReadonlySet<string>> = new Map();
  readonly #blobs: BlobTracker = new BlobTracker();
  /** Digest → those that wait for something to be said about it. */
  readonly #waiting: Map<string, Set<() => void>> = new Map();

  constructor(replicated: ReplicatedStore, clock: Clock) {
    this.#replicated = replicated;
    this.#clock = clock;
  }

  /** This manager does not lead any more; the nodes report to the one that does. */
  reset(): void {
    this.#images.clear();
    this.#blobs.clear();
    for (const digest of [...this.#waiting.keys()]) this.#wake(digest);
  }

  handlers(): Handlers<ImageDirectoryMethods> {
    return {
      report: async ({ imageIds, blobs }, { peer }) => {
        this.#report(this.#caller(peer), imageIds, blobs);
        return {};
      },
      find: async ({ imageId }, { peer }) => {
        const nodeId = this.#caller(peer);
        return { holders: this.#holders(imageId, nodeId) };
      },
      findBlob: (request, { peer, signal }) =>
        this.#findBlob(request, this.#caller(peer), signal, () => this.#caller(peer)),
      noteBlob: async ({ digest, state }, { peer }) => {
        const nodeId = this.#caller(peer);
        if (state === BlobState.FETCHING) {
          this.#blobs.goesOn(digest, nodeId, this.#clock.monotonicMs());
        } else {
          this.#blobs.settle(checked(digest), nodeId, state === BlobState.HAVE);
          this.#wake(digest);
        }
        return {};
      },
    };
  }

  #caller(peer: { readonly nodeId: string; readonly role: string }): string {
    const nodeId = requireNode(peer);
    requireMember(this.#replicated.view, nodeId);
    if (!this.#replicated.isLeading) throw this.#replicated.notLeading();
    return nodeId;
  }

  #report(nodeId: string, imageIds: readonly string[], blobs: readonly Uint8Array[]): void {
    if (imageIds.length > IMAGES_REPORTED_MAX || blobs.length > BLOBS_REPORTED_MAX) {
      const text = `${imageIds.length} images and ${blobs.length} blobs in one report`;
      const most = `at most ${IMAGES_REPORTED_MAX} and ${BLOBS_REPORTED_MAX}`;
      throw new TswarmError('too_large', `${text}, ${most}`);
    }
    this.#images.set(nodeId, new Set(imageIds));
    const digests = blobs.filter((blob) => blob.length === SHA256_BYTES).map(digestOf);
    this.#blobs.report(nodeId, new Set(digests));
    for (const digest of digests) this.#wake(digest);
  }

  async #findBlob(
    { digest, failedNodes, nodesOnly }: BlobFindRequest,
    nodeId: string,
    signal: AbortSignal,
    stillLeads: () => void,
  ): Promise<BlobFindResponse> {
    checked(digest);
    const failed = new Set(failedNodes.slice(0, BLOB_FAILED_MAX));
    const canGive = (id: string): boolean => this.#holder(id) !== undefined;
    const question = { digest, nodeId, failed, isNodesOnly: nodesOnly, canGive };
    const endMs = this.#clock.monotonicMs() + BLOB_WAIT_MS;
    for (;;) {
      const source = this.#blobs.find(question, this.#clock.monotonicMs());
      if (source.type === 'registry') return BlobFindResponse.create({ fromRegistry: true });
      if (source.type === 'none') {
        throw new TswarmError('not_found', `no node has ${digest}`);
      }
      const holder = source.type === 'node' ? this.#holder(source.nodeId) : undefined;
      if (holder) return BlobFindResponse.create({ holder });
      const leftMs = endMs - this.#clock.monotonicMs();
      if (leftMs <= 0) return BlobFindResponse.create({});
      await this.#news(digest, leftMs, signal);
      if (signal.aborted) throw new TswarmError('cancelled', 'the caller has gone');
      stillLeads();
    }
  }

  /** Resolves when something is said about the blob, after the time, or when the caller has gone. */
  #news(digest: string, ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const waiting = this.#waiting.get(digest) ?? new Set();
      this.#waiting.set(digest, waiting);
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        waiting.delete(done);
        if (waiting.size === 0) this.#waiting.delete(digest);
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal.addEventListener('abort', done);
      waiting.add(done);
    });
  }

  #wake(digest: string): void {
    for (const done of [...(this.#waiting.get(digest) ?? [])]) done();
  }

  #holders(imageId: string, asking: string): ImageHolder[] {
    const holders: ImageHolder[] = [];
    for (const [nodeId, images] of this.#images) {
      if (nodeId === asking || !images.has(imageId)) continue;
      const holder = this.#holder(nodeId);
      if (!holder) continue;
      holders.push(holder);
      if (holders.length === IMAGE_HOLDERS_MAX) break;
    }
    return holders;
  }

  /** Where a node gives what it has; undefined when it cannot now. */
  #holder(nodeId: string): ImageHolder | undefined {
    const node = this.#replicated.view.get('node', nodeId);
    if (!node) {
      this.#images.delete(nodeId);
      this.#blobs.forget(nodeId);
    }
    const { addr = '', state } = node?.status ?? {};
    const port = node?.description?.imagePort ?? 0;
    if (state !== NodeState.READY || addr === '' || port === 0) return undefined;
    const host = addr.includes(':') ? `[${addr}]` : addr;
    return ImageHolder.create({ nodeId, addr: `${host}:${port}` });
  }
}

/** @throws TswarmError invalid_argument */
function checked(digest: string): string {
  if (DIGEST.test(digest)) return digest;
  throw new TswarmError('invalid_argument', 'digest: expected sha256:<64 hex digits>', {
    field: 'digest',
  });
}

function digestOf(blob: Uint8Array): string {
  return `sha256:${Buffer.from(blob).toString('hex')}`;
}
