// An image that was made in the cluster (built, loaded, imported) has no registry that would give every node the same one. So a service that names one gets its
// id as well, from the node where the command is given; the other nodes take that very image from each other. A service whose image this node does not have, or has
// from a registry, is left as it is.

import { hasCode } from '#protocol/errors';
import type { ContainerSpec, ServiceSpec } from '#protocol/generated/specs';
import type { Context } from '../context.ts';

/** `known`: the service as it is, whose image stays when this node does not have it and its name is the same. */
export async function withPinnedImage(
  context: Context,
  spec: ServiceSpec,
  known: ServiceSpec | undefined,
): Promise<ServiceSpec> {
  const { taskTemplate } = spec;
  const container = taskTemplate?.containerSpec;
  if (!taskTemplate || !container || container.image === '' || container.imageId !== '')
    return spec;
  const before = known?.taskTemplate?.containerSpec;
  const imageId = await idOf(context, container, before);
  if (imageId === '') return spec;
  return {
    ...spec,
    taskTemplate: { ...taskTemplate, containerSpec: { ...container, imageId } },
  };
}

async function idOf(
  context: Context,
  { image }: ContainerSpec,
  before: ContainerSpec | undefined,
): Promise<string> {
  try {
    const found = await context.engine.images.inspect(image);
    const isFromRegistry = ((found.RepoDigests ?? []) as readonly unknown[]).length > 0;
    return isFromRegistry ? '' : String(found.Id);
  } catch (error) {
    // A name that is none is the manager's to refuse.
    if (hasCode(error, 'not_found') || hasCode(error, 'invalid_argument')) {
      return before?.image === image ? before.imageId : '';
    }
    throw error;
  }
}
