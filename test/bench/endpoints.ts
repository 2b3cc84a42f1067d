// `npm run bench:endpoints`: from the end of a task to the moment from which no host sends to it any more, on a cluster of ten hosts. A service has two tasks
// on each host; every round kills the process of one of them (kill -9, somewhere in the cluster), and the rules of every host are watched by the kernel's own
// notifications (nft monitor): effect is when a host's virtual address no longer leads to it. Hosts are network namespaces on one machine, so all ten share its
// processors. Arguments: ROUNDS (30), HOSTS (10).
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { newLab } from '../cluster/cluster.ts';
import { until } from '../support/test-node.ts';

const ROUNDS = Number(process.argv[2] ?? '30');
const HOSTS = Number(process.argv[3] ?? '10');
const LIMIT_MS = 30_000;
/** After all hosts have heard of the new task, too. */
const SETTLE_MS = 1_500;

interface TaskRow {
  readonly CurrentState: string;
  readonly Node: string;
}

const monitors: ChildProcess[] = [];
/** host → targets of the service's virtual address, as last written, and when */
const seen = new Map<string, { readonly rule: string; readonly atMs: number }>();
/** Told at each change. */
let onRule = (_host: string, _rule: string): void => {};

await using lab = newLab();
await lab.up({ managers: 1, workers: HOSTS - 1 });
const hosts = lab.nodes.map(({ name }) => name);
await lab.importBusybox(hosts);
for (const host of hosts) watch(host);
await lab.ok('m1', ['network', 'create', '-d', 'overlay', 'front']);
await lab.ok(
  'm1',
  [
    ...['service', 'create', '-q', '--name', 'web', '--replicas', String(2 * HOSTS)],
    ...['--no-resolve-image', '--network', 'front', '--restart-delay', '0s'],
    ...['busybox:test', 'sleep', '86400'],
  ],
  { timeoutMs: 120_000 },
);
await settled();

const each: number[] = [];
const all: number[] = [];
for (let round = 0; round < ROUNDS; round++) {
  const host = hosts[round % hosts.length] ?? 'm1';
  const { pid, address } = await victim(host);
  const effect = new Map<string, number>();
  const startedMs = performance.now();
  onRule = (on, rule) => {
    if (!effect.has(on) && !names(rule, address)) effect.set(on, performance.now() - startedMs);
  };
  process.kill(pid, 'SIGKILL');
  await until(
    async () => effect.size === HOSTS,
    LIMIT_MS,
    () => `${effect.size} of ${HOSTS} hosts no longer send to ${address}`,
  );
  each.push(...effect.values());
  all.push(Math.max(...effect.values()));
  onRule = () => {};
  await settled();
}
for (const monitor of monitors) monitor.kill('SIGKILL');
show('one host', each);
show(`all ${HOSTS} hosts`, all);

function names(rule: string, address: string): boolean {
  return new RegExp(`(^|[^\\d.])${address.replaceAll('.', '\\.')}($|[^\\d.])`).test(rule);
}

/** Rules of virtual addresses as they are written on a host. */
function watch(host: string): void {
  const args = [...lab.enter(host), '--', 'nft', 'monitor', 'new', 'rules'];
  const child = spawn('nsenter', args, { stdio: ['ignore', 'pipe', 'inherit'] });
  monitors.push(child);
  process.once('exit', () => child.kill('SIGKILL'));
  if (!child.stdout) throw new Error('no stdout');
  createInterface(child.stdout).on('line', (line) => {
    if (!/^add rule inet tswarm_\S+ v_4_/.test(line)) return;
    seen.set(host, { rule: line, atMs: performance.now() });
    onRule(host, line);
  });
}

/** All tasks run, and every host sends to as many. */
async function settled(): Promise<void> {
  const wanted = 2 * HOSTS;
  const targets = (rule: string): number => new Set(rule.match(/\d+\.\d+\.\d+\.\d+/g)).size;
  await until(
    async () => {
      const rows = await lab.ok('m1', [
        ...['service', 'ps', '--filter', 'desired-state=running', '--json', 'web'],
      ]);
      const running = rows.split('\n').filter((row) => row !== '' && isRunning(row));
      const known = hosts.every((host) => targets(seen.get(host)?.rule ?? '') === wanted);
      return running.length === wanted && known;
    },
    60_000,
    () => `not all hosts send to ${wanted} tasks`,
  );
  await sleep(SETTLE_MS);
}

function isRunning(row: string): boolean {
  return (JSON.parse(row) as TaskRow).CurrentState.startsWith('Running');
}

/** A task of the host: its process, as this namespace knows it, and its address. */
async function victim(host: string): Promise<{ readonly pid: number; readonly address: string }> {
  const docker = async (...args: readonly string[]): Promise<string> =>
    (await lab.exec(host, ['docker', ...args])).stdout.trim();
  const [id = ''] = (await docker('ps', '-q', '--filter', 'name=web')).split('\n');
  const format = '{{.State.Pid}} {{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}';
  const [pid = '', address = ''] = (await docker('inspect', '-f', format, id)).split(' ');
  return { pid: Number(pid), address };
}

function show(what: string, values: readonly number[]): void {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (part: number): string => (sorted[Math.floor(sorted.length * part)] ?? 0).toFixed(0);
  const text = `p50 ${at(0.5)} ms, p90 ${at(0.9)}, p99 ${at(0.99)}, most ${sorted.at(-1)?.toFixed(0)}`;
  process.stdout.write(`${what}, ${values.length} times: ${text}\n`);
}
