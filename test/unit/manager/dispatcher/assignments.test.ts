// Goal: each node is told exactly what it needs: its tasks, what they refer to, and the services on
// its networks; first everything, then differences that lead to the same; nothing twice, nothing of
// its own reports. Method: a twin that applies the messages as a worker does.
import { describe, expect, it } from 'vitest';
import { AssignmentHub } from '#manager/dispatcher/assignment-hub';
import type { StoreWriteView } from '#manager/store/state';
import { Store } from '#manager/store/store';
import {
  Assignment,
  AssignmentAction,
  type AssignmentsMessage,
  AssignmentsType,
} from '#protocol/generated/dispatcher';
import {
  Config,
  ContainerStatus,
  Endpoint,
  HealthState,
  Network,
  Secret,
  type Service,
  type Task,
  TaskState,
  TaskStatus,
  Volume,
} from '#protocol/generated/objects';
import {
  Mount,
  MountType,
  PortConfig,
  PublishMode,
  SecretSpec,
  VolumeSpec,
} from '#protocol/generated/specs';
import { attach, network, service, task, template, testStamp } from '../support/objects.ts';

/** A worker's picture, from messages alone. */
class Twin {
  readonly known = new Map<string, unknown>();
  sequence = '';

  take(message: AssignmentsMessage | undefined): string[] {
    if (!message) return [];
    if (message.type === AssignmentsType.COMPLETE) this.known.clear();
    else expect(message.appliesTo).toBe(this.sequence);
    this.sequence = message.resultsIn;
    return message.changes.map(({ assignment, action }) => {
      const [kind, object] = Object.entries(assignment ?? Assignment.create()).find(
        ([, v]) => v !== undefined,
      ) as [string, { id?: string; serviceId?: string }];
      const key = `${kind}/${kind === 'endpoints' ? object.serviceId : object.id}`;
      if (action === AssignmentAction.REMOVE) expect(this.known.delete(key)).toBe(true);
      else this.known.set(key, object);
      return `${action === AssignmentAction.REMOVE ? '-' : '+'}${key}`;
    });
  }
}

function cluster() {
  const store = new Store();
  const hub = new AssignmentHub();
  const counter = { next: 1 };
  store.subscribe((entry) => {
    if (entry !== 'reset') hub.note(entry.changes);
  });
  const run = (fn: (tx: StoreWriteView) => void): void => {
    for (const { bytes } of store.transact(testStamp(counter), fn).proposals) {
      store.apply(bytes, store.index + 1);
    }
  };
  const connect = (nodeId: string) => {
    const assignments = hub.connect(nodeId, 'session1');
    const twin = new Twin();
    const read = (): string[] => twin.take(assignments.next(store.view, hub.endpoints)).sort();
    return { twin, read, assignments };
  };
  return { store, hub, run, connect };
}

const assigned = (of: Service, id: string, nodeId: string, over: Partial<Task> = {}): Task =>
  task(id, of, {
    nodeId,
    status: TaskStatus.create({ state: TaskState.ASSIGNED }),
    desiredState: TaskState.RUNNING,
    networkAttachments: (of.spec?.taskTemplate?.networks ?? []).map((n) => ({
      networkId: n.target,
      addresses: [`10.0.0.${id.length}/24`],
      aliases: [],
    })),
    ...over,
  });

const web = service(
  'web',
  {
    labels: { 'com.docker.compose.service': 'front' },
    taskTemplate: template(
      { networks: [attach('net1')] },
      {
        secrets: [{ secretId: 'sec1', secretName: 'pw', file: undefined }],
        configs: [{ configId: 'conf1', configName: 'c', file: undefined }],
        mounts: [Mount.create({ type: MountType.VOLUME, source: 'data', target: '/data' })],
      },
    ),
  },
  'shop',
);
const db = service('db', { taskTemplate: template({ networks: [attach('net2')] }) });

function withObjects(tx: StoreWriteView): void {
  tx.create('network', network('net1'));
  tx.create('network', network('net2'));
  tx.create(
    'secret',
    Secret.create({ id: 'sec1', spec: SecretSpec.create({ name: 'pw', data: Buffer.from('x') }) }),
  );
  tx.create('config', Config.create({ id: 'conf1' }));
  tx.create('volume', Volume.create({ id: 'vol1', spec: VolumeSpec.create({ name: 'data' }) }));
  tx.create('service', web);
  tx.create('service', db);
}

