// `RUN --mount`: what of other stages, of the context, of a lasting cache or of memory a step gets
// beside its root file system; secrets, which are in memory only, and agents' sockets. Everything from the Dockerfile is untrusted: ids become hashes,
// sources are resolved inside their tree, and a mount point that the step made is taken away by
// name, empty folders only, and only where no link leads (CVE-2024-23651, -23652).
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { chmod, chown, mkdir, rename, rm, rmdir, stat, unlink, writeFile } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { promisify } from 'node:util';
import { TswarmError } from '#protocol/errors';
import { KeyedLock } from '../images/concurrency.ts';
import type { BuildStep } from '../images/types.ts';
import type { BuildRun, StageState } from './build-run.ts';
import { joinDir } from './config-change.ts';
import { type CopySpec, hashSources } from './copy.ts';
import { closeView, openView, type SourceFiles, type StepRootfs } from './layer-step.ts';
import { expandWord, type Scope } from './parse/expand.ts';
import type { MountOptions } from './parse/mount-options.ts';
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
  /** Files of the stage, image or further context that `from=` names. */
  readonly filesOf: (from: string) => Promise<SourceFiles>;
}

/** What a step gets beside its root file system. */
export interface StepExtras {
  readonly mounts: readonly StepMount[];
  /** `NAME=value`, for this step alone. */
  readonly env: readonly string[];
}

/**
 * What decides about the result of a step: how each mount is written, and of bind mounts what is there. What a cache or a secret holds does not.
 */
export async function mountKey(input: MountInput): Promise<readonly unknown[]> {
  const key: unknown[] = [];
  for (const options of input.mounts) {
    const written = Object.entries(options)
      .map(([name, value]) => [name, expand(input, value)])
      .toSorted(([a = ''], [b = '']) => (a < b ? -1 : 1));
    const isBind = (options.type ?? 'bind') === 'bind';
    key.push(isBind ? [written, await bindKey(input, options)] : [written]);
  }
  return key;
}

async function bindKey(input: MountInput, options: MountOptions): Promise<string> {
  const files =
    options.from === undefined ? undefined : await input.filesOf(expand(input, options.from));
  if (files?.kind === 'chain') return files.chainId;
  return folderKey(input, options, files?.view ?? input.run.context.view);
}

/** What a bind of a context holds. */
async function folderKey(
  input: MountInput,
  options: MountOptions,
  view: RootView,
): Promise<string> {
  const { parts, signal } = input.run;
  const source = expand(input, options.source ?? options.src ?? '/');
  const { path, info } = await view.resolve(source);
  if (info === undefined) return '';
  const sources = [{ path, isFolder: info.isDirectory(), name: posix.basename(path) }];
  return hashSources(view, sources, NO_EXCLUDES, parts.tool, signal);
}

const NO_EXCLUDES: CopySpec = {
  keyword: 'COPY',
  sources: [],
  destination: '/',
  excludes: [],
  mode: undefined,
  inline: new Map(),
  url: '',
  keepsParents: false,
  where: 'build context',
};

/** Prepares the mounts, runs `use`, and takes everything away again. */
export async function withMounts<T>(
  input: MountInput,
  rootfs: StepRootfs,
  use: (extras: StepExtras) => Promise<T>,
): Promise<T> {
  const open: Open = { views: [], held: [], files: [], env: [] };
  const mounts: StepMount[] = [];
  try {
    for (const options of input.mounts) {
      const mount = await mountOf(input, options, open);
      if (mount !== undefined) mounts.push(mount);
    }
    const made = await madePoints(rootfs, mounts);
    const result = await holding(open.held, () => use({ mounts, env: open.env }));
    await takeAway(rootfs, made);
    return result;
  } finally {
    for (const view of open.views) await closeView(input.run, view);
    for (const path of open.files) await rm(path, { recursive: true, force: true });
  }
}

/** What is to be closed again after the step, and the variables that came of its mounts. */
interface Open {
  readonly views: string[];
  readonly held: string[];
  readonly files: string[];
  readonly env: string[];
}

async function holding<T>(keys: readonly string[], use: () => Promise<T>): Promise<T> {
  const [key, ...rest] = [...new Set(keys)].toSorted();
  return key === undefined ? use() : locks.with(key, () => holding(rest, use));
}

