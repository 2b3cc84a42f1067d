// create + start + delete of /bin/true with the same Docker-like bundle (default seccomp policy, 14 capabilities, memory, cpu and
// pids limits): tswarm-runtime beside crun and runc, in batches that take turns, so that other load hits all alike.
// Each cycle is three processes started by one shell. Peers run where cgroup v2's second tree of a hybrid host is not mounted
// (crun 1.8 refuses to start otherwise); ours also in that view, and once more in the plain one.
// Run as root: node --conditions=source test/bench/runtime.ts [batches] [cycles]
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { Sandbox } from '../native/runtime-bundle.ts';

const [batches = 9, cycles = 20] = process.argv.slice(2).map(Number);
const unified = '/sys/fs/cgroup/unified';

interface Contender {
  readonly name: string;
  readonly binary: string;
  readonly hideUnified: boolean;
  readonly cycleMs: number[];
}

const LOOP =
  'i=0; while [ $i -lt $4 ]; do "$1" --root "$2" create -b "$3" "$5-$i" </dev/null >/dev/null 2>&1 || exit 9; ' +
  '"$1" --root "$2" start "$5-$i" || exit 8; "$1" --root "$2" delete -f "$5-$i" || exit 7; i=$((i+1)); done';

function batch(box: Sandbox, contender: Contender, bundle: string): void {
  const root = join(box.dir, `root-${contender.name.replaceAll(/\W+/g, '-')}`);
  mkdirSync(root, { recursive: true, mode: 0o700 });
  const script = contender.hideUnified ? `umount ${unified}; ${LOOP}` : LOOP;
  const shell = [
    'sh',
    '-c',
    script,
    'sh',
    contender.binary,
    root,
    bundle,
    String(cycles),
    box.id(),
  ];
  const command = contender.hideUnified ? ['unshare', '-m', ...shell] : shell;
  const start = performance.now();
  const ran = spawnSync(command[0] ?? '', command.slice(1), { encoding: 'utf8' });
  const totalMs = performance.now() - start;
  if (ran.status !== 0) throw new Error(`${contender.name}: code ${ran.status} ${ran.stderr}`);
  contender.cycleMs.push(totalMs / cycles);
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}

const box = new Sandbox();
try {
  const bundle = box.bundle('bundle', ['/bin/true']);
  const hybrid = existsSync(join(unified, 'cgroup.procs'));
  const make = (name: string, binary: string, hideUnified: boolean): Contender => ({
    name,
    binary,
    hideUnified,
    cycleMs: [],
  });
  const contenders: Contender[] = [make('tswarm-runtime', box.binary, hybrid)];
  if (hybrid) contenders.push(make('tswarm-runtime (v2 tree visible)', box.binary, false));
  for (const name of ['crun', 'runc']) {
    const path = spawnSync('which', [name], { encoding: 'utf8' }).stdout.trim();
    if (path) contenders.push(make(name, path, hybrid));
    else console.error(`${name} is not installed; left out`);
  }
  for (const contender of contenders) batch(box, contender, bundle); // warm caches
  for (const contender of contenders) contender.cycleMs.length = 0;
  for (let i = 0; i < batches; i++)
    for (const contender of contenders) batch(box, contender, bundle);
  const crun = contenders.find(({ name }) => name === 'crun');
  const base = crun ? median(crun.cycleMs) : Number.NaN;
  const rows = contenders.map(({ name, cycleMs }) => ({
    name,
    medianMs: Number(median(cycleMs).toFixed(2)),
    minMs: Number(Math.min(...cycleMs).toFixed(2)),
    maxMs: Number(Math.max(...cycleMs).toFixed(2)),
    ofCrun: Number((median(cycleMs) / base).toFixed(2)),
  }));
  console.table(rows);
  const out = process.env.TSWARM_BENCH_OUT;
  if (out) writeFileSync(out, `${JSON.stringify({ batches, cycles, rows }, null, 2)}\n`);
} finally {
  box.dispose();
}
