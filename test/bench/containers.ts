// Containers of one node beside dockerd and podman: from a request to a running program, one command in a running container, a log of many lines read whole, and what
// a node with many idle containers costs. Ours and dockerd's by the same HTTP calls; podman has no server and is run as a command, beside `docker run` of the others.
// Run as root: node --conditions=source test/bench/containers.ts [rounds] [parts] [idle containers]; parts, all unless given: ready,exec,logs,idle
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { messageOf } from '#protocol/errors';
import { PeerDockerd } from '../support/peer-dockerd.ts';
import { PeerPodman } from '../support/peer-podman.ts';
import { run, TestNode } from '../support/test-node.ts';

const [roundsText = '60', partsText = 'ready,exec,logs,idle', idleText = '100'] =
  process.argv.slice(2);
const rounds = Number(roundsText);
const parts: ReadonlySet<string> = new Set(partsText.split(','));
const IDLE = Number(idleText);
const IDLE_AT_ONCE = 4;
const LOG_LINES = 500_000;
const IMAGE = 'busybox:test';
/** Debian's crun refuses a tree of v2 beside control groups of v1. */
const PODMAN_RUNTIME = '/usr/sbin/runc';

interface Side {
  readonly name: string;
  readonly socket: string;
}

function call(socket: string, method: string, path: string, body?: object): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json' };
    const sent = request({ socketPath: socket, method, path, headers }, (answer) => {
      const pieces: Buffer[] = [];
      answer.on('data', (piece: Buffer) => pieces.push(piece));
      answer.on('end', () => {
        const text = Buffer.concat(pieces).toString('latin1');
        if ((answer.statusCode ?? 500) < 400) resolve(text);
        else reject(new Error(`${method} ${path}: ${answer.statusCode} ${text}`));
      });
    });
    sent.on('error', reject);
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

async function started(side: Side, command: readonly string[]): Promise<string> {
  const body = { Image: IMAGE, Cmd: command, StopSignal: 'KILL' };
  const { Id } = JSON.parse(await call(side.socket, 'POST', '/containers/create', body));
  await call(side.socket, 'POST', `/containers/${Id}/start`);
  return Id;
}

async function removed(side: Side, id: string): Promise<void> {
  await call(side.socket, 'DELETE', `/containers/${id}?force=1&v=1`);
}

function show(what: string, samples: ReadonlyMap<string, readonly number[]>, unit = 'ms'): void {
  for (const [name, values] of samples) {
    const sorted = values.toSorted((a, b) => a - b);
    const at = (part: number): string =>
      (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0).toFixed(1);
    console.log(`${what}: ${name} p50 ${at(0.5)} p99 ${at(0.99)} ${unit} (${sorted.length})`);
  }
}

/** All sides in turn, so that they see the same machine. */
async function race(
  sides: readonly { readonly name: string; once(): Promise<number> }[],
  times: number,
): Promise<Map<string, number[]>> {
  const samples = new Map(sides.map(({ name }) => [name, [] as number[]]));
  for (const { once } of sides) await once();
  for (let i = 0; i < times; i += 1) {
    for (const { name, once } of sides) samples.get(name)?.push(await once());
  }
  return samples;
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await work();
  return performance.now() - startedMs;
}

async function ready(sides: readonly Side[], podman: PeerPodman): Promise<void> {
  const byCall = sides.map((side) => ({
    name: side.name,
    async once(): Promise<number> {
      let id = '';
      const ms = await timed(async () => {
        id = await started(side, ['sleep', '1000']);
      });
      await removed(side, id);
      return ms;
    },
  }));
  show('create + start, by HTTP', await race(byCall, rounds));
  const flags = ['--network', 'none', IMAGE, 'sleep', '1000'];
  const clients = [
    ...sides.map(({ name, socket }) => ({
      name,
      remove: ['rm', '-f'],
      cli: (args: readonly string[]) => run('docker', ['-H', `unix://${socket}`, ...args], {}),
    })),
    {
      name: `podman with ${PODMAN_RUNTIME}`,
      remove: ['rm', '-f', '-t', '0'],
      cli: (args: readonly string[]) => podman.podman(args),
    },
  ];
  const byCommand = clients.map(({ name, remove, cli }) => ({
    name,
    async once(): Promise<number> {
      let id = '';
      const ms = await timed(async () => {
        const done = await cli(['run', '-d', ...flags]);
        if (done.code !== 0) throw new Error(`${name}: ${done.stderr}`);
        id = done.stdout.trim();
      });
      await cli([...remove, id]);
      return ms;
    },
  }));
  const able: (typeof byCommand)[number][] = [];
  for (const one of byCommand) {
    const reason = await one.once().then(() => '', messageOf);
    if (reason === '') able.push(one);
    else console.log(`left out: ${reason}`);
  }
  show('run -d --network none, by command', await race(able, Math.ceil(rounds / 4)));
}

