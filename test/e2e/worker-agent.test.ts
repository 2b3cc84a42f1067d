// Goal: a node in a cluster: services become containers, what they ask of their container happens, and it all goes on when the manager or the worker
// goes away and comes back. Method: a real manager process and a real worker, busybox containers, statuses read where everybody reads them. Needs root.
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ObjectKind } from '#protocol/generated/control';
import type { Service, Task } from '#protocol/generated/objects';
import { HealthState, TaskState } from '#protocol/generated/objects';
import {
  ContainerSpec,
  Driver,
  EngineRestart,
  EngineRestartPolicy,
  FileTarget,
  HealthConfig,
  NetworkAttachmentConfig,
  NetworkSpec,
  ReplicatedMode,
  RunState,
  SecretReference,
  SecretSpec,
  ServiceMode,
  ServiceSpec,
  TaskSpec,
} from '#protocol/generated/specs';
import { ManagerProcess } from '../support/manager-process.ts';
import { eventually, WorkerNode } from '../support/worker-node.ts';

const isRoot = process.getuid?.() === 0;

describe.skipIf(!isRoot)('a node in a cluster', () => {
  const managerFolder = mkdtempSync('/run/tsw-manager-');
  const manager = new ManagerProcess(join(managerFolder, 'm'));
  const node = new WorkerNode();
  let networkId = '';

  beforeAll(async () => {
    await Promise.all([manager.start(), node.start()]);
    await node.addImage();
    await node.worker.join(manager.membership());
    const object = await manager.create({
      network: NetworkSpec.create({
        name: 'front',
        driverConfig: Driver.create({ name: 'overlay' }),
      }),
    });
    networkId = object.network?.id ?? '';
  });
  afterAll(async () => {
    await node.destroy();
    await manager.stop();
    rmSync(managerFolder, { recursive: true, force: true });
  });

  interface Wanted {
    readonly script: string;
    readonly replicas?: number;
    readonly restart?: EngineRestart;
    readonly container?: Partial<ContainerSpec>;
  }

  function spec(name: string, wanted: Wanted): ServiceSpec {
    return ServiceSpec.create({
      name,
      taskTemplate: TaskSpec.create({
        containerSpec: ContainerSpec.create({
          image: 'bb:1',
          command: ['sh', '-c', wanted.script],
          stopSignal: 'KILL',
          ...wanted.container,
        }),
        networks: [NetworkAttachmentConfig.create({ target: networkId })],
        ...(wanted.restart === undefined
          ? {}
          : { engineRestart: EngineRestartPolicy.create({ name: wanted.restart }) }),
      }),
      mode: ServiceMode.create({
        replicated: ReplicatedMode.create({ replicas: wanted.replicas ?? 1 }),
      }),
    });
  }

  async function deploy(name: string, wanted: Wanted): Promise<Service> {
    const { service } = await manager.create({ service: spec(name, wanted) });
    if (!service) throw new Error('no service');
    return service;
  }

  const tasksOf = async (service: Service): Promise<readonly Task[]> =>
    (await manager.tasks()).filter((task) => task.serviceId === service.id);
  /** The only task of a service. */
  const taskOf = async (service: Service): Promise<Task | undefined> => (await tasksOf(service))[0];
  const isIn = async (service: Service, state: TaskState): Promise<boolean> =>
    (await taskOf(service))?.status?.state === state;

  async function containersOf(service: Service): Promise<readonly Record<string, unknown>[]> {
    return node.engine.containers.list({
      all: true,
      limit: 0,
      size: false,
      filters: { label: [`com.docker.swarm.service.id=${service.id}`] },
    });
  }

  async function removed(service: Service): Promise<void> {
    await manager.remove(ObjectKind.SERVICE, service.id);
    await eventually(async () => (await containersOf(service)).length === 0);
  }

  it('runs a service’s tasks, with names, labels, network, secret', async () => {
    const { secret } = await manager.create({
      secret: SecretSpec.create({ name: 'pw', data: Buffer.from('hidden') }),
    });
    const service = await deploy('web', {
      script: 'cat /run/secrets/pw; stat -c " %a %u" /run/secrets/pw; hostname; exec sleep 1000',
      replicas: 2,
      container: {
        hostname: '{{.Service.Name}}-{{.Task.Slot}}',
        secrets: [
          SecretReference.create({
            secretId: secret?.id ?? '',
            secretName: 'pw',
            file: FileTarget.create({ name: 'pw', uid: '7', gid: '8', mode: 0o440 }),
          }),
        ],
      },
    });
    await eventually(async () => {
      const tasks = await tasksOf(service);
      return tasks.length === 2 && tasks.every((task) => task.status?.state === TaskState.RUNNING);
    });
    for (const task of await tasksOf(service)) {
      const name = `web.${task.slot}.${task.id}`;
      const json = await node.engine.containers.inspect(name, { size: false });
      expect(task.status?.containerStatus).toMatchObject({
        containerId: json.Id,
        pid: (json.State as { Pid: number }).Pid,
      });
      await eventually(async () => (await node.logs(name)) === `hidden 440 7\nweb-${task.slot}\n`);
      const [address] = task.networkAttachments[0]?.addresses ?? [];
      const { out } = await node.exec(name, ['ip', '-4', 'addr', 'show', 'eth0']);
      expect(out).toContain(address?.split('/')[0]);
    }
    await removed(service);
  });

  it('says why a task is rejected or fails', async () => {
    const missing = await deploy('missing', {
      script: 'x',
      container: { image: 'none:1', pullPolicy: 'never' },
    });
    await eventually(async () =>
      (await tasksOf(missing)).some(
        (task) => task.status?.state === TaskState.REJECTED && /none:1/.test(task.status.err),
      ),
    );
    await removed(missing);
    const bad = await deploy('bad', { script: '', container: { command: ['nosuch'] } });
    await eventually(async () =>
      (await tasksOf(bad)).some(
        (task) =>
          task.status?.state === TaskState.FAILED &&
          task.status.err.includes('executable file not found'),
      ),
    );
    await removed(bad);
  });

  it('is STARTING until healthy, and reports unhealthy with the probe’s words', async () => {
    const service = await deploy('health', {
      script: 'sleep 0.3; touch /ok; exec sleep 1000',
      restart: EngineRestart.NO,
      container: {
        healthcheck: HealthConfig.create({
          test: ['CMD-SHELL', 'test -e /ok || { echo not yet; exit 1; }'],
          interval: 300_000_000,
          retries: 1,
        }),
      },
    });
    await eventually(() => isIn(service, TaskState.STARTING));
    await eventually(() => isIn(service, TaskState.RUNNING));
    const [container] = await containersOf(service);
    await node.exec(String(container?.Id), ['rm', '/ok']);
    await eventually(async () => {
      const status = (await taskOf(service))?.status?.containerStatus;
      return status?.health === HealthState.UNHEALTHY && status.healthOutput === 'not yet\n';
    });
    await removed(service);
  });

  it('stops, starts, pauses and restarts the same container on request', async () => {
    const service = await deploy('lamp', {
      script: 'echo on; exec sleep 1000',
      restart: EngineRestart.ALWAYS,
    });
    await eventually(() => isIn(service, TaskState.RUNNING));
    const id = String((await containersOf(service))[0]?.Id);
    const act = (runState: RunState): Promise<void> =>
      manager.action({ services: [service.id], setRunState: true, runState });
    await act(RunState.STOPPED);
    await eventually(() => isIn(service, TaskState.SHUTDOWN));
    expect((await taskOf(service))?.status?.containerStatus?.stopped).toBe(true);
    await act(RunState.RUNNING);
    await eventually(() => isIn(service, TaskState.RUNNING));
    await act(RunState.PAUSED);
    await eventually(async () => (await node.state(id)).Status === 'paused');
    await act(RunState.RUNNING);
    await eventually(async () => (await node.state(id)).Status === 'running');
    await manager.action({ services: [service.id], restart: true });
    await eventually(async () => (await node.logs(id)) === 'on\non\non\n');
    await eventually(() => isIn(service, TaskState.RUNNING));
    expect((await taskOf(service))?.status?.run).toBe(3);
    expect((await containersOf(service)).map((item) => item.Id)).toEqual([id]);
    await removed(service);
  });

  it('restarts a crashed Compose container itself, counting', async () => {
    const service = await deploy('crash', {
      script: 'sleep 0.05; exit 3',
      restart: EngineRestart.ALWAYS,
    });
    await eventually(async () => {
      const status = (await taskOf(service))?.status;
      const run = status?.run ?? 0;
      return run >= 4 && status?.containerStatus?.restartCount === run - 1;
    });
    expect(await tasksOf(service)).toHaveLength(1);
    await removed(service);
  });

  it('goes on with no manager, and tells it afterwards', async () => {
    const steady = await deploy('steady', { script: 'exec sleep 1000' });
    const flaky = await deploy('flaky', {
      script:
        'n=$(cat /n || echo 0); echo $((n+1)) > /n; [ $n -lt 1 ] && sleep 1.5 && exit 1; exec sleep 1000',
      restart: EngineRestart.ON_FAILURE,
    });
    await eventually(() => isIn(steady, TaskState.RUNNING));
    await eventually(() => isIn(flaky, TaskState.RUNNING));
    const before = await containersOf(steady);
    await manager.kill();
    await eventually(async () => {
      const [container] = await containersOf(flaky);
      const json = await node.engine.containers.inspect(String(container?.Id), { size: false });
      return (
        json.RestartCount === 0 &&
        (await node.exec(String(container?.Id), ['cat', '/n']).catch(() => ({ out: '' }))).out ===
          '2\n'
      );
    });
    // The worker is upgraded meanwhile.
    await node.restart();
    await node.worker.join(manager.membership());
    expect((await containersOf(steady)).map((item) => [item.Id, item.State])).toEqual([
      [before[0]?.Id, 'running'],
    ]);
    await manager.start();
    await eventually(async () => {
      const status = (await taskOf(flaky))?.status;
      return status?.run === 2 && status.state === TaskState.RUNNING;
    }, 20_000);
    await eventually(() => isIn(steady, TaskState.RUNNING), 20_000);
    expect((await containersOf(steady))[0]?.Id).toBe(before[0]?.Id);
    await removed(steady);
    await removed(flaky);
  });
});
