// Which of a container's networks are the cluster's, and so need a place from a manager before the interface is made; and giving places back when that
// comes to nothing or the interface goes. What a container has at the moment is in its attachment record.
import type { AttachmentRecord } from './attachment.ts';
import type { AttachmentStore } from './attachment-store.ts';
import type { LocalNetworks } from './local-networks.ts';
import type { AttachmentRequest, AttachRequest, ClusterPlaces, PlaceSeeker } from './types.ts';

export class Places {
  readonly #cluster: ClusterPlaces | undefined;
  readonly #local: LocalNetworks;
  readonly #records: AttachmentStore;

  constructor(cluster: ClusterPlaces | undefined, local: LocalNetworks, records: AttachmentStore) {
    this.#cluster = cluster;
    this.#local = local;
    this.#records = records;
  }

  /** Does `work` with places for all networks of the cluster that are asked for; those of before are given back afterwards. */
  async with<T>(
    containerId: string,
    request: AttachRequest,
    work: (request: AttachRequest) => Promise<T>,
  ): Promise<T> {
    const former = this.#heldBy(containerId);
    const attachments: AttachmentRequest[] = [];
    try {
      for (const attachment of request.mode === 'networks' ? request.attachments : []) {
        attachments.push(await this.acquire({ ...request, containerId }, attachment));
      }
      const result = await work(
        request.mode === 'networks' ? { ...request, attachments } : request,
      );
      this.#tell(containerId, attachments);
      return result;
    } catch (error) {
      this.#release(attachments);
      throw error;
    } finally {
      this.#release(former);
    }
  }

  /** The same for one more network of a container that is running. */
  async withOne(
    containerId: string,
    attachment: AttachmentRequest,
    work: (attachment: AttachmentRequest) => Promise<void>,
  ): Promise<void> {
    const request = this.#records.get(containerId)?.request;
    const seeker = {
      containerId,
      hostname: request?.hostname ?? '',
      names: request?.names ?? [],
      taskId: request?.taskId ?? '',
    };
    const acquired = await this.acquire(seeker, attachment);
    try {
      await work(acquired);
      this.#tell(containerId, [acquired]);
    } catch (error) {
      this.#release([acquired]);
      throw error;
    }
  }

  /** Gives back the places that a container no longer has once `work` is done. */
  async leaving(containerId: string, work: () => Promise<void>): Promise<void> {
    const before = this.#heldBy(containerId);
    await work();
    const left = new Set(this.#heldBy(containerId).map(({ attachmentId }) => attachmentId));
    this.#release(before.filter(({ attachmentId }) => !left.has(attachmentId)));
  }

  list(): readonly (PlaceSeeker & { readonly attachment: AttachmentRequest })[] {
    return this.#records.list().flatMap(({ containerId, request }) =>
      request.attachments
        .filter(({ attachmentId }) => attachmentId !== undefined)
        .map((attachment) => ({
          containerId,
          hostname: request.hostname,
          names: request.names,
          attachment,
        })),
    );
  }

  async rename(attachmentId: string, next: string): Promise<void> {
    for (const record of this.#records.list()) {
      if (!holds(record, attachmentId)) continue;
      const attachments = record.request.attachments.map((attachment) =>
        attachment.attachmentId === attachmentId
          ? { ...attachment, attachmentId: next }
          : attachment,
      );
      await this.#records.put({ ...record, request: { ...record.request, attachments } });
    }
  }

  /** A task's addresses are the task's; a network of this node gives its own. */
  async acquire(
    seeker: PlaceSeeker & { readonly taskId: string },
    attachment: AttachmentRequest,
  ): Promise<AttachmentRequest> {
    const isLocal = this.#local.find(attachment.networkId) !== undefined;
    if (!this.#cluster || isLocal || seeker.taskId !== '') return attachment;
    return this.#cluster.acquire(seeker, attachment);
  }

  #heldBy(containerId: string): readonly AttachmentRequest[] {
    return this.#records.get(containerId)?.request.attachments ?? [];
  }

  #tell(containerId: string, attachments: readonly AttachmentRequest[]): void {
    for (const { attachmentId } of attachments) {
      if (attachmentId !== undefined) this.#cluster?.attached(attachmentId, containerId);
    }
  }

  #release(attachments: readonly AttachmentRequest[]): void {
    for (const { attachmentId } of attachments) {
      if (attachmentId !== undefined) this.#cluster?.release(attachmentId);
    }
  }
}

function holds({ request }: AttachmentRecord, attachmentId: string): boolean {
  return request.attachments.some((attachment) => attachment.attachmentId === attachmentId);
}
