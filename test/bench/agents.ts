// `npm run bench:agents [AGENTS TASKS]…` (after a build): one manager process and simulated agents that speak the real protocol over gRPC with mutual TLS,
// each with a certificate, a connection, a session and heartbeats of its own. A service is created; shown are the times until all tasks are with
// their agents and until all are reported running, the manager's memory and processor time, and what it still does in the five seconds after.
import { fork } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateKey } from '#manager/host/node-crypto';
import { IssueNodeCertificateRequest, NodeCaService } from '#protocol/generated/ca';
import { ControlService, CreateObjectRequest, SpecUnion } from '#protocol/generated/control';
import { type DispatcherMethods, DispatcherService } from '#protocol/generated/dispatcher';
import { NodeDescription, type Task, TaskState, TaskStatus } from '#protocol/generated/objects';
import { Resources, ServiceMode, ServiceSpec } from '#protocol/generated/specs';
import type { FromManager, ManagerReady } from '#protocol/manager-ipc';
import { type Client, clientOf, connectChannel } from '#protocol/transport/grpc';
import { makeCsr } from '../unit/manager/support/csr.ts';
import { template } from '../unit/manager/support/objects.ts';

const MAIN = new URL('../../dist/manager/main.js', import.meta.url).pathname;
const JOINING_AT_ONCE = 20;

interface Counters {
  readonly assigned: Set<string>;
  readonly running: Set<string>;
}

class SimulatedAgent {
  readonly #client: Client<DispatcherMethods>;
  readonly #name: string;
  readonly #counters: Counters;
  readonly #states: Map<string, TaskState> = new Map();

  constructor(client: Client<DispatcherMethods>, name: string, counters: Counters) {
    this.#client = client;
    this.#name = name;
    this.#counters = counters;
  }

  async start(): Promise<void> {
    const opened = Promise.withResolvers<string>();
    const description = NodeDescription.create({
      hostname: this.#name,
      platform: { architecture: 'x86_64', os: 'linux' },
      resources: Resources.create({ nanoCpus: 64e9, memoryBytes: 256e9 }),
    });
    void (async () => {
      const messages = this.#client.session({ description, sessionId: '', protocol: 1 });
      for await (const message of messages) opened.resolve(message.sessionId);
    })().catch((error: unknown) => opened.reject(error));
    const sessionId = await opened.promise;
    const beat = (): void => void this.#client.heartbeat({ sessionId }).catch(() => undefined);
    setInterval(beat, 2000).unref();
    void (async () => {
      for await (const message of this.#client.assignments({ sessionId })) {
        await this.#client.ackEndpoints({ sessionId, sequence: message.resultsIn });
        const tasks = message.changes.flatMap(({ assignment }) => assignment?.task ?? []);
        for (const task of tasks) this.#counters.assigned.add(task.id);
        await this.#report(sessionId, tasks);
      }
    })().catch(() => undefined);
  }

  /** What a worker with the image would say: prepared at once, running as soon as it may. */
  async #report(sessionId: string, tasks: readonly Task[]): Promise<void> {
    const updates = tasks.flatMap((task) => {
      const state = task.desiredState >= TaskState.RUNNING ? TaskState.RUNNING : TaskState.READY;
      if ((this.#states.get(task.id) ?? 0) >= state) return [];
      this.#states.set(task.id, state);
      return [{ taskId: task.id, status: TaskStatus.create({ state, message: 'simulated' }) }];
    });
    if (updates.length === 0) return;
    await this.#client.updateTaskStatus({ sessionId, description: undefined, updates });
    for (const { taskId, status } of updates) {
      if (status.state === TaskState.RUNNING) this.#counters.running.add(taskId);
    }
  }
}

function cpuMs(pid: number | undefined): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  const nanos = threads.map((thread) =>
    Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]),
  );
  return nanos.reduce((sum, n) => sum + n, 0) / 1e6;
}

function residentMb(pid: number | undefined): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** On a busy machine a connection may be lost while so many are made; that is not what is measured. */
async function patiently<T>(call: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await call();
    } catch (error) {
      if (attempt === 20) throw error;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}

