// Goal: a plan is what the deployment would do: the same changes, the same nodes, and nothing is changed by making it. Method: plans over a store with nodes
// and tasks, driven to their end, some beside the deployment itself.
import { describe, expect, it } from 'vitest';
import { deployStack } from '#manager/control/stack-deploy';
import { planStack } from '#manager/control/stack-plan';
import {
  DeployStackRequest,
  ObjectKindText,
  PlannedActionText,
  type PlanStackResponse,
  StackChangeActionText,
} from '#protocol/generated/control';
import {
  type Node,
  NodeDescription,
  NodeState,
  NodeStatus,
  Task,
  TaskState,
  TaskStatus,
} from '#protocol/generated/objects';
import {
  EngineRestart,
  EngineRestartPolicy,
  NetworkSpec,
  Placement,
  SecretSpec,
  ServiceDependency,
  ServiceMode,
  ServiceSpec,
  StackSpec,
  UpdateConfig,
  UpdateOrder,
} from '#protocol/generated/specs';
import { newId } from '#protocol/ids';
import { type TestCluster, testCluster } from '../support/cluster-state.ts';
import { attach, node, task, template, testRandom } from '../support/objects.ts';

const START_MICROS = 1_000_000_000;

function readyNode(hostname: string): Node {
  return node(`id-${hostname}`, {
    description: NodeDescription.create({ hostname }),
    status: NodeStatus.create({ state: NodeState.READY }),
  });
}

function withNodes(...hostnames: readonly string[]): TestCluster {
  const c = testCluster();
  for (const hostname of hostnames) c.run((tx) => tx.create('node', readyNode(hostname)));
  return c;
}

function plan(c: TestCluster, stack: StackSpec, over: Partial<DeployStackRequest> = {}) {
  const random = testRandom(7);
  const context = {
    nowMicros: START_MICROS,
    newId: () => newId(random),
    random: () => random.next(),
  };
  const request = DeployStackRequest.create({ stack, ...over });
  const work = planStack(c.store.rehearsal(), context, request);
  for (;;) {
    const step = work.next();
    if (step.done === true) return { ...step.value, ...words(step.value) };
  }
}

function words(response: PlanStackResponse) {
  return {
    objects: response.changes.map(
      ({ kind, name, action }) =>
        `${StackChangeActionText.get(action)} ${ObjectKindText.get(kind)} ${name}`,
    ),
    places: response.tasks.map(
      ({ service, slot, action, hostname, from, reason }) =>
        `${PlannedActionText.get(action)} ${service}.${slot} ${from === '' ? '' : `${from}>`}${hostname}${reason}`,
    ),
  };
}

function web(over: Partial<ServiceSpec> = {}, image = 'nginx'): ServiceSpec {
  return ServiceSpec.create({
    name: 'shop_web',
    taskTemplate: template({ networks: [attach('shop_front')] }, { image }),
    mode: ServiceMode.create({ replicated: { replicas: 2 } }),
    ...over,
  });
}

function shop(services: readonly ServiceSpec[]): StackSpec {
  return StackSpec.create({
    name: 'shop',
    networks: [NetworkSpec.create({ name: 'shop_front' })],
    services: [...services],
  });
}

/** Deploys for real and lets the tasks of the services run on these nodes. */
function running(c: TestCluster, stack: StackSpec, nodes: readonly string[]): void {
  const request = DeployStackRequest.create({ stack });
  c.run((tx, context) => deployStack(tx, context, request));
  for (const service of c.store.view.list('service')) {
    nodes.forEach((hostname, i) => {
      const running = task(`${service.spec?.name}-${i + 1}`, service, {
        slot: i + 1,
        nodeId: `id-${hostname}`,
        desiredState: TaskState.RUNNING,
        status: TaskStatus.create({ state: TaskState.RUNNING, runningSince: 1, appliedAt: 1 }),
        specVersion: service.specVersion,
      });
      c.run((tx) => tx.create('task', running));
    });
  }
}

