// tswarm container cp, export and commit: what is in a container, on whichever node it is, as files, as an archive, as an image. The work is tcompose's.
import { TswarmError } from '#protocol/errors';
import type { ApiClient } from '../../client/http.ts';
import { checkArchiveOutput, writeArchive } from '../../output/archive-out.ts';
import { EXIT } from '../../output/fail.ts';
import { copyIn, copyOut, placeOf } from '../../tcompose/cp.ts';
import { type CommitOptions, commitOf } from '../../tcompose/snapshot.ts';

export async function cp(
  client: ApiClient,
  source: string,
  destination: string,
  options: { readonly archive?: boolean; readonly followLink?: boolean },
): Promise<number> {
  const [from, to] = [placeOf(source), placeOf(destination)];
  if ((from.service === '') === (to.service === '')) {
    throw new TswarmError(
      'invalid_argument',
      from.service === ''
        ? 'must specify at least one container source'
        : 'copying between containers is not supported',
      { hint: 'One of both is CONTAINER:PATH.' },
    );
  }
  const name = from.service || to.service;
  const container = { id: encodeURIComponent(name), name };
  if (from.service === '') await copyIn({ client }, from.path, container, to.path, options);
  else await copyOut({ client }, container, from.path, to.path, options);
  return EXIT.ok;
}

/** An archive that was cut short is not left behind. */
export async function exportTo(
  client: ApiClient,
  name: string,
  { output }: { readonly output?: string },
): Promise<number> {
  checkArchiveOutput(output);
  await writeArchive(
    await client.open('GET', `/containers/${encodeURIComponent(name)}/export`),
    output,
  );
  return EXIT.ok;
}

/** Makes an image on the node that has the container. */
export function commit(
  client: ApiClient,
  name: string,
  image: string | undefined,
  options: Omit<CommitOptions, 'index'>,
): Promise<number> {
  return commitOf({ client }, name, image, options);
}
