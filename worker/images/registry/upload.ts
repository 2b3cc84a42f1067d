// Blobs and manifests to a registry (distribution-spec "Pushing"): asked first whether it has them,
// then whether it can take them over from another of its repositories, then sent. A broken upload
// goes on where the registry says that it stopped. The upload's URL may be on another host: then it
// gets no Authorization.
import { hasCode, TswarmError } from '#protocol/errors';
import type { Random } from '#protocol/world';
import type { BlobStore } from '../blob-store.ts';
import { delay } from '../concurrency.ts';
import { RETRY_DELAY_MS, UPLOAD_ATTEMPTS, UPLOAD_WHOLE_BYTES_MAX } from '../limits.ts';
import type { Descriptor } from '../manifest.ts';
import { failure, pullScope, pushScope, type RegistryClient } from './client.ts';
import type { HttpRequest, HttpResponse } from './http.ts';

export interface UploadOptions {
  readonly signal: AbortSignal;
  readonly random: Random;
  /** Bytes handed to the connection so far. */
  readonly onBytes: (current: number) => void;
  /** Repositories of the same registry that should have the blob, best first. */
  readonly sources: readonly string[];
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

/**
 * Brings one blob to a registry. @returns the repository that it was taken over from, '' when it was sent.
 */
export async function uploadBlob(
  client: RegistryClient,
  path: string,
  blob: Descriptor,
  store: BlobStore,
  options: UploadOptions,
): Promise<string> {
  const mounted = await mountBlob(client, path, blob.digest, options);
  if (mounted !== undefined && mounted.from !== '') return mounted.from;
  let place = mounted?.place;
  for (let attempt = 1; ; attempt += 1) {
    try {
      place ??= await beginUpload(client, path, options.signal);
      await sendBlob(client, path, blob, store, place, options);
      return '';
    } catch (error) {
      const isPassing = error instanceof TswarmError && error.retryable;
      if (options.signal.aborted || !isPassing || attempt >= UPLOAD_ATTEMPTS) throw error;
      await delay(RETRY_DELAY_MS * 2 ** attempt * (0.5 + options.random.next()), options.signal);
      place = place && (await stateOf(client, path, place.url, options.signal));
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

/** An upload under way: where it goes on, and what the registry has of it. */
interface UploadPlace {
  readonly url: URL;
  readonly offset: number;
}

/**
 * Asks for the blob from other repositories of the same registry. Undefined when there are none to ask for; without `from` the registry has begun an upload
 * instead, as it does when it does not have it there or does not say so to us.
 */
async function mountBlob(
  client: RegistryClient,
  path: string,
  digest: string,
  { sources, signal }: UploadOptions,
): Promise<{ readonly from: string; readonly place?: UploadPlace } | undefined> {
  let place: UploadPlace | undefined;
  for (const from of sources) {
    const url = client.url(`${path}/blobs/uploads/`);
    url.searchParams.set('mount', digest);
    url.searchParams.set('from', from);
    const scope = `${pushScope(path)} ${pullScope(from)}`;
    if (place !== undefined) await cancelUpload(client, path, place, signal);
    place = undefined;
    let answer: HttpResponse;
    try {
      answer = await client.call({ method: 'POST', url, scope, signal, body: NOTHING });
    } catch (error) {
      // No right to read there: then the bytes are sent.
      if (hasCode(error, 'unauthenticated')) continue;
      throw error;
    }
    answer.body.resume();
    if (answer.status === 201) return { from };
    if (answer.status === 202) place = placeOf(answer, url);
  }
  return place && { from: '', place };
}

/** One that nothing was sent to. A registry that keeps it ends it by itself some day. */
async function cancelUpload(
  client: RegistryClient,
  path: string,
  { url }: UploadPlace,
  signal: AbortSignal,
): Promise<void> {
  const call = { method: 'DELETE', url, scope: pushScope(path), signal } as const;
  await client.call(call).then(
    ({ body }) => void body.resume(),
    () => undefined,
  );
}

async function beginUpload(
  client: RegistryClient,
  path: string,
  signal: AbortSignal,
): Promise<UploadPlace> {
  const url = client.url(`${path}/blobs/uploads/`);
  const scope = pushScope(path);
  const begun = await client.call({ method: 'POST', url, scope, signal, body: NOTHING });
  if (begun.status !== 202) throw await failure(begun, url);
  begun.body.resume();
  return placeOf(begun, url);
}

function placeOf(response: HttpResponse, asked: URL, offset = 0): UploadPlace {
  const location = response.headers.location ?? '';
  if (!URL.canParse(location, asked.href)) {
    throw new TswarmError('unavailable', `${asked.origin}: no place to upload to was given`);
  }
  return { url: new URL(location, asked), offset };
}

/** What came of an upload that broke; undefined: it begins anew. */
async function stateOf(
  client: RegistryClient,
  path: string,
  url: URL,
  signal: AbortSignal,
): Promise<UploadPlace | undefined> {
  try {
    const asked = await client.call({ method: 'GET', url, scope: pushScope(path), signal });
    asked.body.resume();
    const last = Number(/^(?:bytes=)?0-(\d+)$/.exec(asked.headers.range ?? '')?.[1] ?? 0);
    // `0-0` is said of nothing, too.
    if (asked.status !== 204 || last === 0) return undefined;
    return placeOf(asked, url, last + 1);
  } catch (error) {
    if (signal.aborted) throw error;
    return undefined;
  }
}

/** Small blobs in one request. Larger ones in a PATCH, of which the registry keeps what came before a break, and a PUT that says what they are. */
async function sendBlob(
  client: RegistryClient,
  path: string,
  blob: Descriptor,
  store: BlobStore,
  place: UploadPlace,
  options: UploadOptions,
): Promise<void> {
  const { signal, onBytes } = options;
  const scope = pushScope(path);
  const type = { 'content-type': 'application/octet-stream' };
  const rest = blob.size - place.offset;
  const content = (): Pick<HttpRequest, 'headers' | 'body'> => ({
    headers: {
      ...type,
      'content-length': String(rest),
      ...(place.offset > 0 ? { 'content-range': `${place.offset}-${blob.size - 1}` } : {}),
    },
    body: counted(store.stream(blob.digest, place.offset), place.offset, onBytes),
  });
  const isWhole = place.offset === 0 && blob.size <= UPLOAD_WHOLE_BYTES_MAX;
  let url = place.url;
  if (!isWhole && rest > 0) {
    const sent = await client.call({ method: 'PATCH', url, ...content(), scope, signal });
    if (sent.status !== 202) throw await failure(sent, url);
    sent.body.resume();
    url = placeOf(sent, url).url;
  }
  url = new URL(url);
  url.searchParams.set('digest', blob.digest);
  const last = isWhole ? content() : { headers: type, body: NOTHING };
  const done = await client.call({ method: 'PUT', url, ...last, scope, signal });
  if (done.status !== 201 && done.status !== 204) throw await failure(done, url);
  done.body.resume();
}

const NOTHING = new Uint8Array(0);

async function* counted(
  chunks: AsyncIterable<Uint8Array>,
  offset: number,
  onBytes: (current: number) => void,
): AsyncGenerator<Uint8Array> {
  let current = offset;
  for await (const chunk of chunks) {
    current += chunk.length;
    yield chunk;
    onBytes(current);
  }
}
