// COPY, ADD and WORKDIR: files from the context, another stage or an image into a new layer.
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { posix } from 'node:path';
import { TswarmError } from '#protocol/errors';
import { decompress } from '../images/decompress.ts';
import type { LayerRecord } from '../images/layer-store.ts';
import { CHUNK_BYTES, LAYER_BYTES_MAX, LAYER_ENTRIES_MAX } from '../images/limits.ts';
import { BLOCK_BYTES, decodeHeader } from '../images/tar/format.ts';
import { simpleHeader, writeTar } from '../images/tar/writer.ts';
import type { BuildRun, StageState } from './build-run.ts';
import { joinDir } from './config-change.ts';
import {
  type CopySource,
  type CopySpec,
  copyMembers,
  findSources,
  hashSources,
  missingFolders,
  type Owner,
} from './copy.ts';
import { makeLayer, type SourceFiles, type StepRootfs, withView } from './layer-step.ts';
import { modeChange } from './mode.ts';
import { expandText, expandWord, type Scope } from './parse/expand.ts';
import type { Instruction } from './parse/instructions.ts';
import { checkedDigest, fetchFile, isGit, isUrl, nameOfUrl } from './remote-file.ts';
import type { RootView } from './root-view.ts';

type CopyInstruction = Extract<Instruction, { kind: 'copy' | 'add' }>;

/** A copy that is known to be possible: its key decides about the cache. */
export interface PreparedCopy {
  readonly key: readonly unknown[];
  /** Makes the layer; only while `prepareCopy`'s `use` runs. */
  apply(): Promise<LayerRecord>;
}

/**
 * Finds and hashes the sources, then lets `use` decide.
 */
export async function prepareCopy<T>(
  run: BuildRun,
  state: StageState,
  instruction: CopyInstruction,
  files: SourceFiles,
  scope: Scope,
  use: (copy: PreparedCopy) => Promise<T>,
): Promise<T> {
  const spec = specOf(run, state, instruction, scope);
  const withSource = async (view: RootView): Promise<T> => {
    const { tool } = run.parts;
    const sources = await findSources(view, spec);
    const content = await hashSources(view, sources, spec, tool, run.signal);
    const chown = expandWord(instruction.chown, scope, run.plan.escapeChar);
    const { keyword, destination, mode } = spec;
    return use({
      key: [keyword, content, destination, chown, mode?.text ?? null],
      apply: () =>
        makeLayer(run, state, (rootfs) => fill(run, { view, sources, spec, chown }, rootfs)),
    });
  };
  if (spec.url !== '') {
    const checksum = checkedDigest(expandWord(instruction.checksum, scope, run.plan.escapeChar));
    const [name = ''] = spec.sources;
    const remote = await fetchFile(run, spec.url, name, checksum);
    return withSource(remote.view).finally(() => remote.remove());
  }
  return files.kind === 'folder'
    ? withSource(files.view)
    : withView(run, files.chainId, withSource);
}

/**
 * The folder of WORKDIR as a layer; undefined when it is there already. It belongs to the USER that steps have there, as with BuildKit.
 */
export async function makeWorkdir(
  run: BuildRun,
  state: StageState,
  path: string,
): Promise<LayerRecord | undefined> {
  const isThere = await withView(run, state.chainId, async (view) => {
    const { info } = await view.resolve(path);
    if (info !== undefined && !info.isDirectory()) {
      throw new TswarmError('invalid_argument', `WORKDIR ${path}: is not a folder in the image`);
    }
    return info !== undefined;
  });
  if (isThere) return undefined;
  return makeLayer(run, state, async (rootfs) => {
    const owner = await userOf(run, rootfs, state.config.user);
    const members = (await missingFolders(rootfs.view, path)).map((name) => ({
      header: { ...simpleHeader(name, 'dir', 0, nowSeconds(run)), ...owner },
    }));
    await applyTar(run, rootfs, writeTar(members), '');
  });
}

interface Sources {
  readonly view: RootView;
  readonly sources: readonly CopySource[];
  readonly spec: CopySpec;
  /** `user[:group]` as written; ''. */
  readonly chown: string;
}

async function fill(run: BuildRun, from: Sources, rootfs: StepRootfs): Promise<void> {
  const { view, spec } = from;
  const { tool } = run.parts;
  const owner = await ownerOf(run, rootfs, from.chown);
  const archives: CopySource[] = [];
  const plain: CopySource[] = [];
  for (const source of from.sources) {
    const mayBeArchive = spec.keyword === 'ADD' && spec.url === '' && !source.isFolder;
    const isArchive = mayBeArchive && (await isTar(view, source));
    (isArchive ? archives : plain).push(source);
  }
  if (plain.length > 0 || spec.inline.size > 0) {
    const deps = { tool, owner, signal: run.signal };
    const members = copyMembers(view, plain, spec, rootfs.view, deps);
    await applyTar(run, rootfs, writeTar(members), '');
  }
  for (const archive of archives) {
    const folder = posix.normalize(`${spec.destination}/`);
    const header = { ...simpleHeader(folder.slice(1, -1), 'dir', 0, nowSeconds(run)), ...owner };
    const { info } = await rootfs.view.resolve(folder);
    if (info === undefined) await applyTar(run, rootfs, writeTar([{ header }]), '');
    const tar = decompress(read(view, archive), { bytesMax: LAYER_BYTES_MAX });
    // What is packed keeps its owners, whatever --chown says, as with all other builders.
    await applyTar(run, rootfs, tar, folder);
  }
}

