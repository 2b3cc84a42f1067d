// How much ten nodes that start a service at the same moment read from its registry, and how long until the image is on all of them: a lab of nodes in namespaces of
// their own, Debian's docker-registry on the first, an image of 8 layers whose content does not compress. The kernel counts what the registry sends.
// Run as root: node --conditions=source test/bench/image-share.ts [NODES] [MB]
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Lab } from '../support/cluster-lab/lab.ts';
import { LAB_REGISTRY, labRegistry, registryFlags } from '../support/lab-registry.ts';

const [nodes = 10, megabytes = 100] = process.argv.slice(2).map(Number);
const LAYERS = 8;
const RUNS = 3;

const folder = mkdtempSync(join(tmpdir(), 'tswarm-share-bench-'));
const lab = new Lab(`bench-share-${process.pid}`);

/** @returns the image's name; no node has it any more */
async function pushed(run: number): Promise<string> {
  const context = join(folder, 'context');
  mkdirSync(context, { recursive: true });
  const lines = ['FROM busybox:test'];
  for (let i = 0; i < LAYERS; i += 1) {
    writeFileSync(join(context, `data${i}`), randomBytes((megabytes * 1e6) / LAYERS));
    lines.push(`COPY data${i} /`);
  }
  writeFileSync(join(context, 'Dockerfile'), lines.join('\n'));
  const name = `${LAB_REGISTRY}/share:${run}`;
  await must(['build', '-q', '-t', name, context]);
  await must(['push', '-q', name]);
  await must(['rmi', '-f', name]);
  await must(['builder', 'prune', '-af']);
  await lab.ok('m1', ['image', 'prune', '-f']);
  return name;
}

async function must(args: readonly string[]): Promise<void> {
  const docker = ['docker', '-H', `unix://${lab.paths('m1').socket}`, ...args];
  const { code, stderr } = await lab.exec('m1', docker, { timeoutMs: 200_000 });
  if (code !== 0) throw new Error(`docker ${args.join(' ')}: ${stderr}`);
}

try {
  await lab.up({ managers: 1, workers: nodes - 1, daemonFlags: registryFlags });
  await lab.importBusybox(['m1']);
  await using registry = await labRegistry(lab);
  for (let run = 1; run <= RUNS; run += 1) {
    const name = await pushed(run);
    const before = await registry.sentBytes();
    const startedMs = performance.now();
    const args = ['service', 'create', '--mode', 'global', '--name', `s${run}`, name];
    await lab.ok('m1', [...args, 'sleep', '1000'], { timeoutMs: 200_000 });
    const seconds = (performance.now() - startedMs) / 1000;
    const sent = (await registry.sentBytes()) - before;
    const times = (sent / (megabytes * 1e6)).toFixed(2);
    console.log(
      `${nodes} nodes, ${megabytes} MB: registry sent ${(sent / 1e6).toFixed(1)} MB = ${times} x the image; running on all after ${seconds.toFixed(1)} s`,
    );
    await lab.ok('m1', ['service', 'rm', `s${run}`]);
  }
} finally {
  await lab.down();
  rmSync(folder, { recursive: true, force: true });
}
