// tcompose cp: files between a service's container and this machine, by docker's rules: an existing folder as the destination takes the source in, one
// that is not there becomes the source's copy; `SOURCE/.` means what is in the folder; `-` is a tar stream on standard input or output.
import { existsSync, statSync } from 'node:fs';
import { basename, dirname, posix, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { hasCode, TswarmError } from '#protocol/errors';
import { packPath, unpackTo } from '../client/archive.ts';
import { EXIT } from '../output/fail.ts';
import { hasNumber, type ProjectContainer, serviceContainers } from './containers.ts';
import type { ComposeContext } from './context.ts';

export interface CopyOptions {
  readonly archive?: boolean;
  readonly followLink?: boolean;
  readonly all?: boolean;
  readonly index?: string;
}

/** What is needed of a container to copy. */
export type CopyContainer = Pick<ProjectContainer, 'id' | 'name'>;

export interface Place {
  /** Of a service, or a container's name; '' = this machine. */
  readonly service: string;
  readonly path: string;
}

export async function cp(
  context: ComposeContext,
  source: string,
  destination: string,
  options: CopyOptions,
): Promise<number> {
  const [from, to] = [placeOf(source), placeOf(destination)];
  if ((from.service === '') === (to.service === '')) {
    throw new TswarmError(
      'invalid_argument',
      from.service === ''
        ? 'one of both must be SERVICE:PATH'
        : 'copying between services is not supported',
    );
  }
  const containers = await chosen(context, from.service || to.service, options);
  const [first] = containers;
  if (from.service === '') {
    for (const container of containers)
      await copyIn(context, from.path, container, to.path, options);
  } else if (first) {
    await copyOut(context, first, from.path, to.path, options);
  }
  return EXIT.ok;
}

/** `web:/path`, or a path here (one with a slash before its first colon is no service). */
export function placeOf(text: string): Place {
  const colon = text.indexOf(':');
  const isHere = colon < 0 || text.slice(0, colon).includes('/') || text.startsWith('.');
  return isHere
    ? { service: '', path: text }
    : { service: text.slice(0, colon), path: text.slice(colon + 1) };
}

async function chosen(
  context: ComposeContext,
  service: string,
  options: CopyOptions,
): Promise<readonly ProjectContainer[]> {
  const oneOff = options.all === true;
  const all = await serviceContainers(context, [service], { all: true, oneOff });
  const { index } = options;
  const found = index === undefined ? all : all.filter(({ name }) => hasNumber(name, index));
  if (found.length === 0) {
    const which = index === undefined ? '' : ` #${index}`;
    throw new TswarmError('not_found', `no container found for service "${service}"${which}`);
  }
  return options.all ? found : found.slice(0, 1);
}

interface PathStat {
  readonly name: string;
  readonly isFolder: boolean;
  /** Where a symbolic link leads; '' for anything else. */
  readonly linkTarget: string;
}

/** Go's mode bits of folders. */
const GO_MODE_DIR = 0x8000_0000;

/** Undefined when there is nothing at the path. */
async function statIn(
  context: Pick<ComposeContext, 'client'>,
  container: CopyContainer,
  path: string,
): Promise<PathStat | undefined> {
  try {
    const response = await context.client.open('HEAD', `/containers/${container.id}/archive`, {
      query: { path },
    });
    response.resume();
    const header = String(response.headers['x-docker-container-path-stat'] ?? '');
    const json = JSON.parse(Buffer.from(header, 'base64').toString()) as {
      name: string;
      mode: number;
      linkTarget: string;
    };
    const isFolder = Math.floor(json.mode / GO_MODE_DIR) % 2 === 1;
    return { name: json.name, isFolder, linkTarget: json.linkTarget };
  } catch (error) {
    if (hasCode(error, 'not_found')) return undefined;
    throw error;
  }
}

/** From a container to this machine. */
export async function copyOut(
  context: Pick<ComposeContext, 'client'>,
  container: CopyContainer,
  source: string,
  destination: string,
  options: CopyOptions,
): Promise<void> {
  // The archive begins with the folder itself, whose name is replaced here.
  let path = source.replace(/(?<=.)\/\.$/, '');
  const info = await statIn(context, container, path);
  if (!info) throw notFound(container, source);
  if (options.followLink && info.linkTarget !== '')
    path = posix.resolve(posix.dirname(path), info.linkTarget);
  const isFolder = (options.followLink ? await statIn(context, container, path) : info)?.isFolder;
  const target =
    destination === '-' ? undefined : localTarget(destination, isFolder === true, source);
  const response = await context.client.open('GET', `/containers/${container.id}/archive`, {
    query: { path },
  });
  if (!target) await pipeline(response, process.stdout, { end: false });
  else await unpackTo(response, target.folder, target.name, posix.resolve('/', path) === '/');
}

/** Where the copy goes and what it is called there. */
function localTarget(
  destination: string,
  isFolder: boolean,
  source: string,
): { readonly folder: string; readonly name: string } {
  const full = resolve(destination);
  if (existsSync(full) && statSync(full).isDirectory()) {
    const contents = isFolder && /(^|\/)\.$/.test(source);
    return { folder: full, name: contents ? '' : posix.basename(source) };
  }
  if (existsSync(full) && isFolder)
    throw new TswarmError('invalid_argument', `${destination} is a file: a folder cannot go there`);
  if (!isFolder && destination.endsWith('/'))
    throw new TswarmError('not_found', `the folder ${destination} does not exist`);
  if (!existsSync(dirname(full)))
    throw new TswarmError('not_found', `the folder ${dirname(full)} does not exist`);
  return { folder: dirname(full), name: basename(full) };
}

/** From this machine to a container. */
export async function copyIn(
  context: Pick<ComposeContext, 'client'>,
  source: string,
  container: CopyContainer,
  destination: string,
  options: CopyOptions,
): Promise<void> {
  const put = async (folder: string, data: AsyncIterable<Uint8Array>): Promise<void> => {
    const query = { path: folder, noOverwriteDirNonDir: true };
    const stream = { data, type: 'application/x-tar' };
    await context.client.json('PUT', `/containers/${container.id}/archive`, { query, stream });
  };
  const there = await statIn(context, container, destination);
  if (source === '-') {
    if (!there?.isFolder) throw notFound(container, destination);
    await put(destination, process.stdin);
    return;
  }
  if (!existsSync(source)) throw new TswarmError('not_found', `${source} does not exist`);
  const isFolder = statSync(source).isDirectory();
  const contents = isFolder && /(^|\/)\.$/.test(source);
  const followLink = options.followLink === true || contents;
  const pack = (name: string): AsyncIterable<Uint8Array> =>
    packPath(resolve(source), { name, followLink, keepOwners: options.archive === true });
  if (there?.isFolder) {
    await put(destination, pack(contents ? '.' : basename(resolve(source))));
    return;
  }
  if (there && isFolder)
    throw new TswarmError('invalid_argument', `${destination} is a file: a folder cannot go there`);
  if (!isFolder && destination.endsWith('/')) throw notFound(container, destination);
  const clean = posix.normalize(`/${destination}`).replace(/\/$/, '');
  await put(posix.dirname(clean), pack(posix.basename(clean)));
}

function notFound(container: CopyContainer, path: string): TswarmError {
  return new TswarmError('not_found', `could not find ${path} in container ${container.name}`);
}