async function mountOf(
  input: MountInput,
  options: MountOptions,
  open: Open,
): Promise<StepMount | undefined> {
  const type = options.type ?? 'bind';
  switch (type) {
    case 'bind':
      return bindMount(input, options, open);
    case 'cache':
      return cacheMount(input, options, targetOf(input, options), open.held);
    case 'tmpfs': {
      const size = options.size === undefined ? {} : { sizeBytes: bytesOf(options.size, input) };
      return {
        type: 'tmpfs',
        source: '',
        target: targetOf(input, options),
        readonly: false,
        ...size,
      };
    }
    case 'secret':
      return secretMount(input, options, open);
    case 'ssh':
      return sshMount(input, options, open);
    default:
      throw refused(input, `--mount=type=${type}`, 'bind, cache, tmpfs, secret and ssh are known.');
  }
}

/** A secret as a file in memory, as a variable, or both; only while the step runs. */
async function secretMount(
  input: MountInput,
  options: MountOptions,
  open: Open,
): Promise<StepMount | undefined> {
  const asked = options.target ?? options.dst ?? options.destination;
  const id = options.id ?? options.source ?? posix.basename(asked ?? '');
  if (id === '') throw refused(input, '--mount=type=secret without an id', 'Write id=NAME.');
  const data = input.run.options.secrets.get(id);
  if (data === undefined) {
    if (!isTrue(options.required)) return undefined;
    throw missing(
      input,
      `secret ${id}: not found`,
      `Give it to the build: --secret id=${id},src=FILE`,
    );
  }
  if (options.env !== undefined) open.env.push(`${options.env}=${new TextDecoder().decode(data)}`);
  if (options.env !== undefined && asked === undefined) return undefined;
  const target = asked === undefined ? `/run/secrets/${id}` : inWorkingDir(input, asked);
  const source = await privateFile(input, data, options);
  open.files.push(source);
  return { type: 'bind', source, target, readonly: true };
}

/** The socket of an SSH agent of this host; keys stay there. */
async function sshMount(
  input: MountInput,
  options: MountOptions,
  open: Open,
): Promise<StepMount | undefined> {
  const id = options.id ?? 'default';
  const socket = Object.hasOwn(input.run.options.sshAgents, id)
    ? input.run.options.sshAgents[id]
    : undefined;
  if (socket === undefined) {
    if (!isTrue(options.required)) return undefined;
    throw missing(input, `SSH key ${id}: not found`, `Give it to the build: --ssh ${id}`);
  }
  const info = await stat(socket).catch(() => undefined);
  if (info?.isSocket() !== true) {
    throw missing(input, `SSH key ${id}: ${socket} is no socket of an agent`, 'Start ssh-agent.');
  }
  const asked = options.target ?? options.dst ?? options.destination;
  for (const key of ['uid', 'gid', 'mode']) {
    if (options[key] === undefined) continue;
    throw refused(input, `--mount=type=ssh,${key}=`, 'The socket is the agent’s own; run as root.');
  }
  const target =
    asked === undefined ? `/run/buildkit/ssh_agent.${open.env.length}` : inWorkingDir(input, asked);
  open.env.push(`SSH_AUTH_SOCK=${target}`);
  return { type: 'bind', source: socket, target, readonly: true };
}

/** On the tmpfs for secrets. */
async function privateFile(
  input: MountInput,
  data: Uint8Array,
  options: MountOptions,
): Promise<string> {
  // The folder above it is emptied when the node enters or leaves a cluster.
  await mkdir(input.run.secretsDir, { recursive: true, mode: 0o700 });
  const path = join(input.run.secretsDir, randomBytes(12).toString('hex'));
  await writeFile(path, data, { mode: 0o600 });
  const { uid, gid, mode } = ownerOf(input, options, '0400');
  await chown(path, uid, gid);
  await chmod(path, mode & 0o777);
  return path;
}

