// Builders side by side on one case: a node of ours, dockerd 20.10 with BuildKit and without, buildah. Each is given the same folder by its own client, and what it
// made is read from the archive that it saves: the files as all layers give them, and the configuration. Everything is in folders of its own, taken away by `dispose`.
import { createHash } from 'node:crypto';
import { createReadStream, linkSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { chmod } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { readTar } from '#worker/images/tar/reader';
import type { BuildCase, PeerName } from './build-cases/case.ts';
import { writeBusyboxRoot } from './busybox-root.ts';
import { streamOf } from './image-tar.ts';
import { PeerDockerd } from './peer-dockerd.ts';
import { type Result, run, TestNode } from './test-node.ts';

const BASE = 'base:1';
const BEFORE = 'before:1';
/** The client of the distribution, which has BuildKit's part of a client built in. */
const DOCKER_20 = '/usr/bin/docker';
/** Mount points that every step under `--isolation chroot` leaves behind. */
const LEFT_BY_BUILDAH: ReadonlySet<string> = new Set([
  '/etc/hostname',
  '/etc/hosts',
  '/etc/resolv.conf',
]);
/** Content up to this length is shown, what is longer by its digest. */
const SHOWN_BYTES_MAX = 80;

export interface Built {
  readonly code: number;
  /** What was said on standard error, or at the end. */
  readonly message: string;
  /** Path → kind, mode, owner, content; what the base image has is left out. */
  readonly tree: ReadonlyMap<string, string>;
  readonly config: Readonly<Record<string, unknown>>;
}

export type Side = 'tswarm' | PeerName;

export class BuildPeers implements AsyncDisposable {
  readonly #node = new TestNode();
  readonly #peer = new PeerDockerd();
  readonly #sides: readonly Side[];
  readonly #bases = new Map<Side, ReadonlyMap<string, string>>();
  #count = 0;

  constructor(sides: readonly Side[]) {
    this.#sides = sides;
  }

  async start(): Promise<void> {
    const { folder } = this.#node;
    await this.#node.start();
    const root = join(folder, 'root');
    mkdirSync(root);
    writeBusyboxRoot(root);
    const tar = join(folder, 'base.tar');
    must(await run('tar', ['-C', root, '--owner=0', '--group=0', '-cf', tar, '.'], {}));
    const changes = ['-c', 'ENV PATH=/bin', '-c', 'CMD ["sh"]'];
    must(await this.#node.tswarm(['image', 'import', tar, BASE, ...changes]));
    const saved = join(folder, 'base-saved.tar');
    must(await this.#node.docker(['save', '-o', saved, BASE]));
    if (this.#sides.includes('buildkit') || this.#sides.includes('classic')) {
      await this.#peer.start();
      must(await this.#peer.docker(['load', '-i', saved]));
    }
    writeFileSync(this.#policy, '{"default":[{"type":"insecureAcceptAnything"}]}');
    if (this.#sides.includes('buildah'))
      must(await this.#buildah('/', ['pull', `docker-archive:${saved}`]));
    for (const side of this.#sides) this.#bases.set(side, (await this.#saved(side, BASE)).tree);
  }

  /** Builds the case on this side, always without the cache of other cases. */
  async build(side: Side, one: BuildCase): Promise<Built> {
    const folder = join(this.#node.folder, 'cases', String(this.#count++));
    await writeContext(folder, one);
    const tag = `case:${this.#count}`;
    try {
      if (one.before !== undefined) {
        const file = join(folder, '..', `before${this.#count}`);
        writeFileSync(file, one.before);
        must(await this.#run(side, folder, ['-t', BEFORE, '-f', file, '.'], {}));
        rmSync(file);
      }
      const flags = one.flags ?? [];
      const result = await this.#run(side, folder, ['-t', tag, ...flags, '.'], one.env ?? {});
      const message = `${result.stdout.split('\n').slice(-4).join('\n')}\n${result.stderr}`.trim();
      const failed = { code: 1, message, tree: new Map(), config: {} };
      if (result.code !== 0) return failed;
      const saved = await this.#saved(side, tag).catch((error: Error) => error);
      if (saved instanceof Error)
        return { ...failed, message: `built, not saved: ${saved.message}` };
      const { tree, config } = saved;
      const base = this.#bases.get(side) ?? new Map();
      const isMountPoint = (path: string): boolean =>
        side === 'buildah' && LEFT_BY_BUILDAH.has(path);
      const own = [...tree].filter(
        ([path, entry]) => base.get(path) !== entry && !isMountPoint(path),
      );
      const gone = [...base.keys()].filter((path) => !tree.has(path));
      const hasBase = gone.length < base.size / 2;
      const lost = hasBase ? gone.map((path): [string, string] => [path, 'removed']) : [];
      return { code: 0, message, tree: new Map([...own, ...lost]), config };
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  get #policy(): string {
    return join(this.#node.folder, 'policy.json');
  }

  #run(
    side: Side,
    cwd: string,
    args: readonly string[],
    env: Readonly<Record<string, string>>,
  ): Promise<Result> {
    switch (side) {
      case 'tswarm':
        return this.#node.tswarm(['image', 'build', '--no-cache', ...args], { cwd, env });
      case 'buildah': {
        const own = ['--format', 'docker', '--isolation', 'chroot', '--pull-never', '--no-cache'];
        return this.#buildah(cwd, ['bud', ...own, ...args], env);
      }
      case 'buildkit':
      case 'classic': {
        const own = { DOCKER_BUILDKIT: side === 'classic' ? '0' : '1' };
        return run(
          DOCKER_20,
          ['-H', `unix://${this.#peer.socket}`, 'build', '--no-cache', ...args],
          { cwd, env: { ...env, ...own, BUILDKIT_PROGRESS: 'plain' } },
        );
      }
    }
  }

  #buildah(cwd: string, args: readonly string[], env = {}): Promise<Result> {
    const { folder } = this.#node;
    const [verb = '', ...rest] = args;
    const storage = ['--root', join(folder, 'buildah'), '--runroot', join(folder, 'bah-run')];
    const all = [...storage, '--storage-driver', 'overlay', verb];
    return run('buildah', [...all, '--signature-policy', this.#policy, ...rest], { cwd, env });
  }

  async #saved(side: Side, tag: string): Promise<Pick<Built, 'tree' | 'config'>> {
    const file = join(this.#node.folder, 'saved.tar');
    rmSync(file, { force: true });
    if (side === 'tswarm') must(await this.#node.docker(['save', '-o', file, tag]));
    else if (side !== 'buildah') must(await this.#peer.docker(['save', '-o', file, tag]));
    else must(await this.#buildah('/', ['push', `localhost/${tag}`, `docker-archive:${file}`]));
    return readImage(file);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { folder } = this.#node;
    if (this.#sides.includes('buildah')) {
      await run(
        'buildah',
        [
          '--root',
          join(folder, 'buildah'),
          '--runroot',
          join(folder, 'bah-run'),
          '--storage-driver',
          'overlay',
          'rm',
          '--all',
        ],
        {},
      );
      await run('umount', [join(folder, 'buildah/overlay')], {});
    }
    await this.#peer[Symbol.asyncDispose]();
    await this.#node[Symbol.asyncDispose]();
  }
}

function must(result: Result): void {
  if (result.code !== 0) throw new Error(result.stderr || result.stdout);
}

async function writeContext(folder: string, one: BuildCase): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const files = { Dockerfile: one.dockerfile, ...one.files };
  for (const [name, content] of Object.entries(files)) {
    const path = join(folder, name);
    mkdirSync(name.endsWith('/') ? path : dirname(path), { recursive: true });
    if (!name.endsWith('/')) writeFileSync(path, content);
  }
  for (const [name, target] of Object.entries(one.links ?? {}))
    symlinkSync(target, join(folder, name));
  for (const [name, target] of Object.entries(one.hardLinks ?? {}))
    linkSync(join(folder, target), join(folder, name));
  for (const [name, mode] of Object.entries(one.modes ?? {})) await chmod(join(folder, name), mode);
}

interface Manifest {
  readonly Config: string;
  readonly Layers: readonly string[];
}

/** The files of an image as its layers give them one after the other, and its configuration. */
async function readImage(archive: string): Promise<Pick<Built, 'tree' | 'config'>> {
  const blobs = new Map<string, Buffer>();
  for await (const { header, data } of readTar(createReadStream(archive))) {
    const chunks: Uint8Array[] = [];
    for await (const chunk of data) chunks.push(chunk);
    const { name, kind, linkName } = header;
    const target = join(dirname(name), linkName);
    const linked = kind === 'symlink' || kind === 'link' ? blobs.get(target) : undefined;
    blobs.set(name, linked ?? Buffer.concat(chunks));
  }
  const [manifest] = JSON.parse(String(blobs.get('manifest.json'))) as readonly Manifest[];
  if (!manifest) throw new Error(`${archive} holds no image`);
  const tree = new Map<string, string>();
  for (const layer of manifest.Layers) {
    const bytes = blobs.get(layer);
    if (!bytes) throw new Error(`${archive} lacks ${layer}`);
    await applyLayer(tree, bytes);
  }
  return { tree, config: JSON.parse(String(blobs.get(manifest.Config))) };
}

const WHITEOUT = '.wh.';
const OPAQUE = '.wh..wh..opq';

async function applyLayer(tree: Map<string, string>, layer: Buffer): Promise<void> {
  const added = new Map<string, string>();
  const removeBelow = (path: string, isItself: boolean): void => {
    for (const known of [...tree.keys()])
      if ((isItself && known === path) || known.startsWith(path === '/' ? '/' : `${path}/`))
        tree.delete(known);
  };
  for await (const { header, data } of readTar(streamOf(layer))) {
    const path = join('/', header.name).replace(/(?<=.)\/$/, '');
    const base = path.slice(path.lastIndexOf('/') + 1);
    const chunks: Uint8Array[] = [];
    for await (const chunk of data) chunks.push(chunk);
    if (base === OPAQUE) removeBelow(dirname(path), false);
    else if (base.startsWith(WHITEOUT))
      removeBelow(join(dirname(path), base.slice(WHITEOUT.length)), true);
    else {
      // A hard link is the file that it stands for.
      const target = join('/', header.linkName);
      const linked = header.kind === 'link' ? (added.get(target) ?? tree.get(target)) : undefined;
      added.set(path, linked ?? entryText(header, Buffer.concat(chunks)));
    }
  }
  for (const [path, entry] of added) {
    if (!entry.startsWith('dir ')) removeBelow(path, true);
    tree.set(path, entry);
  }
  tree.delete('/');
}

function entryText(
  header: {
    readonly kind: string;
    readonly mode: number;
    readonly uid: number;
    readonly gid: number;
    readonly linkName: string;
  },
  content: Buffer,
): string {
  const { kind, mode, uid, gid, linkName } = header;
  if (kind === 'symlink') return `symlink -> ${linkName} ${uid}:${gid}`;
  const head = `${kind} ${(mode & 0o7777).toString(8).padStart(4, '0')} ${uid}:${gid}`;
  if (kind !== 'file') return head;
  const digest = createHash('sha256').update(content).digest('hex').slice(0, 16);
  const text =
    content.length > SHOWN_BYTES_MAX
      ? `${content.length} ${digest}`
      : JSON.stringify(content.toString());
  return `${head} ${text}`;
}
