// What `tswarm image build --output` asks for beside the image: its files in a folder or as a tar archive, or the image as an archive. Files come from a container that is made of the
// image and never started. BuildKit's forms, less the ones for its own caches; what is not one of them is refused by name.
import { mkdirSync } from 'node:fs';
import { TswarmError } from '#protocol/errors';
import type { ApiClient } from '../../client/http.ts';
import { checkArchiveOutput, writeArchive } from '../../output/archive-out.ts';
import { copyOut } from '../../tcompose/cp.ts';

export interface BuildOutput {
  readonly type: 'local' | 'tar' | 'archive' | 'none';
  /** A path, or `-`. */
  readonly dest: string;
  /** Further names for the image. */
  readonly names: readonly string[];
  readonly push: boolean;
}

const TYPES: Readonly<Record<string, BuildOutput['type']>> = {
  local: 'local',
  tar: 'tar',
  docker: 'archive',
  oci: 'archive',
  image: 'none',
  registry: 'none',
};

/** Before anything is built. @throws invalid_argument, not_supported */
export function outputsOf(texts: readonly string[]): readonly BuildOutput[] {
  const outputs = texts.map(outputOf);
  const piped = outputs.filter(({ dest }) => dest === '-');
  if (piped.length > 1) throw bad(texts.join(' '), 'only one of them can go to standard output');
  if (piped.length > 0) checkArchiveOutput(undefined);
  return outputs;
}

function outputOf(text: string): BuildOutput {
  // One word is a folder, or standard output.
  if (!text.includes('=')) {
    const type = text === '-' ? 'tar' : 'local';
    return { type, dest: text, names: [], push: false };
  }
  const fields = new Map(
    text.split(',').map((field): [string, string] => {
      const at = field.indexOf('=');
      return at < 0 ? [field, ''] : [field.slice(0, at), field.slice(at + 1)];
    }),
  );
  const word = fields.get('type') ?? '';
  const type = TYPES[word];
  const unknown = [...fields.keys()].find((k) => !['type', 'dest', 'name', 'push'].includes(k));
  if (type === undefined) throw bad(text, `type ${word || '(none)'} is not supported`);
  if (unknown !== undefined) throw bad(text, `${unknown} is not supported`);
  const dest = fields.get('dest') ?? '';
  const needsDest = type === 'local' || type === 'tar' || word === 'oci';
  if (needsDest && dest === '') throw bad(text, 'it needs dest=PATH');
  if (type === 'local' && dest === '-') throw bad(text, 'a folder cannot go to standard output');
  if (type === 'none' && dest !== '') throw bad(text, `type ${word} has no dest`);
  return {
    // With docker and no file it is what happens anyway.
    type: dest === '' ? 'none' : type,
    dest,
    names: fields.has('name') ? [fields.get('name') ?? ''] : [],
    push: word === 'registry' || fields.get('push') === 'true',
  };
}

function bad(text: string, message: string): TswarmError {
  return new TswarmError('invalid_argument', `--output ${text}: ${message}`, {
    hint: 'Write FOLDER, -, or type=local|tar|docker|oci,dest=PATH, type=image|registry,name=NAME.',
  });
}

/** @throws failed_precondition where it cannot be written */
export async function writeOutput(
  client: ApiClient,
  { type, dest }: BuildOutput,
  image: { readonly id: string; readonly tags: readonly string[] },
): Promise<void> {
  const file = dest === '-' ? undefined : dest;
  if (type === 'archive') {
    const names = image.tags.length > 0 ? image.tags : [image.id];
    await writeArchive(await client.open('GET', '/images/get', { query: { names } }), file);
  } else if (type !== 'none') {
    await withContainer(client, image.id, async (container) => {
      if (type === 'tar') {
        const path = `/containers/${container.id}/export`;
        await writeArchive(await client.open('GET', path), file);
        return;
      }
      mkdirSync(dest, { recursive: true });
      await copyOut({ client }, container, '/.', dest, {});
    });
  }
}

/** With a container that is made of the image and never started; its command is one that need not be there. */
async function withContainer(
  client: ApiClient,
  image: string,
  use: (container: { readonly id: string; readonly name: string }) => Promise<void>,
): Promise<void> {
  const body = { Image: image, Cmd: ['none'], HostConfig: { NetworkMode: 'none' } };
  const { Id: id } = await client.post<{ Id: string }>('/containers/create', { body });
  try {
    await use({ id, name: id.slice(0, 12) });
  } finally {
    await client.delete(`/containers/${id}`, { query: { force: true, v: true } });
  }
}
