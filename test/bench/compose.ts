// How long Compose's commands take, beside the peers in the same rounds: starting the program, loading 300 services (docker stack config), `up -d` with nothing changed, and a Dockerfile of
// 12 stages that do not need each other (docker build 20.10's builder, buildah). Run as root: node --conditions=source test/bench/compose.ts [start] [load] [up] [build]
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PeerDockerd } from '../support/peer-dockerd.ts';
import { NODE, type Result, ROOT, run, TestNode } from '../support/test-node.ts';
import { type Figure, figureTable } from './figures.ts';

const TCOMPOSE = join(ROOT, 'dist/cli/tcompose/main.js');

type Samples = Record<string, number[]>;

/** Adds the time of a command that must succeed. */
async function time(samples: Samples, side: string, work: () => Promise<Result>): Promise<void> {
  const started = performance.now();
  const { code, stderr, stdout } = await work();
  const ms = performance.now() - started;
  if (code !== 0) throw new Error(`${side}: ${stderr}${stdout.slice(-2000)}`);
  samples[side] = [...(samples[side] ?? []), ms];
}

function show(figures: readonly Figure[]): void {
  for (const figure of figures) {
    process.stdout.write(`${figureTable([figure])}\n`);
    for (const [side, ms] of Object.entries(figure.samples))
      process.stdout.write(`  ${side}: ${ms.map((one) => one.toFixed(0)).join(' ')} ms\n`);
  }
}

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'tswarm-bench-'));
  try {
    await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function benchStart(): Promise<void> {
  await inFolder(async (cwd) => {
    writeFileSync(
      join(cwd, 'compose.yaml'),
      'services: {web: {image: nginx, ports: ["80:80"], depends_on: [db]}, db: {image: postgres, volumes: ["data:/d"]}}\nvolumes: {data: {}}\n',
    );
    for (const verb of ['version', 'config']) {
      const samples: Samples = {};
      for (let i = 0; i < 21; i += 1) {
        await time(samples, 'tswarm', () => run(NODE, [TCOMPOSE, verb], { cwd }));
        await time(samples, 'node alone', () => run(NODE, ['-e', '0'], { cwd }));
      }
      show([{ what: `tcompose ${verb}`, unit: 'ms', samples }]);
    }
  });
}

const SERVICES_PER_FILE = 30;
const FILES = 10;

/** A file with settings as projects have them; form that both sides read. */
function manyServices(file: number): string {
  const services = Array.from({ length: SERVICES_PER_FILE }, (_, i) => {
    const name = `s${file * SERVICES_PER_FILE + i}`;
    return `  ${name}:
    image: "registry.example/team/${name}:\${TAG:-1.0}"
    command: ["serve", "--name", "${name}", "--port", "8080"]
    environment: {LOG: info, DATABASE_URL: "postgres://db-${name}:5432/app", REGION: "\${REGION:-eu}"}
    labels: {team: "t${i}", tier: backend}
    networks: [front, back]
    volumes: ["data:/var/lib/${name}", "/etc/ssl:/etc/ssl:ro"]
    healthcheck: {test: ["CMD", "true"], interval: 10s, timeout: 2s, retries: 3}
    deploy: {replicas: 2, resources: {limits: {cpus: "0.5", memory: 128M}}, update_config: {parallelism: 1, order: start-first}}
`;
  });
  return `version: "3.8"\nservices:\n${services.join('')}networks: {front: {}, back: {}}\nvolumes: {data: {}}\n`;
}

async function benchLoad(): Promise<void> {
  await inFolder(async (cwd) => {
    const names = Array.from({ length: FILES }, (_, i) => `part${i}.yaml`);
    for (const [i, name] of names.entries()) writeFileSync(join(cwd, name), manyServices(i));
    writeFileSync(join(cwd, 'compose.yaml'), `name: many\ninclude: [${names.join(', ')}]\n`);
    const samples: Samples = {};
    const stack = ['stack', 'config', ...names.flatMap((name) => ['-c', name])];
    for (let i = 0; i < 9; i += 1) {
      await time(samples, 'tswarm', () => run(NODE, [TCOMPOSE, 'config', '-q'], { cwd }));
      await time(samples, 'docker stack config', () => run('docker', stack, { cwd }));
      await time(samples, 'tswarm, printed', () => run(NODE, [TCOMPOSE, 'config'], { cwd }));
    }
    show([{ what: 'load 300 services of 10 files', unit: 'ms', samples }]);
  });
}

async function benchUp(): Promise<void> {
  await using node = new TestNode();
  await node.start();
  await node.importBusybox();
  const services = Array.from(
    { length: 20 },
    (_, i) =>
      `  s${i}: {image: "busybox:test", command: sleep 100000, stop_grace_period: 100ms${i > 0 ? `, depends_on: [s${i - 1}]` : ''}}\n`,
  );
  const cwd = node.project('twenty', { 'compose.yaml': `services:\n${services.join('')}` });
  const samples: Samples = {};
  const up = (): Promise<Result> => node.tcompose(['up', '-d'], { cwd });
  await time(samples, 'first', up);
  const started = async (): Promise<string> => {
    const ids = (await node.docker(['ps', '-q'])).stdout.trim().split('\n');
    const format = '{{.Id}} {{.State.StartedAt}} {{.RestartCount}}';
    return (await node.docker(['inspect', '-f', format, ...ids])).stdout;
  };
  const before = await started();
  for (let i = 0; i < 15; i += 1) await time(samples, 'again', up);
  if ((await started()) !== before) throw new Error('a container was touched');
  const { first = [], again = [] } = samples;
  show([{ what: 'up -d of 20 services, nothing changed', unit: 'ms', samples: { again, first } }]);
}

const STAGES = 12;

function writeStages(folder: string, salt: string): void {
  mkdirSync(folder, { recursive: true });
  const stages = Array.from({ length: STAGES - 1 }, (_, i) => {
    writeFileSync(join(folder, `in${i}`), `${i} ${salt}\n`.repeat(100));
    return `FROM busybox:test AS s${i}\nCOPY in${i} /in\nRUN for n in 1 2 3; do cat /in /in > /out; done\nRUN sha256sum /out > /sum\n`;
  });
  const copies = Array.from({ length: STAGES - 1 }, (_, i) => `COPY --from=s${i} /sum /sums/${i}`);
  const last = `FROM busybox:test\n${copies.join('\n')}\nRUN cat /sums/* > /all\n`;
  writeFileSync(join(folder, 'Dockerfile'), `${stages.join('')}${last}`);
}

async function benchBuild(): Promise<void> {
  await using node = new TestNode();
  await node.start();
  await node.importBusybox();
  await using peer = new PeerDockerd();
  await peer.start();
  const tar = join(node.folder, 'busybox-save.tar');
  await node.docker(['save', '-o', tar, 'busybox:test']);
  await peer.docker(['load', '-i', tar]);
  const storage = [
    '--root',
    join(node.folder, 'buildah'),
    '--runroot',
    join(node.folder, 'bah-run'),
  ];
  const flags = [...storage, '--storage-driver', 'overlay'];
  const policy = join(node.folder, 'policy.json');
  writeFileSync(policy, '{"default":[{"type":"insecureAcceptAnything"}]}');
  await run(
    'buildah',
    [...flags, 'pull', '--signature-policy', policy, `docker-archive:${tar}`],
    {},
  );
  const env = { DOCKER_BUILDKIT: '0' };
  const build = (): readonly string[] => ['build', '-q', '-t', 'many', '.'];
  const bah = [
    'bud',
    '--layers',
    '--isolation',
    'chroot',
    '--pull-never',
    '-q',
    '--signature-policy',
    policy,
    '-t',
    'many',
    '.',
  ];
  const cold: Samples = {};
  const cached: Samples = {};
  const changed: Samples = {};
  for (let round = 0; round < 3; round += 1) {
    const cwd = join(node.folder, `context${round}`);
    const all = async (into: Samples): Promise<void> => {
      await time(into, 'tswarm', () => node.docker(build(), { cwd, env }));
      await time(into, 'docker 20.10', () => peer.docker(build(), { cwd, env }));
      await time(into, 'buildah 1.28', () => run('buildah', [...flags, ...bah], { cwd }));
    };
    writeStages(cwd, `round ${round}`);
    await all(cold);
    await all(cached);
    writeFileSync(join(cwd, 'in3'), `changed ${round}\n`);
    await all(changed);
  }
  show([
    { what: 'Dockerfile of 12 stages, nothing cached', unit: 'ms', samples: cold },
    { what: 'the same from the cache', unit: 'ms', samples: cached },
    { what: 'one file changed', unit: 'ms', samples: changed },
  ]);
}

const PARTS: Readonly<Record<string, () => Promise<void>>> = {
  start: benchStart,
  load: benchLoad,
  up: benchUp,
  build: benchBuild,
};

const asked = process.argv.slice(2);
for (const part of asked.length > 0 ? asked : Object.keys(PARTS)) await PARTS[part]?.();