async function bindMount(input: MountInput, options: MountOptions, open: Open): Promise<StepMount> {
  const { source } = await bindSource(input, options, open.views);
  const target = targetOf(input, options);
  const isWritable = isTrue(options.rw) || isTrue(options.readwrite);
  if (!isWritable) return { type: 'bind', source, target, readonly: true };
  // What the step writes there is thrown away: it writes into a copy.
  const copy = join(input.run.dataDir, 'views', `${randomBytes(12).toString('hex')}.copy`);
  open.files.push(copy);
  await copyTree(source, copy);
  return { type: 'bind', source: copy, target, readonly: false };
}

/** With owners, times, links and attributes. */
async function copyTree(source: string, target: string): Promise<void> {
  await promisify(execFile)('cp', ['-a', '--reflink=auto', '--', source, target]);
}

async function bindSource(
  input: MountInput,
  options: MountOptions,
  views: string[],
): Promise<{ readonly source: string }> {
  let { view } = input.run.context;
  if (options.from !== undefined) {
    const files = await input.filesOf(expand(input, options.from));
    if (files.kind === 'folder') view = files.view;
    else {
      const dir = await openView(input.run, files.chainId);
      views.push(dir);
      view = new RootView(dir);
    }
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
  const id = expand(input, options.id ?? target);
  const hash = createHash('sha256').update(id).digest('hex');
  const source = join(input.run.dataDir, 'caches', hash);
  const sharing = options.sharing ?? 'shared';
  if (!['shared', 'locked', 'private'].includes(sharing)) {
    throw refused(input, `sharing=${sharing}`, 'shared, locked and private are known.');
  }
  // A private cache for one step at a time is what `private` promises.
  if (sharing !== 'shared') held.push(source);
  const isNew = (await stat(source).catch(() => undefined)) === undefined;
  if (isNew && options.from !== undefined) await seed(input, options, source);
  else if (isNew) {
    await mkdir(source, { recursive: true, mode: 0o755 });
    const { uid, gid, mode } = ownerOf(input, options, '0755');
    await chown(source, uid, gid);
    await chmod(source, mode & 0o7777);
  }
  const readonly = isTrue(options.ro) || isTrue(options.readonly);
  return { type: 'bind', source, target, readonly };
}

/** A cache that begins with files of a stage, an image or a context. */
async function seed(input: MountInput, options: MountOptions, target: string): Promise<void> {
  const views: string[] = [];
  const made = `${target}.${randomBytes(6).toString('hex')}`;
  try {
    await copyTree((await bindSource(input, options, views)).source, made);
    // Another build may have been first.
    await rename(made, target).catch(() => undefined);
  } finally {
    await rm(made, { recursive: true, force: true });
    for (const view of views) await closeView(input.run, view);
  }
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

/** Numbers that may have come of variables. */
function ownerOf(
  input: MountInput,
  options: MountOptions,
  fallback: string,
): { readonly uid: number; readonly gid: number; readonly mode: number } {
  const number = (key: 'uid' | 'gid' | 'mode', text: string, base: number): number => {
    const value = expand(input, options[key] ?? text);
    const isNumber = base === 8 ? /^[0-7]{1,5}$/.test(value) : /^\d{1,9}$/.test(value);
    if (isNumber) return Number.parseInt(value, base);
    throw new TswarmError('invalid_argument', `RUN --mount: ${key}=${value} is not a number`, {
      field: `Dockerfile:${input.line}`,
    });
  };
  return {
    uid: number('uid', '0', 10),
    gid: number('gid', '0', 10),
    mode: number('mode', fallback, 8),
  };
}

function targetOf(input: MountInput, options: MountOptions): string {
  const text = options.target ?? options.dst ?? options.destination ?? '';
  if (text !== '') return inWorkingDir(input, text);
  throw new TswarmError('invalid_argument', 'RUN --mount: target is missing', {
    field: `Dockerfile:${input.line}`,
  });
}

function inWorkingDir(input: MountInput, path: string): string {
  return joinDir(input.state.config.workingDir, expand(input, path));
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

function missing(input: MountInput, what: string, hint: string): TswarmError {
  return new TswarmError('not_found', what, { field: `Dockerfile:${input.line}`, hint });
}

function refused(input: MountInput, what: string, hint: string): TswarmError {
  return new TswarmError('not_supported', `RUN ${what} is not supported`, {
    field: `Dockerfile:${input.line}`,
    hint,
  });
}
