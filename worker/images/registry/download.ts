// One blob into the blob store: from other nodes where they have it, else from the registry; verified while it streams, resumed at the byte where a connection
// broke (also of an earlier process, and with another source). Refuses more bytes than the descriptor says, so that a lying source cannot fill the disk. Bytes of
// several sources that do not make the blob are thrown away, and it begins anew without the nodes that gave them.
import { hasCode, messageOf, TswarmError } from '#protocol/errors';
import type { Random } from '#protocol/world';
import type { BlobPeers, BlobTurn } from '../blob-peers.ts';
import type { BlobStore, Ingest } from '../blob-store.ts';
import { cancelled, delay } from '../concurrency.ts';
import {
  BLOB_SHARED_BYTES_MIN,
  DOWNLOAD_ATTEMPTS,
  RETRY_DELAY_MS,
  RETRY_DELAY_MS_MAX,
} from '../limits.ts';
import type { Descriptor } from '../manifest.ts';
import { failure, type RegistryClient } from './client.ts';
import type { HttpResponse } from './http.ts';

/** Where blobs come from. */
export interface BlobOrigin {
  /** undefined: from other nodes only. */
  readonly client: RegistryClient | undefined;
  /** Repository at the registry. */
  readonly path: string;
  /** undefined: this node is in no cluster with others. */
  readonly peers: BlobPeers | undefined;
}

export interface DownloadOptions {
  readonly signal: AbortSignal;
  /** Bytes that are there so far. */
  readonly onBytes: (current: number) => void;
  readonly random: Random;
}

/** Resolves when the blob is in the store (at once when it is there already). */
export async function downloadBlob(
  origin: BlobOrigin,
  blob: Descriptor,
  store: BlobStore,
  options: DownloadOptions,
): Promise<void> {
  await store.locks.with(blob.digest, async () => {
    if ((await store.sizeOf(blob.digest)) === blob.size) return;
    const distrusted = new Set<string>();
    while (!(await attempt(origin, blob, store, { ...options, distrusted, turns: [] })));
  });
}

type AttemptOptions = DownloadOptions & {
  /** Gave bytes that were not the blob's. */
  readonly distrusted: Set<string>;
  /** What was asked of other nodes in this attempt. */
  readonly turns: BlobTurn[];
};

/** @returns false when what came is not the blob, and another attempt has fewer sources */
async function attempt(
  origin: BlobOrigin,
  blob: Descriptor,
  store: BlobStore,
  options: AttemptOptions,
): Promise<boolean> {
  const ingest = await store.resume(blob.digest);
  const isResumed = ingest.bytes > 0;
  let has = false;
  try {
    if (ingest.bytes > blob.size) await ingest.restart(blob.digest);
    if (!(await isFilledByNodes(origin, blob, ingest, options))) {
      await fromRegistry(origin, blob, ingest, options);
    }
    await ingest.commit({ digest: blob.digest, sizeBytes: blob.size });
    has = true;
    return true;
  } catch (error) {
    const givers = options.turns.flatMap((turn) => turn.givers);
    if (!hasCode(error, 'digest_mismatch') || (givers.length === 0 && !isResumed)) throw error;
    for (const giver of givers) options.distrusted.add(giver);
    return false;
  } finally {
    for (const turn of options.turns) turn.end(has);
    await ingest.close();
  }
}

/** A small blob is not worth the question, as long as there is a registry. */
async function isFilledByNodes(
  { client, peers }: BlobOrigin,
  blob: Descriptor,
  ingest: Ingest,
  options: AttemptOptions,
): Promise<boolean> {
  const isNodesOnly = client === undefined;
  if (peers === undefined) return false;
  if (!isNodesOnly && blob.size < BLOB_SHARED_BYTES_MIN) return false;
  return ask(peers, blob, ingest, { ...options, isNodesOnly });
}

async function ask(
  peers: BlobPeers,
  blob: Descriptor,
  ingest: Ingest,
  options: AttemptOptions & { readonly isNodesOnly: boolean },
): Promise<boolean> {
  const turn = await peers.fill(blob, ingest, options);
  options.turns.push(turn);
  return turn.isWhole;
}

