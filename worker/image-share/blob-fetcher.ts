// Blobs from other nodes: asks the leader where one is, takes it from that node, goes on at another where one breaks off, and says how it ended. The leader lets
// one node at a time go to the registry for a blob, and lets the others wait for that; with no leader in reach everybody goes to the registry. Content is not
// verified here but where it is kept (images/registry/download.ts), except for small blobs.
import type { Client as Channel } from '@grpc/grpc-js';
import { hasCode, messageOf, TswarmError } from '#protocol/errors';
import {
  BlobFindRequest,
  type BlobFindResponse,
  BlobNote,
  BlobReadRequest,
  BlobState,
  ImageDirectoryService,
  type ImageHolder,
  ImageShareService,
} from '#protocol/generated/images';
import { clientOf } from '#protocol/transport/grpc';
import type { Log } from '#protocol/world';
import type { BlobPeers, BlobTurn, FillOptions, WantedBlob } from '../images/blob-peers.ts';
import type { Ingest } from '../images/blob-store.ts';
import { Digester } from '../images/digest.ts';
import {
  BLOB_FIND_TIMEOUT_MS,
  BLOB_NODE_ATTEMPTS,
  BLOB_NODE_SILENCE_MS,
  BLOB_NOTE_PERIOD_MS,
  BLOB_RETRY_MS,
  IMAGE_FIND_TIMEOUT_MS,
} from '../limits.ts';
import { delay } from '../queue.ts';

export interface BlobFetcherDeps {
  readonly log: Log;
  /** The way to the leader; undefined while there is none. */
  readonly leader: () => Channel | undefined;
  /** A connection to another node; the caller gives it back. */
  readonly connect: (holder: ImageHolder) => Channel;
  /** ms that only grow. */
  readonly nowMs: () => number;
  /** This node has a blob more. */
  readonly settled: (digest: string) => void;
}

export class BlobFetcher implements BlobPeers {
  readonly #deps: BlobFetcherDeps;

  constructor(deps: BlobFetcherDeps) {
    this.#deps = deps;
  }

  async fill(blob: WantedBlob, ingest: Ingest, options: FillOptions): Promise<BlobTurn> {
    const givers = new Set<string>();
    const failed = new Set(options.distrusted);
    const failures = new Map<string, number>();
    while (ingest.bytes < blob.size || blob.size === 0) {
      const answer = await this.#find(blob.digest, failed, options);
      if (answer.fromRegistry) return this.#turn(blob.digest, false, givers);
      const { holder } = answer;
      if (holder === undefined) continue;
      const before = ingest.bytes;
      try {
        await this.#take(holder, blob, ingest, options);
        givers.add(holder.nodeId);
        break;
      } catch (error) {
        if (options.signal.aborted) throw new TswarmError('cancelled', `${blob.digest}: cancelled`);
        if (hasCode(error, 'no_space')) throw error;
        if (ingest.bytes > before) givers.add(holder.nodeId);
        const { log } = this.#deps;
        const reason = messageOf(error);
        log.info('blob not had from a node', { blob: blob.digest, node: holder.nodeId, reason });
        const count = ingest.bytes > before ? 0 : (failures.get(holder.nodeId) ?? 0) + 1;
        failures.set(holder.nodeId, count);
        // Who is busy now is not tomorrow; who does not have it says so at once.
        const isOut = hasCode(error, 'not_found') || hasCode(error, 'permission_denied');
        if (isOut || count >= BLOB_NODE_ATTEMPTS) failed.add(holder.nodeId);
        await delay(BLOB_RETRY_MS, options.signal);
      }
    }
    return this.#turn(blob.digest, true, givers);
  }

  async small(digest: string, bytesMax: number, signal: AbortSignal): Promise<Uint8Array> {
    const failed = new Set<string>();
    for (;;) {
      const options = { signal, isNodesOnly: true };
      const { holder } = await this.#find(digest, failed, options);
      if (holder === undefined) continue;
      try {
        const bytes = await this.#whole(holder, digest, bytesMax, signal);
        this.#note(digest, BlobState.GIVEN_UP);
        return bytes;
      } catch (error) {
        if (signal.aborted) throw new TswarmError('cancelled', `${digest}: cancelled`);
        failed.add(holder.nodeId);
        const fields = { blob: digest, node: holder.nodeId, reason: messageOf(error) };
        this.#deps.log.info('blob not had from a node', fields);
      }
    }
  }

