// How long images take: pulling and unpacking about 500 MB in 8 layers from a registry on loopback,
// importing a root file system, a build from the cache, mounting and unmounting a root file system.
// Beside it dockerd, and skopeo, which only fetches. Run as root: node --conditions=source test/bench/images.ts [part] [runs]; part: small, pull or all
import { execFile, spawn } from 'node:child_process';
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { buildFixture } from '../support/builds.ts';
import { imageOfTars, ociLayoutOf, streamOf, tarOf } from '../support/image-tar.ts';
import { linesOf } from '../support/images.ts';
import { PeerDockerd } from '../support/peer-dockerd.ts';
import { type RegistryProcess, startRegistry } from '../support/registry.ts';
import { TestNode } from '../support/test-node.ts';

const run = promisify(execFile);
const LAYERS = 8;
const LAYER_BYTES = 62_500_000;
const [part = '', runsText = '5'] = process.argv.slice(2);
const RUNS = Number(runsText);

/** Real files of this machine, so that sizes and compressibility are those of real images. */
async function realLayers(): Promise<Buffer[]> {
  const files: Record<string, Buffer>[] = Array.from({ length: LAYERS }, () => ({}));
  let at = 0;
  let bytes = 0;
  const folders = ['/usr/bin', '/usr/share', '/usr/lib'];
  for (let folder = folders.pop(); folder !== undefined && at < LAYERS; folder = folders.pop()) {
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) folders.push(path);
      const layer = files[at];
      if (!entry.isFile() || layer === undefined || (await stat(path)).size > 8_000_000) continue;
      const content = await readFile(path);
      layer[path.slice(1)] = content;
      bytes += content.length;
      if (bytes < LAYER_BYTES) continue;
      bytes = 0;
      at += 1;
    }
  }
  return Promise.all(files.map((layer) => tarOf(layer)));
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

function show(what: string, ms: readonly number[], note = ''): void {
  const sorted = ms.toSorted((a, b) => a - b).map((value) => value.toFixed(1));
  console.log(`${what}: median ${median(ms).toFixed(1)} ms (${sorted.join(', ')})${note}`);
}

async function timed(times: number, work: () => Promise<() => Promise<void>>): Promise<number[]> {
  const ms: number[] = [];
  for (let i = 0; i < times; i += 1) {
    const started = performance.now();
    const undo = await work();
    ms.push(performance.now() - started);
    await undo();
  }
  return ms;
}

async function benchPull(): Promise<void> {
  const tars = await realLayers();
  const image = imageOfTars(tars);
  const unpacked = tars.reduce((sum, tar) => sum + tar.length, 0);
  const packed = image.layers.reduce((sum, layer) => sum + layer.length, 0);
  console.log(
    `image: ${LAYERS} layers, ${(unpacked / 1e6).toFixed(0)} MB, compressed ${(packed / 1e6).toFixed(0)} MB`,
  );
  const registry = await startRegistry();
  try {
    const layout = join(registry.dir, 'layout.tar');
    await writeFile(layout, await ociLayoutOf(image, 'bench:1'));
    const name = `${registry.host}/bench:1`;
    await run('skopeo', [
      'copy',
      '-q',
      '--dest-tls-verify=false',
      `oci-archive:${layout}:bench:1`,
      `docker://${name}`,
    ]);
    await using ours = new TestNode();
    await ours.start();
    await using theirs = new PeerDockerd();
    await theirs.start();
    const sides = [
      puller('tswarm (syncs)', ours, ours.pid, registry),
      puller('dockerd 20.10 (does not sync)', theirs, theirs.pid, registry),
    ];
    try {
      // In turn, so that both see the same machine.
      for (let i = 0; i < RUNS; i += 1) for (const side of sides) await side.pull(name);
      for (const { what, pulls, pid, beforeMb } of sides) {
        const rate = (unpacked / 1e3 / median(pulls)).toFixed(0);
        show(`docker pull, ${what}`, pulls, ` = ${rate} MB/s unpacked`);
        console.log(
          `most memory: ${(await peakMb(pid)).toFixed(0)} MB, ${(await beforeMb).toFixed(0)} before`,
        );
      }
    } finally {
      for (const side of sides) side.stop();
    }
    const target = join(registry.dir, 'skopeo');
    const skopeo = await timed(RUNS, async () => {
      await mkdir(target);
      await run('skopeo', [
        'copy',
        '-q',
        '--src-tls-verify=false',
        `docker://${name}`,
        `dir:${target}`,
      ]);
      return () => rm(target, { recursive: true });
    });
    show('skopeo copy to a folder (fetches, does not unpack or sync)', skopeo);
  } finally {
    await registry.stop();
  }
}

async function peakMb(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1] ?? 0) / 1024;
}

interface Puller {
  readonly what: string;
  readonly pid: number;
  readonly beforeMb: Promise<number>;
  readonly pulls: number[];
  pull(name: string): Promise<void>;
  stop(): void;
}

/** A daemon in a network namespace of its own, with a second registry process over the same storage in it. */
function puller(
  what: string,
  daemon: Pick<PeerDockerd, 'docker'>,
  pid: number,
  { dir }: RegistryProcess,
): Puller {
  const args = ['-t', String(pid), '--net', 'docker-registry', 'serve', join(dir, 'config.yml')];
  const child = spawn('nsenter', args, { stdio: 'ignore' });
  const pulls: number[] = [];
  return {
    what,
    pid,
    pulls,
    beforeMb: peakMb(pid),
    async pull(name) {
      const { code, stderr, ms } = await daemon.docker(['pull', '-q', name]);
      if (code !== 0) throw new Error(stderr);
      pulls.push(ms);
      await daemon.docker(['rmi', name]);
    },
    stop() {
      child.kill('SIGKILL');
    },
  };
}

async function benchSmall(): Promise<void> {
  const builds = await buildFixture();
  try {
    const { api, store } = builds.service;
    const tar = await tarOf(
      { 'bin/': '', 'bin/sh': await readFile('/bin/busybox') },
      { mode: 0o755 },
    );
    const options = { repo: 'bb', tag: '1', message: '', changes: [] };
    await linesOf(api.importTar(streamOf(tar), options));
    const id = store.resolve('bb:1')?.id ?? '';
    const rootfs = await timed(50, async () => {
      await store.prepareRootfs('c', id);
      await store.mountRootfs('c');
      return () => store.removeRootfs('c');
    });
    show('prepare and mount a root file system', [median(rootfs)]);
    const steps = Array.from({ length: 10 }, (_, i) => `RUN echo ${i} > /f${i}`).join('\n');
    const files = { Dockerfile: `FROM bb:1\n${steps}\n` };
    show(
      'build of 10 RUN steps, nothing cached',
      await timed(RUNS, async () => {
        await builds.build(files, { noCache: true });
        return async () => {};
      }),
    );
    show(
      'the same from the cache',
      await timed(RUNS, async () => {
        await builds.build(files);
        return async () => {};
      }),
    );
  } finally {
    await builds.dispose();
  }
}

if (part !== 'pull') await benchSmall();
if (part !== 'small') await benchPull();
