// Goal: what `tswarm why` advises names the real service and node, and is a command that does what it says. Method: the controllers over a store; the words are the CLI's.
import { beforeEach, describe, expect, it } from 'vitest';
import { why } from '#manager/control/why';
import { fixText } from '#protocol/fix-words';
import { ObjectKind, WhyRequest } from '#protocol/generated/control';
import { NodeState, NodeStatus } from '#protocol/generated/objects';
import {
  EndpointSpec,
  GenericResource,
  Mount,
  MountType,
  Placement,
  PortConfig,
  PublishMode,
  ResourceRequirements,
  Resources,
  ServiceMode,
  type TaskSpec,
} from '#protocol/generated/specs';
import { TestCluster } from '../orchestrator/cluster.ts';
import { template } from '../support/objects.ts';

let c: TestCluster;

beforeEach(() => {
  c = new TestCluster();
  c.addNode('n1');
  c.addNode('n2');
});

function create(
  name: string,
  over: Partial<TaskSpec>,
  replicas = 1,
  ports: PortConfig[] = [],
): void {
  c.createService({
    name,
    taskTemplate: template(over),
    mode: ServiceMode.create({ replicated: { replicas } }),
    endpointSpec: EndpointSpec.create({ ports }),
  });
  c.run(10);
}

function advice(name: string): string[] {
  const request = WhyRequest.create({ kind: ObjectKind.SERVICE, id: `svc-${name}` });
  const context = { nowMicros: c.nowMicros, lagging: () => [] };
  return (why(c.store.view, request, context).service?.fixes ?? []).map((fix) =>
    fixText({ Code: fix.code, Values: fix.values }),
  );
}

const reserving = (over: Partial<Resources>): Partial<TaskSpec> => ({
  resources: ResourceRequirements.create({ reservations: Resources.create(over) }),
});

describe('what would help', () => {
  it('a reservation that is too large: the node that comes nearest, and what fits there', () => {
    create('full', reserving({ nanoCpus: 1e9, memoryBytes: 6e9 }));
    create('large', reserving({ nanoCpus: 6e9, memoryBytes: 2 ** 30 }));
    const taken = [...c.store.view.tasksByService('svc-full')][0]?.nodeId;
    const other = taken === 'n1' ? 'n2' : 'n1';
    expect(advice('large')).toEqual([
      `${other} comes nearest (4 of 4 cpus free); reserve less: tswarm service update --reserve-cpu 4 large`,
      'add a node with 6 cpus and 1 GiB of memory: tswarm join-token worker',
    ]);
    c.updateService('svc-large', () => ({ taskTemplate: template(reserving({ nanoCpus: 4e9 })) }));
    c.run(10);
    expect(advice('large')).toEqual([]);
  });

  it('a volume on a host that is down: that host, or what it costs to do without', () => {
    const mounts = [Mount.create({ type: MountType.VOLUME, source: 'rows', target: '/rows' })];
    c.createService({ name: 'db', taskTemplate: template({}, { mounts }) });
    c.run(10);
    const home = c.store.view.byName('volume', 'rows')?.nodeId ?? '';
    c.setNode(home, { status: NodeStatus.create({ state: NodeState.DOWN }) });
    c.run(10);
    expect(advice('db')).toEqual([
      `start ${home} again; if what is in volume rows can be given up: tswarm node rm --force ${home}`,
    ]);
  });

  it('never advises more than is free', () => {
    create('some', reserving({ memoryBytes: 8e9 - 700 * 2 ** 20 - 1000 }), 2);
    create('large', reserving({ memoryBytes: 2 ** 31 }));
    expect(advice('large')[0]).toContain('--reserve-memory 700m large');
    create('more', reserving({ memoryBytes: 700 * 2 ** 20 }), 2);
    expect(advice('large')[0]).toMatch(
      /^n\d comes nearest \(0 MiB of 7.5 GiB of memory free\): free/,
    );
  });

  it('generic resources that no node has', () => {
    const gpu = GenericResource.create({ discreteResourceSpec: { kind: 'gpu', value: 2 } });
    create('cuda', reserving({ genericResources: [gpu] }));
    expect(advice('cuda')[0]).toMatch(/^n\d comes nearest \(too few gpu=2 free\): free/);
  });

  it('a constraint: the label to give, and the constraint to drop', () => {
    create('disk', { placement: Placement.create({ constraints: ['node.labels.kind==my disk'] }) });
    expect(advice('disk')).toEqual([
      "label a node: tswarm node update --label-add 'kind=my disk' n1",
      "drop the constraint: tswarm service update --constraint-rm 'node.labels.kind==my disk' disk",
    ]);
  });

  it('as many replicas as allowed: the limit with which all would fit', () => {
    create('many', { placement: Placement.create({ maxReplicas: 1 }) }, 5);
    expect(advice('many')[0]).toBe(
      'allow more than 1 on a node: tswarm service update --replicas-max-per-node 3 many',
    );
  });

  it('a port that is taken: by whom, and how to do without it', () => {
    const port = PortConfig.create({
      publishedPort: 8080,
      targetPort: 80,
      publishMode: PublishMode.HOST,
    });
    create('first', {}, 2, [port]);
    create('second', {}, 1, [port]);
    expect(advice('second')).toEqual([
      'port 8080 is taken by service first; take any free one: tswarm service update ' +
        '--publish-rm 80/tcp --publish-add target=80,protocol=tcp,mode=host second',
    ]);
  });
});
