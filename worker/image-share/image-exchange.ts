// Images between nodes: tells the leader what this node has, gives it to others (share-server.ts), and takes what it lacks from them (blob-fetcher.ts). An image that
// was made in the cluster is asked for by its id, which is the digest of its configuration; that names the digests of its layers, and all of them are checked: a
// node that lies gives nothing. Of images that come by a registry's name other nodes give the blobs: the puller asks for those.
import type { Client as Channel } from '@grpc/grpc-js';
import { messageOf, TswarmError } from '#protocol/errors';
import type { ManagerAddress } from '#protocol/generated/dispatcher';
import {
  ImageDescribeRequest,
  type ImageDescription,
  ImageDirectoryService,
  ImageFindRequest,
  type ImageHolder,
  ImageReport,
  ImageShareService,
} from '#protocol/generated/images';
import { clientOf, connectChannel, type TlsIdentity } from '#protocol/transport/grpc';
import type { Clock, Log, Random } from '#protocol/world';
import { checkedDigest, hexOf, isDigest } from '../images/digest.ts';
import { type Descriptor, parseDescriptor } from '../images/manifest.ts';
import type { ImageRecord, ImageService } from '../images/types.ts';
import {
  BLOBS_REPORTED_MAX,
  IMAGE_FIND_PAUSE_MS,
  IMAGE_FIND_TIMEOUT_MS,
  IMAGE_FIND_TRIES,
  IMAGE_REPORT_COALESCE_MS,
  IMAGE_REPORT_RETRY_MS,
} from '../limits.ts';
import { delay } from '../queue.ts';
import { BlobFetcher } from './blob-fetcher.ts';
import { ShareServer } from './share-server.ts';

export interface ImageExchangeDeps {
  readonly images: Pick<ImageService, 'store' | 'api' | 'sharing' | 'setPeers'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** The node must be described again: its port is another one. */
  readonly changed: () => void;
  /** A manager says where the managers are. */
  readonly managersNews: (managers: readonly ManagerAddress[]) => void;
}

export class ImageExchange {
  readonly #deps: ImageExchangeDeps;
  readonly #fetches: Map<string, Promise<ImageRecord>> = new Map();
  #identity: TlsIdentity | undefined;
  #server: ShareServer | undefined;
  #port = 0;
  #removedNodes: ReadonlySet<string> | undefined;
  /** The way to the leader while there is one. */
  #leader: Channel | undefined;
  #timer: NodeJS.Timeout | undefined;
  readonly #blobs: BlobFetcher;
  /** Got since the list of a report was made. */
  readonly #fresh: Set<string> = new Set();

