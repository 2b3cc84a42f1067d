// Goal: the real manager process, from bootstrap to a killed and restarted one, as the daemon, the
// gateway and a worker see it: IPC, mutual TLS, control calls, assignments, durability. Method:
// fork manager/main.ts, real Raft log in a temporary folder, loopback only. Longer than 500 lines
// because one real process, which takes a second to start, serves most of its tests.
import { type ChildProcess, execFileSync, fork } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import type * as grpc from '@grpc/grpc-js';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { type GeneratedKey, generateKey } from '#manager/host/node-crypto';
import { NodeCaService } from '#protocol/generated/ca';
import {
  ControlService,
  CreateObjectRequest,
  ObjectKind,
  SpecUnion,
  UpdateObjectRequest,
  WatchRequest,
} from '#protocol/generated/control';
import { NodeState, TaskState } from '#protocol/generated/objects';
import {
  type ClusterSpec,
  DispatcherConfig,
  NetworkSpec,
  SecretSpec,
  ServiceMode,
  ServiceSpec,
  StackSpec,
} from '#protocol/generated/specs';
import type { FromManager, ManagerReady, ToManager } from '#protocol/manager-ipc';
import { clientOf, connectChannel } from '#protocol/transport/grpc';
import { objectsAt } from '../support/manager-group.ts';
import { workerByHand } from '../support/worker-by-hand.ts';
import { makeCsr } from '../unit/manager/support/csr.ts';
import { attach, template } from '../unit/manager/support/objects.ts';

const ROOT = new URL('../..', import.meta.url).pathname;
const MAIN = join(ROOT, 'manager/main.ts');
const folders: string[] = [];
const children = new Set<ChildProcess>();
const channels: grpc.Client[] = [];

const adminKey = generateKey();
const workerKey = generateKey();

interface Running {
  readonly child: ChildProcess;
  readonly answer: FromManager;
}

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tswarm-manager-'));
  folders.push(folder);
  return folder;
}

function bootstrap(): ToManager {
  return {
    type: 'bootstrap',
    workerCsr: makeCsr(workerKey.signer),
    adminCsr: makeCsr(adminKey.signer),
    hostname: 'host1',
    addressPools: [],
    subnetSize: 0,
  };
}

async function startManager(
  dataDir: string,
  request: ToManager,
  flags: readonly string[] = [],
  main = MAIN,
): Promise<Running> {
  const base = ['--data', dataDir, '--listen', '127.0.0.1:0', '--log-level', 'warn'];
  const child = fork(main, [...base, ...flags], {
    execArgv: ['--conditions=source'],
  });
  children.add(child);
  child.once('exit', () => children.delete(child));
  const answer = await new Promise<FromManager>((resolve, reject) => {
    child.once('message', (message) => resolve(message as FromManager));
    child.once('exit', (code, signal) => reject(new Error(`manager ended: ${code} ${signal}`)));
    child.send(request);
  });
  return { child, answer };
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
  child.kill(signal);
  return exited;
}

function readyOf(running: Running): ManagerReady {
  if (running.answer.type !== 'ready') throw new Error(JSON.stringify(running.answer));
  return running.answer;
}

function connect(ready: ManagerReady, who: { certificate: string; key: GeneratedKey } | undefined) {
  const channel = connectChannel(
    ready.controlAddress,
    { caCert: ready.caCert, ...(who ? { certificate: who.certificate, key: who.key.pem } : {}) },
    'swarm-manager',
  );
  channels.push(channel);
  return { control: clientOf(ControlService, channel), ca: clientOf(NodeCaService, channel) };
}

const asAdmin = (ready: ManagerReady) =>
  connect(ready, { certificate: ready.adminCertificate, key: adminKey });

const create = (spec: Partial<SpecUnion>) =>
  CreateObjectRequest.create({ spec: SpecUnion.create(spec) });

afterEach(async () => {
  for (const channel of channels.splice(0)) channel.close();
  for (const child of [...children]) await end(child, 'SIGKILL');
});

afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