async function inParallel<T>(count: number, make: (index: number) => Promise<T>): Promise<T[]> {
  const out: T[] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < count) {
      const index = next++;
      out[index] = await make(index);
    }
  };
  await Promise.all(Array.from({ length: JOINING_AT_ONCE }, work));
  return out;
}

async function measure(agents: number, tasks: number): Promise<string> {
  const dataDir = mkdtempSync(join(tmpdir(), 'tswarm-bench-'));
  const [admin, worker] = [generateKey(), generateKey()];
  const child = fork(MAIN, ['--data', dataDir, '--listen', '127.0.0.1:0', '--log-level', 'error'], {
    execArgv: [],
  });
  const isEnding = { value: false };
  child.once('exit', (code, signal) => {
    if (isEnding.value) return;
    process.stderr.write(`the manager ended: ${code ?? signal}\n`);
    process.exit(1);
  });
  try {
    const answer = new Promise<FromManager>((resolve) =>
      child.once('message', (message) => resolve(message as FromManager)),
    );
    child.send({
      type: 'bootstrap',
      workerCsr: makeCsr(worker.signer),
      adminCsr: makeCsr(admin.signer),
      hostname: 'bench',
      addressPools: [],
      subnetSize: 16,
    });
    const ready = (await answer) as ManagerReady;
    const channel = (certificate: string, key: string) =>
      connectChannel(
        ready.controlAddress,
        { caCert: ready.caCert, certificate, key },
        'swarm-manager',
      );
    const adminChannel = channel(ready.adminCertificate, admin.pem);
    const control = clientOf(ControlService, adminChannel);
    const { joinTokenWorker: token } = await control.clusterStatus({});
    const counters: Counters = { assigned: new Set(), running: new Set() };
    const joinedFrom = performance.now();
    await inParallel(agents, async (index) => {
      const key = generateKey();
      const request = IssueNodeCertificateRequest.create({
        csr: makeCsr(key.signer),
        token,
        hostname: `agent${index}`,
      });
      const authority = clientOf(NodeCaService, adminChannel);
      const issued = await patiently(() => authority.issueNodeCertificate(request));
      const client = clientOf(DispatcherService, channel(issued.certificate, key.pem));
      await patiently(() => new SimulatedAgent(client, `agent${index}`, counters).start());
    });
    const joinedMs = performance.now() - joinedFrom;
    await new Promise((resolve) => setTimeout(resolve, 2000));
    const cpuBefore = cpuMs(child.pid);
    const started = performance.now();
    const service = ServiceSpec.create({
      name: 'web',
      taskTemplate: template({}),
      mode: ServiceMode.create({ replicated: { replicas: tasks } }),
    });
    await control.createObject(CreateObjectRequest.create({ spec: SpecUnion.create({ service }) }));
    await until(() => counters.assigned.size >= tasks);
    const assignedMs = performance.now() - started;
    await until(() => counters.running.size >= tasks);
    const runningMs = performance.now() - started;
    const cpu = cpuMs(child.pid) - cpuBefore;
    await new Promise((resolve) => setTimeout(resolve, 5000));
    const after = cpuMs(child.pid);
    await new Promise((resolve) => setTimeout(resolve, 5000));
    const quiet = (cpuMs(child.pid) - after) / 50;
    return `| ${agents} | ${tasks} | ${joinedMs.toFixed(0)} | ${assignedMs.toFixed(0)} | ${runningMs.toFixed(0)} | ${cpu.toFixed(0)} | ${residentMb(child.pid).toFixed(0)} | ${quiet.toFixed(1)} |`;
  } finally {
    isEnding.value = true;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    await ended;
    rmSync(dataDir, { recursive: true, force: true });
  }
}

const numbers = process.argv.slice(2).map(Number);
const sizes = numbers.length > 0 ? numbers : [100, 1000, 1000, 100_000];
process.stdout.write(
  '| agents | tasks | joined, ms | all assigned, ms | all running, ms | manager cpu, ms | resident, MB | cpu 5 s later, % |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n',
);
for (let at = 0; at + 1 < sizes.length; at += 2) {
  process.stdout.write(`${await measure(sizes[at] ?? 0, sizes[at + 1] ?? 0)}\n`);
}
process.exit(0);
