// create + start + delete of /bin/true with the same bundles: tswarm-runtime beside crun and runc, in batches that take turns, so that other load hits all
// alike. Two bundles: Docker-like (default seccomp policy, 14 capabilities, memory, cpu and pids limits) and plain (neither policy nor limits). Then 100 such
// cycles at once, and the peak memory of each command. Each cycle is three processes started by one shell. Peers run where the v2 tree of a hybrid host
// is not mounted (crun 1.8 refuses to start otherwise); ours also in that view, and once more in the plain one.
// Run as root: node --conditions=source test/bench/runtime.ts [batches] [cycles]
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { dockerLike, type Oci, Sandbox } from '../native/runtime-bundle.ts';

const [batches = 9, cycles = 20] = process.argv.slice(2).map(Number);
const AT_ONCE = 100;
const PARALLEL_BATCHES = 3;
const unified = '/sys/fs/cgroup/unified';

interface Contender {
  readonly name: string;
  readonly binary: string;
  readonly hideUnified: boolean;
}

/** $1 runtime, $2 its root, $3 bundle, $4 number of cycles, $5 prefix of ids. */
const cycleOf = (bundle: string): string =>
  `"$1" --root "$2" create -b "${bundle}" "$5-$i" </dev/null >/dev/null 2>&1 || exit 9; ` +
  '"$1" --root "$2" start "$5-$i" || exit 8; "$1" --root "$2" delete -f "$5-$i" || exit 7';
const ONE_BY_ONE = `i=0; while [ $i -lt $4 ]; do ${cycleOf('$3')}; i=$((i+1)); done`;
/** Each in a control group of its own, so with a bundle of its own. */
const TOGETHER = `pids=; i=0; while [ $i -lt $4 ]; do ( ${cycleOf('$3/$i')} ) & pids="$pids $!"; i=$((i+1)); done; for p in $pids; do wait $p || exit; done`;
/** Peak resident memory in KiB of create, start and delete. */
const MEMORY =
  'i=m; for verb in "create -b $3" start "delete -f"; do /usr/bin/time -a -o "$2/memory" -f %M "$1" --root "$2" $verb "$5-$i" </dev/null >/dev/null 2>&1 || exit 9; done';

function runScript(
  box: Sandbox,
  contender: Contender,
  script: string,
  bundle: string,
  count: number,
): { readonly ms: number; readonly root: string } {
  const root = join(box.dir, `root-${contender.name.replaceAll(/\W+/g, '-')}`);
  mkdirSync(root, { recursive: true, mode: 0o700 });
  const text = contender.hideUnified ? `umount ${unified}; ${script}` : script;
  const shell = ['sh', '-c', text, 'sh', contender.binary, root, bundle, String(count), box.id()];
  const command = contender.hideUnified ? ['unshare', '-m', ...shell] : shell;
  const start = performance.now();
  const ran = spawnSync(command[0] ?? '', command.slice(1), { encoding: 'utf8' });
  const ms = performance.now() - start;
  if (ran.status !== 0) throw new Error(`${contender.name}: code ${ran.status} ${ran.stderr}`);
  return { ms, root };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}

/** Milliseconds of one cycle, by contender, in batches that take turns; the first one warms the caches. */
function race(
  box: Sandbox,
  contenders: readonly Contender[],
  script: string,
  bundle: string,
  count: number,
  rounds: number,
): Map<string, number[]> {
  const times = new Map(contenders.map(({ name }) => [name, [] as number[]]));
  for (const contender of contenders) runScript(box, contender, script, bundle, count);
  for (let round = 0; round < rounds; round++)
    for (const contender of contenders)
      times.get(contender.name)?.push(runScript(box, contender, script, bundle, count).ms / count);
  return times;
}

function rowsOf(what: string, times: ReadonlyMap<string, readonly number[]>): object[] {
  const base = median(times.get('crun') ?? []);
  return [...times].map(([name, values]) => ({
    what,
    name,
    medianMs: Number(median(values).toFixed(2)),
    minMs: Number(Math.min(...values).toFixed(2)),
    maxMs: Number(Math.max(...values).toFixed(2)),
    ofCrun: Number((median(values) / base).toFixed(2)),
  }));
}

function plain(config: Oci): void {
  delete config.linux.seccomp;
  config.linux.resources = {};
}

/** As many Docker-like bundles, which share one root file system. @returns their folder */
function manyBundles(box: Sandbox, rootfs: string): string {
  const folder = join(box.dir, 'many');
  for (let n = 0; n < AT_ONCE; n++) {
    const config = dockerLike(['/bin/true'], box.cgroupPath(`many-${n}`));
    config.root.path = rootfs;
    mkdirSync(join(folder, String(n)), { recursive: true });
    writeFileSync(join(folder, String(n), 'config.json'), JSON.stringify(config));
  }
  return folder;
}

function findContenders(box: Sandbox): Contender[] {
  const hybrid = existsSync(join(unified, 'cgroup.procs'));
  const ours = { name: 'tswarm-runtime', binary: box.binary };
  const contenders: Contender[] = [{ ...ours, hideUnified: hybrid }];
  if (hybrid) contenders.push({ ...ours, name: `${ours.name} (v2 visible)`, hideUnified: false });
  for (const name of ['crun', 'runc']) {
    const binary = spawnSync('which', [name], { encoding: 'utf8' }).stdout.trim();
    if (binary) contenders.push({ name, binary, hideUnified: hybrid });
    else process.stderr.write(`${name} is not installed; left out\n`);
  }
  return contenders;
}

const box = new Sandbox();
try {
  const contenders = findContenders(box);
  const bundle = box.bundle('docker-like', ['/bin/true']);
  const bare = box.bundle('plain', ['/bin/true'], plain);
  const many = manyBundles(box, join(bundle, 'rootfs'));
  const rows = [
    ...rowsOf('Docker-like', race(box, contenders, ONE_BY_ONE, bundle, cycles, batches)),
    ...rowsOf('plain', race(box, contenders, ONE_BY_ONE, bare, cycles, batches)),
    ...rowsOf(
      `${AT_ONCE} at once`,
      race(box, contenders, TOGETHER, many, AT_ONCE, PARALLEL_BATCHES),
    ),
  ];
  const memory = contenders.map((contender) => {
    const { root } = runScript(box, contender, MEMORY, bundle, 1);
    const [create, start, remove] = readFileSync(join(root, 'memory'), 'utf8').trim().split('\n');
    return { name: contender.name, createKiB: create, startKiB: start, deleteKiB: remove };
  });
  console.table(rows);
  console.table(memory);
  const out = process.env.TSWARM_BENCH_OUT;
  if (out) writeFileSync(out, `${JSON.stringify({ batches, cycles, rows, memory }, null, 2)}\n`);
} finally {
  box.dispose();
}
