// Pins a tag to the digest that it has now, so that all nodes run the same image. The registry is asked; when it cannot be reached the digest that this node
// pulled counts; an image that never came from a registry (built or loaded here) has none and keeps its tag.
import { TswarmError } from '#protocol/errors';
import type { ApiClient, Json } from '../../client/http.ts';
import { registryHeaders as credentials } from '../../client/registry-auth.ts';
import type { Options } from './spec-lists.ts';

/** The image with its digest, or as it is. */
export async function pinnedImage(
  client: ApiClient,
  image: string,
  options: Options,
): Promise<string> {
  if (options.resolveImage === false || image.includes('@') || /^[0-9a-f]{64}$/.test(image)) {
    return image;
  }
  const local = await localDigest(client, image);
  if (local === '') return image;
  try {
    const found = await client.get<Json>(`/distribution/${image}/json`, {
      headers: await registryHeaders(image, options),
    });
    const digest = (found.Descriptor as Json | undefined)?.digest;
    if (typeof digest === 'string' && digest !== '') return withDigest(image, digest);
  } catch (error) {
    if (!(error instanceof TswarmError)) throw error;
  }
  if (local !== undefined) return withDigest(image, local);
  process.stderr.write(
    `Warning: image ${image} could not be accessed on a registry to record its digest. Each node will access ${image} independently, possibly leading to different nodes running different versions of the image.\n`,
  );
  return image;
}

function withDigest(image: string, digest: string): string {
  const hasTag = /:[^/]+$/.test(image);
  return `${hasTag ? image : `${image}:latest`}@${digest}`;
}

/** Undefined: the image is not on this node. '': it is, and came from no registry. */
async function localDigest(client: ApiClient, image: string): Promise<string | undefined> {
  try {
    const found = await client.get<Json>(`/images/${image}/json`);
    const [first = ''] = (found.RepoDigests as readonly string[] | undefined) ?? [];
    return first.split('@')[1] ?? '';
  } catch (error) {
    if (error instanceof TswarmError && error.code === 'not_found') return undefined;
    throw error;
  }
}

/** The header with this user's credentials for the image's registry, when they are wanted. */
export async function registryHeaders(
  image: string,
  options: Options,
): Promise<Readonly<Record<string, string>>> {
  return options.withRegistryAuth ? credentials(image, process.env) : {};
}
