// `npm run bench:agents [AGENTS TASKS]…` (after a build): one manager process and simulated agents that speak the real protocol over gRPC with mutual TLS,
// each with a certificate, a connection, a session and heartbeats of its own. A service is created; shown are the times until all tasks are with
// their agents and until all are reported running, the manager's memory and processor time, what it still does in the five seconds after, and how many
// sessions were lost on the way (a machine that is too slow for so many heartbeats; agents open a new one, as real ones do).
import { fork } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateKey } from '#manager/host/node-crypto';
import { IssueNodeCertificateRequest, NodeCaService } from '#protocol/generated/ca';
import { ControlService, CreateObjectRequest, SpecUnion } from '#protocol/generated/control';
import { DispatcherService } from '#protocol/generated/dispatcher';
import { ServiceMode, ServiceSpec } from '#protocol/generated/specs';
import type { FromManager, ManagerReady } from '#protocol/manager-ipc';
import { clientOf, connectChannel } from '#protocol/transport/grpc';
import { newCounters, SimulatedAgent } from '../support/simulated-agent.ts';
import { makeCsr } from '../unit/manager/support/csr.ts';
import { template } from '../unit/manager/support/objects.ts';

const MAIN = new URL('../../dist/manager/main.js', import.meta.url).pathname;
const JOINING_AT_ONCE = 20;
/** Nothing new for this long is a fault, on a slow machine too. */
const STUCK_MS = 120_000;
const SAY_MS = 5_000;

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

/** Says how far it is now and then. @throws Error with how far it is, when nothing moves any more */
async function reached(count: () => number, wanted: number, what: string): Promise<void> {
  let last = count();
  let movedAt = performance.now();
  let saidAt = movedAt;
  while (count() < wanted) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    if (count() !== last) movedAt = performance.now();
    last = count();
    if (performance.now() - saidAt > SAY_MS) {
      saidAt = performance.now();
      process.stderr.write(`${what}: ${last} of ${wanted}\n`);
    }
    if (performance.now() - movedAt > STUCK_MS) throw new Error(`${what}: stuck at ${last}`);
  }
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
    const counters = newCounters();
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
    process.stderr.write(`${agents} agents joined in ${joinedMs.toFixed(0)} ms\n`);
    await new Promise((resolve) => setTimeout(resolve, 2000));
    const cpuBefore = cpuMs(child.pid);
    const started = performance.now();
    const service = ServiceSpec.create({
      name: 'web',
      taskTemplate: template({}),
      mode: ServiceMode.create({ replicated: { replicas: tasks } }),
    });
    await control.createObject(CreateObjectRequest.create({ spec: SpecUnion.create({ service }) }));
    await reached(() => counters.assigned.size, tasks, 'assigned');
    const assignedMs = performance.now() - started;
    await reached(() => counters.running.size, tasks, 'running');
    const runningMs = performance.now() - started;
    const cpu = cpuMs(child.pid) - cpuBefore;
    await new Promise((resolve) => setTimeout(resolve, 5000));
    const after = cpuMs(child.pid);
    await new Promise((resolve) => setTimeout(resolve, 5000));
    const quiet = (cpuMs(child.pid) - after) / 50;
    return `| ${agents} | ${tasks} | ${joinedMs.toFixed(0)} | ${assignedMs.toFixed(0)} | ${runningMs.toFixed(0)} | ${cpu.toFixed(0)} | ${residentMb(child.pid).toFixed(0)} | ${quiet.toFixed(1)} | ${counters.lostSessions} |`;
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
  '| agents | tasks | joined, ms | all assigned, ms | all running, ms | manager cpu, ms | resident, MB | cpu 5 s later, % | sessions lost |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n',
);
for (let at = 0; at + 1 < sizes.length; at += 2) {
  process.stdout.write(`${await measure(sizes[at] ?? 0, sizes[at + 1] ?? 0)}\n`);
}
process.exit(0);