  /** With no leader in reach the registry has to do. @throws TswarmError `not_found`, `unavailable` with `isNodesOnly` */
  async #find(
    digest: string,
    failed: ReadonlySet<string>,
    { signal, isNodesOnly }: Pick<FillOptions, 'signal' | 'isNodesOnly'>,
  ): Promise<Pick<BlobFindResponse, 'holder' | 'fromRegistry'>> {
    const request = BlobFindRequest.create({
      digest,
      failedNodes: [...failed],
      nodesOnly: isNodesOnly,
    });
    for (let count = 1; ; count += 1) {
      const leader = this.#deps.leader();
      try {
        if (leader === undefined) {
          throw new TswarmError('unavailable', 'no manager in reach knows who has it');
        }
        const directory = clientOf(ImageDirectoryService, leader);
        return await directory.findBlob(request, { timeoutMs: BLOB_FIND_TIMEOUT_MS, signal });
      } catch (error) {
        if (signal.aborted) throw new TswarmError('cancelled', `${digest}: cancelled`);
        const isLast = leader === undefined || count >= BLOB_NODE_ATTEMPTS;
        if (hasCode(error, 'not_found') || (isLast && isNodesOnly)) throw error;
        const { log } = this.#deps;
        log.info('where a blob is was not answered', { blob: digest, reason: messageOf(error) });
        if (isLast) return { holder: undefined, fromRegistry: true };
        await delay(BLOB_RETRY_MS, signal);
      }
    }
  }

  async #take(
    holder: ImageHolder,
    blob: WantedBlob,
    ingest: Ingest,
    { signal, onBytes }: FillOptions,
  ): Promise<void> {
    const goesOn = this.#periodicNote(blob.digest);
    for await (const data of this.#read(holder, blob.digest, ingest.bytes, signal)) {
      if (ingest.bytes + data.length > blob.size) {
        throw new TswarmError('data_loss', `it sends more than the ${blob.size} bytes of the blob`);
      }
      await ingest.write(data);
      goesOn();
      onBytes(ingest.bytes);
    }
    if (ingest.bytes === blob.size) return;
    throw new TswarmError('unavailable', `it ended after ${ingest.bytes} of ${blob.size} bytes`);
  }

  async #whole(
    holder: ImageHolder,
    digest: string,
    bytesMax: number,
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    const pieces: Uint8Array[] = [];
    const digester = Digester.like(digest);
    for await (const data of this.#read(holder, digest, 0, signal)) {
      digester.update(data);
      if (digester.bytes > bytesMax) throw new TswarmError('too_large', `over ${bytesMax} bytes`);
      pieces.push(data);
    }
    if (digester.digest() === digest) return Buffer.concat(pieces);
    throw new TswarmError('digest_mismatch', 'what it sent is something else');
  }

  /** A node that says nothing for a while is given up. */
  async *#read(
    holder: ImageHolder,
    digest: string,
    offset: number,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    const channel = this.#deps.connect(holder);
    const silence = new AbortController();
    const giveUp = (): void => silence.abort();
    let timer = setTimeout(giveUp, BLOB_NODE_SILENCE_MS);
    try {
      const client = clientOf(ImageShareService, channel);
      const both = AbortSignal.any([signal, silence.signal]);
      const request = BlobReadRequest.create({ digest, offset });
      for await (const { data } of client.readBlob(request, { signal: both })) {
        clearTimeout(timer);
        yield data;
        timer = setTimeout(giveUp, BLOB_NODE_SILENCE_MS);
      }
    } finally {
      clearTimeout(timer);
      channel.close();
    }
  }

  #turn(digest: string, isWhole: boolean, givers: ReadonlySet<string>): BlobTurn {
    let isOver = false;
    return {
      isWhole,
      givers: [...givers],
      goesOn: this.#periodicNote(digest),
      end: (has) => {
        if (isOver) return;
        isOver = true;
        if (has) this.#deps.settled(digest);
        this.#note(digest, has ? BlobState.HAVE : BlobState.GIVEN_UP);
      },
    };
  }

  #periodicNote(digest: string): () => void {
    let saidAtMs = this.#deps.nowMs();
    return () => {
      const nowMs = this.#deps.nowMs();
      if (nowMs - saidAtMs < BLOB_NOTE_PERIOD_MS) return;
      saidAtMs = nowMs;
      this.#note(digest, BlobState.FETCHING);
    };
  }

  /** Unheard it costs others a wait at most: the leader's lease ends by itself. */
  #note(digest: string, state: BlobState): void {
    const leader = this.#deps.leader();
    if (leader === undefined) return;
    const note = BlobNote.create({ digest, state });
    const options = { timeoutMs: IMAGE_FIND_TIMEOUT_MS };
    clientOf(ImageDirectoryService, leader)
      .noteBlob(note, options)
      .catch((error: unknown) => {
        this.#deps.log.debug('blob not noted', { blob: digest, reason: messageOf(error) });
      });
  }
}
