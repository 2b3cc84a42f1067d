// tcompose commit and export: a container's root file system as an image, or as a tar archive.
import { TswarmError } from '#protocol/errors';
import { splitTag } from '../client/image-calls.ts';
import { checkArchiveOutput, writeArchive } from '../output/archive-out.ts';
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
  return commitOf(context, container, image, options);
}

/** Prints the image's id. */
export async function commitOf(
  { client }: Pick<ComposeContext, 'client'>,
  container: string,
  image: string | undefined,
  options: Omit<CommitOptions, 'index'>,
): Promise<number> {
  const { name: repo, tag } = splitTag(image ?? '');
  const query = {
    container,
    repo: repo === '' ? undefined : repo,
    tag,
    author: options.author,
    comment: options.message,
    pause: options.pause !== false,
    changes: options.change,
  };
  const { Id } = await client.post<{ Id: string }>('/commit', { query });
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
  checkArchiveOutput(output);
  const id = await containerOf(context, service, options.index);
  await writeArchive(await context.client.open('GET', `/containers/${id}/export`), output);
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
