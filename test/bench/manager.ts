// Figures of the manager process alone, with a worker that only answers: `npm run build && node
// --conditions=source test/bench/manager.ts`. Time from `service create` to the tasks being in the
// worker's hands, reports, writes one after another and at once, memory and CPU at rest.
import { type ChildProcess, fork } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateKey } from '#manager/host/node-crypto';
import { ControlService, CreateObjectRequest, SpecUnion } from '#protocol/generated/control';
import { DispatcherService } from '#protocol/generated/dispatcher';
import { NodeDescription, TaskState, TaskStatus } from '#protocol/generated/objects';
import { ConfigSpec, NetworkSpec, ServiceMode, ServiceSpec } from '#protocol/generated/specs';
import type { ManagerReady } from '#protocol/manager-ipc';
import { clientOf, connectChannel } from '#protocol/transport/grpc';
import { makeCsr } from '../unit/manager/support/csr.ts';
import { attach, template } from '../unit/manager/support/objects.ts';
import { median } from './figures.ts';

const MAIN = new URL('../../dist/manager/main.js', import.meta.url).pathname;
const ROUNDS = Number(process.argv[2] ?? 5);
const REST_MS = 20_000;

const adminKey = generateKey();
const workerKey = generateKey();

async function startManager(
  dataDir: string,
): Promise<{ child: ChildProcess; ready: ManagerReady; readyMs: number }> {
  const before = performance.now();
  const child = fork(MAIN, ['--data', dataDir, '--listen', '127.0.0.1:0', '--log-level', 'error'], {
    execArgv: [],
  });
  const answer = new Promise<ManagerReady>((resolve) =>
    child.once('message', (message) => resolve(message as ManagerReady)),
  );
  child.send({
    type: 'bootstrap',
    workerCsr: makeCsr(workerKey.signer),
    adminCsr: makeCsr(adminKey.signer),
    hostname: 'bench',
    addressPools: [],
    subnetSize: 16,
  });
  return { child, ready: await answer, readyMs: performance.now() - before };
}

function channelOf(ready: ManagerReady, certificate: string, key: string) {
  return connectChannel(
    ready.controlAddress,
    { caCert: ready.caCert, certificate, key },
    'swarm-manager',
  );
}

/** A worker that registers, beats and counts the tasks it is given. */
async function startWorker(ready: ManagerReady) {
  const dispatcher = clientOf(
    DispatcherService,
    channelOf(ready, ready.workerCertificate, workerKey.pem),
  );
  const opened = Promise.withResolvers<string>();
  const description = NodeDescription.create({
    hostname: 'bench',
    platform: { architecture: 'x86_64', os: 'linux' },
  });
  void (async () => {
    for await (const message of dispatcher.session({ description, sessionId: '', protocol: 1 }))
      opened.resolve(message.sessionId);
  })().catch(() => undefined);
  const sessionId = await opened.promise;
  setInterval(() => void dispatcher.heartbeat({ sessionId }).catch(() => undefined), 2000).unref();
  const tasks = new Set<string>();
  let waiting: { count: number; done: () => void } | undefined;
  void (async () => {
    for await (const { changes } of dispatcher.assignments({ sessionId })) {
      for (const { assignment } of changes) if (assignment?.task) tasks.add(assignment.task.id);
      if (waiting && tasks.size >= waiting.count) waiting.done();
    }
  })().catch(() => undefined);
  return {
    tasks,
    until: (count: number) =>
      new Promise<void>((resolve) => {
        waiting = { count, done: resolve };
        if (tasks.size >= count) resolve();
      }),
    report: (ids: readonly string[], state: TaskState) =>
      dispatcher.updateTaskStatus({
        sessionId,
        description: undefined,
        updates: ids.map((taskId) => ({ taskId, status: TaskStatus.create({ state }) })),
      }),
  };
}

async function timed(action: () => Promise<unknown>): Promise<number> {
  const before = performance.now();
  await action();
  return performance.now() - before;
}

/**
 * Time on a processor of all threads; the scheduler's count, since ticks are too coarse for a
 * process at rest.
 */
function cpuMs(pid: number | undefined): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  const nanos = threads.map((thread) =>
    Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]),
  );
  return nanos.reduce((sum, n) => sum + n, 0) / 1e6;
}

function memoryMb(pid: number | undefined): string {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const of = (key: string): string =>
    (Number(new RegExp(`${key}:\\s+(\\d+)`).exec(status)?.[1]) / 1024).toFixed(0);
  return `${of('VmRSS')} MB resident, ${of('RssAnon')} MB of it its own`;
}

async function main(): Promise<void> {
  const dataDir = mkdtempSync(join(tmpdir(), 'tswarm-bench-'));
  const { child, ready, readyMs } = await startManager(dataDir);
  const show = (what: string, value: string): void =>
    void process.stdout.write(`${what.padEnd(52)} ${value}\n`);
  show('bootstrap to ready', `${readyMs.toFixed(0)} ms`);
  await new Promise((resolve) => setTimeout(resolve, 10_000));
  const before = cpuMs(child.pid);
  await new Promise((resolve) => setTimeout(resolve, REST_MS));
  show(
    'at rest',
    `${memoryMb(child.pid)}, ${((cpuMs(child.pid) - before) / (REST_MS / 100)).toFixed(2)} % of a core`,
  );
  const control = clientOf(ControlService, channelOf(ready, ready.adminCertificate, adminKey.pem));
  const create = (spec: Partial<SpecUnion>) =>
    control.createObject(CreateObjectRequest.create({ spec: SpecUnion.create(spec) }));
  const worker = await startWorker(ready);
  await create({ network: NetworkSpec.create({ name: 'front' }) });
  let services = 0;
  for (const replicas of [1, 10, 100, 500]) {
    const samples: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const service = ServiceSpec.create({
        name: `s${services++}`,
        taskTemplate: template({ networks: [attach('front')] }),
        mode: ServiceMode.create({ replicated: { replicas } }),
      });
      const wanted = worker.tasks.size + replicas;
      samples.push(
        await timed(async () => Promise.all([create({ service }), worker.until(wanted)])),
      );
    }
    show(
      `create a service of ${replicas}, until the worker has all`,
      `${median(samples).toFixed(1)} ms`,
    );
  }
  const ids = [...worker.tasks];
  const reports = [TaskState.PREPARING, TaskState.STARTING, TaskState.RUNNING];
  for (const state of reports) {
    const ms = await timed(async () => {
      for (let i = 0; i < ids.length; i += 1000) await worker.report(ids.slice(i, i + 1000), state);
    });
    show(`${ids.length} reports of one state`, `${ms.toFixed(0)} ms`);
  }
  const config = (name: string) =>
    create({ config: ConfigSpec.create({ name, data: new Uint8Array(100).fill(1) }) });
  const latencies: number[] = [];
  for (let i = 0; i < 300; i++) latencies.push(await timed(() => config(`a${i}`)));
  show('one write after another', `${median(latencies).toFixed(2)} ms each`);
  const together = await timed(() =>
    Promise.all(Array.from({ length: 2000 }, (_, i) => config(`b${i}`))),
  );
  show('2000 writes at once', `${together.toFixed(0)} ms`);
  show('after that', memoryMb(child.pid));
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await ended;
  rmSync(dataDir, { recursive: true });
  process.exit(0);
}

await main();