const statusOf = (state: TaskState, over: Partial<ContainerStatus> = {}): TaskStatus =>
  TaskStatus.create({ state, containerStatus: ContainerStatus.create(over) });

describe('assignments', () => {
  it('are complete first, with what the tasks need, secrets with their data', () => {
    const { run, connect } = cluster();
    run(withObjects);
    run((tx) => {
      tx.create('task', assigned(web, 't1', 'n1'));
      tx.create('task', assigned(db, 't2', 'n2'));
      tx.create(
        'task',
        assigned(web, 't3', 'n1', { status: TaskStatus.create({ state: TaskState.PENDING }) }),
      );
    });
    const n1 = connect('n1');
    expect(n1.read()).toEqual([
      '+config/conf1',
      '+endpoints/web',
      '+network/net1',
      '+secret/sec1',
      '+task/t1',
      '+volume/vol1',
    ]);
    expect([...((n1.twin.known.get('secret/sec1') as Secret).spec?.data ?? [])]).toEqual([120]);
    expect(n1.read()).toEqual([]);
    expect(connect('n9').read()).toEqual([]);
  });

  it('then are differences: a new task brings what it needs, the last one takes it away', () => {
    const { run, connect, store } = cluster();
    run(withObjects);
    const n1 = connect('n1');
    expect(n1.read()).toEqual([]);
    run((tx) => tx.create('task', assigned(db, 't1', 'n1')));
    expect(n1.read()).toEqual(['+endpoints/db', '+network/net2', '+task/t1']);
    const update = (change: Partial<Task>): void =>
      run((tx) => tx.update('task', { ...(store.view.get('task', 't1') as Task), ...change }));
    update({ desiredState: TaskState.SHUTDOWN });
    expect(n1.read()).toEqual(['+task/t1']);
    update({ status: statusOf(TaskState.SHUTDOWN) });
    expect(n1.read()).toEqual(['-endpoints/db', '-network/net2']);
    run((tx) => tx.remove('task', 't1'));
    expect(n1.read()).toEqual(['-task/t1']);
    expect(n1.twin.known.size).toBe(0);
  });

  it('do not echo what the node reported itself', () => {
    const { run, connect, store } = cluster();
    run(withObjects);
    run((tx) => tx.create('task', assigned(db, 't1', 'n1')));
    const n1 = connect('n1');
    n1.read();
    run((tx) =>
      tx.update('task', {
        ...(store.view.get('task', 't1') as Task),
        status: statusOf(TaskState.PREPARING),
      }),
    );
    expect(n1.read()).toEqual([]);
    run((tx) =>
      tx.update('task', {
        ...(store.view.get('task', 't1') as Task),
        status: statusOf(TaskState.RUNNING),
      }),
    );
    expect(n1.read()).toEqual(['+endpoints/db']);
  });

  it('tell a node of services on its networks, wherever their tasks are, and of no others', () => {
    const { run, connect } = cluster();
    run(withObjects);
    const n1 = connect('n1');
    n1.read();
    run((tx) => tx.create('task', assigned(web, 't1', 'n1')));
    n1.read();
    run((tx) => {
      tx.create('task', assigned(db, 't2', 'n2'));
      tx.create('task', assigned(web, 't3', 'n2'));
    });
    expect(n1.read()).toEqual(['+endpoints/web']);
    const other = service('cache', { taskTemplate: template({ networks: [attach('net1')] }) });
    run((tx) => tx.create('service', other));
    expect(n1.read()).toEqual(['+endpoints/cache']);
    run((tx) =>
      tx.update('service', {
        ...other,
        spec: {
          ...(other.spec as NonNullable<Service['spec']>),
          taskTemplate: template({ networks: [attach('net2')] }),
        },
      }),
    );
    expect(n1.read()).toEqual(['-endpoints/cache']);
  });

  it('tell every node of a service that publishes an ingress port', () => {
    const { run, connect } = cluster();
    run(withObjects);
    const n1 = connect('n1');
    const n2 = connect('n2');
    n1.read();
    n2.read();
    const port = PortConfig.create({
      publishedPort: 8080,
      targetPort: 80,
      publishMode: PublishMode.INGRESS,
    });
    const published = service('edge');
    run((tx) =>
      tx.create('service', { ...published, endpoint: Endpoint.create({ ports: [port] }) }),
    );
    expect([n1.read(), n2.read()]).toEqual([['+endpoints/edge'], ['+endpoints/edge']]);
    expect(connect('n3').read()).toEqual(['+endpoints/edge']);
    run((tx) => tx.create('task', assigned(published, 't1', 'n2')));
    expect([n1.read(), n2.read()]).toEqual([['+endpoints/edge'], ['+endpoints/edge', '+task/t1']]);
    run((tx) => tx.remove('service', 'edge'));
    expect(n1.read()).toEqual(['-endpoints/edge']);
  });

  it('bring a volume that appears later, and changes of networks in use', () => {
    const { run, connect, store } = cluster();
    run((tx) => {
      withObjects(tx);
      tx.remove('volume', 'vol1');
      tx.create('task', assigned(web, 't1', 'n1'));
    });
    const n1 = connect('n1');
    expect(n1.read()).not.toContain('+volume/vol1');
    run((tx) =>
      tx.create('volume', Volume.create({ id: 'vol1', spec: VolumeSpec.create({ name: 'data' }) })),
    );
    expect(n1.read()).toEqual(['+volume/vol1']);
    run((tx) =>
      tx.update(
        'network',
        Network.create({ ...(store.view.get('network', 'net1') as Network), stack: 'x' }),
      ),
    );
    expect(n1.read()).toEqual(['+network/net1']);
  });

  it('stay while a task is stopped on request, which its node starts again, and go when it has ended', () => {
    const { run, connect, store } = cluster();
    run(withObjects);
    run((tx) => tx.create('task', assigned(db, 't1', 'n1')));
    const n1 = connect('n1');
    n1.read();
    const report = (status: TaskStatus): void =>
      run((tx) => tx.update('task', { ...(store.view.get('task', 't1') as Task), status }));
    report(statusOf(TaskState.SHUTDOWN, { stopped: true }));
    expect(n1.read()).not.toContain('-network/net2');
    report(statusOf(TaskState.FAILED));
    expect(n1.read()).toContain('-network/net2');
  });

  it('move with a task from node to node', () => {
    const { run, connect, store } = cluster();
    run(withObjects);
    run((tx) => tx.create('task', assigned(db, 't1', 'n1')));
    const n1 = connect('n1');
    n1.read();
    run((tx) => tx.update('task', { ...(store.view.get('task', 't1') as Task), nodeId: 'n2' }));
    expect(n1.read()).toEqual(['-endpoints/db', '-network/net2', '-task/t1']);
  });
});