async function applyTar(
  run: BuildRun,
  rootfs: StepRootfs,
  tar: AsyncIterable<Uint8Array>,
  path: string,
): Promise<void> {
  await run.parts.tool.apply(tar, {
    root: rootfs.mergedDir,
    path,
    bytesMax: LAYER_BYTES_MAX,
    entriesMax: LAYER_ENTRIES_MAX,
    mode: 'plain',
    isUnterminatedOk: true,
    signal: run.signal,
  });
}

function specOf(
  run: BuildRun,
  state: StageState,
  instruction: CopyInstruction,
  scope: Scope,
): CopySpec {
  const keyword = instruction.kind === 'copy' ? 'COPY' : 'ADD';
  const expand = (word: string): string => expandWord(word, scope, run.plan.escapeChar);
  const refuse = (what: string, hint: string): TswarmError =>
    new TswarmError('not_supported', `${keyword} failed: ${what} is not supported`, {
      field: `Dockerfile:${instruction.line}`,
      hint,
    });
  const inline = new Map<string, string>();
  const sources = instruction.sources.map((word) => {
    const doc = instruction.hereDocs.find(
      ({ name }) =>
        word.replace(/^<<-?/, '').replaceAll(/["']/g, '') === name && word.startsWith('<<'),
    );
    if (doc === undefined) return expand(word);
    inline.set(doc.name, doc.isExpanded ? expandText(doc.content, scope) : doc.content);
    return doc.name;
  });
  const url =
    keyword === 'ADD' ? (sources.find((source) => isUrl(source) || isGit(source)) ?? '') : '';
  if (isGit(url)) throw refuse(`ADD ${url}`, 'Fetch it with a RUN step (git clone).');
  if (url !== '' && sources.length > 1) {
    throw refuse('a URL beside other sources', 'Write one ADD for each URL.');
  }
  if (url === '' && instruction.checksum !== '') {
    throw refuse('--checksum without a URL', 'It says what a fetched file must be.');
  }
  const destination = expand(instruction.destination);
  const absolute = joinDir(state.config.workingDir, destination);
  const isFolder = /(^|\/)\.?$/.test(destination) && absolute !== '/';
  const folder = isFolder || absolute === '/';
  return {
    keyword,
    sources: url === '' ? sources : [folder ? nameOfUrl(url) : posix.basename(absolute)],
    url,
    keepsParents: instruction.keepsParents,
    destination: folder ? posix.join(absolute, '/') : absolute,
    excludes: instruction.excludes.map(expand),
    mode: modeOf(expand(instruction.chmod), instruction),
    inline,
    where:
      instruction.from === ''
        ? 'build context or excluded by .dockerignore'
        : `stage or image ${instruction.from}`,
  };
}

function modeOf(text: string, instruction: CopyInstruction): CopySpec['mode'] {
  if (text === '') return undefined;
  const change = modeChange(text);
  if (change !== undefined) return { text, change };
  throw new TswarmError('invalid_argument', `invalid chmod parameter: '${text}'`, {
    field: `Dockerfile:${instruction.line}`,
    hint: 'Write the mode as an octal number such as 0755, or in letters such as u=rwX,go=rX.',
  });
}

/** Of USER; root where the image does not know that user (yet), as with BuildKit. */
async function userOf(run: BuildRun, rootfs: StepRootfs, text: string): Promise<Owner> {
  const root = { uid: 0, gid: 0 };
  if (text === '') return root;
  return run.parts.tool.lookup(rootfs.mergedDir, text).catch(() => root);
}

/** Without a group: of a number the same number, of a name the user's own group, as with BuildKit. */
async function ownerOf(run: BuildRun, rootfs: StepRootfs, text: string): Promise<Owner> {
  if (text === '') return { uid: 0, gid: 0 };
  if (/^\d+(:\d+)?$/.test(text)) {
    const [uid = '0', gid = uid] = text.split(':');
    const owner = { uid: Number(uid), gid: Number(gid) };
    if (owner.uid <= ID_MAX && owner.gid <= ID_MAX) return owner;
    throw new TswarmError('invalid_argument', `--chown=${text}: ids end at ${ID_MAX}`);
  }
  try {
    const { uid, gid } = await run.parts.tool.lookup(rootfs.mergedDir, text);
    return { uid, gid };
  } catch (cause) {
    throw new TswarmError(
      'invalid_argument',
      `unable to convert uid/gid chown string to host mapping: can't find ${text}`,
      {
        cause,
        hint: 'The user and the group must be in the passwd and group files of the image.',
      },
    );
  }
}

const ID_MAX = 2 ** 31 - 1;

async function isTar(view: RootView, source: CopySource): Promise<boolean> {
  let block = Buffer.alloc(0);
  await using file = await open(view.hostPath(source.path), 'r');
  const head = await file.read(Buffer.alloc(BLOCK_BYTES), 0, BLOCK_BYTES, 0);
  if (head.bytesRead < 20) return false;
  try {
    for await (const chunk of decompress(read(view, source), { bytesMax: LAYER_BYTES_MAX })) {
      block = Buffer.concat([block, chunk]);
      if (block.length >= BLOCK_BYTES) break;
    }
    if (block.length < BLOCK_BYTES) return false;
    decodeHeader(block.subarray(0, BLOCK_BYTES));
    return true;
  } catch {
    return false;
  }
}

function read(view: RootView, source: CopySource): AsyncIterable<Uint8Array> {
  return createReadStream(view.hostPath(source.path), { highWaterMark: CHUNK_BYTES });
}

function nowSeconds(run: BuildRun): number {
  return Math.floor(run.parts.clock.nowMs() / 1000);
}
