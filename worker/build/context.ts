// The build context: unpacked into a folder of its own, what .dockerignore names taken out, the
// Dockerfile read before that. Removed with the build.
import { lstat, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Dockerignore } from '#protocol/dockerignore';
import { BUILD_CONTEXTS_FOLDER, FOREIGN_DOCKERFILE } from '#protocol/engine';
import { TswarmError } from '#protocol/errors';
import { decompress } from '../images/decompress.ts';
import type { LayerTool } from '../images/layer-tool.ts';
import { CONTEXT_BYTES_MAX, CONTEXT_ENTRIES_MAX, DOCKERFILE_BYTES_MAX } from './limits.ts';
import { RootView } from './root-view.ts';

export interface BuildContext {
  readonly view: RootView;
  readonly dockerfile: string;
  /** Further contexts that came along, by name. */
  readonly contexts: ReadonlyMap<string, RootView>;
  remove(): Promise<void>;
}

/** `dockerfile`: path in the context; '' = `Dockerfile`. */
export async function receiveContext(
  tar: AsyncIterable<Uint8Array>,
  options: {
    readonly contextsDir: string;
    readonly dockerfile: string;
    readonly tool: LayerTool;
    readonly signal: AbortSignal;
  },
): Promise<BuildContext> {
  const dir = await mkdtemp(join(options.contextsDir, 'c-'));
  const remove = async (): Promise<void> => {
    for (const path of [dir, `${dir}.more`]) await rm(path, { recursive: true, force: true });
  };
  try {
    await options.tool.apply(decompress(tar, { bytesMax: CONTEXT_BYTES_MAX }), {
      root: dir,
      bytesMax: CONTEXT_BYTES_MAX,
      entriesMax: CONTEXT_ENTRIES_MAX,
      mode: 'plain',
      isUnterminatedOk: true,
      signal: options.signal,
    });
    const contexts = await takeContexts(dir, `${dir}.more`);
    const view = new RootView(dir);
    const name = options.dockerfile === '' ? 'Dockerfile' : options.dockerfile;
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

/** Moves the folder of the further contexts out of the context. */
async function takeContexts(dir: string, to: string): Promise<ReadonlyMap<string, RootView>> {
  const from = join(dir, BUILD_CONTEXTS_FOLDER);
  const info = await lstat(from).catch(() => undefined);
  if (info?.isDirectory() !== true) return new Map();
  await rename(from, to);
  const contexts = new Map<string, RootView>();
  for (const entry of await readdir(to, { withFileTypes: true }))
    if (entry.isDirectory()) contexts.set(entry.name, new RootView(join(to, entry.name)));
  return contexts;
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