describe('a manager', () => {
  it('creates a cluster, takes commands, and keeps what it acknowledged over kill -9', async () => {
    const dataDir = newFolder();
    const first = await startManager(dataDir, bootstrap());
    const ready = readyOf(first);
    const { control } = asAdmin(ready);
    const { object } = await control.createObject(
      create({ network: NetworkSpec.create({ name: 'front' }) }),
    );
    expect(object?.network?.id).toMatch(/^[0-9a-z]{25}$/);
    const spec = ServiceSpec.create({
      name: 'web',
      taskTemplate: template({ networks: [attach('front')] }),
      mode: ServiceMode.create({ replicated: { replicas: 3 } }),
    });
    const service = await control.createObject(create({ service: spec }));
    expect(service.object?.service?.spec?.taskTemplate?.networks[0]?.target).toBe(
      object?.network?.id,
    );
    const secret = await control.createObject(
      create({ secret: SecretSpec.create({ name: 'pw', data: Buffer.from('hidden') }) }),
    );
    expect(secret.object?.secret?.spec?.data.length).toBe(0);
    const tasks = await tasksOf(control, 3);
    expect(tasks.every((task) => task.serviceId === service.object?.service?.id)).toBe(true);

    await end(first.child, 'SIGKILL');
    const second = await startManager(dataDir, {
      type: 'start',
      adminCsr: makeCsr(adminKey.signer),
      workerCsr: '',
    });
    const again = readyOf(second);
    expect([again.clusterId, again.nodeId, again.caCert]).toEqual([
      ready.clusterId,
      ready.nodeId,
      ready.caCert,
    ]);
    expect(again.workerCertificate).toBe('');
    const after = asAdmin(again).control;
    const found = await after.getObject({
      kind: ObjectKind.SERVICE,
      id: service.object?.service?.id ?? '',
      knownIndex: 0,
    });
    expect(found.object?.service?.spec).toEqual(service.object?.service?.spec);
    expect((await tasksOf(after, 3)).map((task) => task.id).sort()).toEqual(
      tasks.map((task) => task.id).sort(),
    );
    const history = await after.history({ limit: 10 });
    expect(history.entries.map((entry) => entry.summary)).toEqual([
      'cluster: create',
      'network front: create',
      'service web: create',
      'secret pw: create',
    ]);
    expect(await end(second.child, 'SIGTERM')).toBe(0);
  });

  it('refuses what a version has overtaken, exactly as Swarm words it', async () => {
    const { control } = asAdmin(readyOf(await startManager(newFolder(), bootstrap())));
    const spec = ServiceSpec.create({ name: 'web', taskTemplate: template({}) });
    const made = (await control.createObject(create({ service: spec }))).object?.service;
    const update = (version: number, image: string) =>
      control.updateObject(
        UpdateObjectRequest.create({
          kind: ObjectKind.SERVICE,
          id: made?.id ?? '',
          version,
          spec: SpecUnion.create({ service: { ...spec, taskTemplate: template({}, { image }) } }),
        }),
      );
    const version = made?.meta?.version?.index ?? 0;
    const updated = await update(version, 'nginx');
    expect(updated.object?.service?.meta?.version?.index).toBeGreaterThan(version);
    expect(updated.object?.service?.previousSpec?.taskTemplate?.containerSpec?.image).toBe(
      'busybox',
    );
    await expect(update(version, 'redis')).rejects.toMatchObject({
      code: 'out_of_sequence',
      message: 'update out of sequence',
    });
  });

  it('obeys administrators only', async () => {
    const ready = readyOf(await startManager(newFolder(), bootstrap()));
    const worker = connect(ready, { certificate: ready.workerCertificate, key: workerKey });
    const nobody = connect(ready, undefined);
    await expect(worker.control.clusterStatus({})).rejects.toMatchObject({
      code: 'permission_denied',
    });
    await expect(nobody.control.clusterStatus({})).rejects.toMatchObject({
      code: 'unauthenticated',
    });
    const read = async () => {
      for await (const _ of worker.control.watch(WatchRequest.create())) break;
    };
    await expect(read()).rejects.toMatchObject({ code: 'permission_denied' });
    const status = await asAdmin(ready).control.clusterStatus({});
    expect(status).toMatchObject({
      leader: true,
      managers: 1,
      nodes: 1,
      clusterId: ready.clusterId,
    });
  });

  it('lets nodes join by token and renews their certificates', async () => {
    const ready = readyOf(await startManager(newFolder(), bootstrap()));
    const { joinTokenWorker } = await asAdmin(ready).control.clusterStatus({});
    const key = generateKey();
    const csr = makeCsr(key.signer);
    const { ca } = connect(ready, undefined);
    expect((await ca.getRootCertificate({})).caCert).toBe(ready.caCert);
    const joined = await ca.issueNodeCertificate({
      csr,
      token: joinTokenWorker,
      availability: 0,
      hostname: 'host2',
      role: 0,
      nowMicros: 0,
    });
    const member = connect(ready, { certificate: joined.certificate, key });
    const renewed = await member.ca.issueNodeCertificate({
      csr,
      token: '',
      availability: 0,
      hostname: '',
      role: 0,
      nowMicros: 0,
    });
    expect(renewed.nodeId).toBe(joined.nodeId);
    await expect(
      ca.issueNodeCertificate({
        csr,
        token: '',
        availability: 0,
        hostname: '',
        role: 0,
        nowMicros: 0,
      }),
    ).rejects.toMatchObject({ code: 'unauthenticated' });
  });

  it('gives a worker its tasks, takes its reports, and sees it come back after kill -9', async () => {
    const dataDir = newFolder();
    const first = await startManager(dataDir, bootstrap());
    const ready = readyOf(first);
    const { control } = asAdmin(ready);
    await control.createObject(create({ network: NetworkSpec.create({ name: 'front' }) }));
    await control.createObject(
      create({ secret: SecretSpec.create({ name: 'pw', data: Buffer.from('hidden') }) }),
    );
    const spec = ServiceSpec.create({
      name: 'web',
      taskTemplate: template(
        { networks: [attach('front')] },
        { secrets: [{ secretId: '', secretName: 'pw', file: undefined }] },
      ),
      mode: ServiceMode.create({ replicated: { replicas: 2 } }),
    });
    await control.createObject(create({ service: spec }));

    const worker = await joinAsWorker(ready);
    const tasks = await worker.tasks(2);
    expect([...worker.known.keys()].map((key) => key.split('/')[0]).sort()).toEqual([
      'endpoints',
      'network',
      'secret',
      'task',
      'task',
    ]);
    expect(Buffer.from(worker.secretData()).toString()).toBe('hidden');
    expect(tasks.every((task) => task.nodeId === ready.nodeId)).toBe(true);
    const addresses = tasks.flatMap((task) => task.networkAttachments.flatMap((a) => a.addresses));
    expect(new Set(addresses).size).toBe(2);
    for (const task of tasks) await worker.report(task.id, TaskState.RUNNING);
    await expect.poll(() => worker.serving()).toBe(2);
    await expect(worker.report('x', TaskState.RUNNING)).resolves.toEqual({});
    expect(await worker.heartbeat()).toBe(2e9);
    await worker.acknowledge();
    const nodes = await objectsAt(control, ObjectKind.NODE);
    expect(nodes[0]?.node?.status?.state).toBe(NodeState.READY);
    expect(nodes[0]?.node?.description?.hostname).toBe('host1');

    await end(first.child, 'SIGKILL');
    await expect(worker.heartbeat()).rejects.toMatchObject({ code: 'unavailable' });
    const again = readyOf(
      await startManager(dataDir, {
        type: 'start',
        adminCsr: makeCsr(adminKey.signer),
        workerCsr: makeCsr(workerKey.signer),
      }),
    );
    const back = await joinAsWorker(again);
    expect((await back.tasks(2)).map((task) => task.id).sort()).toEqual(
      tasks.map((task) => task.id).sort(),
    );
    expect((await back.tasks(2)).every((task) => task.status?.state === TaskState.RUNNING)).toBe(
      true,
    );
    expect(back.serving()).toBe(2);
  });

  it('deploys a stack and removes it completely, once its tasks have stopped', async () => {
    const ready = readyOf(await startManager(newFolder(), bootstrap()));
    const { control } = asAdmin(ready);
    const worker = await joinAsWorker(ready);
    const stack = StackSpec.create({
      name: 'shop',
      networks: [NetworkSpec.create({ name: 'shop_front' })],
      secrets: [SecretSpec.create({ name: 'shop_pw', data: Buffer.from('hidden') })],
      services: [
        ServiceSpec.create({
          name: 'shop_web',
          labels: { 'com.docker.compose.service': 'web' },
          taskTemplate: template(
            { networks: [attach('shop_front')] },
            { secrets: [{ secretId: '', secretName: 'shop_pw', file: undefined }] },
          ),
          mode: ServiceMode.create({ replicated: { replicas: 2 } }),
        }),
      ],
    });
    const deployed = await control.deployStack({
      stack,
      prune: false,
      forceRecreate: false,
      recreateOnly: [],
      expectedState: '',
      registryAuth: {},
    });
    expect(deployed.changes.length).toBe(3);
    const tasks = await worker.tasks(2);
    expect([...worker.known.values()].flatMap((a) => a.endpoints?.names ?? [])).toEqual(['web']);
    for (const task of tasks) await worker.report(task.id, TaskState.RUNNING);
    await control.removeStack({ name: 'shop', volumes: false });
    await expect
      .poll(async () => (await worker.tasks(2)).map((task) => task.desiredState))
      .toEqual([TaskState.REMOVE, TaskState.REMOVE]);
    expect((await objectsAt(control, ObjectKind.NETWORK)).length).toBe(1);
    for (const task of tasks) await worker.report(task.id, TaskState.SHUTDOWN);
    await worker.tasks(0);
    await expect.poll(() => worker.known.size).toBe(0);
    for (const kind of [ObjectKind.NETWORK, ObjectKind.SECRET, ObjectKind.TASK, ObjectKind.STACK]) {
      await expect.poll(async () => (await objectsAt(control, kind)).length).toBe(0);
    }
  });

  it('calls a silent worker down after three heartbeats', async () => {
    const ready = readyOf(await startManager(newFolder(), bootstrap()));
    const { control } = asAdmin(ready);
    const cluster = (await objectsAt(control, ObjectKind.CLUSTER))[0]?.cluster;
    const dispatcher = DispatcherConfig.create({ heartbeatPeriod: 200e6 });
    await control.updateObject(
      UpdateObjectRequest.create({
        kind: ObjectKind.CLUSTER,
        id: ready.clusterId,
        version: cluster?.meta?.version?.index ?? 0,
        spec: SpecUnion.create({ cluster: { ...(cluster?.spec as ClusterSpec), dispatcher } }),
      }),
    );
    const worker = await joinAsWorker(ready);
    const state = async () => (await objectsAt(control, ObjectKind.NODE))[0]?.node?.status?.state;
    for (let i = 0; i < 8; i++) {
      await new Promise((resolve) => setTimeout(resolve, 150));
      await worker.heartbeat();
    }
    expect(await state()).toBe(NodeState.READY);
    const silentSince = performance.now();
    await expect.poll(state, { timeout: 5000, interval: 20 }).toBe(NodeState.DOWN);
    expect(performance.now() - silentSince).toBeGreaterThan(400);
    await expect(worker.heartbeat()).rejects.toMatchObject({ code: 'not_found' });
    await expect(worker.ended).rejects.toMatchObject({ code: 'not_found' });
  });

  it('keeps private what is private', async () => {
    const dataDir = newFolder();
    await startManager(dataDir, bootstrap());
    for (const file of readdirSync(dataDir, { recursive: true, withFileTypes: true })) {
      const path = join(file.parentPath, file.name);
      expect([path, (statSync(path).mode & 0o077).toString(8)]).toEqual([path, '0']);
      if (!file.isFile()) continue;
      const content = readFileSync(path);
      if (!path.endsWith('manager.key')) expect(content.includes('PRIVATE KEY')).toBe(false);
    }
  });

  it.runIf(process.getuid?.() === 0)('gives up root before it opens anything', async () => {
    const dataDir = newFolder();
    chownSync(dataDir, 65_534, 65_534);
    // The other user must be able to read the programs; a checkout may lie below root's own folder.
    const programs = mkdtempSync(join(tmpdir(), 'tswarm-programs-'));
    chmodSync(programs, 0o755);
    execFileSync('mount', ['--bind', ROOT, programs]);
    try {
      const flags = ['--uid', '65534', '--gid', '65534'];
      const main = join(programs, relative(ROOT, MAIN));
      const { child } = await startManager(dataDir, bootstrap(), flags, main);
      for (const thread of readdirSync(`/proc/${child.pid}/task`)) {
        const status = readFileSync(`/proc/${child.pid}/task/${thread}/status`, 'utf8');
        expect(/^Uid:.*$/m.exec(status)?.[0]).toBe('Uid:\t65534\t65534\t65534\t65534');
        expect(/^Gid:.*$/m.exec(status)?.[0]).toBe('Gid:\t65534\t65534\t65534\t65534');
        expect(/^Groups:\s*$/m.test(status)).toBe(true);
      }
      await end(child, 'SIGTERM');
    } finally {
      execFileSync('umount', ['--lazy', programs]);
      rmdirSync(programs);
    }
    for (const file of readdirSync(dataDir, { recursive: true, withFileTypes: true })) {
      expect(statSync(join(file.parentPath, file.name)).uid).toBe(65_534);
    }
  });

  it('says why it cannot start', async () => {
    const { answer, child } = await startManager(newFolder(), {
      type: 'start',
      adminCsr: '',
      workerCsr: '',
    });
    expect(answer).toMatchObject({ type: 'failed', code: 'no_cluster' });
    await expect.poll(() => child.exitCode).toBe(1);
  });

  it('ends when the daemon is gone', async () => {
    const { child } = await startManager(newFolder(), bootstrap());
    const exited = new Promise((resolve) => child.once('exit', resolve));
    child.disconnect();
    expect(await exited).toBe(0);
  });

  it('goes on after a kill at any moment of its creation', async () => {
    for (const delayMs of [30, 80, 150, 250, 400]) {
      const dataDir = newFolder();
      const child = fork(
        MAIN,
        ['--data', dataDir, '--listen', '127.0.0.1:0', '--log-level', 'error'],
        { execArgv: ['--conditions=source'] },
      );
      child.send(bootstrap());
      await new Promise((resolve) => setTimeout(resolve, delayMs));
      await end(child, 'SIGKILL');
      const ready = readyOf(await startManager(dataDir, bootstrap()));
      expect((await asAdmin(ready).control.clusterStatus({})).nodes).toBe(1);
    }
  });
});

function joinAsWorker(ready: ManagerReady) {
  const channel = connectChannel(
    ready.controlAddress,
    { caCert: ready.caCert, certificate: ready.workerCertificate, key: workerKey.pem },
    'swarm-manager',
  );
  channels.push(channel);
  return workerByHand(channel);
}

async function tasksOf(control: ReturnType<typeof asAdmin>['control'], count: number) {
  const tasks = new Map<string, { id: string; serviceId: string }>();
  for await (const message of control.watch(WatchRequest.create({ kinds: [ObjectKind.TASK] }))) {
    for (const { object } of message.events) {
      if (object?.task) tasks.set(object.task.id, object.task);
    }
    if (tasks.size >= count) break;
  }
  expect(
    [...tasks.values()].every(
      (task) => (task as { desiredState?: number }).desiredState === TaskState.RUNNING,
    ),
  ).toBe(true);
  return [...tasks.values()];
}
