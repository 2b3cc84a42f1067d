// `npm run bench:services`: beside dockerd 20.10 in Swarm mode on the same machine, same images, same settings, interleaved rounds:
// the guestbook from `up` to the first answer, 100 replicas of a sleeping process until all run, memory of the daemons and of one container.
// Needs a node set up by `npm run quickstart` (it takes the guestbook's images from there).
// What differs: Swarm has no depends_on, so its services start at once; it gets DNS round robin, because its virtual addresses need IPVS, which not
// every kernel has. Both publish the port in host mode.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PeerDockerd } from '../support/peer-dockerd.ts';
import { ROOT, run, TestNode, until } from '../support/test-node.ts';
import { type Figure, figureTable, median } from './figures.ts';

const ROUNDS = Number(process.env.ROUNDS ?? '5');
const REPLICAS = Number(process.env.REPLICAS ?? '100');
const SERVICES = ['web', 'app', 'store'] as const;

const folder = mkdtempSync(join(tmpdir(), 'tswarm-bench-'));
const images = join(folder, 'images.tar');

/** The example without `build`, for both sides. */
function project(side: 'tswarm' | 'swarm'): string {
  const source = readFileSync(join(ROOT, 'examples/guestbook/compose.yaml'), 'utf8');
  let text = source
    .replace(/build: \.\/(\w+)/g, 'image: guestbook-$1:latest')
    .replace('"${GUESTBOOK_PORT:-8080}:80"', '{target: 80, published: 8080, mode: host}');
  if (side === 'swarm') {
    text = text
      .replace(/^name: .*$/m, 'version: "3.8"')
      .replace(/ {4}depends_on:\n(?: {6}.*\n)+/g, '')
      .replace(/ {6}start_interval: .*\n/g, '')
      .replace(/ {4}restart: .*\n/g, '    deploy: {endpoint_mode: dnsrr}\n');
  }
  const path = join(folder, `${side}.yaml`);
  writeFileSync(path, text);
  writeFileSync(join(folder, 'store-password.txt'), 'bench\n');
  return path;
}

async function firstAnswer(
  inside: (command: string, args: readonly string[]) => ReturnType<typeof run>,
  started: number,
): Promise<number> {
  await until(
    async () =>
      (
        await inside('curl', [
          '-s',
          '-m',
          '1',
          '-o',
          '/dev/null',
          '-w',
          '%{http_code}',
          'http://127.0.0.1:8080/',
        ])
      ).stdout === '200',
    60_000,
  );
  return performance.now() - started;
}

async function guestbook(node: TestNode, peer: PeerDockerd): Promise<Figure> {
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    let started = performance.now();
    const up = await node.tcompose(['-f', project('tswarm'), 'up', '-d', '--no-build'], {
      cwd: folder,
    });
    if (up.code !== 0) throw new Error(up.stderr);
    ours.push(await firstAnswer((c, a) => node.inside(c, a), started));
    await node.tcompose(['-f', project('tswarm'), 'down', '-v'], { cwd: folder });
    started = performance.now();
    const deploy = await peer.docker(
      [
        'stack',
        'deploy',
        '-d=true',
        '-c',
        project('swarm'),
        '--resolve-image',
        'never',
        'guestbook',
      ],
      { cwd: folder },
    );
    if (deploy.code !== 0) throw new Error(deploy.stderr);
    theirs.push(await firstAnswer((c, a) => peer.inside(c, a), started));
    await peer.docker(['stack', 'rm', '-d=false', 'guestbook']);
    await until(
      async () =>
        (await peer.docker(['ps', '-q'])).stdout === '' &&
        !(await peer.docker(['network', 'ls'])).stdout.includes('guestbook'),
      60_000,
    );
    process.stderr.write(
      `guestbook round ${round + 1}: ${ours.at(-1)?.toFixed(0)} ms, ${theirs.at(-1)?.toFixed(0)} ms\n`,
    );
  }
  return {
    what: 'guestbook, up to first HTTP 200',
    unit: 'ms',
    samples: { tswarm: ours, 'Docker Swarm': theirs },
  };
}

