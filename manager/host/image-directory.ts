// Which node has which image: what the nodes last said, in memory on the leader. A hint: an image may have gone since, then the node that asked tries the next one.
// Refuses callers that are not nodes of this cluster, and reports beyond a size that a node's store never has.
import { requireMember, requireNode } from '#manager/dispatcher/nodes';
import { TswarmError } from '#protocol/errors';
import { type ImageDirectoryMethods, ImageHolder } from '#protocol/generated/images';
import { NodeState } from '#protocol/generated/objects';
import type { Handlers } from '#protocol/transport/grpc';
import { IMAGE_HOLDERS_MAX, IMAGES_REPORTED_MAX } from '../limits.ts';
import type { ReplicatedStore } from './replicated-store.ts';

export class ImageDirectory {
  readonly #replicated: ReplicatedStore;
  /** Node id → ids of its images. */
  readonly #images: Map<string, ReadonlySet<string>> = new Map();

  constructor(replicated: ReplicatedStore) {
    this.#replicated = replicated;
  }

  /** This manager does not lead any more; the nodes report to the one that does. */
  reset(): void {
    this.#images.clear();
  }

  handlers(): Handlers<ImageDirectoryMethods> {
    return {
      report: async ({ imageIds }, { peer }) => {
        const nodeId = this.#caller(peer);
        if (imageIds.length > IMAGES_REPORTED_MAX) {
          const text = `${imageIds.length} images in one report, at most ${IMAGES_REPORTED_MAX}`;
          throw new TswarmError('too_large', text);
        }
        this.#images.set(nodeId, new Set(imageIds));
        return {};
      },
      find: async ({ imageId }, { peer }) => {
        const nodeId = this.#caller(peer);
        return { holders: this.#holders(imageId, nodeId) };
      },
    };
  }

  #caller(peer: { readonly nodeId: string; readonly role: string }): string {
    const nodeId = requireNode(peer);
    requireMember(this.#replicated.view, nodeId);
    if (!this.#replicated.isLeading) throw this.#replicated.notLeading();
    return nodeId;
  }

  #holders(imageId: string, asking: string): ImageHolder[] {
    const holders: ImageHolder[] = [];
    for (const [nodeId, images] of this.#images) {
      if (nodeId === asking || !images.has(imageId)) continue;
      const node = this.#replicated.view.get('node', nodeId);
      if (!node) this.#images.delete(nodeId);
      const { addr = '', state } = node?.status ?? {};
      const port = node?.description?.imagePort ?? 0;
      if (state !== NodeState.READY || addr === '' || port === 0) continue;
      const host = addr.includes(':') ? `[${addr}]` : addr;
      holders.push(ImageHolder.create({ nodeId, addr: `${host}:${port}` }));
      if (holders.length === IMAGE_HOLDERS_MAX) break;
    }
    return holders;
  }
}
