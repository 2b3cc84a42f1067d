// Pins a tag to the digest that it has now, so that all nodes run the same image. The registry is asked; when it cannot be reached the digest that this node
// pulled counts; an image that never came from a registry (built or loaded here) has none and keeps its tag.
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { TswarmError } from '#protocol/errors';
import type { ApiClient, Json } from '../../client/http.ts';
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
      headers: registryHeaders(image, options),
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

const HUB = 'https://index.docker.io/v1/';

/** The header with this user's credentials for the image's registry, when they are wanted. */
export function registryHeaders(image: string, options: Options): Readonly<Record<string, string>> {
  if (!options.withRegistryAuth) return {};
  const first = image.split('/')[0] ?? '';
  const isHost = image.includes('/') && (/[.:]/.test(first) || first === 'localhost');
  const server = isHost ? first : HUB;
  const folder = process.env.DOCKER_CONFIG ?? join(homedir(), '.docker');
  let auths: Readonly<Record<string, { readonly auth?: string }>>;
  try {
    const text = readFileSync(join(folder, 'config.json'), 'utf8');
    auths = (JSON.parse(text) as { auths?: typeof auths }).auths ?? {};
  } catch {
    return {};
  }
  const [username = '', password = ''] = Buffer.from(auths[server]?.auth ?? '', 'base64')
    .toString('utf8')
    .split(/:(.*)/s);
  if (username === '') return {};
  const auth = JSON.stringify({ username, password, serveraddress: server });
  return { 'x-registry-auth': Buffer.from(auth).toString('base64url') };
}