describe('a plan', () => {
  it('of something new says what is made and where it runs, and changes nothing', () => {
    const c = withNodes('a', 'b');
    const { index } = c.store;
    const { objects, places, complete, nodes, revision } = plan(c, shop([web()]));
    expect(objects).toEqual(['created network shop_front', 'created service shop_web']);
    expect(places.map((place) => place.replace(/[ab]$/, 'NODE'))).toEqual([
      'start shop_web.1 NODE',
      'start shop_web.2 NODE',
    ]);
    expect(new Set(places.map((place) => place.slice(-1)))).toEqual(new Set(['a', 'b']));
    expect({ complete, nodes, revision }).toEqual({ complete: true, nodes: 2, revision: 0 });
    expect(c.store.index).toBe(index);
    expect([...c.store.view.list('service')]).toEqual([]);
  });

  it('of what is there already keeps everything', () => {
    const c = withNodes('a', 'b');
    running(c, shop([web()]), ['a', 'b']);
    const { objects, places } = plan(c, shop([web()]));
    expect(objects).toEqual(['none network shop_front', 'none service shop_web']);
    expect(places).toEqual(['keep shop_web.1 a', 'keep shop_web.2 b']);
  });

  it('follows a rolling update to its end, with its delays', () => {
    const c = withNodes('a', 'b');
    const updateConfig = UpdateConfig.create({ parallelism: 1, delay: 10e9, monitor: 5e9 });
    running(c, shop([web({ updateConfig })]), ['a', 'b']);
    const { changes, places, complete, duration } = plan(
      c,
      shop([web({ updateConfig }, 'nginx:2')]),
    );
    expect(places.map((place) => place.split(' ')[0])).toEqual(['replace', 'replace']);
    expect(complete).toBe(true);
    // Two delays of 10 s: after the first slot, and after the last one before it counts as done.
    expect(duration).toBeGreaterThan(15e9);
    expect(duration).toBeLessThan(30e9);
    const service = changes.find((change) => change.after?.service)?.after?.service;
    expect(service?.taskTemplate?.containerSpec?.image).toBe('nginx:2');
    expect(service?.taskTemplate?.networks[0]?.target).toBe('shop_front');
  });

  it('start-first ends with one task in each slot', () => {
    const c = withNodes('a', 'b');
    const updateConfig = UpdateConfig.create({ parallelism: 1, order: UpdateOrder.START_FIRST });
    running(c, shop([web({ updateConfig })]), ['a', 'b']);
    const { places, complete } = plan(c, shop([web({ updateConfig }, 'nginx:2')]));
    expect(places).toHaveLength(2);
    expect(places.every((place) => place.startsWith('replace'))).toBe(true);
    expect(complete).toBe(true);
  });

  it('says why no node takes a task, and what waits for it', () => {
    const c = withNodes('a');
    const placement = Placement.create({ constraints: ['node.labels.disk==ssd'] });
    const db = ServiceSpec.create({ name: 'shop_db', taskTemplate: template({ placement }) });
    const dependsOn = [ServiceDependency.create({ service: 'shop_db', required: true })];
    const app = ServiceSpec.create({ name: 'shop_app', taskTemplate: template({ dependsOn }) });
    const { places } = plan(c, shop([db, app]));
    expect(places[0]).toMatch(/^start shop_app\.1 a?waiting for service shop_db to start$/);
    expect(places[1]).toMatch(/^pending shop_db\.1 no suitable node/);
  });

  it('takes what others wait for to end well', () => {
    const c = withNodes('a');
    const engineRestart = EngineRestartPolicy.create({ name: EngineRestart.NO });
    const init = ServiceSpec.create({
      name: 'shop_init',
      taskTemplate: template({ engineRestart }),
    });
    const dependsOn = [
      ServiceDependency.create({ service: 'shop_init', condition: 2, required: true }),
    ];
    const app = ServiceSpec.create({ name: 'shop_app', taskTemplate: template({ dependsOn }) });
    expect(plan(c, shop([init, app])).places).toEqual([
      'start shop_app.1 a',
      'start shop_init.1 a',
    ]);
  });

  it('counts a node that is down as one that says nothing', () => {
    const c = withNodes('a', 'b');
    c.run((tx) => {
      const status = NodeStatus.create({ state: NodeState.DOWN });
      tx.update('node', { ...readyNode('b'), status });
    });
    const { places, nodes } = plan(c, shop([web()]));
    expect(places).toEqual(['start shop_web.1 a', 'start shop_web.2 a']);
    expect(nodes).toBe(1);
  });

  it('of a smaller file stops what is gone only where that was asked for', () => {
    const c = withNodes('a');
    const db = ServiceSpec.create({ name: 'shop_db', taskTemplate: template({}) });
    const one = ServiceMode.create({ replicated: { replicas: 1 } });
    running(c, shop([web({ mode: one }), db]), ['a']);
    const kept = plan(c, shop([web({ mode: one })]));
    expect(kept.places).toEqual(['keep shop_db.1 a', 'keep shop_web.1 a']);
    expect(kept.warnings.join()).toMatch('shop_db');
    const pruned = plan(c, shop([web({ mode: one })]), { prune: true });
    expect(pruned.places).toEqual(['stop shop_db.1 a', 'keep shop_web.1 a']);
    expect(pruned.objects).toContain('removed service shop_db');
  });

  it('says that what failed for good is started again', () => {
    const c = withNodes('a');
    const engineRestart = EngineRestartPolicy.create({ name: EngineRestart.NO });
    const once = ServiceSpec.create({
      name: 'shop_once',
      taskTemplate: template({ engineRestart }),
    });
    running(c, shop([once]), ['a']);
    c.run((tx) => {
      const failed = tx.get('task', 'shop_once-1') as Task;
      const status = TaskStatus.create({ ...failed.status, state: TaskState.FAILED });
      tx.update('task', Task.create({ ...failed, status }));
    });
    expect(plan(c, shop([once])).places).toEqual(['restart shop_once.1 a']);
  });

  it('never holds the bytes of a secret', () => {
    const c = withNodes('a');
    const secrets = [SecretSpec.create({ name: 'pw', data: new Uint8Array([1, 2, 3]) })];
    const { changes } = plan(c, StackSpec.create({ name: 'shop', secrets }));
    expect(changes[0]?.after?.secret?.data).toEqual(new Uint8Array());
  });

  it('that cannot be carried out fails as the deployment does', () => {
    const c = withNodes('a');
    const wrong = web({ mode: ServiceMode.create({ replicated: { replicas: -1 } }) });
    expect(() => plan(c, shop([wrong]))).toThrow();
  });
});

describe('a deployment on a plan', () => {
  const deploy = (c: TestCluster, expectedState: string) =>
    c.run((tx, context) =>
      deployStack(tx, context, DeployStackRequest.create({ stack: shop([web()]), expectedState })),
    );

  it('is made when nothing has changed since', () => {
    const c = withNodes('a');
    deploy(c, plan(c, shop([web()])).state);
    const { state } = plan(c, shop([web()]));
    expect(() => deploy(c, state)).not.toThrow();
  });

  it('is refused when the project has changed', () => {
    const c = withNodes('a');
    const { state } = plan(c, shop([web()]));
    deploy(c, '');
    expect(() => deploy(c, state)).toThrow(/project shop has changed since the plan was made/);
  });

  it('is refused when something of it was removed', () => {
    const c = withNodes('a');
    deploy(c, '');
    const { state } = plan(c, shop([web()]));
    c.run((tx) => tx.remove('service', tx.byName('service', 'shop_web')?.id ?? ''));
    expect(() => deploy(c, state)).toThrow(/has changed/);
  });
});