async function replicas(node: TestNode, peer: PeerDockerd): Promise<Figure> {
  const ours: number[] = [];
  const theirs: number[] = [];
  const rounds = Math.max(1, Math.floor(ROUNDS / 2));
  const args = [
    'service',
    'create',
    '--detach',
    '--name',
    'many',
    '--replicas',
    String(REPLICAS),
    '--no-resolve-image',
    'sleeper:bench',
    'sleep',
    '100000',
  ];
  const count = async (
    docker: (args: readonly string[]) => ReturnType<typeof run>,
  ): Promise<boolean> =>
    (await docker(['service', 'ls', '--format', '{{.Replicas}}'])).stdout.trim() ===
    `${REPLICAS}/${REPLICAS}`;
  for (let round = 0; round < rounds; round++) {
    for (const [side, docker, times] of [
      ['tswarm', (a: readonly string[]) => node.docker(a), ours],
      ['swarm', (a: readonly string[]) => peer.docker(a), theirs],
    ] as const) {
      const started = performance.now();
      const created = await docker(args);
      if (created.code !== 0) throw new Error(`${side}: ${created.stderr}`);
      await until(
        () => count(docker),
        180_000,
        () => `${side}: not all replicas run`,
      );
      times.push(performance.now() - started);
      if (side === 'tswarm' && round === 0) reportMemory(node, peer);
      await docker(['service', 'rm', 'many']);
      await until(
        async () => (await docker(['ps', '-q'])).stdout === '',
        180_000,
        () => `${side}: containers stay`,
      );
    }
    process.stderr.write(
      `${REPLICAS} replicas round ${round + 1}: ${ours.at(-1)?.toFixed(0)} ms, ${theirs.at(-1)?.toFixed(0)} ms\n`,
    );
  }
  return {
    what: `${REPLICAS} replicas of sleep until all run`,
    unit: 'ms',
    samples: { tswarm: ours, 'Docker Swarm': theirs },
  };
}

interface Memory {
  readonly rssKb: number;
  readonly pssKb: number;
}

function memoryOf(pid: number): Memory {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const field = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0);
  return { rssKb: field('Rss'), pssKb: field('Pss') };
}

function pidsByCommand(pattern: RegExp): number[] {
  return readdirSync('/proc')
    .filter((name) => {
      if (!/^\d+$/.test(name)) return false;
      try {
        return pattern.test(readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' '));
      } catch {
        return false;
      }
    })
    .map(Number);
}

function reportMemory(node: TestNode, peer: PeerDockerd): void {
  const line = (what: string, pids: readonly number[]): void => {
    const all = pids.map(memoryOf);
    if (all.length === 0) return;
    process.stdout.write(
      `memory ${what}: ${all.length} × RSS ${(median(all.map((m) => m.rssKb)) / 1024).toFixed(2)} MB, PSS ${(median(all.map((m) => m.pssKb)) / 1024).toFixed(2)} MB\n`,
    );
  };
  line('tswarmd', pidsByCommand(new RegExp(`dist/daemon/main.js --data-root ${node.dataRoot}`)));
  line('manager', pidsByCommand(/dist\/manager\/main\.js/));
  line('tswarm-names', pidsByCommand(new RegExp(`tswarm-names .*${node.runRoot}`)));
  line('tswarm-shim', pidsByCommand(new RegExp(`tswarm-shim .*${node.runRoot}`)));
  line('dockerd', pidsByCommand(new RegExp(`^dockerd --data-root ${peer.folder}`)));
  line('containerd', pidsByCommand(new RegExp(`^containerd --config ${peer.folder}`)));
}

async function main(): Promise<void> {
  const saved = await run(
    'docker',
    [
      '-H',
      'unix:///run/tswarm/docker.sock',
      'save',
      '-o',
      images,
      ...SERVICES.map((s) => `guestbook-${s}:latest`),
    ],
    {},
  );
  if (saved.code !== 0)
    throw new Error(
      `the guestbook's images are not here; run "npm run quickstart" first: ${saved.stderr}`,
    );
  await using node = new TestNode();
  await node.start();
  await node.tswarm(['init', '--listen-addr', '127.0.0.1:23777', '--advertise-addr', '127.0.0.1']);
  await using peer = new PeerDockerd();
  await peer.start();
  await peer.initSwarm();
  for (const docker of [
    (a: readonly string[]) => node.docker(a),
    (a: readonly string[]) => peer.docker(a),
  ]) {
    const loaded = await docker(['load', '-i', images]);
    if (loaded.code !== 0) throw new Error(loaded.stderr);
  }
  await node.importBusybox('sleeper:bench');
  const sleeper = join(folder, 'sleeper.tar');
  await node.docker(['save', '-o', sleeper, 'sleeper:bench']);
  await peer.docker(['load', '-i', sleeper]);
  const figures = [await guestbook(node, peer), await replicas(node, peer)];
  process.stdout.write(figureTable(figures));
}

try {
  await main();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