  constructor(deps: ImageExchangeDeps) {
    this.#deps = deps;
    this.#blobs = new BlobFetcher({
      log: deps.log,
      leader: () => this.#leader,
      connect: (holder) => this.#connect(holder),
      nowMs: () => deps.clock.monotonicMs(),
      settled: (digest) => void this.#fresh.add(digest),
    });
  }

  /** Where other nodes get images; 0 = nowhere. */
  get port(): number {
    return this.#port;
  }

  /** From now on others may ask, unless the cluster is this host for itself (all managers on loopback). Does nothing the second time. */
  async listen(managers: readonly string[]): Promise<void> {
    const identity = this.#identity;
    if (!identity || this.#server || managers.every(isLoopback)) return;
    const server = new ShareServer(
      {
        images: this.#deps.images.sharing,
        removedNodes: () => this.#removedNodes,
        managersNews: this.#deps.managersNews,
      },
      identity,
    );
    this.#server = server;
    try {
      this.#port = await server.start();
      this.#deps.images.setPeers(this.#blobs);
      this.#deps.changed();
    } catch (error) {
      this.#server = undefined;
      this.#deps.log.warn('images are not given to other nodes', { reason: messageOf(error) });
    }
  }

  /** Nodes that are out of the cluster get nothing from here. */
  setRemovedNodes(ids: readonly string[]): void {
    this.#removedNodes = new Set(ids);
  }

  setIdentity(identity: TlsIdentity): void {
    this.#identity = identity;
    this.#server?.setIdentity(identity);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#deps.images.setPeers(undefined);
    this.#server?.stop();
    this.#server = undefined;
    this.#port = 0;
    this.#identity = undefined;
  }

  /** A session with the leader, for as long as the signal is not aborted. */
  attached(channel: Channel, signal: AbortSignal): void {
    this.#leader = channel;
    signal.addEventListener('abort', () => {
      if (this.#leader === channel) this.#leader = undefined;
    });
    this.#reportIn(0);
  }

  /** The node has an image more or less. */
  imagesChanged(): void {
    this.#reportIn(IMAGE_REPORT_COALESCE_MS);
  }

  /**
   * The image with this id, from here or from another node; one from another node gets the name `ref` here.
   * @throws TswarmError not_found when no node in reach has it
   */
  ensure(imageId: string, ref: string, signal: AbortSignal): Promise<ImageRecord> {
    const here = this.#deps.images.store.resolve(imageId);
    if (here) return Promise.resolve(here);
    const running = this.#fetches.get(imageId);
    if (running) return running;
    const fetch = this.#fetch(imageId, ref, signal).finally(() => this.#fetches.delete(imageId));
    this.#fetches.set(imageId, fetch);
    return fetch;
  }

  #reportIn(delayMs: number): void {
    if (this.#timer !== undefined && delayMs > 0) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.#report();
    }, delayMs);
    this.#timer.unref();
  }

  async #report(): Promise<void> {
    const leader = this.#leader;
    if (!leader) return;
    try {
      const report = await this.#whatIsHere();
      const options = { timeoutMs: IMAGE_FIND_TIMEOUT_MS };
      await clientOf(ImageDirectoryService, leader).report(report, options);
    } catch (error) {
      this.#deps.log.debug('images not reported', { reason: messageOf(error) });
      if (this.#leader === leader) this.#reportIn(IMAGE_REPORT_RETRY_MS);
    }
  }

  async #whatIsHere(): Promise<ImageReport> {
    const { api, sharing } = this.#deps.images;
    this.#fresh.clear();
    const list = await api.list({ all: false, filters: {}, digests: false });
    const digests = new Set(await sharing.digests());
    for (const digest of this.#fresh) digests.add(digest);
    const blobs = [...digests]
      .filter((digest) => digest.startsWith('sha256:'))
      .slice(0, BLOBS_REPORTED_MAX)
      .map((digest) => Buffer.from(hexOf(digest), 'hex'));
    return ImageReport.create({ imageIds: list.map(({ Id }) => String(Id)), blobs });
  }

  async #fetch(imageId: string, ref: string, signal: AbortSignal): Promise<ImageRecord> {
    const name = isDigest(ref) || ref === '' ? imageId : ref;
    const problems: string[] = [];
    for (const holder of await this.#someHolders(imageId, signal)) {
      if (signal.aborted) throw new TswarmError('cancelled', `image ${name}: no longer wanted`);
      try {
        return await this.#take(holder, imageId, ref, signal);
      } catch (error) {
        // Removed there since it said that it has it.
        const isGone = error instanceof TswarmError && error.code === 'not_found';
        if (!isGone) problems.push(`${holder.addr}: ${messageOf(error)}`);
        this.#deps.log.info('image not had from a node', {
          image: name,
          node: holder.nodeId,
          reason: messageOf(error),
        });
      }
    }
    const why = problems.length === 0 ? 'no other node has it' : problems.join('; ');
    throw new TswarmError('not_found', `No such image: ${name} (${why})`);
  }

  /** The node that made it may be about to say so. */
  async #someHolders(imageId: string, signal: AbortSignal): Promise<ImageHolder[]> {
    for (let left = IMAGE_FIND_TRIES; ; left -= 1) {
      const holders = await this.#holders(imageId);
      if (holders.length > 0 || left <= 1 || signal.aborted) return holders;
      await delay(IMAGE_FIND_PAUSE_MS, signal);
    }
  }

  /** In random order, so that many that look for the same one do not all go to the first. */
  async #holders(imageId: string): Promise<ImageHolder[]> {
    const leader = this.#leader;
    if (!leader) return [];
    const request = ImageFindRequest.create({ imageId });
    const options = { timeoutMs: IMAGE_FIND_TIMEOUT_MS };
    const { holders } = await clientOf(ImageDirectoryService, leader).find(request, options);
    return holders
      .map((holder) => ({ holder, order: this.#deps.random.next() }))
      .sort((a, b) => a.order - b.order)
      .map(({ holder }) => holder);
  }

  /** What the holder says that it is made of comes from whoever has it. */
  async #take(
    holder: ImageHolder,
    imageId: string,
    ref: string,
    signal: AbortSignal,
  ): Promise<ImageRecord> {
    const { store, sharing } = this.#deps.images;
    const startedMs = this.#deps.clock.monotonicMs();
    const wanted = await this.#describe(holder, imageId, signal);
    const image = await sharing.take(wanted, this.#blobs, signal);
    const durationMs = Math.round(this.#deps.clock.monotonicMs() - startedMs);
    this.#deps.log.info('image from other nodes', { image: ref, node: holder.nodeId, durationMs });
    await this.#name(imageId, ref);
    return store.resolve(imageId) ?? image;
  }

  async #describe(
    holder: ImageHolder,
    imageId: string,
    signal: AbortSignal,
  ): Promise<{ readonly config: Descriptor; readonly layers: readonly Descriptor[] }> {
    const channel = this.#connect(holder);
    let said: ImageDescription;
    try {
      const request = ImageDescribeRequest.create({ imageId });
      const options = { timeoutMs: IMAGE_FIND_TIMEOUT_MS, signal };
      said = await clientOf(ImageShareService, channel).describe(request, options);
    } finally {
      channel.close();
    }
    const config = parseDescriptor(said.config, `image ${imageId}: configuration`);
    if (config.digest !== checkedDigest(imageId, 'image')) {
      throw new TswarmError('data_loss', `what node ${holder.nodeId} has is another image`);
    }
    const layers = said.layers.map((layer, i) =>
      parseDescriptor(layer, `image ${imageId}: layer ${i}`),
    );
    return { config, layers };
  }

  #connect({ addr, nodeId }: ImageHolder): Channel {
    const identity = this.#identity;
    if (!identity) throw new TswarmError('no_cluster', 'this node is in no cluster');
    return connectChannel(addr, identity, nodeId);
  }

  /** As a pull does it: the name goes to the new image. */
  async #name(imageId: string, ref: string): Promise<void> {
    const { store, api } = this.#deps.images;
    if (ref === '' || ref.includes('@') || isDigest(ref)) return;
    if (store.resolve(ref)?.id === imageId) return;
    const at = ref.lastIndexOf(':');
    const hasTag = at > ref.lastIndexOf('/');
    const target = hasTag
      ? { repo: ref.slice(0, at), tag: ref.slice(at + 1) }
      : { repo: ref, tag: 'latest' };
    await api.tag(imageId, target);
  }
}

function isLoopback(address: string): boolean {
  return address.startsWith('127.') || address.startsWith('[::1]');
}
