// tcompose commit and export: a container's root file system as an image, or as a tar archive.
import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { TswarmError } from '#protocol/errors';
import { EXIT } from '../output/fail.ts';
import { hasNumber, serviceContainers } from './containers.ts';
import type { ComposeContext } from './context.ts';

export interface CommitOptions {
  readonly author?: string;
  readonly change?: readonly string[];
  readonly index?: string;
  readonly message?: string;
  /** False: the processes go on while it is copied. */
  readonly pause?: boolean;
}

/** Makes an image of a service's container; `image` may be left out, and the image then has no name. */
export async function commit(
  context: ComposeContext,
  service: string,
  image: string | undefined,
  options: CommitOptions,
): Promise<number> {
  const container = await containerOf(context, service, options.index);
  const at = image === undefined ? -1 : image.lastIndexOf(':');
  const hasTag = image !== undefined && at > image.lastIndexOf('/');
  const query = {
    container,
    repo: hasTag ? image.slice(0, at) : image,
    tag: hasTag ? image.slice(at + 1) : undefined,
    author: options.author,
    comment: options.message,
    pause: options.pause !== false,
    changes: options.change,
  };
  const { Id } = await context.client.post<{ Id: string }>('/commit', { query });
  process.stdout.write(`${Id}\n`);
  return EXIT.ok;
}

/** Writes a container's root file system as a tar archive; an archive that was cut short is not left behind. */
export async function exportTo(
  context: ComposeContext,
  service: string,
  options: { readonly index?: string; readonly output?: string },
): Promise<number> {
  const { output } = options;
  if (output === undefined && process.stdout.isTTY)
    throw new TswarmError('invalid_argument', 'an archive is nothing for a terminal', {
      hint: 'Name a file with -o, or redirect the output.',
    });
  const id = await containerOf(context, service, options.index);
  const archive = await context.client.open('GET', `/containers/${id}/export`);
  if (output === undefined) {
    await pipeline(archive, process.stdout);
    return EXIT.ok;
  }
  const file = createWriteStream(output, { flags: 'w' });
  try {
    await pipeline(archive, file);
  } catch (error) {
    await rm(output, { force: true });
    throw error;
  }
  return EXIT.ok;
}

async function containerOf(
  context: ComposeContext,
  service: string,
  index: string | undefined,
): Promise<string> {
  const all = await serviceContainers(context, [service], { all: true });
  const found = index === undefined ? all[0] : all.find(({ name }) => hasNumber(name, index));
  if (found) return found.id;
  const which = index === undefined ? '' : ` #${index}`;
  throw new TswarmError('not_found', `no container found for service "${service}"${which}`);
}