describe('endpoints', () => {
  const endpointsAfter = (change: (t: Task) => Task, of = web) => {
    const { run, connect } = cluster();
    run(withObjects);
    run((tx) => tx.create('task', change(assigned(of, 't1', 'n1', { slot: 2 }))));
    const n1 = connect('n1');
    n1.read();
    return n1.twin.known.get(`endpoints/${of.id}`) as {
      names: string[];
      backends: { serving: boolean; taskName: string }[];
    };
  };

  it('have the Compose name of a stack’s service beside its own', () => {
    expect(endpointsAfter((t) => t).names).toEqual(['front']);
    expect(endpointsAfter((t) => t, db).names).toEqual([]);
  });

  it('serve only while running, healthy, wanted, not stopped and not paused', () => {
    const serving = (
      status: TaskStatus,
      desiredState: TaskState = TaskState.RUNNING,
    ): boolean | undefined =>
      endpointsAfter((t) => ({ ...t, status, desiredState })).backends[0]?.serving;
    expect(serving(statusOf(TaskState.RUNNING))).toBe(true);
    expect(serving(statusOf(TaskState.RUNNING, { health: HealthState.HEALTHY }))).toBe(true);
    expect(serving(statusOf(TaskState.STARTING, { health: HealthState.STARTING }))).toBe(false);
    expect(serving(statusOf(TaskState.RUNNING, { health: HealthState.UNHEALTHY }))).toBe(false);
    expect(serving(statusOf(TaskState.RUNNING, { stopped: true }))).toBe(false);
    expect(serving(statusOf(TaskState.RUNNING, { paused: true }))).toBe(false);
    expect(serving(statusOf(TaskState.RUNNING), TaskState.SHUTDOWN)).toBe(false);
    expect(endpointsAfter((t) => t).backends[0]?.taskName).toBe('web.2.t1');
  });
});
