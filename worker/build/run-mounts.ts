// `RUN --mount`: what of other stages, of the context, of a lasting cache or of memory a step gets
// beside its root file system. Everything from the Dockerfile is untrusted: ids become hashes,
// sources are resolved inside their tree, and a mount point that the step made is taken away by
// name, empty folders only, and only where no link leads (CVE-2024-23651, -23652).
import { createHash } from 'node:crypto';
import { chmod, chown, mkdir, rmdir, unlink } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { TswarmError } from '#protocol/errors';
import { KeyedLock } from '../images/concurrency.ts';
import type { BuildStep } from '../images/types.ts';
import type { BuildRun, StageState } from './build-run.ts';
import { joinDir } from './config-change.ts';
import { type CopySpec, hashSources } from './copy.ts';
import { closeView, openView, type StepRootfs } from './layer-step.ts';
import { expandWord, type Scope } from './parse/expand.ts';
import type { MountOptions } from './parse/instructions.ts';
import { RootView } from './root-view.ts';

export type StepMount = BuildStep['mounts'][number];

/** Caches with `sharing=locked`, over all builds of this node. */
const locks = new KeyedLock();

export interface MountInput {
  readonly run: BuildRun;
  readonly state: StageState;
  readonly mounts: readonly MountOptions[];
  readonly scope: Scope;
  readonly line: number;
  /** Top chain id of a stage or image that `from=` names. */
  readonly chainOf: (from: string) => Promise<string>;
}

/**
 * What decides about the result of a step: bind mounts by where they come from; caches and memory
 * do not.
 */
export async function mountKey(input: MountInput): Promise<readonly unknown[]> {
  const key: unknown[] = [];
  for (const options of input.mounts) {
    if ((options.type ?? 'bind') !== 'bind') continue;
    const from =
      options.from === undefined
        ? await contextKey(input, options)
        : await input.chainOf(options.from);
    key.push([options.target ?? '', options.source ?? '', from]);
  }
  return key;
}

/** What a bind of the context holds. */
async function contextKey(input: MountInput, options: MountOptions): Promise<string> {
  const { context, parts, signal } = input.run;
  const source = expand(input, options.source ?? options.src ?? '/');
  const { path, info } = await context.view.resolve(source);
  if (info === undefined) return '';
  const sources = [{ path, isFolder: info.isDirectory(), name: posix.basename(path) }];
  return hashSources(context.view, sources, NO_EXCLUDES, parts.tool, signal);
}

const NO_EXCLUDES: CopySpec = {
  keyword: 'COPY',
  sources: [],
  destination: '/',
  excludes: [],
  mode: undefined,
  inline: new Map(),
  where: 'build context',
};

/** Prepares the mounts, runs `use`, and takes everything away again. */
export async function withMounts<T>(
  input: MountInput,
  rootfs: StepRootfs,
  use: (mounts: readonly StepMount[]) => Promise<T>,
): Promise<T> {
  const views: string[] = [];
  const mounts: StepMount[] = [];
  const held: string[] = [];
  try {
    for (const options of input.mounts) {
      const mount = await mountOf(input, options, views, held);
      if (mount !== undefined) mounts.push(mount);
    }
    const made = await madePoints(rootfs, mounts);
    const result = await holding(held, () => use(mounts));
    await takeAway(rootfs, made);
    return result;
  } finally {
    for (const view of views) await closeView(input.run, view);
  }
}

async function holding<T>(keys: readonly string[], use: () => Promise<T>): Promise<T> {
  const [key, ...rest] = [...new Set(keys)].toSorted();
  return key === undefined ? use() : locks.with(key, () => holding(rest, use));
}

async function mountOf(
  input: MountInput,
  options: MountOptions,
  views: string[],
  held: string[],
): Promise<StepMount | undefined> {
  const type = options.type ?? 'bind';
  const target = targetOf(input, options);
  switch (type) {
    case 'bind':
      return { type: 'bind', ...(await bindSource(input, options, views)), target, readonly: true };
    case 'cache':
      return cacheMount(input, options, target, held);
    case 'tmpfs': {
      const size = options.size === undefined ? {} : { sizeBytes: bytesOf(options.size, input) };
      return { type: 'tmpfs', source: '', target, readonly: false, ...size };
    }
    case 'secret':
    case 'ssh': {
      if (options.required !== 'true') return undefined;
      throw refused(
        input,
        `--mount=type=${type},required`,
        'Secrets and SSH agents cannot be given to this builder.',
      );
    }
    default:
      throw refused(input, `--mount=type=${type}`, 'bind, cache and tmpfs are known.');
  }
}

