// How long images take: pulling and unpacking about 500 MB in 8 layers from a registry on loopback,
// importing a root file system, a build from the cache, mounting and unmounting a root file system.
// Beside it dockerd, and skopeo, which only fetches. Run as root: node --conditions=source test/bench/images.ts [part] [runs]; part: small, pull or all
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { buildFixture } from '../support/builds.ts';
import { imageOfTars, ociLayoutOf, streamOf, tarOf } from '../support/image-tar.ts';
import { imageFixture, linesOf } from '../support/images.ts';
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
    const peer = await peerPuller(registry);
    const pulls: number[] = [];
    const peerPulls: number[] = [];
    try {
      // In turn, so that both see the same machine.
      for (let i = 0; i < RUNS; i += 1) {
        const images = await imageFixture();
        const started = performance.now();
        await images.service.store.ensure(name, { policy: 'always' });
        pulls.push(performance.now() - started);
        await images.dispose();
        peerPulls.push(await peer.pull(name));
      }
    } finally {
      await peer.stop();
    }
    const rate = (unpacked / 1e3 / median(pulls)).toFixed(0);
    show('pull + verify + unpack + sync to disk', pulls, ` = ${rate} MB/s unpacked`);
    if (peerPulls.length > 0) show('dockerd 20.10: docker pull (does not sync)', peerPulls);
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
    await benchMemory(registry, name);
  } finally {
    await registry.stop();
  }
}

/** What a whole daemon comes to while it pulls, beside what it had before. */
async function benchMemory(registry: RegistryProcess, name: string): Promise<void> {
  const node = new TestNode();
  await node.start();
  const child = registryInside([`--net=${node.netns}`], registry);
  try {
    const before = await peakMb(node.pid);
    const { code, stderr, ms } = await node.docker(['pull', '-q', name]);
    if (code !== 0) throw new Error(stderr);
    const after = await peakMb(node.pid);
    console.log(
      `tswarmd: docker pull ${ms.toFixed(0)} ms, most memory ${after.toFixed(0)} MB (${before.toFixed(0)} MB before)`,
    );
  } finally {
    child.kill('SIGKILL');
    await node[Symbol.asyncDispose]();
  }
}

async function peakMb(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1] ?? 0) / 1024;
}

/** A second registry process over the same storage, in a network namespace. */
function registryInside(where: readonly string[], registry: RegistryProcess): ChildProcess {
  const config = join(registry.dir, 'config.yml');
  return spawn('nsenter', [...where, 'docker-registry', 'serve', config], { stdio: 'ignore' });
}

/** dockerd in a network namespace of its own, with a second registry process over the same storage in it. */
async function peerPuller(
  registry: RegistryProcess,
): Promise<{ pull(name: string): Promise<number>; stop(): Promise<void> }> {
  const peer = new PeerDockerd();
  await peer.start();
  const child = registryInside(['-t', String(peer.pid), '--net'], registry);
  return {
    async pull(name) {
      const started = performance.now();
      const { code, stderr } = await peer.docker(['pull', '-q', name]);
      const ms = performance.now() - started;
      if (code !== 0) throw new Error(stderr);
      await peer.docker(['rmi', name]);
      return ms;
    },
    async stop() {
      console.log(`dockerd: most memory ${(await peakMb(peer.pid)).toFixed(0)} MB`);
      child.kill('SIGKILL');
      await peer[Symbol.asyncDispose]();
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
