// The images of a project by their digests, as their registries have them now: for `config --resolve-image-digests` and `--lock-image-digests`. The node asks the
// registries, with the credentials of this user. An image that is built and in no registry, or that nobody may see, ends it by name.
import { hasCode, TswarmError } from '#protocol/errors';
import type { Json } from '../client/http.ts';
import { registryHeaders } from '../client/registry-auth.ts';
import type { ComposeContext, LoadedProject } from './context.ts';
import { atMost } from './parallel.ts';

type Project = LoadedProject['project'];

/** The project with every `image` pinned. @throws TswarmError naming the service whose image has no digest */
export async function pinImages(context: ComposeContext, project: Project): Promise<Project> {
  const services: Record<string, Project['services'][string]> = { ...project.services };
  await atMost(context.parallel, Object.entries(project.services), async ([key, service]) => {
    const { image } = service;
    if (image === undefined) return;
    services[key] = { ...service, image: await pinned(context, key, image) };
  });
  return { ...project, services };
}

async function pinned(context: ComposeContext, key: string, image: string): Promise<string> {
  if (/@sha256:[0-9a-f]{64}$/.test(image)) return fullName(image);
  try {
    const headers = await registryHeaders(image, process.env);
    const path = `/distribution/${image}/json`;
    const { Descriptor } = await context.client.get<{ Descriptor: Json }>(path, { headers });
    return `${fullName(image)}@${Descriptor.digest}`;
  } catch (error) {
    if (!(error instanceof TswarmError) || hasCode(error, 'cancelled')) throw error;
    throw new TswarmError(
      error.code,
      `image ${image} of service ${key} has no digest: ${error.message}`,
      { hint: error.hint ?? 'An image that is built here gets one with "tcompose push".' },
    );
  }
}

/** `nginx` is `docker.io/library/nginx:latest`: what a digest belongs to. */
export function fullName(image: string): string {
  const [name = '', digest] = image.split('@', 2);
  const [first = '', ...rest] = name.split('/');
  const isHost = rest.length > 0 && (/[.:]/.test(first) || first === 'localhost');
  const host = isHost ? first : 'docker.io';
  const path = isHost ? rest.join('/') : name;
  const full = `${host}/${host === 'docker.io' && !path.includes('/') ? 'library/' : ''}${path}`;
  if (digest !== undefined) return `${full}@${digest}`;
  return full.lastIndexOf(':') > full.lastIndexOf('/') ? full : `${full}:latest`;
}
