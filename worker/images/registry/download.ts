// One blob from a registry into the blob store: verified while it streams, resumed by Range after a
// broken connection (also of an earlier process). Refuses more bytes than the descriptor says, so
// that a lying registry cannot fill the disk.
import { messageOf, TswarmError } from '#protocol/errors';
import type { Random } from '#protocol/world';
import type { BlobStore, Ingest } from '../blob-store.ts';
import { cancelled, delay } from '../concurrency.ts';
import { DOWNLOAD_ATTEMPTS, RETRY_DELAY_MS, RETRY_DELAY_MS_MAX } from '../limits.ts';
import type { Descriptor } from '../manifest.ts';
import { failure, type RegistryClient } from './client.ts';
import type { HttpResponse } from './http.ts';

export interface DownloadOptions {
  readonly signal: AbortSignal;
  /** Bytes that are there so far. */
  readonly onBytes: (current: number) => void;
  readonly random: Random;
}

/** Resolves when the blob is in the store (at once when it is there already). */
export async function downloadBlob(
  client: RegistryClient,
  path: string,
  blob: Descriptor,
  store: BlobStore,
  options: DownloadOptions,
): Promise<void> {
  await store.locks.with(blob.digest, async () => {
    if ((await store.sizeOf(blob.digest)) === blob.size) return;
    await fetchInto(client, path, blob, store, options);
  });
}

async function fetchInto(
  client: RegistryClient,
  path: string,
  blob: Descriptor,
  store: BlobStore,
  options: DownloadOptions,
): Promise<void> {
  const ingest = await store.resume(blob.digest);
  try {
    // Only attempts that bring nothing count: a line that breaks every few megabytes still gets
    // there.
    for (let attempt = 1; ; attempt += 1) {
      const before = ingest.bytes;
      try {
        await fetchRest(client, path, blob, ingest, options);
        break;
      } catch (error) {
        if (options.signal.aborted) throw cancelled(`download of ${blob.digest}`);
        if (!isPassing(error)) throw error;
        if (ingest.bytes > before) attempt = 1;
        if (attempt >= DOWNLOAD_ATTEMPTS) throw asUnavailable(error, blob);
        const pauseMs = RETRY_DELAY_MS * 2 ** (attempt - 1) * (0.5 + options.random.next());
        await delay(Math.min(pauseMs, RETRY_DELAY_MS_MAX), options.signal);
      }
    }
    await ingest.commit({ digest: blob.digest, sizeBytes: blob.size });
  } finally {
    await ingest.close();
  }
}

async function fetchRest(
  client: RegistryClient,
  path: string,
  blob: Descriptor,
  ingest: Ingest,
  options: DownloadOptions,
): Promise<void> {
  if (ingest.bytes > blob.size) await ingest.restart(blob.digest);
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