async function execs(sides: readonly Side[]): Promise<void> {
  const made = await Promise.all(sides.map((side) => started(side, ['sleep', '1000'])));
  const turns = sides.map((side, i) => ({
    name: side.name,
    once: () =>
      timed(async () => {
        const body = { Cmd: ['true'], AttachStdout: true };
        const path = `/containers/${made[i]}/exec`;
        const { Id } = JSON.parse(await call(side.socket, 'POST', path, body));
        await call(side.socket, 'POST', `/exec/${Id}/start`, { Detach: false, Tty: false });
      }),
  }));
  show('exec true, created to ended', await race(turns, rounds));
  for (const [i, side] of sides.entries()) await removed(side, made[i] ?? '');
}

async function logs(sides: readonly Side[]): Promise<void> {
  const wanted = createHash('md5');
  for (let i = 1; i <= LOG_LINES; i += 1) wanted.update(`${i}\n`);
  const digest = wanted.digest('hex');
  for (const side of sides) {
    let read = '';
    let writtenMs = 0;
    const ms = await timed(async () => {
      const beganMs = performance.now();
      const id = await started(side, ['seq', '1', String(LOG_LINES)]);
      await call(side.socket, 'POST', `/containers/${id}/wait`);
      writtenMs = performance.now() - beganMs;
      const command = `docker -H unix://${side.socket} logs ${id} | md5sum`;
      read = (await run('sh', ['-c', command], {})).stdout.split(' ')[0] ?? '';
      await removed(side, id);
    });
    const rate = (LOG_LINES / ms).toFixed(0);
    const loss = read === digest ? 'nothing lost' : 'LOST';
    console.log(
      `log of ${LOG_LINES} lines, written and read: ${side.name} ${ms.toFixed(0)} ms (written after ${writtenMs.toFixed(0)}), ${rate} lines/ms, ${loss}`,
    );
  }
}

/** Proportional memory in KiB and processor time in ticks of all processes whose command line holds this. */
function cost(word: string): { kib: number; ticks: number } {
  let [kib, ticks] = [0, 0];
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const command = readFileSync(join('/proc', pid, 'cmdline'), 'latin1');
      if (!command.includes(word)) continue;
      const memory = readFileSync(join('/proc', pid, 'smaps_rollup'), 'latin1');
      kib += Number(/^Pss:\s+(\d+)/m.exec(memory)?.[1] ?? 0);
      const stat = readFileSync(join('/proc', pid, 'stat'), 'latin1');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      ticks += Number(fields[11]) + Number(fields[12]);
    } catch {
      // It has ended meanwhile.
    }
  }
  return { kib, ticks };
}

async function idle(side: Side, word: string): Promise<void> {
  const before = cost(word);
  const ids: string[] = [];
  while (ids.length < IDLE) {
    const some = Array.from({ length: IDLE_AT_ONCE }, () => started(side, ['sleep', '100000']));
    ids.push(...(await Promise.all(some)));
  }
  const after = cost(word);
  const each = (after.kib - before.kib) / IDLE;
  const watch = 10;
  const stats = ['docker', '-H', `unix://${side.socket}`, 'stats', '--format', '{{.Name}}'];
  await run('timeout', [String(watch), ...stats], {});
  const percent = cost(word).ticks - after.ticks;
  console.log(
    `${IDLE} idle containers: ${side.name} ${each.toFixed(0)} KiB each (PSS, the program left out); docker stats of all takes ${(percent / watch).toFixed(1)} % of a core`,
  );
  await Promise.all(ids.map((id) => removed(side, id)));
}

const node = new TestNode();
const peer = new PeerDockerd();
try {
  await node.start();
  await node.importBusybox();
  await peer.start();
  const tar = join(node.folder, 'busybox.tar');
  await peer.docker(['import', tar, IMAGE]);
  const ours: Side = { name: 'tswarm', socket: node.socket };
  const theirs: Side = { name: 'dockerd', socket: peer.socket };
  if (parts.has('ready')) {
    await using podman = new PeerPodman(PODMAN_RUNTIME);
    const imported = await podman.podman(['import', tar, IMAGE]);
    if (imported.code !== 0) throw new Error(imported.stderr);
    await ready([ours, theirs], podman);
  }
  if (parts.has('exec')) await execs([ours, theirs]);
  if (parts.has('logs')) await logs([ours, theirs]);
  if (parts.has('idle')) {
    await idle(ours, node.folder);
    await idle(theirs, peer.folder);
  }
} finally {
  await node[Symbol.asyncDispose]();
  await peer[Symbol.asyncDispose]();
}
