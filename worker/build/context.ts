// The build context, as it was sent or fetched from a URL: unpacked into a folder of its own, what .dockerignore names taken out, the
// Dockerfile read before that. Removed with the build.
import { lstat, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Dockerignore } from '#protocol/dockerignore';
import { BUILD_CONTEXTS_FOLDER, FOREIGN_DOCKERFILE } from '#protocol/engine';
import { TswarmError } from '#protocol/errors';
import type { LayerTool } from '../images/layer-tool.ts';
import { DOCKERFILE_BYTES_MAX } from './limits.ts';
import { fetchContext, unpackContext } from './remote-context.ts';
import { isUrl } from './remote-file.ts';
import { RootView } from './root-view.ts';

const DEFAULT_DOCKERFILE = 'Dockerfile';

export interface BuildContext {
  readonly view: RootView;
  readonly dockerfile: string;
  /** Further contexts that came along, by name. */
  readonly contexts: ReadonlyMap<string, RootView>;
  remove(): Promise<void>;
}

/**
 * `dockerfile`: path in the context; '' = `Dockerfile`. `remote`: URL of the context; '' = it is sent. What is sent with a remote one (a Dockerfile from elsewhere, further contexts) lies over it.
 * `contexts`: those that are URLs are fetched.
 */
export async function receiveContext(
  tar: AsyncIterable<Uint8Array>,
  options: {
    readonly contextsDir: string;
    readonly dockerfile: string;
    readonly remote: string;
    readonly contexts: Readonly<Record<string, string>>;
    readonly tool: LayerTool;
    readonly signal: AbortSignal;
  },
): Promise<BuildContext> {
  const dir = await mkdtemp(join(options.contextsDir, 'c-'));
  const remove = async (): Promise<void> => {
    for (const path of [dir, `${dir}.more`]) await rm(path, { recursive: true, force: true });
  };
  try {
    const name = await fillContext(tar, dir, options);
    await takeContexts(dir, `${dir}.more`);
    const contexts = await contextViews(`${dir}.more`, options);
    const view = new RootView(dir);
    const dockerfile = await readDockerfile(view, name);
    await takeOut(view, name);
    for (const foreign of [FOREIGN_DOCKERFILE, `${FOREIGN_DOCKERFILE}.dockerignore`])
      await rm(join(dir, foreign), { force: true });
    return { view, dockerfile, contexts, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

type ContextSources = Parameters<typeof receiveContext>[1];

/** @returns the name of the Dockerfile in it */
async function fillContext(
  tar: AsyncIterable<Uint8Array>,
  dir: string,
  { remote, dockerfile, tool, signal }: ContextSources,
): Promise<string> {
  const name = dockerfile === '' ? DEFAULT_DOCKERFILE : dockerfile;
  if (remote === '') {
    await unpackContext(tar, dir, { tool, signal });
    return name;
  }
  if (!isUrl(remote)) {
    throw new TswarmError('not_supported', `remote: ${remote} is no http or https address`, {
      field: 'remote',
      hint: 'Repositories are fetched by `tswarm image build` and tcompose.',
    });
  }
  const fetched = { tool, signal, fileName: DEFAULT_DOCKERFILE };
  const isArchive = await fetchContext(remote, dir, fetched);
  await rm(join(dir, BUILD_CONTEXTS_FOLDER), { recursive: true, force: true });
  await unpackContext(tar, dir, { tool, signal });
  return isArchive || dockerfile === FOREIGN_DOCKERFILE ? name : DEFAULT_DOCKERFILE;
}

/** Moves the folder of the further contexts out of the context. */
async function takeContexts(dir: string, to: string): Promise<void> {
  const from = join(dir, BUILD_CONTEXTS_FOLDER);
  const info = await lstat(from).catch(() => undefined);
  if (info?.isDirectory() === true) await rename(from, to);
}

/** Those that came along and those that are fetched, each a folder below `dir`. */
async function contextViews(
  dir: string,
  { contexts, tool, signal }: ContextSources,
): Promise<ReadonlyMap<string, RootView>> {
  for (const [name, source] of Object.entries(contexts)) {
    if (!isUrl(source)) continue;
    await fetchContext(source, join(dir, name), { tool, signal, fileName: undefined });
  }
  const views = new Map<string, RootView>();
  for (const entry of await readdir(dir, { withFileTypes: true }).catch(() => []))
    if (entry.isDirectory()) views.set(entry.name, new RootView(join(dir, entry.name)));
  return views;
}

async function readDockerfile(view: RootView, name: string): Promise<string> {
  const { path, info } = await view.resolve(name);
  if (info?.isFile() !== true) {
    throw new TswarmError('invalid_argument', `Cannot locate specified Dockerfile: ${name}`, {
      field: 'dockerfile',
      hint: 'Its path is relative to the build context.',
    });
  }
  if (info.size > DOCKERFILE_BYTES_MAX) {
    throw new TswarmError('too_large', `${name}: a Dockerfile of ${info.size} bytes is too large`);
  }
  const text = await readFile(view.hostPath(path), 'utf8');
  if (text.trim() !== '') return text;
  throw new TswarmError('invalid_argument', `the Dockerfile (${name}) cannot be empty`);
}

/** Clients usually have left these files out already; not all do. */
async function takeOut(view: RootView, dockerfile: string): Promise<void> {
  const text =
    (await read(view, `${dockerfile}.dockerignore`)) ?? (await read(view, '.dockerignore'));
  if (text === undefined) return;
  const rules = new Dockerignore(text);
  const folders = [''];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for (const name of await view.list(folder)) {
      const path = folder === '' ? name : `${folder}/${name}`;
      const { info } = await view.resolve(path, true);
      const isFolder = info?.isDirectory() === true;
      if (!rules.ignores(path)) {
        if (isFolder) folders.push(path);
      } else if (isFolder && rules.mayTakeBackBelow(path)) folders.push(path);
      else await rm(view.hostPath(path), { recursive: true, force: true });
    }
  }
}

async function read(view: RootView, name: string): Promise<string | undefined> {
  const { path, info } = await view.resolve(name);
  if (info?.isFile() !== true || info.size > DOCKERFILE_BYTES_MAX) return undefined;
  return readFile(view.hostPath(path), 'utf8');
}