/** When the registry is away, another node may have it by now. */
async function fromRegistry(
  { client, path, peers }: BlobOrigin,
  blob: Descriptor,
  ingest: Ingest,
  options: AttemptOptions,
): Promise<void> {
  if (client === undefined) {
    throw new TswarmError('unavailable', `${blob.digest}: neither a registry nor other nodes`);
  }
  try {
    await fetchInto(client, path, blob, ingest, options);
  } catch (error) {
    if (!hasCode(error, 'unavailable') || peers === undefined) throw error;
    for (const turn of options.turns) turn.end(false);
    const isFilled = await ask(peers, blob, ingest, { ...options, isNodesOnly: true }).catch(
      () => false,
    );
    if (!isFilled) throw error;
  }
}

/** Only attempts that bring nothing count: a line that breaks every few megabytes still gets there. */
async function fetchInto(
  client: RegistryClient,
  path: string,
  blob: Descriptor,
  ingest: Ingest,
  options: AttemptOptions,
): Promise<void> {
  const onBytes = (current: number): void => {
    for (const turn of options.turns) turn.goesOn();
    options.onBytes(current);
  };
  for (let count = 1; ; count += 1) {
    const before = ingest.bytes;
    try {
      return await fetchRest(client, path, blob, ingest, { ...options, onBytes });
    } catch (error) {
      if (options.signal.aborted) throw cancelled(`download of ${blob.digest}`);
      if (!isPassing(error)) throw error;
      if (ingest.bytes > before) count = 1;
      if (count >= DOWNLOAD_ATTEMPTS) throw asUnavailable(error, blob);
      const pauseMs = RETRY_DELAY_MS * 2 ** (count - 1) * (0.5 + options.random.next());
      await delay(Math.min(pauseMs, RETRY_DELAY_MS_MAX), options.signal);
    }
  }
}

async function fetchRest(
  client: RegistryClient,
  path: string,
  blob: Descriptor,
  ingest: Ingest,
  options: DownloadOptions,
): Promise<void> {
  if (ingest.bytes === blob.size && blob.size > 0) return;
  const response = await openBlob(client, path, blob, ingest.bytes, options.signal);
  if (!startsAt(response, ingest.bytes)) await ingest.restart(blob.digest);
  options.onBytes(ingest.bytes);
  for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
    if (ingest.bytes + chunk.length > blob.size) {
      response.body.destroy();
      await ingest.discard();
      throw new TswarmError(
        'digest_mismatch',
        `${blob.digest}: the registry sends more than the ${blob.size} bytes that the manifest names`,
      );
    }
    await ingest.write(chunk);
    options.onBytes(ingest.bytes);
  }
  if (ingest.bytes < blob.size) {
    throw new TswarmError(
      'unavailable',
      `${blob.digest}: unexpected EOF after ${ingest.bytes} of ${blob.size} bytes`,
      { retryable: true },
    );
  }
}

/** From the registry, or from the URLs that a foreign layer names. */
async function openBlob(
  client: RegistryClient,
  path: string,
  blob: Descriptor,
  offset: number,
  signal: AbortSignal,
): Promise<HttpResponse> {
  const [foreign] = blob.urls ?? [];
  if (foreign === undefined) return client.blob(path, blob.digest, offset, signal);
  const url = new URL(foreign);
  if (url.protocol !== 'https:') {
    throw new TswarmError('permission_denied', `refusing to fetch a layer from ${foreign}`);
  }
  const headers: Record<string, string> = offset > 0 ? { range: `bytes=${offset}-` } : {};
  const response = await client.foreign(url, headers, signal);
  if (response.status === 200 || response.status === 206) return response;
  throw await failure(response, url);
}

function startsAt(response: HttpResponse, offset: number): boolean {
  if (response.status !== 206) return offset === 0;
  return /^bytes (\d+)-/.exec(response.headers['content-range'] ?? '')?.[1] === String(offset);
}

function asUnavailable(error: unknown, blob: Descriptor): unknown {
  if (error instanceof TswarmError) return error;
  const message = `${blob.digest}: connection broken: ${messageOf(error)}`;
  return new TswarmError('unavailable', message, { cause: error, retryable: true });
}

/** Broken connections and busy servers; not a wrong digest, a full disk or a missing blob. */
function isPassing(error: unknown): boolean {
  if (error instanceof TswarmError) return error.retryable;
  const code = (error as { code?: unknown } | null)?.code;
  return code === 'ECONNRESET' || code === 'EPIPE' || /aborted|closed/.test(messageOf(error));
}
