// Blobs and manifests to a registry (distribution-spec "Pushing"): asked first whether it has them,
// then POST + PUT in one piece; a broken upload starts again from the beginning of that blob. The
// upload's URL may be on another host: then it gets no Authorization.
import { TswarmError } from '#protocol/errors';
import type { Random } from '#protocol/world';
import type { BlobStore } from '../blob-store.ts';
import { delay } from '../concurrency.ts';
import { RETRY_DELAY_MS, UPLOAD_ATTEMPTS } from '../limits.ts';
import type { Descriptor } from '../manifest.ts';
import { failure, pushScope, type RegistryClient } from './client.ts';

export interface UploadOptions {
  readonly signal: AbortSignal;
  readonly random: Random;
  /** Bytes handed to the connection so far. */
  readonly onBytes: (current: number) => void;
}

/** True when the registry has the blob already. */
export async function hasBlob(
  client: RegistryClient,
  path: string,
  digest: string,
  signal: AbortSignal,
): Promise<boolean> {
  const url = client.url(`${path}/blobs/${digest}`);
  const response = await client.call({ method: 'HEAD', url, scope: pushScope(path), signal });
  response.body.resume();
  if (response.status === 200) return true;
  if (response.status === 404) return false;
  throw await failure(response, url);
}

export async function uploadBlob(
  client: RegistryClient,
  path: string,
  blob: Descriptor,
  store: BlobStore,
  options: UploadOptions,
): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await uploadOnce(client, path, blob, store, options);
    } catch (error) {
      const isPassing = error instanceof TswarmError && error.retryable;
      if (options.signal.aborted || !isPassing || attempt >= UPLOAD_ATTEMPTS) throw error;
      await delay(RETRY_DELAY_MS * 2 ** attempt * (0.5 + options.random.next()), options.signal);
    }
  }
}

/** @returns the registry's URL of the manifest */
export async function putManifest(
  client: RegistryClient,
  path: string,
  selector: string,
  manifest: { readonly bytes: Uint8Array; readonly mediaType: string },
  signal: AbortSignal,
): Promise<void> {
  const url = client.url(`${path}/manifests/${selector}`);
  const response = await client.call({
    method: 'PUT',
    url,
    headers: { 'content-type': manifest.mediaType },
    body: manifest.bytes,
    scope: pushScope(path),
    signal,
  });
  if (response.status !== 201 && response.status !== 200) throw await failure(response, url);
  response.body.resume();
}

async function uploadOnce(
  client: RegistryClient,
  path: string,
  blob: Descriptor,
  store: BlobStore,
  options: UploadOptions,
): Promise<void> {
  const { signal } = options;
  const scope = pushScope(path);
  const start = client.url(`${path}/blobs/uploads/`);
  const begun = await client.call({ method: 'POST', url: start, scope, signal, body: NOTHING });
  if (begun.status !== 202) throw await failure(begun, start);
  begun.body.resume();
  const location = begun.headers.location ?? '';
  if (!URL.canParse(location, start.href)) {
    throw new TswarmError('unavailable', `${start.origin}: no place to upload to was given`);
  }
  const url = new URL(location, start);
  url.searchParams.set('digest', blob.digest);
  const done = await client.call({
    method: 'PUT',
    url,
    headers: { 'content-type': 'application/octet-stream', 'content-length': String(blob.size) },
    body: counted(store.stream(blob.digest), options.onBytes),
    scope,
    signal,
  });
  if (done.status !== 201 && done.status !== 204) throw await failure(done, url);
  done.body.resume();
}

const NOTHING = new Uint8Array(0);

async function* counted(
  chunks: AsyncIterable<Uint8Array>,
  onBytes: (current: number) => void,
): AsyncGenerator<Uint8Array> {
  let current = 0;
  for await (const chunk of chunks) {
    current += chunk.length;
    yield chunk;
    onBytes(current);
  }
}