async function bindSource(
  input: MountInput,
  options: MountOptions,
  views: string[],
): Promise<{ readonly source: string }> {
  if (isTrue(options.rw) || isTrue(options.readwrite)) {
    throw refused(input, '--mount=type=bind,rw', 'Copy what the step changes with COPY.');
  }
  let { view } = input.run.context;
  if (options.from !== undefined) {
    const dir = await openView(input.run, await input.chainOf(options.from));
    views.push(dir);
    view = new RootView(dir);
  }
  const { path, info } = await view.resolve(expand(input, options.source ?? options.src ?? '/'));
  if (info === undefined) {
    throw new TswarmError('invalid_argument', `RUN --mount: source ${path} does not exist`, {
      field: `Dockerfile:${input.line}`,
    });
  }
  return { source: view.hostPath(path).toString() };
}

async function cacheMount(
  input: MountInput,
  options: MountOptions,
  target: string,
  held: string[],
): Promise<StepMount> {
  if (options.from !== undefined || options.source !== undefined) {
    throw refused(input, '--mount=type=cache,from=', 'A cache begins empty.');
  }
  const id = expand(input, options.id ?? target);
  const hash = createHash('sha256').update(id).digest('hex');
  const source = join(input.run.dataDir, 'caches', hash);
  const sharing = options.sharing ?? 'shared';
  if (!['shared', 'locked', 'private'].includes(sharing)) {
    throw refused(input, `sharing=${sharing}`, 'shared, locked and private are known.');
  }
  // A private cache for one step at a time is what `private` promises.
  if (sharing !== 'shared') held.push(source);
  const isNew = (await mkdir(source, { recursive: true, mode: 0o755 })) !== undefined;
  if (isNew) {
    await chown(source, Number(options.uid ?? 0), Number(options.gid ?? 0));
    await chmod(source, Number.parseInt(options.mode ?? '0755', 8) & 0o7777);
  }
  const readonly = isTrue(options.ro) || isTrue(options.readonly);
  return { type: 'bind', source, target, readonly };
}

/** Mount points that do not exist yet, deepest first, as paths without links. */
async function madePoints(
  rootfs: StepRootfs,
  mounts: readonly StepMount[],
): Promise<readonly string[]> {
  const made: string[] = [];
  for (const { target } of mounts) {
    for (let at = target; at !== '/'; at = posix.dirname(at)) {
      const { info, path } = await rootfs.view.resolve(at);
      if (info !== undefined) break;
      made.push(path);
    }
  }
  return made;
}

async function takeAway(rootfs: StepRootfs, made: readonly string[]): Promise<void> {
  const upper = new RootView(rootfs.upperDir);
  for (const path of made) {
    const { info, isLinked, path: found } = await upper.resolve(path, true);
    if (info === undefined || isLinked || found !== path) continue;
    const isEmptyFile = info.isFile() && info.size === 0;
    // What the step put there itself is not empty and stays.
    if (info.isDirectory()) await rmdir(upper.hostPath(path)).catch(() => {});
    else if (isEmptyFile) await unlink(upper.hostPath(path));
  }
}

function targetOf(input: MountInput, options: MountOptions): string {
  const text = options.target ?? options.dst ?? options.destination ?? '';
  if (text !== '') return joinDir(input.state.config.workingDir, expand(input, text));
  if (options.type === 'secret' || options.type === 'ssh') return '/run/secrets';
  throw new TswarmError('invalid_argument', 'RUN --mount: target is missing', {
    field: `Dockerfile:${input.line}`,
  });
}

const UNIT_BYTES: Readonly<Record<string, number>> = { '': 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };

function bytesOf(text: string, input: MountInput): number {
  const [, number = '', unit = ''] = /^(\d+)([kmg]?)b?$/i.exec(text) ?? [];
  if (number !== '') return Number(number) * (UNIT_BYTES[unit.toLowerCase()] ?? 1);
  throw refused(input, `size=${text}`, 'Write bytes or a number with k, m or g.');
}

function expand(input: MountInput, word: string): string {
  return expandWord(word, input.scope, input.run.plan.escapeChar);
}

function isTrue(value: string | undefined): boolean {
  return value === 'true' || value === '1';
}

function refused(input: MountInput, what: string, hint: string): TswarmError {
  return new TswarmError('not_supported', `RUN ${what} is not supported`, {
    field: `Dockerfile:${input.line}`,
    hint,
  });
}
